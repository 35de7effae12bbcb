"""What is to be committed: who asks for which operations, and by which rules."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from langgraph_learning._engine.learning.capture import Captured
from langgraph_learning._engine.learning.provenance import ThreadWords
from langgraph_learning.masking import Mask, mask_secrets
from langgraph_learning.records import Identity, Provenance, Record, Refusal, Source, Trajectory, Usage
from langgraph_learning.stores import LearningStore
from langgraph_learning.versioned_store import Address

Shared: TypeAlias = Literal["propose", "write"]
"""What becomes of a change to what others taught in a shared namespace."""
Reviewers: TypeAlias = Callable[..., object]
"""Says whether somebody may decide about a proposal."""


@dataclass(frozen=True)
class OperationRequest:
    """One operation as a model or a person asked for it, and what it rests on."""

    operation: object
    arguments: Mapping[str, JsonValue]
    source: Source = field(default_factory=Source)
    store: str | None = None
    """Of which learning store, where that is known: operations for upkeep are called the same in all of them."""
    said_at: datetime | None = None
    """When that was said which it rests on: relative dates count from there; by default when it is committed."""


class CommitKind(Enum):
    """Who asks for a commit, which decides how records are named and whether a person has to say yes."""

    TURN = "turn"
    """An extraction: an empty commit is kept, too, so that the same turn is not asked about again."""
    TOOL_CALL = "tool call"
    """The agent, by one of its tools."""
    PERSON = "person"
    """A person's own hand."""
    APPROVAL = "approval"
    """A person's yes to proposals."""
    UPKEEP = "upkeep"
    """Curation, and what feedback sets aside."""
    REFLECTION = "reflection"
    """What many turns teach together; what others taught it changes as a turn would."""

    @property
    def names_own_ids(self) -> bool:
        """Whether records may be named by their own ids: a model is shown short ones only."""
        return self in (CommitKind.PERSON, CommitKind.APPROVAL, CommitKind.UPKEEP)

    @property
    def is_conversation(self) -> bool:
        """Whether the words of a conversation ask for it: its limits and the policy for shared namespaces hold."""
        return self in (CommitKind.TURN, CommitKind.TOOL_CALL)


@dataclass(frozen=True)
class CommitRules:
    """What every commit of a machine keeps to."""

    limits: Mapping[str, int] = field(default_factory=dict)
    """How many changes a learning store may make in one turn."""
    mask: Mask = mask_secrets
    shared: Shared = "propose"
    reviewers: Reviewers | None = None


@dataclass(frozen=True)
class Draft:
    """What is to be committed: by whom, under which id, and where in its conversation."""

    kind: CommitKind
    id: str
    identity: Identity
    at: datetime
    rules: CommitRules
    requests: tuple[OperationRequest, ...] = ()
    refused: tuple[Refusal, ...] = ()
    """What was refused before it was planned."""
    provenance: Provenance = field(default_factory=Provenance)
    shown_ids: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The record ids by the short ids that a model was shown, per learning store: a race may change the order."""
    usage: Usage = field(default_factory=Usage)
    query: str = ""
    """What the records were looked up by, besides the newest."""
    thread: ThreadWords | None = None
    """Who has said what in the conversation that asks for it; None where a person asks."""
    trajectory: Trajectory | None = None
    captured: Captured | None = None
    """The messages to keep, where a learning store keeps them."""
    cited_by: tuple[Record, ...] = ()
    """What rests on these messages already."""
    pending: tuple[Address, ...] = ()
    """The turns that it is learned from, where these waited in the store: they go with its commit."""

    def day_of(self, said_at: datetime | None) -> date:
        """Return the day on which something was said, where the user is."""
        return (said_at or self.at).astimezone(ZoneInfo(self.identity.timezone)).date()

    def limit(self, store: LearningStore) -> int | None:
        """Return how many changes a learning store may make; None without a limit."""
        limited = self.kind.is_conversation or self.kind is CommitKind.REFLECTION
        return self.rules.limits.get(store.name) if limited else None
