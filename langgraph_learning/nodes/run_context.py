"""What one run of a graph offers a step of learning: who asks, the store, the event stream."""

import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypedDict, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config
from langgraph.runtime import Runtime, get_runtime
from langgraph.store.base import BaseStore
from pydantic import ValidationError

from langgraph_learning._engine.approval.approval import Approver
from langgraph_learning._engine.flow import Driver
from langgraph_learning._engine.learning.commit import may_teach
from langgraph_learning._engine.learning.turn import derived_id, last_human
from langgraph_learning._engine.settings import MachineSettings
from langgraph_learning.errors import ScopeError, describe_failure
from langgraph_learning.langgraph_private import READ, configurable, read_channel
from langgraph_learning.nodes.state import FORGED, Keys
from langgraph_learning.records import Commit, Identity

log = logging.getLogger("langgraph_learning")


TURNS = 1_024
AGENT_NAME = "lc_agent_name"
"""Where `create_agent` notes its name in the metadata of a run, for tracing."""


class TurnState(TypedDict, total=False):
    """What recall freezes for the turn: plain JSON in private state, ids only."""

    tag: str
    graph: str
    identity: dict[str, str | None]
    receipt: dict[str, Any]
    forged: bool


class AnyRuntime(Protocol):
    """What `Runtime` and `ToolRuntime` have in common."""

    @property
    def context(self) -> Any:
        """What the caller gave as context."""

    @property
    def store(self) -> BaseStore | None:
        """The store of the graph."""

    @property
    def stream_writer(self) -> Any:
        """Writes to the custom stream."""

    @property
    def server_info(self) -> Any:
        """What LangGraph's server knows of the caller."""


@dataclass(frozen=True)
class Run:
    """One run of a graph, as a step of learning sees it."""

    settings: MachineSettings
    runtime: AnyRuntime
    config: RunnableConfig
    model: BaseChatModel | None = None
    """The agent's own model, where there is one."""

    @classmethod
    def current(cls, settings: MachineSettings, config: RunnableConfig | None = None) -> "Run":
        """Return the run that is under way; outside of a graph, one that offers nothing."""
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
        """Carries out flows on the machine's own store, else on the graph's."""
        return Driver(self.settings.store or self.runtime.store, self.config, self.settings.warn_once)

    @property
    def checkpoint_id(self) -> str | None:
        """The checkpoint this run writes, for the source of what it learns."""
        info = getattr(self.runtime, "execution_info", None)
        return getattr(info, "checkpoint_id", None) or None

    @property
    def task_id(self) -> str | None:
        """What tells this step of this run from any other, also when it is tried again."""
        return getattr(getattr(self.runtime, "execution_info", None), "task_id", None)

    def _agent(self, otherwise: str | None = None) -> str | None:
        """Return the name of the agent that runs, as `create_agent(name=...)` gave it."""
        if self.settings.agent is not None:
            return self.settings.agent or None
        return agent_name(self.config) or otherwise

    @property
    def graph(self) -> str:
        """The checkpoint namespace of the graph that this step belongs to; empty for the outermost."""
        return str(configurable(self.config).get("checkpoint_ns") or "").rpartition("|")[0]

    def emit_commit(self, made: Commit) -> None:
        """Tell the custom stream what was learned, and what was proposed."""
        if made.changes or made.usage.calls:
            self.emit("learned", commit=made.model_dump(mode="json"))
        if made.proposed:
            self.emit("proposed", proposals=list(made.proposed))

    def approver(self, identity: Identity) -> Approver:
        """Return who decides in this run: the person it names, else the user of the turn."""
        person = self._named_user() or identity.user_id
        return Approver(person, datetime.now(UTC), acts_for=person, reviewers=self.settings.reviewers)

    def emit(self, kind: str, **facts: object) -> None:
        """Tell the custom stream; nobody may be listening."""
        self.runtime.stream_writer({self.settings.name: kind, **facts})

    def report(self, step: str, error: Exception) -> None:
        """Log a failure with its traceback and tell the custom stream; called while it is handled."""
        log.exception("%s failed; the turn goes on without it", step)
        self.emit("failed", step=step, error=describe_failure(error))

    def identity(
        self, found: object = None, messages: list[BaseMessage] | None = None, *, reviewing: bool = False
    ) -> Identity:
        """Return who asks: as `frozen` for this turn, else as the run says.

        Args:
            found: The frozen turn, if this graph's private state holds one.
            messages: The messages, of which the last human one tells the turn.
            reviewing: Whether this is the step where reviewers decide, who may be others than the turn's user.

        Raises:
            ScopeError: The run names somebody else than the turn's user, or the frozen turn is a forgery.
        """
        fresh = self.frozen_turn(found, messages) if messages is not None else None
        identity = Identity.model_validate(fresh["identity"]) if fresh else self._resolve_identity()
        if fresh and self.settings.scope is None:  # recall may have run in a graph around this agent
            identity = identity.model_copy(update={"agent": self._agent(identity.agent)})
        if fresh and not (reviewing and self.settings.reviewers is not None):
            self._check_turn(identity.user_id, fresh)
        nobodys = [store.name for store in self.settings.stores if store.scope(identity) is None]
        if identity.user_id is None and nobodys:
            who = ", ".join(nobodys)
            fix = "give context={'user_id': ...} to invoke"
            self.settings.warn_once("user_id", f"no user_id in this run: {who} neither read nor write; {fix}")
        self._warn_of_sharing(identity)
        if identity.user_id is not None and identity.thread_id is None and nobodys:
            self._warn_threadless(identity, nobodys)
        return identity

    def frozen_turn(self, found: object, messages: list[BaseMessage]) -> TurnState | None:
        """Return what recall froze for this turn; under another message it is stale.

        Args:
            found: What this graph's private state holds. Nothing at all means that recall ran in a graph around it.
            messages: The messages, of which the last human one tells the turn.
        """
        wanted = turn_id(messages)
        # What a node is handed may be a forgery, too: `Command(goto=Send(...))` carries any state. The channel tells.
        held = read_channel(self.config, Keys(self.settings.name).turn)
        found = held or (None if READ in configurable(self.config) else found)
        turn = parse_turn(found or self.settings.turns.get((self._thread, wanted)))
        return turn if turn and turn.get("tag") == wanted else None

    def warn_double_wiring(self, wanted: str) -> None:
        """Say once that this machine is wired twice: a graph around this one has recalled for the same turn."""
        outer = (parse_turn(self.settings.turns.get((self._thread, wanted))) or {}).get("graph")
        if outer is not None and self.graph != outer and self.graph.startswith(f"{outer}|" if outer else ""):
            self.settings.warn_once(
                "doubled",
                f"the machine {self.settings.name!r} recalls in this graph and in one around it: wire it once, by"
                " its nodes around an agent without its middleware, or by its middleware in a graph without its nodes",
            )

    def remember_turn(self, turn: TurnState) -> None:
        """Let subgraphs of this run find the turn; the oldest are dropped."""
        turns = self.settings.turns
        if self._thread:
            turns.pop((self._thread, turn["tag"]), None)
            turns[self._thread, turn["tag"]] = turn
        while len(turns) > TURNS:
            turns.pop(next(iter(turns)), None)

    @property
    def _thread(self) -> str:
        return str(configurable(self.config).get("thread_id") or "")

    def _warn_of_sharing(self, identity: Identity) -> None:
        """Say once that an unknown user teaches nothing that others share."""
        scopes = ((store, store.scope(identity)) for store in self.settings.stores)
        closed = [
            store.name
            for store, scope in scopes
            if scope and not may_teach(store, scope, identity, self.settings.shared)
        ]
        if closed:
            fix = "give context={'user_id': ...} to invoke"
            self.settings.warn_once("shared", f"no user_id in this run: {', '.join(closed)} learn nothing; {fix}")

    def _warn_threadless(self, identity: Identity, nobodys: list[str]) -> None:
        """Say once which of the learning stores without a scope would have one in a thread."""
        anywhere = identity.model_copy(update={"thread_id": "any"})
        waiting = [
            each.name for each in self.settings.stores if each.name in nobodys and each.scope(anywhere) is not None
        ]
        if waiting:
            do = "neither reads nor writes" if len(waiting) == 1 else "neither read nor write"
            fix = "give config={'configurable': {'thread_id': ...}} to invoke"
            self.settings.warn_once("thread_id", f"no thread_id in this run: {', '.join(waiting)} {do}; {fix}")

    def _resolve_identity(self) -> Identity:
        given = configurable(self.config)
        context = self.runtime.context
        thread = given.get("thread_id")
        base = Identity(
            thread_id=str(thread) if thread not in (None, "") else None,
            agent=self._agent(),
            timezone=_read_timezone(get_field(context, "timezone") or given.get("timezone")),
        )
        if self.settings.scope is not None:
            return _read_resolver_answer(base, self._call_resolver(self.settings.scope))
        named = [user_label(get_field(context, "user_id")), user_label(given.get("user_id"))]
        for user in named:
            self._check_user(user, self._authenticated)
        return base.model_copy(update={"user_id": self._authenticated or named[0] or named[1]})

    def _call_resolver(self, resolver: Callable[..., object]) -> object:
        """Call the developer's resolver with what its parameters ask for by name."""
        offered = {"runtime": self.runtime, "config": self.config, "context": self.runtime.context}
        names = list(inspect.signature(resolver).parameters)
        wanted = {name: offered[name] for name in names if name in offered}
        return resolver(**wanted) if wanted or not names else resolver(self.runtime)

    @property
    def _authenticated(self) -> str | None:
        user = getattr(self.runtime.server_info, "user", None)
        return user_label(get_field(user, "identity"))

    def _named_user(self) -> str | None:
        """Return whom this run names; None if it names nobody, as a resume without context does."""
        try:
            return self._resolve_identity().user_id
        except (AttributeError, LookupError, TypeError):
            # A resolver of the developer's own may count on a context that a resume does not bring.
            if self.settings.scope is None or self._authenticated is not None:
                raise
            return None

    def _check_turn(self, user: str | None, turn: TurnState) -> None:
        """Refuse a run that names somebody else than the user of the turn.

        Raises:
            ScopeError: It does, or it names nobody and only a forged state says whose turn it is.
        """
        named = self._named_user()
        if self._authenticated is not None:
            self._check_user(user, named)
        if named is not None and user is not None and named != user:
            raise ScopeError(f"this run names {named!r} and may not act for {user!r}, whose turn it is")
        if named is None and turn.get(FORGED):
            raise ScopeError("who the user is was written into this graph's private state from outside: name the user")

    def _check_user(self, user: str | None, allowed: str | None) -> None:
        if user is not None and allowed not in (None, user):
            raise ScopeError(f"this run is authenticated as {self._authenticated!r} and may not act for {user!r}")


def get_field(holder: object, key: str) -> Any:
    """Return a key or an attribute: contexts and users come as dicts, dataclasses and models."""
    if isinstance(holder, Mapping):
        return holder.get(key)
    return getattr(holder, key, None)


def agent_name(runs: object) -> str | None:
    """Return the name that `create_agent(name=...)` noted in a graph, or in the configuration of a run."""
    config = runs if isinstance(runs, Mapping) else getattr(runs, "config", None)
    told = get_field(get_field(config, "metadata"), AGENT_NAME)
    return str(told) if told else None


def turn_id(messages: list[BaseMessage]) -> str:
    """Return what tells this turn from others: the id of its human message."""
    human = last_human(messages)
    if human is None:
        return ""
    return human.id or derived_id("tag", len(messages[: messages.index(human)]), str(human.text))


def user_label(given: object, what: str = "user_id") -> str | None:
    """Return a user id, or another id that `what` names, as text; empty is absent.

    Raises:
        ScopeError: It is no id: guessing one could be somebody else's.
    """
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, str | int | UUID):
        raise ScopeError(f"a {what} is a str or an int, not {type(given).__name__}")
    return str(given) if str(given).strip() else None


def _read_resolver_answer(base: Identity, answer: object) -> Identity:
    """Read the answer of a resolver: an id, an `Identity`, a mapping of its fields, or None."""
    if isinstance(answer, Identity):
        return answer.model_copy(update={"user_id": user_label(answer.user_id)})
    if isinstance(answer, Mapping):
        known = list(Identity.model_fields)
        if "user_id" not in answer or (unknown := [key for key in answer if key not in known]):
            wrong = "has no 'user_id'" if "user_id" not in answer else f"has {', '.join(map(repr, unknown))}"
            raise ScopeError(f"the mapping that scope= returned {wrong}; its fields are {', '.join(known)}")
        ids = {key: user_label(answer[key], key) for key in ("user_id", "thread_id") if key in answer}
        try:
            return Identity.model_validate({**base.model_dump(), **answer, **ids})
        except ValidationError as error:
            raise ScopeError(f"the mapping that scope= returned is no identity: {error}") from error
    return base.model_copy(update={"user_id": user_label(answer)})


def _read_timezone(given: object) -> str:
    if not given:
        return "UTC"
    try:
        return ZoneInfo(str(given)).key
    except (ValueError, OSError, KeyError):
        log.warning("%r is no IANA time zone such as 'Europe/Berlin'; this run uses UTC", given)
        return "UTC"


def recalled_records(turn: TurnState | None) -> tuple[tuple[str, str], ...]:
    """Return what a turn was shown, as learning store and id."""
    receipt = (turn or {}).get("receipt") or {}
    return tuple((str(each["store"]), str(each["id"])) for each in receipt.get("shown", ()))


def parse_turn(value: object) -> TurnState | None:
    """Return the frozen turn of a state value, if it is one: private state can be forged."""
    try:
        Identity.model_validate(value["identity"] if isinstance(value, dict) else None)
    except (KeyError, ValidationError):
        return None
    return cast("TurnState", value)
