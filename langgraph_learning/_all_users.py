"""Reads over a whole store, of all users: what the command line and the memory browser show beyond the data API.

`scoped` serves one user. Whoever runs an application also asks who is in the store, what learning has brought, and
which turns could not be learned from. Like `scoped`, it checks nobody's permission: its callers do.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from langgraph.store.base import BaseStore, Item, ListNamespacesOp, MatchCondition, SearchOp

from langgraph_learning._engine.approval.proposals import PROPOSALS
from langgraph_learning._engine.background.pending import (
    PendingTurn,
    load_all_pending,
    load_pending,
    pending_namespace,
    retry_failed,
)
from langgraph_learning._engine.flow import Driver, Flow, batch
from langgraph_learning._engine.maintenance.learning_stats import FIGURES, Figures, load_figures
from langgraph_learning._engine.repository import EVERYTHING, commits_namespace
from langgraph_learning.errors import RecordError
from langgraph_learning.namespace_labels import unlabel
from langgraph_learning.records import NOT_RECORDS, ROOT, Identity, Namespace, Record, Scope

__all__ = ["FIGURES", "Figures", "Owners", "PendingTurn", "StoreAdmin", "prefix_of"]


@dataclass(frozen=True)
class Owners:
    """The users, shared namespaces and agents that a store has data of."""

    users: tuple[str, ...]
    namespaces: tuple[str, ...]
    agents: tuple[str, ...]


@dataclass(frozen=True)
class StoreAdmin:
    """The reads over one store; a method that the memory browser needs has an async twin with the prefix `a`."""

    store: BaseStore

    @property
    def _driver(self) -> Driver:
        return Driver(self.store)

    def owners(self) -> Owners:
        """Return everybody that the store has data of."""
        return self._driver.run(_find_owners())

    async def aowners(self) -> Owners:
        """Return the same as `owners`."""
        return await self._driver.arun(_find_owners())

    def records(self, prefixes: Iterable[Namespace]) -> tuple[list[Record], list[RecordError]]:
        """Return the present records under some prefixes, and an error for each item that is no record."""
        return self._driver.run(_load_records(prefixes))

    async def arecords(self, prefixes: Iterable[Namespace]) -> tuple[list[Record], list[RecordError]]:
        """Return the same as `records`."""
        return await self._driver.arun(_load_records(prefixes))

    def figures(self, user_id: str | None = None) -> Figures:
        """Return the figures of each learning store, of one user or of all."""
        return self._driver.run(load_figures(prefix_of(user_id)))

    async def afigures(self, user_id: str | None = None) -> Figures:
        """Return the same as `figures`."""
        return await self._driver.arun(load_figures(prefix_of(user_id)))

    def count_refused(self, user_id: str | None = None) -> int:
        """Return how many operations were refused, as the commits of one user or of all users list them."""
        users = self.owners().users if user_id is None else (user_id,)
        reads = [
            SearchOp(commits_namespace(Identity(user_id=user)), limit=EVERYTHING, refresh_ttl=False) for user in users
        ]
        commits = self._driver.run(_search(reads))
        return sum(len(commit.value.get("refused") or ()) for commit in commits)

    def count_proposals(self, user_id: str | None = None) -> int:
        """Return how many proposals wait, of one user or of all. Decided ones are kept, and do not count."""
        waiting = SearchOp(prefix_of(user_id), filter={"status": "pending"}, limit=EVERYTHING, refresh_ttl=False)
        return sum(item.namespace[-1] == PROPOSALS for item in self._driver.run(_search([waiting])))

    def pending(self, user_id: str | None = None) -> list[PendingTurn]:
        """Return the turns that wait to be learned from, and those that failed, of one user or of all."""
        if user_id is None:
            return self._driver.run(load_all_pending())
        return self._driver.run(load_pending(pending_namespace(Identity(user_id=user_id))))

    def retry_pending(self, user_id: str | None = None) -> int:
        """Make the failed turns of one user or of all wait again, due at once, and return their number."""
        return self._driver.run(retry_failed(self.pending(user_id), datetime.now(UTC)))


def prefix_of(user_id: str | None) -> Namespace:
    """Return the prefix of all data of a user; None means of everybody."""
    return (ROOT,) if user_id is None else Scope(user_id=user_id).path


def _search(reads: list[SearchOp]) -> Flow[list[Item]]:
    if not reads:
        return []
    results = yield from batch(*reads)
    return [item for items in cast("list[list[Item]]", results) for item in items]


def _find_owners() -> Flow[Owners]:
    [listed] = yield from batch(ListNamespacesOp((MatchCondition("prefix", (ROOT,)),), limit=EVERYTHING))
    paths = [path for path in cast("list[Namespace]", listed) if len(path) > 2 and path[0] == ROOT]
    owners = {(path[at], unlabel(path[at + 1])) for path in paths for at in range(1, len(path) - 1, 2)}
    return Owners(
        *(tuple(sorted(name for kind, name in owners if kind == group)) for group in ("user", "namespace", "agent"))
    )


def _load_records(prefixes: Iterable[Namespace]) -> Flow[tuple[list[Record], list[RecordError]]]:
    records: list[Record] = []
    errors: list[RecordError] = []
    for prefix in prefixes:
        for item in (yield from _search([SearchOp(prefix, limit=EVERYTHING, refresh_ttl=False)])):
            # A store may also return the items of a namespace with a similar name.
            if tuple(item.namespace)[: len(prefix)] != prefix or item.namespace[-1] in NOT_RECORDS:
                continue
            try:
                record = Record.from_item(item)
            except RecordError as error:
                errors.append(error)
            else:
                records += [record] if record.past_of is None else []  # earlier states are part of the history
    return records, errors
