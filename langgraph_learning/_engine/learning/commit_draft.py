"""Input to the planning of a commit: the requested operations, who requests them, and the rules that apply."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from langgraph_learning._engine.learning.capture import Captured
from langgraph_learning._engine.learning.grounding import ThreadWords
from langgraph_learning.masking import Mask, mask_secrets
from langgraph_learning.records import Identity, Provenance, Record, Refusal, Source, Trajectory, Usage
from langgraph_learning.stores import LearningStore
from langgraph_learning.versioned_store import Address

Shared: TypeAlias = Literal["propose", "write"]
"""The policy for a change to what others taught in a shared namespace."""
Reviewers: TypeAlias = Callable[..., object]
"""A function that says whether a person may decide about a proposal."""


@dataclass(frozen=True)
class OperationRequest:
    """One operation as a model or a person asked for it, and the source it rests on."""

    operation: object
    arguments: Mapping[str, JsonValue]
    source: Source = field(default_factory=Source)
    store: str | None = None
    """The learning store, if known: operations for maintenance have the same names in all of them."""
    said_at: datetime | None = None
    """The time of the words it rests on, from which relative dates count; by default the time of the commit."""


class CommitKind(Enum):
    """Who asks for a commit; it decides how records are named and whether a person must approve."""

    TURN = "turn"
    """An extraction; an empty commit is kept too, so that the same turn is not sent to a model again."""
    TOOL_CALL = "tool call"
    """A call of an agent tool."""
    PERSON = "person"
    """A person's own edit."""
    APPROVAL = "approval"
    """A person's approval of proposals."""
    MAINTENANCE = "maintenance"
    """Curation, and what feedback sets aside."""
    REFLECTION = "reflection"
    """What many turns teach together; it may change what others taught only as a turn may."""

    @property
    def names_own_ids(self) -> bool:
        """Whether requests may name records by their own ids; a model is shown only short ids."""
        return self in (CommitKind.PERSON, CommitKind.APPROVAL, CommitKind.MAINTENANCE)

    @property
    def is_conversation(self) -> bool:
        """Whether a conversation asks for it; then its limits and the policy for shared namespaces apply."""
        return self in (CommitKind.TURN, CommitKind.TOOL_CALL)


@dataclass(frozen=True)
class CommitRules:
    """The rules for every commit of a machine."""

    limits: Mapping[str, int] = field(default_factory=dict)
    """The number of changes that each learning store may make in one turn."""
    mask: Mask = mask_secrets
    shared: Shared = "propose"
    reviewers: Reviewers | None = None


@dataclass(frozen=True)
class CommitDraft:
    """A commit to make: by whom, under which id, and where in its conversation."""

    kind: CommitKind
    id: str
    identity: Identity
    at: datetime
    rules: CommitRules
    requests: tuple[OperationRequest, ...] = ()
    refused: tuple[Refusal, ...] = ()
    """The operations that were refused before planning."""
    provenance: Provenance = field(default_factory=Provenance)
    shown_ids: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The record ids by the short ids that a model was shown, per learning store; a race may change the order."""
    usage: Usage = field(default_factory=Usage)
    costs: Mapping[str, int] = field(default_factory=dict)
    """The tokens of the usage by learning store."""
    query: str = ""
    """The text that selected the records, in addition to the newest ones."""
    thread: ThreadWords | None = None
    """Who has said what in the conversation; None if a person asks for the commit."""
    trajectory: Trajectory | None = None
    captured: Captured | None = None
    """The messages to keep, if a learning store keeps them."""
    heard: tuple[str, ...] = ()
    """The ids of the messages that the commit learns from."""
    cited_by: tuple[Record, ...] = ()
    """The records that already rest on these messages."""
    pending: tuple[Address, ...] = ()
    """The addresses of the turns in the store that the commit learns from; the commit deletes them."""
    begun: tuple[Address, ...] = ()
    """Where the turn lies as begun; the commit marks these ids as learned, and who erases the items comes later."""

    def day_of(self, said_at: datetime | None) -> date:
        """Return the user's local day on which something was said."""
        return (said_at or self.at).astimezone(ZoneInfo(self.identity.timezone)).date()

    def limit(self, store: LearningStore) -> int | None:
        """Return how many changes a learning store may make; None if there is no limit."""
        limited = self.kind.is_conversation or self.kind is CommitKind.REFLECTION
        return self.rules.limits.get(store.name) if limited else None
