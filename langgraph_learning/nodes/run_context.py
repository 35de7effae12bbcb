"""What a step of learning gets from one run of a graph: the user, the conversation, the store, the event stream."""

import inspect
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config
from langgraph.errors import GraphBubbleUp
from langgraph.runtime import Runtime, get_runtime
from langgraph.store.base import BaseStore

from langgraph_learning._engine.approval.approval import Approver
from langgraph_learning._engine.flow import Driver, Flow
from langgraph_learning._engine.learning.messages import Speakers, TrajectoryStep, TurnMessage, is_human
from langgraph_learning._engine.learning.turn import last_human, turn_id
from langgraph_learning._engine.settings import MachineSettings
from langgraph_learning.errors import ConfigurationError, ScopeError, describe_failure
from langgraph_learning.langgraph_private import configurable, read_channel, read_state
from langgraph_learning.nodes.channel import Reading, reveal
from langgraph_learning.nodes.identity import (
    agent_name,
    call_resolver,
    get_field,
    read_resolver_answer,
    read_timezone,
    user_label,
    warn_scopeless,
)
from langgraph_learning.nodes.state_keys import Keys
from langgraph_learning.nodes.turn_state import TurnState, parse_turn, shrink_receipt
from langgraph_learning.records import Commit, Identity, check_ids
from langgraph_learning.reports import Recall

log = logging.getLogger("langgraph_learning")
T = TypeVar("T")
TURNS = 1_024
CALLS = 256
"""How many turns this process remembers (`TURNS`), and for how many the tool calls and replies (`CALLS`)."""
TOOL_NODE = "tools"
"""The name that `create_agent` and LangGraph's own agents give to the node that runs tool calls."""


class AnyRuntime(Protocol):
    """The part that `Runtime` and `ToolRuntime` have in common."""

    @property
    def context(self) -> Any:
        """The context that the caller gave."""

    @property
    def store(self) -> BaseStore | None:
        """The store of the graph."""

    @property
    def stream_writer(self) -> Any:
        """The function that writes to the custom stream."""

    @property
    def server_info(self) -> Any:
        """The information that LangGraph's server has about the caller."""


@dataclass(frozen=True)
class Run:
    """One run of a graph, as a step of learning sees it."""

    settings: MachineSettings
    runtime: AnyRuntime
    config: RunnableConfig
    model: BaseChatModel | None = None
    """The agent's own model; None if there is none."""

    @classmethod
    def current(cls, settings: MachineSettings, config: RunnableConfig | None = None) -> "Run":
        """Return the run under way; outside a graph, a run without a store, a context or a stream."""
        try:
            runtime: Any = get_runtime()
        except (KeyError, RuntimeError):
            runtime = Runtime()
        try:
            config = config or get_config()
        except RuntimeError:
            config = {}
        return cls(settings, cast("AnyRuntime", runtime or Runtime()), config)

    @property
    def driver(self) -> Driver:
        """The driver that carries out flows on the machine's own store, or else on the graph's."""
        return Driver(self.settings.store or self.runtime.store, self.config, self.settings.warn_once)

    @property
    def checkpoint_id(self) -> str | None:
        """The id of this run's checkpoint, stored in the source of what the run learns."""
        info = getattr(self.runtime, "execution_info", None)
        return getattr(info, "checkpoint_id", None) or None

    @property
    def task_id(self) -> str | None:
        """The id of this step in this run: no other step or run has it, and a retry keeps it."""
        return getattr(getattr(self.runtime, "execution_info", None), "task_id", None)

    @property
    def graph(self) -> str:
        """The checkpoint namespace of the graph that this step belongs to; empty for the outermost graph."""
        return str(configurable(self.config).get("checkpoint_ns") or "").rpartition("|")[0]

    def emit_recall(self, recalled: Recall) -> None:
        """Write to the custom stream what was recalled; nothing if the recall failed, which leaves an empty receipt."""
        if recalled.receipt.at is not None:
            self.emit("recalled", receipt=recalled.receipt.model_dump(mode="json"))

    def emit_commit(self, commit: Commit) -> None:
        """Write to the custom stream what was learned, and what was proposed."""
        if commit.changes or commit.usage.calls:
            self.emit("learned", commit=commit.model_dump(mode="json"))
        if commit.proposed:
            self.emit("proposed", proposals=list(commit.proposed))

    def emit(self, kind: str, **facts: object) -> None:
        """Write an event to the custom stream; without a listener this does nothing."""
        self.runtime.stream_writer({self.settings.name: kind, **facts})

    def report(self, step: str, error: Exception) -> None:
        """Log a failure with its traceback and write it to the custom stream; call it inside the `except` block."""
        log.exception("%s failed; the turn goes on without it", step)
        self.emit("failed", step=step, error=describe_failure(error))

    def approver(self, identity: Identity) -> Approver:
        """Return who decides in this run: the person that the run names, else the user of the turn."""
        person = self.person or identity.user_id
        return Approver(person, datetime.now(UTC), acts_for=person, reviewers=self.settings.reviewers)

    # the state

    def read_private(self, key: str, *, fresh: bool = False) -> Reading | None:
        """Return the value of one of our private keys in the running graph; None if nothing was written.

        Args:
            key: The state key.
            fresh: Whether to include what the node has just written, as a conditional edge needs it.
        """
        with reveal():
            reading = read_channel(self.config, key, fresh=fresh)
        return reading if isinstance(reading, Reading) else None

    def full_state(self, state: object) -> dict[str, Any]:
        """Return a node's input with our private keys and the messages added, which the input may lack."""
        full = dict(state) if isinstance(state, Mapping) else {}
        key = self.settings.messages_key
        if full.get(key) is None and (messages := read_channel(self.config, key)) is not None:
            full[key] = messages
        readings = {key: self.read_private(key) for key in Keys(self.settings.name).all}
        return {**full, **{key: reading.value for key, reading in readings.items() if reading is not None}}

    def graph_state(self, state: object = None) -> dict[str, Any]:
        """Return the whole state of the user's graph without our private keys, for `turn=` and `scope=` to read."""
        ours = Keys(self.settings.name).all
        seen = {**read_state(self.config), **(state if isinstance(state, Mapping) else {})}
        return {key: value for key, value in seen.items() if key not in ours}

    # the turn

    def frozen_turn(self, messages: Sequence[BaseMessage]) -> TurnState | None:
        """Return what recall froze for this turn, in this graph or one around it; None if that is missing or stale.

        The frozen turn is stale if the last human message is another one. But a node of the host's may have added that
        message to the turn. So the frozen turn still counts if recall ran in this same run, or if the turn was never
        extracted and the run names no other user.
        """
        reading = self.read_private(Keys(self.settings.name).turn)
        wanted = turn_id(messages)
        turn = parse_turn(reading.value if reading else self.settings.turns.get((self.thread, wanted)))
        if turn is None:
            return self._outer_turn() if reading is None else None
        if wanted in (turn.get("turn_id"), turn.get("last")) or (reading and reading.in_run):
            return turn
        return turn if "last" not in turn and self.person in (None, turn["identity"].get("user_id")) else None

    def turn_id(self, messages: Sequence[BaseMessage]) -> str:
        """Return the id of the turn under way: the id of the message that opened it, even if others came since."""
        turn = self.frozen_turn(messages)
        return str(turn["turn_id"]) if turn and turn.get("turn_id") is not None else turn_id(messages)

    def _outer_turn(self) -> TurnState | None:
        """Return the unfinished turn of a graph around this one in the same thread; of several, the innermost."""
        if not self.graph or not self.thread:
            return None
        turns = [parse_turn(turn) for (thread, _), turn in self.settings.turns.items() if thread == self.thread]
        unfinished = [turn for turn in turns if turn and "last" not in turn]
        outer = [turn for turn in unfinished if self._is_inside(str(turn.get("graph_ns", "")))]
        # The longest namespace is the innermost graph's; `reversed` makes the newest turn win a tie.
        return max(reversed(outer), key=lambda turn: len(str(turn.get("graph_ns", ""))), default=None)

    def _is_inside(self, graph: str) -> bool:
        return self.graph != graph and self.graph.startswith(f"{graph}|" if graph else "")

    def is_task(self, messages: Sequence[BaseMessage]) -> bool:
        """Return whether the human messages of this graph are instructions from the agent around it.

        They are if that agent's turn has none of these messages. If no graph around this one has recalled, they are if
        a tool runs this graph.
        """
        if not self.graph or last_human(messages) is None:
            return False
        outer = self._outer_turn()
        if outer is None:
            return self.graph.rpartition("|")[2].partition(":")[0] == TOOL_NODE
        ids = {message.id for message in messages if is_human(message)}
        return ids.isdisjoint(outer.get("human_ids") or ())

    def speakers(self, messages: Sequence[BaseMessage], identity: Identity) -> Speakers:
        """Return the rules that separate the user's words from the words of others."""
        settings = self.settings
        return Speakers(identity.user_id, settings.tool_names, settings.user_tools, self.is_task(messages))

    def warn_double_wiring(self, wanted: str) -> None:
        """Warn once that this machine is wired twice: a graph around this one has recalled for the same turn."""
        outer = (parse_turn(self.settings.turns.get((self.thread, wanted))) or {}).get("graph_ns")
        if outer is not None and self._is_inside(outer):
            self.settings.warn_once(
                "doubled",
                f"the machine {self.settings.name!r} recalls in this graph and in one around it: wire it once, by"
                " its nodes around an agent without its middleware, or by its middleware in a graph without its nodes",
            )

    def remember_turn(self, turn: TurnState) -> None:
        """Keep the turn in this process, where subgraphs of the run find it."""
        if self.thread:
            self._remember(self.settings.turns, (self.thread, turn["turn_id"]), shrink_receipt(turn), TURNS)

    def calls_of(self, turn: str) -> tuple[TrajectoryStep, ...]:
        """Return the tool calls that this process remembers of an unfinished turn."""
        return self.settings.calls.get(self._call_key(turn), ())

    def remember_calls(self, turn: str, calls: tuple[TrajectoryStep, ...]) -> None:
        """Keep the tool calls of a turn until it is learned from."""
        self._remember(self.settings.calls, self._call_key(turn), calls, CALLS)

    def replies_of(self, turn: str) -> tuple[TurnMessage, ...]:
        """Return the replies that this process remembers of an unfinished turn."""
        return self.settings.replies.get(self._call_key(turn), ())

    def remember_replies(self, turn: str, replies: tuple[TurnMessage, ...]) -> None:
        """Keep the replies of a turn until it is learned from."""
        self._remember(self.settings.replies, self._call_key(turn), replies, CALLS)

    def forget_calls(self, turns: Iterable[str]) -> None:
        """Forget the tool calls and replies of turns that were learned from."""
        for turn in turns:
            self.settings.calls.pop(self._call_key(turn), None)
            self.settings.replies.pop(self._call_key(turn), None)

    def _call_key(self, turn: str) -> tuple[str, str]:
        # A run without a thread cannot be resumed, so the run itself is enough as a key.
        return self.thread or f"run {id(getattr(self.runtime, 'control', None))}", turn

    def _remember(self, values: dict[tuple[str, str], T], key: tuple[str, str], value: T, most: int) -> None:
        """Store a value under a key, and drop the oldest values beyond `most`."""
        values.pop(key, None)
        values[key] = value
        while len(values) > most:
            values.pop(next(iter(values)), None)

    @property
    def thread(self) -> str:
        """The thread id of the run; empty if there is none."""
        return str(configurable(self.config).get("thread_id") or "")

    # who asks

    @property
    def person(self) -> str | None:
        """The user that this run names; None if it names none. On a resume it may differ from the turn's user."""
        try:
            return self._resolve_identity().user_id
        except (AttributeError, LookupError, TypeError):
            # The developer's resolver may need a context that a resume does not bring.
            if self.settings.scope is None or self._authenticated is not None:
                raise
            return None

    def identity(self, messages: Sequence[BaseMessage] | None = None, *, reviewing: bool = False) -> Identity:
        """Return who asks: as recall froze it for the turn of `messages`, else as this run names them.

        Args:
            messages: The messages; the last human message identifies the turn.
            reviewing: Whether this is the review step, where the run may name a reviewer instead of the turn's user.

        Raises:
            ScopeError: The run names another user than the turn's, or the frozen turn is forged.
        """
        frozen = self.frozen_turn(messages) if messages is not None else None
        identity = Identity.model_validate(frozen["identity"]) if frozen else self._resolve_identity()
        if frozen and self.settings.scope is None:  # recall may have run in a graph around this agent
            identity = identity.model_copy(update={"agent": self._agent(identity.agent)})
        if frozen and not (reviewing and self.settings.reviewers is not None):
            self._check_turn(identity.user_id, frozen)
        warn_scopeless(self.settings, identity)
        return identity

    def may_act_for(self, identity: Identity) -> bool:
        """Return whether this run may write for `identity`; a run that names a user may write for that user only."""
        return self.person in (None, identity.user_id)

    def _check_turn(self, user: str | None, turn: TurnState) -> None:
        """Check that the run names no other user than the turn's.

        Raises:
            ScopeError: The run names another user, or it names none and the turn's user comes from a forged state.
        """
        named = self.person
        if self._authenticated is not None:
            self._check_user(user, named)
        if named is not None and user is not None and named != user:
            raise ScopeError(f"this run names {named!r} and may not act for {user!r}, whose turn it is")
        if named is None and turn.get("forged"):
            raise ScopeError("who the user is was written into this graph's private state from outside: name the user")

    def _agent(self, otherwise: str | None = None) -> str | None:
        """Return the name of the running agent: the machine's own setting, else the name given to `create_agent`."""
        if self.settings.agent is not None:
            return self.settings.agent or None
        return agent_name(self.config) or otherwise

    def _resolve_identity(self) -> Identity:
        given = configurable(self.config)
        thread = given.get("thread_id")
        base = Identity(
            thread_id=str(thread) if thread not in (None, "") else None,
            agent=self._agent(),
            timezone=read_timezone(get_field(self.runtime.context, "timezone") or given.get("timezone")),
        )
        if (resolver := self.settings.scope) is not None:
            offered = {"runtime": self.runtime, "config": self.config, "context": self.runtime.context}
            if "state" in inspect.signature(resolver).parameters:
                offered["state"] = self.graph_state()
            return check_ids(read_resolver_answer(base, call_resolver(resolver, offered, self.runtime)))
        named = self._named_users
        for user in named:
            self._check_user(user, self._authenticated)
        return check_ids(base.model_copy(update={"user_id": self._authenticated or named[0] or named[1]}))

    @property
    def _named_users(self) -> tuple[str | None, str | None]:
        """The user that the context names, and the user that the configuration names."""
        given = configurable(self.config).get("user_id")
        return user_label(get_field(self.runtime.context, "user_id")), user_label(given)

    @property
    def _authenticated(self) -> str | None:
        user = getattr(self.runtime.server_info, "user", None)
        return user_label(get_field(user, "identity"))

    def _check_user(self, user: str | None, allowed: str | None) -> None:
        if user is not None and allowed not in (None, user):
            raise ScopeError(f"this run is authenticated as {self._authenticated!r} and may not act for {user!r}")


def run_guarded(run: Run, step: str, flow: Flow[T], otherwise: T) -> Flow[T]:
    """Run a flow; if it fails, report it and return `otherwise`, or raise with `on_error="raise"`.

    No other place decides what a failure of learning does: the reply comes first. Errors that the caller must fix are
    always raised: a set-up that cannot work, and a scope that the run may not touch.
    """
    try:
        return (yield from flow)
    except (GraphBubbleUp, ConfigurationError, ScopeError, AssertionError):  # AssertionError: a test's scripted model
        raise
    except Exception as error:
        if run.settings.on_error == "raise":
            raise
        run.report(step, error)
        return otherwise
