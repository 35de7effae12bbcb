"""The data types of learning: who asks, what is stored, what changes, and where it came from.

All of them are frozen and JSON-able: they travel through graph state, interrupts, stores and exports.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID, uuid5

from langgraph.store.base import Item
from pydantic import Field, JsonValue, ValidationError, model_validator

from langgraph_learning.errors import RecordError
from langgraph_learning.namespace_labels import COMMITS
from langgraph_learning.namespace_labels import PENDING as PENDING
from langgraph_learning.namespace_labels import ROOT as ROOT
from langgraph_learning.scope import Frozen as Frozen
from langgraph_learning.scope import Identity as Identity
from langgraph_learning.scope import Namespace as Namespace
from langgraph_learning.scope import Scope as Scope
from langgraph_learning.scope import check_ids as check_ids
from langgraph_learning.source import Actor as Actor
from langgraph_learning.source import Provenance as Provenance
from langgraph_learning.source import Source as Source
from langgraph_learning.validity import VALIDITY as VALIDITY
from langgraph_learning.validity import Dates as Dates
from langgraph_learning.validity import Timestamp as Timestamp
from langgraph_learning.validity import Validity as Validity
from langgraph_learning.words import same_statement

ACTIVE = "active"
"""The status of recalled records; those of another status (`superseded`, `archived`) are only found by a search."""
ARCHIVED, SUPERSEDED, PROPOSED = "archived", "superseded", "proposed"
"""Set aside, and reversible; replaced by something newer; waiting for a person."""
DOCUMENT = "document"
"""The status of documents that come from a vector store: they are read, and never written."""
INDEXED = ["text", "keys.*"]
"""The fields of a record that a store searches."""
CARE = "care"
"""The label under which workers record when they last did their regular tasks."""
NOT_RECORDS = frozenset({COMMITS, "proposals", "feedback", "unindexed", "reflections", PENDING, CARE})
"""The labels in a scope that are no learning stores."""

_DERIVED_IDS = UUID("6f1c1a52-9c5d-5d0e-8f5b-0b8f2a3c7d41")


def derived_id(*parts: object) -> str:
    """Return an id that follows from `parts` alone."""
    digest = hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()
    return str(uuid5(_DERIVED_IDS, digest))


class Ordered(Frozen):
    """The place of a record among others if its learning store keeps an order, and further texts that find it."""

    session: str | None = None
    """The whole it belongs to, such as a thread; records of one session are neighbours by their places."""
    place: int | None = None
    """The place in the session."""
    keys: dict[str, str] = Field(default_factory=dict)
    """Texts of records that rest on it, by learning store and id; a search finds it by their words too."""


def past_id(record: "Record") -> str:
    """Return the id of the record that keeps this state of `record`; versions alone may repeat after an import."""
    state = "\0".join([record.id, str(record.version), record.updated_at.isoformat(), record.text])
    return f"{record.id}@{hashlib.sha256(state.encode(errors='surrogatepass')).hexdigest()[:12]}"


class Record(Validity, Ordered):
    """One learned thing: the unit of reading, writing, history and approval."""

    id: str
    store: str
    scope: Scope
    content: dict[str, JsonValue]
    text: str
    status: str = ACTIVE
    version: int = 1
    source: Source
    created_at: Timestamp
    updated_at: Timestamp
    past_of: str | None = None
    """The id of the record whose replaced earlier state this is; it is read only for a time in the past."""

    @property
    def namespace(self) -> Namespace:
        """The namespace of the record in the store."""
        return (*self.scope.path, self.store)

    def value(self) -> dict[str, JsonValue]:
        """Return the value that a store keeps under the record's id, without empty fields (half of its bytes)."""
        unset = {name for name in (*Ordered.model_fields, *VALIDITY, "past_of") if getattr(self, name) in (None, {})}
        value = self.model_dump(mode="json", exclude={"id", *unset})
        for part in ("scope", "source"):  # in the content, None has a meaning
            value[part] = {name: given for name, given in value[part].items() if given is not None}
        return value

    def as_past(self, until: datetime | None) -> "Record | None":
        """Return the record that keeps this state when something else holds from a time on; None if it never held."""
        end = min((moment for moment in (self.valid_to, until) if moment is not None), default=None)
        if end is not None and self.valid_from is not None and end <= self.valid_from:
            return None
        kept = {"id": past_id(self), "past_of": self.id, "status": SUPERSEDED, "valid_to": end}
        return self.model_copy(update={**kept, "version": 1, "keys": {}})

    def keeps(self, value: Mapping[str, JsonValue]) -> bool:
        """Return whether this past record keeps the state of which `value` is the stored value."""
        written = self.value()
        return all(written[name] == value[name] for name in ("text", "updated_at"))

    @classmethod
    def from_item(cls, item: Item) -> "Record":
        """Return the record that an item holds.

        Raises:
            RecordError: The stored value is not a record.
        """
        version = getattr(item, "version", item.value.get("version"))
        try:
            return cls.model_validate({**item.value, "id": item.key, "version": version})
        except ValidationError as error:
            raise RecordError(f"the item {item.key!r} in {item.namespace} is not a record: {error}") from error


class Add(Validity, Ordered):
    """A new record; without an id, the engine gives it one."""

    kind: Literal["add"] = "add"
    store: str
    id: str = ""
    content: dict[str, JsonValue]
    text: str
    status: str = ACTIVE
    from_now_on: bool = False
    """Whether it holds only from when it was said; an update then keeps the earlier state as a past record."""
    source: Source = Source()


class Update(Validity, Ordered):
    """New content, or a new status, for a record."""

    kind: Literal["update"] = "update"
    store: str
    id: str
    content: dict[str, JsonValue]
    text: str
    status: str = ACTIVE
    from_now_on: bool = False
    """Whether it holds only from when it was said; an update then keeps the earlier state as a past record."""
    source: Source = Source()


class Remove(Frozen):
    """The removal of a record."""

    kind: Literal["remove"] = "remove"
    store: str
    id: str
    text: str = ""
    source: Source = Source()


Change: TypeAlias = Annotated[Add | Update | Remove, Field(discriminator="kind")]


class Revision(Frozen):
    """One state of a record; `record` is None if it was removed."""

    record: Record | None
    version: int
    at: datetime
    commit: str | None = None


class Refusal(Frozen):
    """An operation, or a field of one, that was not carried out, with the reason."""

    operation: str
    reason: str


class Usage(Frozen):
    """The cost of a step."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


_OLDER = {"turn": "turn_id", "origin": "graph_ns", "place": "position", "recalled": "recalled"}


def _gather_provenance(value: object) -> object:
    """Return a commit or proposal of an earlier version with the parts of its provenance gathered in one object."""
    if not isinstance(value, Mapping) or not (older := [name for name in _OLDER if name in value]):
        return value
    others = {name: part for name, part in value.items() if name not in _OLDER}
    return {"provenance": {_OLDER[name]: value[name] for name in older}, **others}


class ToolCallOutcome(Frozen):
    """One tool call of the agent: its arguments as JSON, and the beginning and end of its result."""

    name: str
    arguments: str = ""
    result: str = ""
    failed: bool = False


class Trajectory(Frozen):
    """The agent's tool calls of a turn in which one failed, with the user's question; `reflect` reads them."""

    asked: str = ""
    message_ids: tuple[str, ...] = ()
    """The ids of the user's messages."""
    calls: tuple[ToolCallOutcome, ...] = ()


class Commit(Frozen):
    """The changes of one turn, written together; the unit of undo."""

    id: str
    identity: Identity
    at: datetime
    changes: tuple[Change, ...] = ()
    refused: tuple[Refusal, ...] = ()
    proposed: tuple[str, ...] = ()
    """The ids of the proposals that wait for a person."""
    usage: Usage = Usage()
    costs: dict[str, int] = Field(default_factory=dict)
    """The tokens of `usage` by learning store: its part of the prompts and of the answers."""
    provenance: Provenance = Provenance()
    namespaces: dict[str, str] = Field(default_factory=dict)
    """The shared namespace of each changed learning store; those without one are the user's own."""
    trajectory: Trajectory | None = None
    """The agent's tool calls of the turn, if one failed and a learning store reads them."""
    message_ids: tuple[str, ...] = ()
    """The messages that were learned from, if this only marks a turn of a subgraph as learned under its id."""
    undone_by: str | None = None
    """The id of the last commit that undid this one; an `undo` of that one redoes it."""

    _read_older = model_validator(mode="before")(_gather_provenance)

    @property
    def turn(self) -> str:
        """The id of the turn's human message."""
        return self.provenance.turn_id

    @property
    def recalled(self) -> tuple[tuple[str, str], ...]:
        """The records recalled in that turn, as learning store and id."""
        return self.provenance.recalled


class Proposal(Frozen):
    """A change that waits for a person: the operation, and the changes it would make."""

    id: str
    identity: Identity
    """The identity it belongs to; a copy of its own, so that deciding needs no run."""
    store: str
    namespace: str | None = None
    """The shared namespace; None for the user's own records."""
    name: str
    """The operation; in its arguments, a record is named by its own id."""
    args: dict[str, JsonValue]
    changes: tuple[Change, ...]
    expects: dict[str, int] = Field(default_factory=dict)
    """The versions of the records it would change, when it was made or last shown; 0: the record did not exist."""
    source: Source = Source()
    provenance: Provenance = Provenance()
    status: Literal["pending", "approved", "rejected", "withdrawn"] = "pending"
    """`withdrawn`: the message it rests on was edited."""
    stale: bool = False
    """Whether a record it would change has changed since."""
    message: str | None = None
    """The comment of the person who decided, or why it was withdrawn."""
    at: datetime
    said_at: datetime | None = None
    """The time of the words it rests on, from which relative dates in an edit count."""
    decided_at: datetime | None = None
    decided_by: str | None = None
    commit: str | None = None
    """The commit that made it permanent."""

    _read_older = model_validator(mode="before")(_gather_provenance)

    @property
    def turn(self) -> str:
        """The id of the turn's human message."""
        return self.provenance.turn_id

    @property
    def age(self) -> tuple[datetime, int, str]:
        """The sort key of proposals: the time, and the position in the turn."""
        return (self.at, self.provenance.position, self.id)

    def same_as(self, other: "Proposal") -> bool:
        """Return whether it would have the same effect as `other`, in (nearly) the same words."""
        own_changes, other_changes = self.changes, other.changes
        places = ((self.store, self.namespace, len(own_changes)), (other.store, other.namespace, len(other_changes)))
        return places[0] == places[1] and all(
            (first.kind, _status(first)) == (second.kind, _status(second))
            and (first.id == second.id or first.kind == "add")
            and same_statement(first.text, second.text)
            for first, second in zip(own_changes, other_changes, strict=True)
        )

    @property
    def description(self) -> str:
        """The description for the person who decides."""
        lines = [f"{_verb(change)}: {change.text}" for change in self.changes]
        lines += [f"Why: {why}"] if (why := self.args.get("because")) else []
        lines += [f'Because it was said: "{self.source.quote}"'] if self.source.quote else []
        lines += ["What it would change has changed meanwhile: look again."] if self.stale else []
        return "\n".join([f"{self.store}: {self.name}", *lines])


def _status(change: Change) -> str | None:
    return None if isinstance(change, Remove) else change.status


def _verb(change: Change) -> str:
    if isinstance(change, Update) and change.status != ACTIVE:
        return "Set aside"
    return {"add": "Add", "update": "Change to", "remove": "Remove"}[change.kind]
