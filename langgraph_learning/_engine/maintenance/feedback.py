"""A person's word on a turn: what was recalled in it counts as helpful or harmful, and too much harm sets it aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from langgraph.store.base import GetOp, Item, Result

from langgraph_learning._engine.flow import Flow, batch, write
from langgraph_learning._engine.learning.commit import retry_on_conflict, to_commit, write_commit
from langgraph_learning._engine.learning.commit_plan import CommitPlan
from langgraph_learning._engine.learning.draft import CommitKind, CommitRules, Draft
from langgraph_learning._engine.learning.turn import derived_id
from langgraph_learning._engine.maintenance.votes import (
    Ballot,
    RecordAddress,
    Vote,
    find_ballot,
    put_ballot,
    read_ballot,
)
from langgraph_learning._engine.recall.recall import Receipt
from langgraph_learning._engine.repository import (
    ScopeSnapshot,
    find_commit,
    read_commit,
    read_snapshot,
    scoped_to,
)
from langgraph_learning.errors import ScopeError
from langgraph_learning.records import ACTIVE, PROPOSED, Commit, Feedback, Identity, Record, Scope
from langgraph_learning.stores import LearningStore
from langgraph_learning.stores.common_operations import KEEP, plan_maintenance
from langgraph_learning.stores.curation import archive

HARM = 2
"""From so many harmful votes on, if they are the majority, a person is asked."""


@dataclass(frozen=True)
class TurnVote:
    """What was said of which turn: whose it was, what it was shown, and when."""

    voter: str | None
    turn: str
    identity: Identity
    recalled: tuple[RecordAddress, ...]
    at: datetime
    helpful: bool

    @property
    def key(self) -> str:
        """The one vote of this voter on this turn."""
        return derived_id("vote", self.voter, self.identity.user_id, self.identity.thread_id, self.turn)


@dataclass(frozen=True)
class VotedRecord:
    """A record that was recalled, the votes on it with the new one, and the version that these rest on."""

    record: Record
    ballot: Ballot
    version: int

    @property
    def harmful(self) -> bool:
        """Whether it is found harmful by the majority, and not yet set aside."""
        helpful, harmful = self.ballot.tally(self.record)
        # What others share is not one person's to take away.
        enough = harmful if self.record.scope.namespace is None else self.ballot.harmful_voters(self.record)
        return self.record.status == ACTIVE and enough >= HARM and harmful > helpful

    @property
    def why(self) -> str:
        """What a person is told who decides about it."""
        helpful, harmful = self.ballot.tally(self.record)
        return f"found harmful {harmful} times, helpful {helpful} times; yes recalls it again, no removes it"


def feedback(
    stores: Sequence[LearningStore], identity: Identity, about: Commit | Receipt | str, helpful: bool, at: datetime
) -> Flow[Feedback]:
    """Count what was recalled in a turn as helpful or harmful, once a turn and voter.

    Raises:
        ScopeError: It is no turn of this user, or it is not known who votes.
        ConflictError: Others were first every time.
    """
    if identity.user_id is None:
        raise ScopeError("a vote needs to know whose it is: give user_id=...")
    spoken = yield from _read_vote(identity, about, helpful, at)
    recalled = list(dict.fromkeys(spoken.recalled))
    ranking = [(store, scope) for store, scope in scoped_to(stores, spoken.identity) if store.recalled == "relevant"]

    def attempt() -> Flow[Feedback]:
        there, votes = yield from _count_votes(ranking, recalled, spoken)
        return (yield from _write_votes(there, votes, spoken, at))

    return (yield from retry_on_conflict(attempt))


def _read_vote(identity: Identity, about: Commit | Receipt | str, helpful: bool, at: datetime) -> Flow[TurnVote]:
    """Return what was said of which turn; a commit is read again: what the caller holds proves nothing."""
    if isinstance(about, Receipt):
        whose = about.identity or identity
        if whose.user_id != identity.user_id:
            raise ScopeError("this receipt is not of this user")
        recalled = tuple((each.store, each.id) for each in about.shown)
        turn = about.turn or derived_id("recalled", recalled)
        return TurnVote(identity.user_id, turn, whose, recalled, about.at or at, helpful)
    key = about if isinstance(about, str) else about.id
    [found] = yield from batch(find_commit(identity, key))
    if (commit := read_commit(found)) is None:
        raise ScopeError(f"there is no commit {key!r} of this user")
    turn = commit.turn or commit.id
    return TurnVote(identity.user_id, turn, commit.identity, commit.recalled, commit.at, helpful)


def _count_votes(
    ranking: Sequence[tuple[LearningStore, Scope]], recalled: Sequence[RecordAddress], spoken: TurnVote
) -> Flow[tuple[list[ScopeSnapshot], list[VotedRecord]]]:
    """Read what is voted on, and count the vote; what is not there any more is passed over."""
    wanted = [(store, scope, each) for store, scope in ranking for each in recalled if each[0] == store.name]
    reads = [GetOp((*scope.path, store.name), key, refresh_ttl=False) for store, scope, (_, key) in wanted]
    found = yield from batch(*reads, *(find_ballot(scope, address) for _, scope, address in wanted))
    items = [item for item in found[: len(wanted)] if isinstance(item, Item)]
    there = [read_snapshot(store, scope, cast("Result", items)) for store, scope in ranking]
    kept = {address: each for (_, _, address), each in zip(wanted, found[len(wanted) :], strict=True)}
    vote = Vote(helpful=spoken.helpful, at=spoken.at, voter=derived_id("voter", spoken.voter))
    votes = []
    for record in (record for each in there for record in each.records):
        item = kept[record.store, record.id]
        version = int(getattr(item, "version", 1)) if item is not None else 0
        votes.append(VotedRecord(record, read_ballot(item).with_vote(spoken.key, vote), version))
    return there, votes


def _write_votes(
    there: Sequence[ScopeSnapshot], votes: Sequence[VotedRecord], spoken: TurnVote, at: datetime
) -> Flow[Feedback]:
    """Keep the votes, and set aside what is found harmful, in one write."""
    puts, expect = [], {}
    for each in votes:
        put = put_ballot(each.record.scope, (each.record.store, each.record.id), each.ballot)
        puts.append(put)
        expect[put.namespace, put.key] = each.version
    told = Feedback(helpful=spoken.helpful, records=tuple((each.record.store, each.record.id) for each in votes))
    plan = _set_aside(there, [each for each in votes if each.harmful], spoken, at)
    made = to_commit(plan)
    if made.changes:
        yield from write_commit(made, there, plan.proposed, puts, expect)
        return told.model_copy(update={"proposed": made.proposed, "commit": made.id})
    if puts:
        yield from write(puts, expect)
    return told


def _set_aside(
    there: Sequence[ScopeSnapshot], harmful: Sequence[VotedRecord], spoken: TurnVote, at: datetime
) -> CommitPlan:
    """Plan that what is harmful is not recalled until a person has decided about it."""
    key = derived_id("feedback", spoken.key, at.isoformat())
    draft = Draft(CommitKind.UPKEEP, key, spoken.identity, at, CommitRules())
    plan = CommitPlan(draft, {each.store.name: each for each in there})
    for each in harmful:
        name, source = each.record.store, each.record.source
        aside = archive(each.record).model_copy(update={"status": PROPOSED})
        plan.add_changes(plan.known[name], [aside], source)
        keep = KEEP(id=each.record.id, because=each.why)  # type: ignore[call-arg]  # its fields are made at run time
        left = plan.known[name]
        plan.propose(left, keep, plan_maintenance(name, keep, left.records), source)
    return plan
