"""Where votes are kept: beside the records, not in them, so that a vote changes no record and blocks no undo."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias, cast

from langgraph.store.base import GetOp, Item, PutOp, Result, SearchOp
from pydantic import Field

from langgraph_learning.records import Frozen, Namespace, Record, Scope

MAX_VOTES = 20
"""How many votes on one record are kept, the newest: what a recall reads must not grow with every turn."""
MAX_BALLOTS = 1_000
"""How many records' votes a recall reads, those that were voted on last."""
BALLOTS = "feedback"
"""Where votes lie in a scope."""
RecordAddress: TypeAlias = tuple[str, str]
"""A record, as learning store and id."""
Tally: TypeAlias = tuple[int, int]


class Vote(Frozen):
    """What was said of a turn, and when the turn was."""

    helpful: bool
    at: datetime
    voter: str = ""
    """A code that tells voters apart, and names none."""


class Ballot(Frozen):
    """The votes on one record, by turn and voter; who voted cannot be read from it."""

    votes: dict[str, Vote] = Field(default_factory=dict)

    def with_vote(self, key: str, vote: Vote) -> "Ballot":
        """Return it with this vote, in the place of an earlier one of the same turn and voter."""
        newest = sorted({**self.votes, key: vote}.items(), key=lambda each: each[1].at)[-MAX_VOTES:]
        return Ballot(votes=dict(newest))

    def tally(self, record: Record) -> Tally:
        """Count the votes on `record` as it stands: those on what it said before do not count."""
        counted = [vote.helpful for vote in self.votes.values() if vote.at >= record.updated_at]
        return sum(counted), len(counted) - sum(counted)

    def harmful_voters(self, record: Record) -> int:
        """How many people found `record` harmful as it stands."""
        return len({vote.voter for vote in self.votes.values() if not vote.helpful and vote.at >= record.updated_at})


def ballots_namespace(scope: Scope) -> Namespace:
    """Where the votes on the records of a scope lie."""
    return (*scope.path, BALLOTS)


def ballot_key(address: RecordAddress) -> str:
    """Return the key of a record's votes; a learning store's name holds no colon."""
    return ":".join(address)


def find_ballots(scope: Scope) -> SearchOp:
    """Return the operation that finds the votes on the records of a scope."""
    return SearchOp(ballots_namespace(scope), limit=MAX_BALLOTS, refresh_ttl=False)


def find_ballot(scope: Scope, address: RecordAddress) -> GetOp:
    """Return the operation that finds the votes on one record."""
    return GetOp(ballots_namespace(scope), ballot_key(address), refresh_ttl=False)


def put_ballot(scope: Scope, address: RecordAddress, ballot: Ballot) -> PutOp:
    """Return the operation that keeps the votes on one record."""
    return PutOp(ballots_namespace(scope), ballot_key(address), ballot.model_dump(mode="json"), index=False)


def read_ballot(result: Result) -> Ballot:
    """Read votes back; there may be none."""
    return Ballot.model_validate(result.value) if isinstance(result, Item) else Ballot()


def read_ballots(scope: Scope, result: Result) -> dict[str, Item]:
    """Return what `find_ballots` found, by key."""
    items = cast("Iterable[Item]", result or ())
    return {item.key: item for item in items if tuple(item.namespace) == ballots_namespace(scope)}


def tallies(records: Sequence[Record], ballots: Mapping[str, Item]) -> dict[str, Tally]:
    """Return how often each of `records` was found helpful and harmful, where it was at all."""
    keys = {record.id: ballot_key((record.store, record.id)) for record in records} if ballots else {}
    found = {
        record.id: read_ballot(ballots[keys[record.id]]).tally(record)
        for record in records
        if keys.get(record.id) in ballots
    }
    return {key: tally for key, tally in found.items() if any(tally)}
