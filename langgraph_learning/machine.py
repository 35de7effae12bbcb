"""The learning machine: configuration in, nodes, tools, middleware and data API out."""

import asyncio
import copy
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal, TypeVar, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, convert_to_messages
from langchain_core.messages.utils import MessageLikeRepresentation
from langchain_core.tools import BaseTool
from langgraph.store.base import BaseStore

from langgraph_learning._engine.background.learner import drain
from langgraph_learning._engine.flow import Flow
from langgraph_learning._engine.learning.model_call import CallLimits
from langgraph_learning._engine.learning.structured_output import OutputMethods
from langgraph_learning._engine.recall.recall import Receipt
from langgraph_learning._engine.reflection.arguments import reflect_flow
from langgraph_learning._engine.settings import MachineSettings, Placement, check_store, resolve_model
from langgraph_learning.config import (
    Background,
    Model,
    resolve_background,
)
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.langgraph_private import read_channel
from langgraph_learning.masking import mask_secrets
from langgraph_learning.middleware import LearningMiddleware, ReviewMiddleware
from langgraph_learning.nodes import AnyGraph, FlowNode, Wrapped
from langgraph_learning.nodes.around import around
from langgraph_learning.nodes.identity import agent_name
from langgraph_learning.nodes.inbox import inbox
from langgraph_learning.nodes.into import into
from langgraph_learning.nodes.model import show_to_model, without_context
from langgraph_learning.nodes.placement import read_messages, show_first
from langgraph_learning.nodes.review import review_step
from langgraph_learning.nodes.run_context import Run
from langgraph_learning.nodes.steps import extract_step, recall_step, text_step
from langgraph_learning.nodes.wiring import TOOLS
from langgraph_learning.nodes.wrap import get_messages
from langgraph_learning.options import (
    Keywords,
    check_choice,
    check_function,
    check_limit,
    check_seconds,
    check_text,
)
from langgraph_learning.records import Commit, Feedback, Proposal, Reflection
from langgraph_learning.scoped import Scoped
from langgraph_learning.stores import LearningStore
from langgraph_learning.stores.registry import Choice, resolve_stores
from langgraph_learning.tools import tools

log = logging.getLogger("langgraph_learning")
F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M")


def _called_first(factory: F) -> F:
    """Say what to write where somebody adds `learning.recall_node` to a graph instead of `learning.recall_node()`."""

    @functools.wraps(factory)
    def checking_factory(*arguments: Any, **options: Any) -> Any:
        if len(arguments) > 1:
            name = factory.__name__
            raise ConfigurationError(f"learning.{name} makes the node: call it, builder.add_node(learning.{name}())")
        return factory(*arguments, **options)

    return cast("F", checking_factory)


class LearningMachine(Keywords):
    """Learns from every turn and recalls before the next one, in any graph.

    ```python
    learning = LearningMachine(model="openai:gpt-5.2", user_profile=True, user_memory=True)
    graph = learning.into(builder, models=["call_model"]).compile(store=store, checkpointer=checkpointer)
    graph.invoke({"messages": [("user", "I prefer tea.")]}, config, context={"user_id": "alex"})
    ```

    Args:
        model: Extracts; a chat model or `"provider:name"`. Without one the agent's own model does, where there is one.
        user_profile: Who the user is. True, a configuration, or a learning store; so for the next ones.
        user_memory: What to remember about the user.
        session_context: Where the conversation stands.
        entity_memory: Things, people, organisations and projects, and how they stand to each other.
        learned_knowledge: What helps again, whoever asks next.
        procedures: How things are done, from what the agent's tool calls came to.
        instructions: Rules that the agent works by.
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
        extraction_max_tokens: How long the answer of an extraction may be; None leaves it to the model.
        extraction_timeout: After how many seconds an extraction fails, and its turn is heard again with the next one;
            None waits for ever.
        shared: Whether a turn may change what others taught in a shared namespace. `"propose"`: it may add, and what
            it would change or remove of others waits for a person; without a user it teaches nothing there.
            `"write"`: it may change everything.
        reviewers: Says who may decide about which proposal: a function of `reviewer`, a user id or the name that
            `decide(by=...)` gives, and `proposal`, which returns True or False. It is asked wherever somebody decides;
            whoever proposed something for a shared namespace does not approve it. Without it users decide about what
            was proposed to them.
        author_name: Returns how a user id is called where another user reads what they taught; by default, and where
            it returns None, "another user".
        placement: Where a model sees the recalled text (middleware, `model`, `into`, graphs in `around`): at the start
            of the user's last message, so that the conversation before it stays as it was, for prompt caches; or with
            "system" at the end of the system message, which a `dynamic_prompt` further in may then replace.
        background: Whether to learn behind the reply: the turn is written into the store, and nobody waits for the
            model that learns from it. True, or a `Background`.

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
        procedures: Choice = False,
        instructions: Choice = False,
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
        extraction_max_tokens: int | None = 8_000,
        extraction_timeout: float | None = 120.0,
        shared: Literal["propose", "write"] = "propose",
        reviewers: Callable[..., object] | None = None,
        author_name: Callable[[str], str | None] | None = None,
        placement: Placement = "turn",
        background: bool | Background = False,
    ) -> None:
        check_limit("LearningMachine(max_updates_per_run=...)", max_updates_per_run)
        check_limit("LearningMachine(context_tokens=...)", context_tokens)
        check_choice("LearningMachine", "on_error", on_error, ("log", "raise"))
        check_choice("LearningMachine", "placement", placement, ("turn", "system"))
        check_choice("LearningMachine", "shared", shared, ("propose", "write"))
        check_store("LearningMachine", store)
        check_function("LearningMachine", "scope", scope, "that returns the user id")
        check_function("LearningMachine", "turn", turn, "of the state that returns messages")
        check_function("LearningMachine", "mask", mask, "of a text")
        check_function("LearningMachine", "reviewers", reviewers, "of reviewer and proposal")
        check_function("LearningMachine", "author_name", author_name, "of a user id")
        if isinstance(user_tools, str) or not all(isinstance(tool, str) for tool in user_tools):
            raise ConfigurationError(f"LearningMachine(user_tools={user_tools!r}): give names of tools, ('ask_human',)")
        check_limit("LearningMachine(extraction_max_tokens=...)", extraction_max_tokens)
        check_seconds("LearningMachine(extraction_timeout=...)", extraction_timeout)
        check_text("LearningMachine(namespace=...)", namespace)
        check_text("LearningMachine(messages_key=...)", messages_key)
        if not isinstance(name, str) or not name.isidentifier():
            raise ConfigurationError(f"LearningMachine(name={name!r}): give a Python identifier, it names state keys")
        choices = {
            "instructions": instructions,
            "user_profile": user_profile,
            "user_memory": user_memory,
            "session_context": session_context,
            "entity_memory": entity_memory,
            "learned_knowledge": learned_knowledge,
            "procedures": procedures,
            "decision_log": decision_log,
            "conversations": conversations,
        }
        stores = resolve_stores(choices, custom_stores, namespace)
        default = without_context(resolve_model(model))
        if model is not None and not stores:
            log.warning(
                "this machine has a model and nothing to learn: name its learning stores, e.g."
                " LearningMachine(model=..., user_profile=True, user_memory=True)"
            )
        self.namespace = namespace
        self._settings = MachineSettings(
            stores=stores,
            models={each.name: without_context(resolve_model(each.config.model)) or default for each in stores},
            limits={each.name: each.config.max_updates_per_run or max_updates_per_run for each in stores},
            placement=placement,
            background=resolve_background(background),
            store=store,
            context_tokens=context_tokens,
            scope=scope,
            on_error=on_error,
            name=name,
            messages_key=messages_key,
            turn=turn,
            user_tools=frozenset(user_tools),
            mask=mask or str,
            methods=OutputMethods(CallLimits(extraction_max_tokens, extraction_timeout)),
            shared=shared,
            reviewers=reviewers,
            author_name=author_name,
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
    def store(self) -> BaseStore | None:
        """The store it was given; None where it learns into the store of the graph that runs."""
        return self._settings.store

    @property
    def name(self) -> str:
        """What tells this machine from another one in the same agent."""
        return self._settings.name

    @_called_first
    def recall_node(self) -> FlowNode:
        """Return the node that recalls; it goes before the model."""
        return FlowNode("recall", self._settings, recall_step)

    @_called_first
    def extract_node(self) -> FlowNode:
        """Return the node that learns from the turn; it goes after the model.

        Raises:
            ConfigurationError: Something is to be extracted, and there is no model for it.
        """
        self._settings.extractions()
        return FlowNode("extract", self._settings, extract_step)

    @_called_first
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

    def into(self, builder: AnyGraph, *, models: Sequence[str] = ()) -> AnyGraph:
        """Return a copy of a graph's builder that recalls at its start and learns before each of its ends.

        The graph's state, inputs, outputs, deletions and subgraphs stay its own; compile the copy as you would have.

        ```python
        builder = learning.into(builder, models=["call_model"])
        graph = builder.compile(store=store, checkpointer=checkpointer)
        ```

        Args:
            builder: A `StateGraph`, not compiled. It is not changed.
            models: The names of the nodes that are shown the recalled text, in their last message of the user. Where
                a node builds its prompt of something else, give its chat model to `model` instead.

        Raises:
            ConfigurationError: It is no builder, has no such node, has this machine already, a named node has a
                `CachePolicy`, or there is no model to extract with.
        """
        return into(builder, bind_agent(self, None)._settings, models)

    def model(self, chat_model: M) -> M:
        """Return the same chat model, which is shown what was recalled in the run that it is called in.

        It goes into any node, subgraph, `Send` worker, task or tool, and keeps what the model has: tools, structured
        output, streaming, fallbacks, `bind`, `with_config`. Outside of a graph it is the model as it was.

        ```python
        model = learning.model(init_chat_model("openai:gpt-5.2"))
        ```

        Args:
            chat_model: A chat model, also one that the run configures; or a binding, a sequence or fallbacks with
                chat models in it.

        Raises:
            ConfigurationError: There is no chat model in it.
        """
        return cast("M", show_to_model(chat_model, self._settings))

    def around(
        self,
        node_or_graph: object,
        *,
        name: str = "agent",
        state_schema: type[Any] | None = None,
        context_schema: type[Any] | None = None,
    ) -> AnyGraph:
        """Return a graph of recall, `node_or_graph`, extract and review, to compile or to build on.

        It is for single nodes, and for graphs that you cannot build anew: a compiled graph is shown the text in its
        input, so its own checkpoints hold it, and it reads it where it looks into the user's last message. Of a graph
        of yours take the builder, with `into`; of a `create_agent`, the `middleware`.

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
        self._settings.steps.add(TOOLS)
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
        return show_first(self._get_messages(state), self.context(state), self._settings.context_id).messages

    async def amessages(self, state: object) -> list[BaseMessage]:
        """Return what `messages` does, for async nodes."""
        text = await self.acontext(state)
        return show_first(self._get_messages(state), text, self._settings.context_id).messages

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

    def review_queue(self, namespace: str | None = None, store: BaseStore | None = None) -> list[Proposal]:
        """Return the proposals that wait, to all users and to none, the oldest first.

        It tells everything: check who asks before you show it, or take `scoped(user_id=...).review_queue()`, which
        returns what that person may decide about.

        Args:
            namespace: What is proposed for this shared namespace; by default everything.
            store: Where the proposals are; by default the machine's own store.
        """
        return self.scoped(store=store).review_queue(namespace)

    async def areview_queue(self, namespace: str | None = None, store: BaseStore | None = None) -> list[Proposal]:
        """Return what `review_queue` does."""
        return await self.scoped(store=store).areview_queue(namespace)

    def reflect(
        self,
        *,
        user_id: str | int | None = None,
        namespace: str | None = None,
        since: datetime | None = None,
        model: Model | None = None,
        dry_run: bool = False,
        store: BaseStore | None = None,
    ) -> Reflection:
        """Learn from what happened since the last reflection how to work better, and say what that came to.

        It reads tool calls that failed and then worked, outcomes of decisions, corrections by users and votes, asks the
        model once per batch of them, and changes procedures, instructions and learned knowledge by single operations,
        each with the turns that it rests on. Where a learning store proposes, a person decides.

        Args:
            user_id: Reflect on this user's turns; by default on all that could teach the namespace.
            namespace: Which shared knowledge is changed; by default the machine's.
            since: Reflect on everything after this moment, also again.
            model: What reflects; by default what extracts for these learning stores.
            dry_run: Whether only to report; the model is asked all the same.
            store: Where the records are; by default the machine's own store.

        Raises:
            ConfigurationError: There is nothing to reflect into, or no model.
            ExtractionError: The model's first answer cannot be used; nothing is written.
        """
        scoped = self.scoped(user_id=user_id, store=store)
        return scoped._driver.run(self._reflect(scoped, namespace, since, model, dry_run=dry_run))

    async def areflect(
        self,
        *,
        user_id: str | int | None = None,
        namespace: str | None = None,
        since: datetime | None = None,
        model: Model | None = None,
        dry_run: bool = False,
        store: BaseStore | None = None,
    ) -> Reflection:
        """Do what `reflect` does."""
        scoped = self.scoped(user_id=user_id, store=store)
        return await scoped._driver.arun(self._reflect(scoped, namespace, since, model, dry_run=dry_run))

    def _reflect(
        self, scoped: Scoped, namespace: str | None, since: datetime | None, model: Model | None, *, dry_run: bool
    ) -> Flow[Reflection]:
        return reflect_flow(
            self._settings,
            user_id=scoped.identity.user_id,
            namespace=namespace or self.namespace,
            since=since,
            model=model,
            dry_run=dry_run,
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

    def drain(self, timeout: float | None = None) -> bool:
        """Learn now from all turns that this process has scheduled, and return whether none of them is left.

        A turn that fails is tried once and goes on waiting. Where a worker learns elsewhere, wait for it. In async code
        use `adrain`.

        Args:
            timeout: How long to wait, in seconds; None: until it is done.
        """
        return drain(self._settings, timeout)

    async def adrain(self, timeout: float | None = None) -> bool:
        """Do what `drain` does, without blocking the event loop."""
        return await asyncio.to_thread(drain, self._settings, timeout)

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
            messages = read_messages(read_channel(run.config, self._settings.messages_key))
        return text_step(run, messages)

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
