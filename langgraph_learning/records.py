"""The nouns of learning: who asks, what is known, what changes, and where it came from.

All of them are frozen and JSON-able: they travel through graph state, interrupts, stores and exports.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from langgraph.store.base import Item
from pydantic import Field, JsonValue, ValidationError, model_validator

from langgraph_learning.errors import RecordError
from langgraph_learning.labels import COMMITS
from langgraph_learning.labels import PENDING as PENDING
from langgraph_learning.labels import ROOT as ROOT
from langgraph_learning.scope import Frozen as Frozen
from langgraph_learning.scope import Identity as Identity
from langgraph_learning.scope import Namespace as Namespace
from langgraph_learning.scope import Scope as Scope
from langgraph_learning.scope import check_ids as check_ids
from langgraph_learning.text import same_statement
from langgraph_learning.validity import VALIDITY as VALIDITY
from langgraph_learning.validity import Dates as Dates
from langgraph_learning.validity import Timestamp as Timestamp
from langgraph_learning.validity import Validity as Validity

ACTIVE = "active"
"""The status of what is recalled; any other (`superseded`, `archived`) is kept, and found by searching for it."""
ARCHIVED, SUPERSEDED, PROPOSED = "archived", "superseded", "proposed"
"""Set aside and reversible; replaced by something newer; waiting for a person."""
DOCUMENT = "document"
"""The status of what a vector store brings along: read, and never written."""
INDEXED = ["text", "keys.*"]
"""What of a record a store searches."""
CARE = "care"
"""Where workers note when they last did what is done now and then."""
NOT_RECORDS = frozenset({COMMITS, "proposals", "feedback", "unindexed", "reflections", PENDING, CARE})
"""What lies in a scope beside the records of the learning stores."""
Actor: TypeAlias = Literal["user", "assistant", "tool", "agent", "person", "import"]


class Provenance(Frozen):
    """Where in its conversation a change comes from: carried whole from the turn to its commit and its proposals."""

    turn_id: str = ""
    """The turn: the id of its human message."""
    graph_ns: str = ""
    """The graph it was learned in, as a checkpoint namespace."""
    position: int = 0
    """Its place in the turn: tools run at once, and proposals are shown in the order of their calls."""
    recalled: tuple[tuple[str, str], ...] = ()
    """What the turn was shown, as learning store and id: feedback on the turn is about it."""
    recalled_tokens: dict[str, int] = Field(default_factory=dict)
    """How many tokens of the prompt that took, by learning store."""

    def at(self, position: int) -> "Provenance":
        """Return it with another place in the turn."""
        return self.model_copy(update={"position": position})


_MARKS = {"tool": "from a tool", "assistant": "said by the assistant", "import": "imported"}


class Source(Frozen):
    """Where a record comes from."""

    thread_id: str | None = None
    checkpoint_id: str | None = None
    message_ids: tuple[str, ...] = ()
    digest: str | None = None
    """A short digest of what these messages said: when one is edited and sent again, the record is taken back."""
    quote: str | None = None
    actor: Actor = "user"
    user_id: str | None = None
    """Who taught it, in a namespace shared with others; elsewhere the scope says so."""
    said_at: datetime | None = None
    """When it was said, where it was learned on another day."""
    approved_by: str | None = None
    approved_at: datetime | None = None
    author: str | None = Field(default=None, exclude=True, repr=False)
    """How a reader is told who taught it, where that is somebody else; filled in by recall, and never stored."""

    @property
    def inferred(self) -> bool:
        """Whether a model concluded this: no quote of the conversation vouches for it."""
        return self.quote is None and self.actor == "assistant"

    @property
    def label(self) -> str:
        """What a reader of the record is told of where it comes from; nothing if the user said it."""
        marks = ["inferred"] if self.inferred else [_MARKS[self.actor]] if self.actor in _MARKS else []
        if self.author:
            marks += [f"from {self.author}", *(["approved"] if self.approved_at else [])]
        return f" ({', '.join(marks)})" if marks else ""


class Ordered(Frozen):
    """Where a record stands among others, if its learning store keeps an order, and what else it is found by."""

    session: str | None = None
    """What it is a part of, such as a thread: records of one session are neighbours by their places."""
    place: int | None = None
    """Its place in the session."""
    keys: dict[str, str] = Field(default_factory=dict)
    """Texts of records that rest on it, by learning store and id: it is found by their words, too."""


def past_id(record_id: str, version: int) -> str:
    """Return the id of the record that keeps an earlier state of another one."""
    return f"{record_id}@{version}"


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
    """The id of the record whose earlier state this is, kept when something took its place: read as of a day only."""

    @property
    def namespace(self) -> Namespace:
        """Where the record lies in the store."""
        return (*self.scope.path, self.store)

    def value(self) -> dict[str, JsonValue]:
        """Return what a store keeps under the record's id: without what is not known, which is half of its bytes."""
        unset = {name for name in (*Ordered.model_fields, *VALIDITY, "past_of") if getattr(self, name) in (None, {})}
        value = self.model_dump(mode="json", exclude={"id", *unset})
        for part in ("scope", "source"):  # None means something in the content
            value[part] = {name: known for name, known in value[part].items() if known is not None}
        return value

    def as_past(self, until: datetime | None) -> "Record":
        """Return the state of this record as it is kept when something else holds from then on."""
        kept = {"id": past_id(self.id, self.version), "past_of": self.id, "status": SUPERSEDED, "valid_to": until}
        return self.model_copy(update={**kept, "version": 1, "keys": {}})

    @classmethod
    def from_item(cls, item: Item) -> "Record":
        """Read a record back.

        Raises:
            RecordError: The stored value is not a record.
        """
        version = getattr(item, "version", item.value.get("version"))
        try:
            return cls.model_validate({**item.value, "id": item.key, "version": version})
        except ValidationError as error:
            raise RecordError(f"the item {item.key!r} in {item.namespace} is not a record: {error}") from error


class Add(Validity, Ordered):
    """A new record; the engine gives it an id where the learning store names none."""

    kind: Literal["add"] = "add"
    store: str
    id: str = ""
    content: dict[str, JsonValue]
    text: str
    status: str = ACTIVE
    from_now_on: bool = False
    """Whether it holds only from when it was said; what an update says this of is kept as a record of the past."""
    source: Source = Source()


class Update(Validity, Ordered):
    """Other content, or another status, for a record."""

    kind: Literal["update"] = "update"
    store: str
    id: str
    content: dict[str, JsonValue]
    text: str
    status: str = ACTIVE
    from_now_on: bool = False
    """Whether it holds only from when it was said; what an update says this of is kept as a record of the past."""
    source: Source = Source()


class Remove(Frozen):
    """The end of a record."""

    kind: Literal["remove"] = "remove"
    store: str
    id: str
    text: str = ""
    source: Source = Source()


Change: TypeAlias = Annotated[Add | Update | Remove, Field(discriminator="kind")]


class Curated(Frozen):
    """What curation does about some records of a learning store, and why."""

    store: str
    kind: Literal["merged", "retired"]
    ids: tuple[str, ...]
    """The records it is about; of what is merged, the one that is kept first."""
    texts: tuple[str, ...]
    reason: str
    changes: tuple[Change, ...] = ()


class Revision(Frozen):
    """One state of a record: None when it was removed."""

    record: Record | None
    version: int
    at: datetime
    commit: str | None = None


class Refusal(Frozen):
    """An operation, or a field of one, that was not carried out, and why."""

    operation: str
    reason: str


class Usage(Frozen):
    """What a step cost."""

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
    """Read a commit or a proposal that an earlier version wrote, with the parts of its provenance side by side."""
    if not isinstance(value, Mapping) or not (older := [name for name in _OLDER if name in value]):
        return value
    rest = {name: part for name, part in value.items() if name not in _OLDER}
    return {"provenance": {_OLDER[name]: value[name] for name in older}, **rest}


class ToolCallOutcome(Frozen):
    """One tool call of the agent: its arguments as JSON, and the beginning and end of what came of it."""

    name: str
    arguments: str = ""
    result: str = ""
    failed: bool = False


class Trajectory(Frozen):
    """The agent's tool calls of a turn in which one failed, and what the user had asked; read by `reflect`."""

    asked: str = ""
    message_ids: tuple[str, ...] = ()
    """The user's messages."""
    calls: tuple[ToolCallOutcome, ...] = ()


class Commit(Frozen):
    """The changes of one turn, written together; the unit of undo."""

    id: str
    identity: Identity
    at: datetime
    changes: tuple[Change, ...] = ()
    refused: tuple[Refusal, ...] = ()
    proposed: tuple[str, ...] = ()
    """The ids of what waits for a person."""
    usage: Usage = Usage()
    costs: dict[str, int] = Field(default_factory=dict)
    """The tokens of `usage` by learning store: its part of the prompts and of the answers."""
    provenance: Provenance = Provenance()
    namespaces: dict[str, str] = Field(default_factory=dict)
    """In which shared namespace it changed a learning store; where none is named, in what is the user's own."""
    trajectory: Trajectory | None = None
    """The agent's tool calls of the turn, where one failed and a learning store reads them."""

    _read_older = model_validator(mode="before")(_gather_provenance)

    @property
    def turn(self) -> str:
        """The turn it comes from: the id of its human message."""
        return self.provenance.turn_id

    @property
    def recalled(self) -> tuple[tuple[str, str], ...]:
        """What was recalled in that turn, as learning store and id."""
        return self.provenance.recalled


class CurationReport(Frozen):
    """What a curation found, and did, unless it was a dry run."""

    dry_run: bool
    merged: tuple[Curated, ...] = ()
    retired: tuple[Curated, ...] = ()
    proposed: tuple[Curated, ...] = ()
    """What a model judged of a learning store that proposes: it waits for a person."""
    refused: tuple[Refusal, ...] = ()
    """What a model asked for that cannot be done."""
    changes: int = 0
    """How many changes that is, without those that are proposed."""
    commit: str | None = None
    """What to `undo`; None if nothing was written."""
    usage: Usage = Usage()


class Feedback(Frozen):
    """What a person's word on a turn counted for."""

    helpful: bool
    records: tuple[tuple[str, str], ...] = ()
    """The records that it counts for, as learning store and id; none if the turn recalled none that are ranked."""
    proposed: tuple[str, ...] = ()
    """The ids of the proposals about what was found harmful too often: it is not recalled until a person decides."""
    commit: str | None = None
    """The commit that set it aside."""


class Proposal(Frozen):
    """A change that waits for a person: what was asked for, and what it would do."""

    id: str
    identity: Identity
    """Who it is for; its own copy, so that an answer needs no run."""
    store: str
    namespace: str | None = None
    """In which shared namespace; None: in what is the user's own."""
    name: str
    """The operation, and its arguments; a record is named by its own id."""
    args: dict[str, JsonValue]
    changes: tuple[Change, ...]
    expects: dict[str, int] = Field(default_factory=dict)
    """The versions of the records it would change, when it was made or last shown; 0: there was none."""
    source: Source = Source()
    provenance: Provenance = Provenance()
    status: Literal["pending", "approved", "rejected", "withdrawn"] = "pending"
    """`withdrawn`: the message that it rests on was edited."""
    stale: bool = False
    """Whether a record it would change has changed since."""
    message: str | None = None
    """What the person said, or why it was withdrawn."""
    at: datetime
    said_at: datetime | None = None
    """When that was said which it rests on: relative dates in an edit count from there."""
    decided_at: datetime | None = None
    decided_by: str | None = None
    commit: str | None = None
    """The commit that made it permanent."""

    _read_older = model_validator(mode="before")(_gather_provenance)

    @property
    def turn(self) -> str:
        """The turn it comes from: the id of its human message."""
        return self.provenance.turn_id

    @property
    def age(self) -> tuple[datetime, int, str]:
        """What orders proposals: when they were made, and in which order in their turn."""
        return (self.at, self.provenance.position, self.id)

    def same_as(self, other: "Proposal") -> bool:
        """Whether it would come to the same as `other`, in (nearly) the same words."""
        mine, theirs = self.changes, other.changes
        places = ((self.store, self.namespace, len(mine)), (other.store, other.namespace, len(theirs)))
        return places[0] == places[1] and all(
            (one.kind, _status(one)) == (two.kind, _status(two))
            and (one.id == two.id or one.kind == "add")
            and same_statement(one.text, two.text)
            for one, two in zip(mine, theirs, strict=True)
        )

    @property
    def description(self) -> str:
        """What it would do, for the person who decides."""
        lines = [f"{_verb(change)}: {change.text}" for change in self.changes]
        lines += [f"Why: {why}"] if (why := self.args.get("because")) else []
        lines += [f'Because it was said: "{self.source.quote}"'] if self.source.quote else []
        lines += ["What it would change has changed meanwhile: look again."] if self.stale else []
        return "\n".join([f"{self.store}: {self.name}", *lines])


class Reflection(Frozen):
    """What a reflection read, and what it came to, unless it was a dry run."""

    dry_run: bool
    events: int = 0
    """How many turns, votes, outcomes and corrections the model was shown."""
    changes: tuple[Change, ...] = ()
    """What it changed, or would; each with the turns that it rests on in its source."""
    proposed: tuple[Proposal, ...] = ()
    """What waits for a person."""
    refused: tuple[Refusal, ...] = ()
    """What the model asked for that cannot be done, or rests on nothing."""
    commits: tuple[str, ...] = ()
    """What to `undo`, the last one first."""
    usage: Usage = Usage()
    failed: str | None = None
    """Why it stopped half way: what is in `commits` stands, and the next reflection goes on from there."""


def _status(change: Change) -> str | None:
    return None if isinstance(change, Remove) else change.status


def _verb(change: Change) -> str:
    if isinstance(change, Update) and change.status != ACTIVE:
        return "Set aside"
    return {"add": "Add", "update": "Change to", "remove": "Remove"}[change.kind]
