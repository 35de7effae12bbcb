"""The learning machine: configuration in, nodes, tools, middleware and data API out."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, convert_to_messages
from langchain_core.messages.utils import MessageLikeRepresentation
from langchain_core.tools import BaseTool
from langgraph.store.base import BaseStore

from langgraph_learning._engine.flow import Flow
from langgraph_learning._engine.recall.recall import Receipt
from langgraph_learning._engine.settings import MachineSettings, check_store, resolve_model
from langgraph_learning.config import Keywords, Model, check_limit, check_text
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.langgraph_private import read_channel
from langgraph_learning.masking import mask_secrets
from langgraph_learning.middleware import LearningMiddleware, ReviewMiddleware
from langgraph_learning.nodes import AnyGraph, FlowNode, Run, Wrapped, around
from langgraph_learning.nodes.identity import agent_name
from langgraph_learning.nodes.inbox import inbox
from langgraph_learning.nodes.review import review_step
from langgraph_learning.nodes.steps import extract_step, recall_step, text_step, with_context
from langgraph_learning.nodes.wrap import get_messages
from langgraph_learning.records import Commit, Feedback
from langgraph_learning.scoped import Scoped
from langgraph_learning.stores import LearningStore
from langgraph_learning.stores.registry import Choice, resolve_stores
from langgraph_learning.tools import tools


class LearningMachine(Keywords):
    """Learns from every turn and recalls before the next one, in any graph.

    Args:
        model: Extracts; a chat model or `"provider:name"`. Without one the agent's own model does, where there is one.
        user_profile: Who the user is. True, a configuration, or a learning store; so for the next ones.
        user_memory: What to remember about the user.
        session_context: Where the conversation stands.
        entity_memory: Things, people, organisations and projects, and how they stand to each other.
        learned_knowledge: What helps again, whoever asks next.
        decision_log: What the agent decided, why, and what came of it.
        conversations: What was said, message by message; no model is asked.
        custom_stores: Learning stores of your own.
        namespace: Where shared knowledge lies, for the learning stores that have a namespace.
        store: Where to keep what is learned; without it the store of the graph that runs.
        max_updates_per_run: How many changes a learning store may make in one turn.
        context_tokens: How long the recalled text may be, in tokens.
        scope: Says who is asking, in the place of context and configuration; its parameters are filled in by name
            from `runtime`, `config`, `context` and `state`, and it returns a user id, a mapping of `Identity` fields,
            or None. It is asked once a turn; where the run is authenticated, in every step, and must name the same
            user.
        on_error: Whether a failure of learning is logged, so that the turn ends well, or raised.
        name: Tells two machines in one agent apart.
        messages_key: The state key of the messages.
        turn: Reads the state of a graph whose user speaks elsewhere than in its human messages: a function of the state
            that returns the messages to learn from, or a tuple of them and the text to recall by. Mark a message that
            holds somebody else's words by `additional_kwargs={"learning": "quoted"}`.
        user_tools: The names of tools whose answer is the user's own words, such as `("ask_human",)`.
        mask: Takes secrets out of every text before it is stored; None leaves them in.

    Raises:
        ConfigurationError: The configuration cannot work; the message names the fix.
    """

    def __init__(
        self,
        *,
        model: Model | None = None,
        user_profile: Choice = False,
        user_memory: Choice = False,
        session_context: Choice = False,
        entity_memory: Choice = False,
        learned_knowledge: Choice = False,
        decision_log: Choice = False,
        conversations: Choice = False,
        custom_stores: Sequence[LearningStore] = (),
        namespace: str = "global",
        store: BaseStore | None = None,
        max_updates_per_run: int = 10,
        context_tokens: int = 2_000,
        scope: Callable[..., object] | None = None,
        on_error: Literal["log", "raise"] = "log",
        name: str = "learning",
        messages_key: str = "messages",
        turn: Callable[[Any], object] | None = None,
        user_tools: Sequence[str] = (),
        mask: Callable[[str], str] | None = mask_secrets,
    ) -> None:
        check_limit("LearningMachine(max_updates_per_run=...)", max_updates_per_run)
        check_limit("LearningMachine(context_tokens=...)", context_tokens)
        if on_error not in ("log", "raise"):
            raise ConfigurationError(f"LearningMachine(on_error={on_error!r}): give 'log' or 'raise'")
        check_store("LearningMachine", store)
        if scope is not None and not callable(scope):
            raise ConfigurationError(f"LearningMachine(scope={scope!r}): give a function that returns the user id")
        if turn is not None and not callable(turn):
            raise ConfigurationError(
                f"LearningMachine(turn={turn!r}): give a function of the state that returns messages"
            )
        if isinstance(user_tools, str) or not all(isinstance(tool, str) for tool in user_tools):
            raise ConfigurationError(f"LearningMachine(user_tools={user_tools!r}): give names of tools, ('ask_human',)")
        if mask is not None and not callable(mask):
            raise ConfigurationError(f"LearningMachine(mask={mask!r}): give a function of a text, or None")
        check_text("LearningMachine(namespace=...)", namespace)
        check_text("LearningMachine(messages_key=...)", messages_key)
        if not isinstance(name, str) or not name.isidentifier():
            raise ConfigurationError(f"LearningMachine(name={name!r}): give a Python identifier, it names state keys")
        choices = {
            "user_profile": user_profile,
            "user_memory": user_memory,
            "session_context": session_context,
            "entity_memory": entity_memory,
            "learned_knowledge": learned_knowledge,
            "decision_log": decision_log,
            "conversations": conversations,
        }
        stores = resolve_stores(choices, custom_stores, namespace)
        default = resolve_model(model)
        self.namespace = namespace
        self._settings = MachineSettings(
            stores=stores,
            models={each.name: resolve_model(each.config.model) or default for each in stores},
            limits={each.name: each.config.max_updates_per_run or max_updates_per_run for each in stores},
            store=store,
            context_tokens=context_tokens,
            scope=scope,
            on_error=on_error,
            name=name,
            messages_key=messages_key,
            turn=turn,
            user_tools=frozenset(user_tools),
            mask=mask or str,
        )

    def __repr__(self) -> str:
        """Name the learning stores and how each learns."""
        modes = ", ".join(f"{each.name}={each.config.mode.name}" for each in self.stores)
        return f"{type(self).__name__}({modes})"

    @property
    def stores(self) -> tuple[LearningStore, ...]:
        """The learning stores."""
        return self._settings.stores

    @property
    def name(self) -> str:
        """What tells this machine from another one in the same agent."""
        return self._settings.name

    def recall_node(self) -> FlowNode:
        """Return the node that recalls; it goes before the model."""
        return FlowNode("recall", self._settings, recall_step)

    def extract_node(self) -> FlowNode:
        """Return the node that learns from the turn; it goes after the model.

        Raises:
            ConfigurationError: Something is to be extracted, and there is no model for it.
        """
        self._settings.extractions()
        return FlowNode("extract", self._settings, extract_step)

    def review_node(self) -> FlowNode:
        """Return the node where a person decides; it goes after extraction, and passes where there is nothing to ask.

        It interrupts with LangChain's `HITLRequest`, and is resumed by `Command(resume={"decisions": [...]})`, one per
        request. In a graph without a checkpointer the proposals wait for `scoped(...).decide(...)`.
        """
        return FlowNode("review", self._settings, review_step)

    def wrap(self, node: object) -> Wrapped:
        """Return `node` as it is, but shown the recalled text as the first of its messages.

        Args:
            node: Any node: a function, sync or async, annotated or not, an object, a Runnable.
        """
        return Wrapped(node, bind_agent(self, agent_name(node))._settings)

    def around(
        self,
        node_or_graph: object,
        *,
        name: str = "agent",
        state_schema: type[Any] | None = None,
        context_schema: type[Any] | None = None,
    ) -> AnyGraph:
        """Return a graph of recall, `node_or_graph`, extract and review, to compile or to build on.

        Args:
            node_or_graph: Any node, or a compiled graph; the graph stays discoverable (xray, subgraphs).
            name: The name of its node.
            state_schema: The state; by default the inner graph's own, the node's annotation, or `MessagesState`.
            context_schema: The run's context; by default the inner graph's own, or `LearningContext`.

        Raises:
            ConfigurationError: Something is to be extracted, and there is no model for it.
        """
        served = bind_agent(self, agent_name(node_or_graph))
        nodes = (served.recall_node(), served.extract_node(), served.review_node())
        schemas = {"state_schema": state_schema, "context_schema": context_schema}
        return around(node_or_graph, nodes, served._settings, name=name, **schemas)

    def middleware(
        self, model: BaseChatModel | None = None, *, extract: bool = True
    ) -> list[LearningMiddleware | ReviewMiddleware]:
        """Return the middleware for `create_agent`; put it first in the list, and `tools()` among the tools.

        Args:
            model: Extracts where no model was configured; by default the agent's own, once it was called.
            extract: Whether to learn from the turn. False: recall alone, for sub-agents, whose instructions another
                agent has written.
        """
        if not extract:
            return [LearningMiddleware(self._settings, model, extract=False)]
        # Hooks after the agent run from the last to the first: review comes after extraction.
        review = [ReviewMiddleware(self._settings)] if self._settings.proposes else []
        return [*review, LearningMiddleware(self._settings, model)]

    def tools(self) -> list[BaseTool]:
        """Return the tools of the learning stores that give the agent some.

        Raises:
            ConfigurationError: Two learning stores offer a tool of the same name.
        """
        return tools(self._settings)

    def context(self, state: object = None) -> str:
        """Return the recalled text of the run that is under way; recall now where no step did.

        Args:
            state: The node's state, or a list of messages, when it holds others than the graph's.
        """
        run = Run.current(self._settings)
        return run.driver.run(self._text(run, state))

    async def acontext(self, state: object = None) -> str:
        """Return what `context` does, for async nodes."""
        run = Run.current(self._settings)
        return await run.driver.arun(self._text(run, state))

    def messages(self, state: object) -> list[BaseMessage]:
        """Return the messages of `state` with the recalled text first, ready for a model.

        Args:
            state: The node's state, or a list of messages.

        Raises:
            ConfigurationError: The state has no messages where the machine looks for them.
        """
        return with_context(self._get_messages(state), self.context(state), self._settings)

    async def amessages(self, state: object) -> list[BaseMessage]:
        """Return what `messages` does, for async nodes."""
        return with_context(self._get_messages(state), await self.acontext(state), self._settings)

    def inbox(self, *, context_schema: type[Any] | None = None) -> AnyGraph:
        """Return a graph that shows a user's pending proposals, some at a time, until none is left.

        Compile it with a checkpointer; its input is empty, its result lists what was decided.

        Args:
            context_schema: The run's context; by default `LearningContext`.
        """
        return inbox(self._settings, context_schema=context_schema)

    def scoped(
        self,
        *,
        user_id: str | int | None = None,
        thread_id: str | int | None = None,
        store: BaseStore | None = None,
        timezone: str | None = "UTC",
        agent: str | None = None,
    ) -> Scoped:
        """Return the data API for one user (and thread): for scripts, notebooks and admin pages.

        Args:
            user_id: Whose records; without one the per-user learning stores are empty.
            thread_id: Whose session context.
            store: Where the records are; by default the machine's own store.
            timezone: The user's IANA time zone, for `learn`.
            agent: Whose decisions: the agent's name; by default the one in the configuration, or `agent`.

        Raises:
            ConfigurationError: There is no store, or no such time zone.
            ScopeError: An id is neither a str nor an int.
        """
        return Scoped.of(
            self._settings, user_id=user_id, thread_id=thread_id, store=store, timezone=timezone, agent=agent
        )

    def feedback(
        self,
        commit_or_receipt: Commit | Receipt | str,
        helpful: bool,
        *,
        user_id: str | int | None = None,
        thread_id: str | int | None = None,
        store: BaseStore | None = None,
    ) -> Feedback:
        """Count what was recalled in a turn as helpful or harmful; say what that came to.

        Later recalls rank by it. What is found harmful by the majority, twice at least, is not recalled until a person
        decides: it waits in `proposals()`, where a yes recalls it again and a no removes it. What is always recalled
        (a profile, a session) is not voted on. A second vote on the same turn replaces the first.

        Args:
            commit_or_receipt: Which turn: its commit, the id of that, or its receipt, as the custom stream tells it. A
                commit is looked up; a receipt is believed, so take it from where you have kept it, not from a client.
            helpful: Whether the answer was.
            user_id: Who says so; by default the user of the turn.
            thread_id: In which thread; by default that of the turn.
            store: Where the records are; by default the machine's own store.

        Raises:
            ScopeError: It is no turn of this user; nothing is counted.
        """
        scoped = self._voter(commit_or_receipt, user_id, thread_id, store)
        return scoped.feedback(commit_or_receipt, helpful)

    async def afeedback(
        self,
        commit_or_receipt: Commit | Receipt | str,
        helpful: bool,
        *,
        user_id: str | int | None = None,
        thread_id: str | int | None = None,
        store: BaseStore | None = None,
    ) -> Feedback:
        """Do what `feedback` does."""
        scoped = self._voter(commit_or_receipt, user_id, thread_id, store)
        return await scoped.afeedback(commit_or_receipt, helpful)

    def _voter(
        self,
        about: Commit | Receipt | str,
        user_id: str | int | None,
        thread_id: str | int | None,
        store: BaseStore | None,
    ) -> Scoped:
        turns = None if isinstance(about, str) else about.identity
        user = user_id if user_id is not None or turns is None else turns.user_id
        thread = thread_id if thread_id is not None or turns is None else turns.thread_id
        return self.scoped(user_id=user, thread_id=thread, store=store)

    def _text(self, run: Run, state: object) -> Flow[str]:
        messages = _messages(state, self._settings.messages_key)
        if messages is None:
            messages = list(read_channel(run.config, self._settings.messages_key) or [])
        return text_step(run, state, messages)

    def _get_messages(self, state: object) -> list[BaseMessage]:
        key = self._settings.messages_key
        if (messages := _messages(state, key)) is None:
            raise ConfigurationError(
                f"there are no messages at {key!r} in this state: give LearningMachine(messages_key=...) the key they"
                " have, or give the list of messages itself"
            )
        return messages


def bind_agent(machine: LearningMachine, agent: str | None) -> LearningMachine:
    """Return the machine as it serves one agent: its name, empty for one without, None where the run tells."""
    served = copy.copy(machine)
    served._settings = replace(machine._settings, agent=agent)
    return served


def _messages(state: object, key: str) -> list[BaseMessage] | None:
    """Return the messages of a state, or of a list that is given in the place of one; None where there are none."""
    found = get_messages(state, key)
    if isinstance(state, Mapping) and state.get(key, ...) is None:  # a key that nothing was written to yet
        return []
    if found is None and isinstance(state, Sequence) and not isinstance(state, str | bytes):
        return convert_to_messages(cast("Sequence[MessageLikeRepresentation]", state))
    return found
