"""The reports of the data API: what a recall shows and why, and what a decision, a vote or a curation has done."""

from datetime import datetime
from typing import Literal, TypeAlias

from pydantic import Field

from langgraph_learning.records import Change, Frozen, Identity, Proposal, Record, Refusal, Usage

Result: TypeAlias = Literal["approved", "rejected", "stale", "refused", "decided", "gone"]


class ShownRecord(Frozen):
    """One recalled record: where it is, how it is called, and why it was chosen. No text: it may be forgotten."""

    id: str
    store: str
    label: str
    score: float
    reason: str
    tokens: int
    parts: dict[str, float] = Field(default_factory=dict)
    """The parts that add up to the score: `words` and `meaning`, or the store's own `search`; for a record in a
    session also `neighbours` and `session`; `votes` if there are any."""


class Receipt(Frozen):
    """What a recall considered, chose and why, in which turn and for whom; ids only."""

    shown: tuple[ShownRecord, ...] = ()
    left_out: dict[str, int] = Field(default_factory=dict)
    tokens: int = 0
    turn: str = ""
    """The id of the human message that the turn answers; empty outside of a graph."""
    identity: Identity | None = None
    at: datetime | None = None


class Recall(Frozen):
    """What a model is shown, the records it was made of, and the receipt."""

    text: str = ""
    records: tuple[Record, ...] = ()
    receipt: Receipt = Receipt()


class Outcome(Frozen):
    """The result of a decision.

    `stale`: a record it would change has changed since, so nothing was applied, and the proposal waits for another
    look. `refused`: it cannot be carried out, and waits. `decided`: another person was first. `gone`: there is no such
    proposal.
    """

    proposal: str
    result: Result
    reason: str = ""
    commit: str | None = None


class Feedback(Frozen):
    """The effect of a person's feedback on a turn."""

    helpful: bool
    records: tuple[tuple[str, str], ...] = ()
    """The records that were voted on, as learning store and id; none if the turn recalled none that are ranked."""
    proposed: tuple[str, ...] = ()
    """The ids of proposals about records found harmful too often; these are not recalled until a person decides."""
    commit: str | None = None
    """The commit that set them aside."""


class Curated(Frozen):
    """A finding of curation about some records of a learning store, with the reason."""

    store: str
    kind: Literal["merged", "retired"]
    ids: tuple[str, ...]
    """The records; if they are merged, the one that stays comes first."""
    texts: tuple[str, ...]
    reason: str
    changes: tuple[Change, ...] = ()


class CurationReport(Frozen):
    """The findings of a curation, and what it did unless it was a dry run."""

    dry_run: bool
    merged: tuple[Curated, ...] = ()
    retired: tuple[Curated, ...] = ()
    proposed: tuple[Curated, ...] = ()
    """Findings of a model about a learning store that proposes; they wait for a person."""
    refused: tuple[Refusal, ...] = ()
    """Requests of a model that cannot be carried out."""
    changes: int = 0
    """The number of changes, without proposed ones."""
    commit: str | None = None
    """The commit to `undo`; None if nothing was written."""
    usage: Usage = Usage()


class Reflection(Frozen):
    """The findings of a reflection, and what it did unless it was a dry run."""

    dry_run: bool
    events: int = 0
    """The number of turns, votes, outcomes and corrections that the model was shown."""
    changes: tuple[Change, ...] = ()
    """The changes it made, or would make; the source of each lists the turns it rests on."""
    proposed: tuple[Proposal, ...] = ()
    """The proposals that wait for a person."""
    refused: tuple[Refusal, ...] = ()
    """Requests of the model that cannot be carried out, or that rest on nothing."""
    commits: tuple[str, ...] = ()
    """The commits to `undo`, the last one first."""
    usage: Usage = Usage()
    failed: str | None = None
    """Why it stopped half way; the commits so far stay, and the next reflection continues from there."""
