"""The learning machine: it takes the configuration and returns nodes, tools, middleware and the data API."""

import asyncio
import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal, TypeVar, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.tools import BaseTool
from langgraph.store.base import BaseStore

from langgraph_learning._engine.background.learner import drain
from langgraph_learning._engine.learning.model_call import CallLimits
from langgraph_learning._engine.learning.structured_output import OutputMethods
from langgraph_learning._engine.settings import MachineSettings, Placement, resolve_model
from langgraph_learning.config import Background, Model, resolve_background
from langgraph_learning.masking import mask_secrets
from langgraph_learning.middleware import LearningMiddleware, ReviewMiddleware
from langgraph_learning.nodes import AnyGraph, FlowNode, Wrapped
from langgraph_learning.nodes.around import around
from langgraph_learning.nodes.identity import agent_name
from langgraph_learning.nodes.inbox import inbox
from langgraph_learning.nodes.into import into
from langgraph_learning.nodes.model_wrapper import show_to_model, without_context
from langgraph_learning.nodes.placement import show_first
from langgraph_learning.nodes.review import review_step
from langgraph_learning.nodes.run_context import Run
from langgraph_learning.nodes.steps import extract_step, recall_step
from langgraph_learning.nodes.wiring_checks import TOOLS, explain_missing_call
from langgraph_learning.nodes.wrap import context_text, require_messages
from langgraph_learning.option_checks import Keywords, check_class, check_duration, check_limit, check_text
from langgraph_learning.records import Commit, Proposal
from langgraph_learning.reports import Feedback, Receipt, Reflection
from langgraph_learning.scoped import Scoped
from langgraph_learning.scoped_flows import check_feedback
from langgraph_learning.stores import LearningStore
from langgraph_learning.stores.resolve_stores import Choice, resolve_stores
from langgraph_learning.tools import tools

log = logging.getLogger("langgraph_learning")
M = TypeVar("M")


class LearningMachine(Keywords):
    """A machine that learns from every turn and recalls before the next one, in any graph.

    ```python
    learning = LearningMachine(model="openai:gpt-5.2", user_profile=True, user_memory=True)
    graph = learning.into(builder, models=["call_model"]).compile(store=store, checkpointer=checkpointer)
    graph.invoke({"messages": [("user", "I prefer tea.")]}, config, context={"user_id": "alex"})
    ```

    Args:
        model: The model that extracts: a chat model or `"provider:name"`; by default the agent's own model, if known.
        user_profile: Who the user is. Give True, a configuration, or a learning store; the same for the next ones.
        user_memory: What to remember about the user.
        session_context: The state of the conversation: its summary, goal and plan.
        entity_memory: People, organisations, projects and things, and how they are related.
        learned_knowledge: Insights that help in later conversations, also of other users.
        procedures: How things are done, learned from the results of the agent's tool calls.
        instructions: Rules that the agent follows.
        decision_log: The agent's decisions, their reasons and outcomes.
        conversations: The messages themselves; no model is called for them.
        custom_stores: Learning stores of your own.
        namespace: The shared namespace, for the learning stores that have one.
        store: The store to learn into; by default the store of the running graph.
        max_updates_per_run: The number of changes that each learning store may make in one turn.
        context_tokens: The length of the recalled text in tokens.
        scope: A function that says who asks, instead of context and configuration. Its parameters are filled by name
            from `runtime`, `config`, `context` and `state`. It returns a user id, a mapping of `Identity` fields, or
            None. It is called once a turn; in an authenticated run, in every step, and must name the authenticated
            user.
        on_error: Whether a failure of learning is logged, so that the turn still succeeds, or raised.
        name: The name that tells two machines in one agent apart.
        messages_key: The state key of the messages.
        turn: A function of the state, for graphs whose user speaks elsewhere than in human messages. It returns the
            messages to learn from, or a tuple of them and the text to recall by. Mark a message with the words of
            somebody else by `additional_kwargs={"learning": "quoted"}`.
        user_tools: The names of tools whose result is the user's own words, such as `("ask_human",)`.
        mask: A function that masks secrets in every text before it is stored; None stores texts unmasked.
        extraction_max_tokens: The length of an extraction's answer in tokens; None leaves it to the model.
        extraction_timeout: The seconds after which an extraction fails; its turn is then learned with the next one.
            None waits without a limit.
        shared: What a turn may do in a shared namespace. `"propose"`: it may add, and what it would change or remove of
            other users waits for a person; without a user it teaches nothing there. `"write"`: it may change
            everything.
        reviewers: A function of `reviewer` (a user id, or the name in `decide(by=...)`) and `proposal`, which returns
            whether that person may decide about it. It is called wherever somebody decides. Nobody can approve their
            own proposal for a shared namespace. Without it, users decide about proposals to themselves.
        author_name: A function that returns the name of a user id for other users who read what they taught; by
            default, and if it returns None, "another user".
        placement: Where a model sees the recalled text (in middleware, `model`, `into` and graphs in `around`).
            `"turn"`: at the start of the user's last message, so that the earlier conversation stays the same for
            prompt caches. `"system"`: at the end of the system message, which a later `dynamic_prompt` may replace.
        background: Whether to learn behind the reply: the turn is written to the store, and the reply does not wait for
            the model that learns from it. True, or a `Background`.

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
        max_tokens = check_limit("LearningMachine(extraction_max_tokens=...)", extraction_max_tokens)
        if model is not None and not stores:
            log.warning(
                "this machine has a model and nothing to learn: name its learning stores, e.g."
                " LearningMachine(model=..., user_profile=True, user_memory=True)"
            )
        own_models = {store.name: without_context(resolve_model(store.config.model)) for store in stores}
        self._settings = MachineSettings(
            stores=stores,
            models={name: own or default for name, own in own_models.items()},
            namespace=namespace,
            store=store,
            max_updates_per_run=max_updates_per_run,
            context_tokens=context_tokens,
            scope=scope,
            on_error=on_error,
            name=name,
            messages_key=messages_key,
            turn=turn,
            user_tools=user_tools,
            mask=str if mask is None else mask,
            methods=OutputMethods(CallLimits(max_tokens, extraction_timeout)),
            shared=shared,
            reviewers=reviewers,
            author_name=author_name,
            placement=placement,
            background=resolve_background(background),
        )

    def __repr__(self) -> str:
        """Return the class name with the learning stores and their modes."""
        modes = ", ".join(f"{learning_store.name}={learning_store.config.mode.name}" for learning_store in self.stores)
        return f"{type(self).__name__}({modes})"

    @property
    def stores(self) -> tuple[LearningStore, ...]:
        """The learning stores."""
        return self._settings.stores

    @property
    def store(self) -> BaseStore | None:
        """The store that was passed in; None if the machine learns into the store of the running graph."""
        return self._settings.store

    @property
    def namespace(self) -> str:
        """The shared namespace."""
        return self._settings.namespace

    @property
    def name(self) -> str:
        """The name that tells this machine from another one in the same agent."""
        return self._settings.name

    @property
    def messages_key(self) -> str:
        """The key of the messages in the state of the graph."""
        return self._settings.messages_key

    @explain_missing_call
    def recall_node(self) -> FlowNode:
        """Return the node that recalls; place it before the model."""
        return FlowNode("recall", self._settings, recall_step)

    @explain_missing_call
    def extract_node(self) -> FlowNode:
        """Return the node that learns from the turn; place it after the model.

        Raises:
            ConfigurationError: A learning store needs a model to extract with, and there is none.
        """
        self._settings.extractions()
        return FlowNode("extract", self._settings, extract_step)

    @explain_missing_call
    def review_node(self) -> FlowNode:
        """Return the node in which a person decides; place it after extraction. It does nothing if nothing is proposed.

        It interrupts with LangChain's `HITLRequest`, and is resumed by `Command(resume={"decisions": [...]})`, with one
        decision for each request. In a graph without a checkpointer, the proposals wait for `scoped(...).decide(...)`.
        """
        return FlowNode("review", self._settings, review_step)

    def wrap(self, node: object) -> Wrapped:
        """Return `node` with the recalled text as the first of the messages that it sees.

        Args:
            node: Any node: a function, sync or async, annotated or not, an object, a Runnable.
        """
        return Wrapped(node, bind_agent(self, agent_name(node))._settings)

    def into(self, builder: AnyGraph, *, models: Sequence[str] = ()) -> AnyGraph:
        """Return a copy of a graph's builder that recalls at its start and learns before each of its ends.

        State, inputs, outputs, deletions and subgraphs of the graph stay unchanged; compile the copy as you would the
        original.

        ```python
        builder = learning.into(builder, models=["call_model"])
        graph = builder.compile(store=store, checkpointer=checkpointer)
        ```

        Args:
            builder: A `StateGraph`, not compiled. It is not changed.
            models: The names of the nodes that see the recalled text, in the user's last message. If a node builds its
                prompt from other data, pass its chat model to `model` instead.

        Raises:
            ConfigurationError: It is no builder, has no such node, has this machine already, a named node has a
                `CachePolicy`, or there is no model to extract with.
        """
        return into(builder, bind_agent(self, None)._settings, models)

    def model(self, chat_model: M) -> M:
        """Return the same chat model, which then sees the recalled text of the run it is called in.

        It works in any node, subgraph, `Send` worker, task or tool, and keeps what the model has: tools, structured
        output, streaming, fallbacks, `bind`, `with_config`. Outside of a graph it is the model as it was.

        ```python
        model = learning.model(init_chat_model("openai:gpt-5.2"))
        ```

        Args:
            chat_model: A chat model, also one that the run configures; or a binding, a sequence or fallbacks that
                contain chat models.

        Raises:
            ConfigurationError: It contains no chat model.
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

        Use it for single nodes, and for compiled graphs that you cannot rebuild. A compiled graph gets the text in its
        input, so its own checkpoints hold it, and it sees the text where it reads the user's last message. For a graph
        of your own, pass the builder to `into`; for `create_agent`, use `middleware`.

        Args:
            node_or_graph: Any node, or a compiled graph; the graph stays discoverable (xray, subgraphs).
            name: The name of its node.
            state_schema: The state; by default the inner graph's own, the node's annotation, or `MessagesState`.
            context_schema: The run's context; by default the inner graph's own, or `LearningContext`.

        Raises:
            ConfigurationError: A learning store needs a model to extract with, and there is none.
        """
        check_text("around(name=...)", name)
        check_class("around(state_schema=...)", state_schema)
        check_class("around(context_schema=...)", context_schema)
        served = bind_agent(self, agent_name(node_or_graph))
        nodes = (served.recall_node(), served.extract_node(), served.review_node())
        schemas = {"state_schema": state_schema, "context_schema": context_schema}
        return around(node_or_graph, nodes, served._settings, name=name, **schemas)

    def middleware(
        self, model: BaseChatModel | None = None, *, extract: bool = True
    ) -> list[LearningMiddleware | ReviewMiddleware]:
        """Return the middleware for `create_agent`; put it first in the list, and `tools()` among the tools.

        Args:
            model: The model that extracts where none was configured; by default the agent's own, after its first call.
            extract: Whether to learn from the turn. False only recalls; use it for sub-agents, whose instructions come
                from another agent.
        """
        if not extract:
            return [LearningMiddleware(self._settings, model, extract=False)]
        # `after_agent` hooks run from the last to the first: listed first, review runs after extraction.
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
        """Return the recalled text of the current run; recall now if no step did.

        Args:
            state: The node's state, or a list of messages, if it holds other messages than the graph's.
        """
        run = Run.current(self._settings)
        return run.driver.run(context_text(run, state))

    async def acontext(self, state: object = None) -> str:
        """Return the same as `context`, in async nodes."""
        run = Run.current(self._settings)
        return await run.driver.arun(context_text(run, state))

    def messages(self, state: object) -> list[BaseMessage]:
        """Return the messages of `state` with the recalled text first, ready for a model.

        Args:
            state: The node's state, or a list of messages.

        Raises:
            ConfigurationError: The state has no messages under the key of the machine.
        """
        messages = require_messages(self._settings, state)
        return show_first(messages, self.context(state), self._settings.context_id).messages

    async def amessages(self, state: object) -> list[BaseMessage]:
        """Return the same as `messages`, in async nodes."""
        messages = require_messages(self._settings, state)
        text = await self.acontext(state)
        return show_first(messages, text, self._settings.context_id).messages

    def inbox(self, *, context_schema: type[Any] | None = None) -> AnyGraph:
        """Return a graph that shows a user's pending proposals, a few at a time, until none is left.

        Compile it with a checkpointer; its input is empty, its result lists the decisions.

        Args:
            context_schema: The run's context; by default `LearningContext`.
        """
        check_class("inbox(context_schema=...)", context_schema)
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

        ```python
        alex = learning.scoped(user_id="alex@example.com", store=store)
        alex.records("user_memory")
        ```

        Args:
            user_id: The user; without one, the per-user learning stores are empty.
            thread_id: The thread of the session context.
            store: The store with the records; by default the machine's own store.
            timezone: The user's IANA time zone: that of dates in what they say, and of a time without one given as `at`
                to `learn`, `recall` or `search`.
            agent: The name of the agent whose decisions are read; by default the configured one, or `agent`.

        Raises:
            ConfigurationError: There is no store, or no such time zone.
            ScopeError: An id is neither a str nor an int.
        """
        return Scoped.of(
            self._settings, user_id=user_id, thread_id=thread_id, store=store, timezone=timezone, agent=agent
        )

    def review_queue(self, namespace: str | None = None, store: BaseStore | None = None) -> list[Proposal]:
        """Return the pending proposals of all users and of runs without a user, oldest first.

        It does not check who asks: check that before you show the result, or use `scoped(user_id=...).review_queue()`,
        which returns only what that person may decide.

        Args:
            namespace: The shared namespace of the proposals; by default all.
            store: The store with the proposals; by default the machine's own store.
        """
        return self.scoped(store=store).review_queue(namespace)

    async def areview_queue(self, namespace: str | None = None, store: BaseStore | None = None) -> list[Proposal]:
        """Return the same as `review_queue`."""
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
        """Learn from what happened since the last reflection how to work better, and return a report.

        It reads tool calls that failed and then worked, outcomes of decisions, corrections by users, and votes. It
        calls the model once for each batch of them, and changes procedures, instructions and learned knowledge by
        single operations, each with the turns it rests on. In a learning store that proposes, a person decides.

        Args:
            user_id: Reflect on this user's turns; by default on all turns that may teach the namespace.
            namespace: The shared namespace to change; by default the machine's.
            since: Reflect on everything after this time, even if a reflection has read it before. A time without a zone
                is in UTC.
            model: The model that reflects; by default the one that extracts for these learning stores.
            dry_run: Whether only to report; the model is called all the same.
            store: The store with the records; by default the machine's own store.

        Raises:
            ConfigurationError: There is nothing to reflect into, or no model.
            ExtractionError: The model's first answer cannot be used; nothing is written.
        """
        scoped = self.scoped(user_id=user_id, store=store)
        return scoped._driver.run(scoped._reflect(namespace, since, model, dry_run=dry_run))

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
        """Run `reflect` without blocking the event loop."""
        scoped = self.scoped(user_id=user_id, store=store)
        return await scoped._driver.arun(scoped._reflect(namespace, since, model, dry_run=dry_run))

    def feedback(
        self,
        commit_or_receipt: Commit | Receipt | str,
        helpful: bool,
        *,
        user_id: str | int | None = None,
        thread_id: str | int | None = None,
        store: BaseStore | None = None,
    ) -> Feedback:
        """Count the records recalled in a turn as helpful or harmful, and return the effect.

        Later recalls rank by these votes. A record that the majority, and at least two votes, find harmful is not
        recalled until a person decides: it waits in `proposals()`, where approval recalls it again and rejection
        removes it. Records that are always recalled (a profile, a session) are not voted on. A second vote on the same
        turn replaces the first.

        Args:
            commit_or_receipt: The turn: its commit, the id of the commit, or its receipt from the custom stream. A
                commit is read from the store. A receipt is trusted as it is, so take it from your own storage, not from
                a client.
            helpful: Whether the answer was helpful.
            user_id: The user who votes; by default the user of the turn.
            thread_id: The thread; by default that of the turn.
            store: The store with the records; by default the machine's own store.

        Raises:
            ScopeError: The turn is not this user's; nothing is counted.
        """
        check_feedback(commit_or_receipt, helpful)
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
        """Run `feedback` without blocking the event loop."""
        check_feedback(commit_or_receipt, helpful)
        scoped = self._voter(commit_or_receipt, user_id, thread_id, store)
        return await scoped.afeedback(commit_or_receipt, helpful)

    def drain(self, timeout: float | None = None) -> bool:
        """Learn now from all turns that this process has scheduled, and return whether none is left.

        A turn that fails is tried once and then keeps waiting. If a worker in another process learns, wait for that
        instead. In async code use `adrain`.

        Args:
            timeout: The time to wait, in seconds; None waits until all is done.
        """
        check_duration("drain(timeout=...)", timeout)
        return drain(self._settings, timeout)

    async def adrain(self, timeout: float | None = None) -> bool:
        """Run `drain` without blocking the event loop."""
        return await asyncio.to_thread(self.drain, timeout)

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


def bind_agent(machine: LearningMachine, agent: str | None) -> LearningMachine:
    """Return a copy of the machine for one agent; `agent` is its name, empty for none, None if the run decides."""
    served = copy.copy(machine)
    served._settings = replace(machine._settings, agent=agent)
    return served
