"""The storage of votes: they lie beside the records, so that a vote changes no record and blocks no undo."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias, cast

from langgraph.store.base import GetOp, Item, PutOp, Result, SearchOp
from pydantic import Field

from langgraph_learning.records import Frozen, Namespace, Record, Scope

MAX_VOTES = 20
"""The number of votes on one record that are kept, the newest; the data that a recall reads must not grow for ever."""
MAX_BALLOTS = 1_000
"""The number of records whose votes a recall reads, the most recently voted on."""
BALLOTS = "feedback"
"""The label under which votes lie in a scope."""
RecordAddress: TypeAlias = tuple[str, str]
"""A record, as learning store and id."""
Tally: TypeAlias = tuple[int, int]


class Vote(Frozen):
    """One vote on a turn, and the time of the turn."""

    helpful: bool
    at: datetime
    voter: str = ""
    """A code that tells voters apart without naming them."""


class Ballot(Frozen):
    """The votes on one record, by turn and voter; the voters cannot be read from it."""

    votes: dict[str, Vote] = Field(default_factory=dict)

    def with_vote(self, key: str, vote: Vote) -> "Ballot":
        """Return a ballot with this vote; it replaces an earlier one of the same turn and voter."""
        newest = sorted({**self.votes, key: vote}.items(), key=lambda entry: entry[1].at)[-MAX_VOTES:]
        return Ballot(votes=dict(newest))

    def tally(self, record: Record) -> Tally:
        """Count the votes on the present state of `record`; votes on an earlier state do not count."""
        counted = [vote.helpful for vote in self.votes.values() if vote.at >= record.updated_at]
        return sum(counted), len(counted) - sum(counted)

    def harmful_voters(self, record: Record) -> int:
        """Return how many people found the present state of `record` harmful."""
        return len({vote.voter for vote in self.votes.values() if not vote.helpful and vote.at >= record.updated_at})


def ballots_namespace(scope: Scope) -> Namespace:
    """Return the namespace of the votes on the records of a scope."""
    return (*scope.path, BALLOTS)


def ballot_key(address: RecordAddress) -> str:
    """Return the key of a record's votes; the name of a learning store has no colon."""
    return ":".join(address)


def find_ballots(scope: Scope) -> SearchOp:
    """Return the operation that finds the votes on the records of a scope."""
    return SearchOp(ballots_namespace(scope), limit=MAX_BALLOTS, refresh_ttl=False)


def find_ballot(scope: Scope, address: RecordAddress) -> GetOp:
    """Return the operation that finds the votes on one record."""
    return GetOp(ballots_namespace(scope), ballot_key(address), refresh_ttl=False)


def put_ballot(scope: Scope, address: RecordAddress, ballot: Ballot) -> PutOp:
    """Return the operation that stores the votes on one record."""
    return PutOp(ballots_namespace(scope), ballot_key(address), ballot.model_dump(mode="json"), index=False)


def read_ballot(result: Result) -> Ballot:
    """Return the votes that a result holds, possibly none."""
    return Ballot.model_validate(result.value) if isinstance(result, Item) else Ballot()


def read_ballots(scope: Scope, result: Result) -> dict[str, Item]:
    """Return the items in a result of `find_ballots`, by key."""
    items = cast("Iterable[Item]", result or ())
    return {item.key: item for item in items if tuple(item.namespace) == ballots_namespace(scope)}


def tallies(records: Sequence[Record], ballots: Mapping[str, Item]) -> dict[str, Tally]:
    """Return how often each of `records` was found helpful and harmful, without those that have no votes."""
    keys = {record.id: ballot_key((record.store, record.id)) for record in records} if ballots else {}
    counted = {
        record.id: read_ballot(ballots[keys[record.id]]).tally(record)
        for record in records
        if keys.get(record.id) in ballots
    }
    return {key: tally for key, tally in counted.items() if any(tally)}
