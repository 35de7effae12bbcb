"""A person's feedback on a turn: the recalled records count as helpful or harmful, and harmful ones are set aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from langgraph.store.base import GetOp, Item, Result

from langgraph_learning._engine.flow import Flow, batch
from langgraph_learning._engine.learning.commit import retry_on_conflict, write_commit
from langgraph_learning._engine.learning.commit_draft import CommitDraft, CommitKind, CommitRules
from langgraph_learning._engine.learning.commit_plan import CommitPlan
from langgraph_learning._engine.maintenance.votes import (
    Ballot,
    RecordAddress,
    Vote,
    find_ballot,
    put_ballot,
    read_ballot,
)
from langgraph_learning._engine.repository import (
    ScopeSnapshot,
    find_commit,
    read_commit,
    read_snapshot,
    scoped_to,
)
from langgraph_learning.errors import ScopeError
from langgraph_learning.records import ACTIVE, PROPOSED, Commit, Identity, Record, Scope, derived_id
from langgraph_learning.reports import Feedback, Receipt
from langgraph_learning.stores import LearningStore
from langgraph_learning.stores.maintenance_operations import KEEP, plan_maintenance
from langgraph_learning.stores.record_changes import archive_record

HARM = 2
"""The number of harmful votes from which, if they are the majority, a person is asked."""


@dataclass(frozen=True)
class TurnVote:
    """A vote on a turn: the voter, the turn with its identity and recalled records, and the time."""

    voter: str | None
    turn: str
    identity: Identity
    recalled: tuple[RecordAddress, ...]
    at: datetime
    helpful: bool

    @property
    def key(self) -> str:
        """The id of this voter's one vote on this turn."""
        return derived_id("vote", self.voter, self.identity.user_id, self.identity.thread_id, self.turn)


@dataclass(frozen=True)
class VotedRecord:
    """A recalled record, the votes on it with the new one, and the version of the stored votes."""

    record: Record
    ballot: Ballot
    version: int

    @property
    def harmful(self) -> bool:
        """Whether the majority finds the record harmful and it is not yet set aside."""
        helpful, harmful = self.ballot.tally(self.record)
        # One person alone must not take away what others share.
        enough = harmful if self.record.scope.namespace is None else self.ballot.harmful_voters(self.record)
        return self.record.status == ACTIVE and enough >= HARM and harmful > helpful

    @property
    def why(self) -> str:
        """The text for the person who decides about it."""
        helpful, harmful = self.ballot.tally(self.record)
        return f"found harmful {harmful} times, helpful {helpful} times; yes recalls it again, no removes it"


def feedback(
    stores: Sequence[LearningStore], identity: Identity, about: Commit | Receipt | str, helpful: bool, at: datetime
) -> Flow[Feedback]:
    """Count the records recalled in a turn as helpful or harmful, once for each turn and voter.

    Raises:
        ScopeError: The turn is not this user's, or there is no user who votes.
        ConflictError: Other writers were first every time.
    """
    if identity.user_id is None:
        raise ScopeError("a vote needs a user: give user_id=...")
    spoken = yield from _read_vote(identity, about, helpful, at)
    recalled = list(dict.fromkeys(spoken.recalled))
    ranking = [(store, scope) for store, scope in scoped_to(stores, spoken.identity) if store.recalled == "relevant"]

    def attempt() -> Flow[Feedback]:
        snapshots, votes = yield from _count_votes(ranking, recalled, spoken)
        return (yield from _write_votes(snapshots, votes, spoken, at))

    return (yield from retry_on_conflict(attempt))


def _read_vote(identity: Identity, about: Commit | Receipt | str, helpful: bool, at: datetime) -> Flow[TurnVote]:
    """Return the vote on a turn; a commit is read from the store, because the caller's copy proves nothing."""
    if isinstance(about, Receipt):
        whose = about.identity or identity
        if whose.user_id != identity.user_id:
            raise ScopeError("this receipt is not of this user")
        recalled = tuple((record.store, record.id) for record in about.shown)
        turn = about.turn or derived_id("recalled", recalled)
        return TurnVote(identity.user_id, turn, whose, recalled, about.at or at, helpful)
    key = about if isinstance(about, str) else about.id
    [result] = yield from batch(find_commit(identity, key))
    if (commit := read_commit(result)) is None:
        raise ScopeError(f"there is no commit {key!r} of this user")
    turn = commit.turn or commit.id
    return TurnVote(identity.user_id, turn, commit.identity, commit.recalled, commit.at, helpful)


def _count_votes(
    ranking: Sequence[tuple[LearningStore, Scope]], recalled: Sequence[RecordAddress], spoken: TurnVote
) -> Flow[tuple[Sequence[ScopeSnapshot], list[VotedRecord]]]:
    """Read the records that are voted on, and count the vote; missing records are skipped."""
    wanted = [(store, scope, address) for store, scope in ranking for address in recalled if address[0] == store.name]
    reads = [GetOp((*scope.path, store.name), key, refresh_ttl=False) for store, scope, (_, key) in wanted]
    results = yield from batch(*reads, *(find_ballot(scope, address) for _, scope, address in wanted))
    items = [item for item in results[: len(wanted)] if isinstance(item, Item)]
    snapshots = [read_snapshot(store, scope, cast("Result", items)) for store, scope in ranking]
    ballots = {address: ballot for (_, _, address), ballot in zip(wanted, results[len(wanted) :], strict=True)}
    vote = Vote(helpful=spoken.helpful, at=spoken.at, voter=derived_id("voter", spoken.voter))
    votes = []
    for record in (record for snapshot in snapshots for record in snapshot.records):
        item = ballots[record.store, record.id]
        version = int(getattr(item, "version", 1)) if item is not None else 0
        votes.append(VotedRecord(record, read_ballot(item).with_vote(spoken.key, vote), version))
    return snapshots, votes


def _write_votes(
    snapshots: Sequence[ScopeSnapshot], votes: Sequence[VotedRecord], spoken: TurnVote, at: datetime
) -> Flow[Feedback]:
    """Write the votes, and set aside harmful records, in one transaction."""
    puts, expect = [], {}
    for voted in votes:
        put = put_ballot(voted.record.scope, (voted.record.store, voted.record.id), voted.ballot)
        puts.append(put)
        expect[put.namespace, put.key] = voted.version
    result = Feedback(helpful=spoken.helpful, records=tuple((voted.record.store, voted.record.id) for voted in votes))
    plan = _set_aside(snapshots, [voted for voted in votes if voted.harmful], spoken, at)
    new_commit = yield from write_commit(plan, snapshots, puts, expect)
    if not new_commit.changes:
        return result
    return result.model_copy(update={"proposed": new_commit.proposed, "commit": new_commit.id})


def _set_aside(
    snapshots: Sequence[ScopeSnapshot], harmful: Sequence[VotedRecord], spoken: TurnVote, at: datetime
) -> CommitPlan:
    """Plan that harmful records are not recalled until a person has decided about them."""
    key = derived_id("feedback", spoken.key, at.isoformat())
    draft = CommitDraft(CommitKind.MAINTENANCE, key, spoken.identity, at, CommitRules())
    plan = CommitPlan(draft, {snapshot.store.name: snapshot for snapshot in snapshots})
    for voted in harmful:
        name, source = voted.record.store, voted.record.source
        suspended = archive_record(voted.record).model_copy(update={"status": PROPOSED})
        plan.add_changes(plan.snapshots[name], [suspended], source)
        keep = KEEP(id=voted.record.id, because=voted.why)  # type: ignore[call-arg]  # its fields are made at run time
        remaining = plan.snapshots[name]
        plan.propose(remaining, keep, plan_maintenance(name, keep, remaining.records), source)
    return plan
