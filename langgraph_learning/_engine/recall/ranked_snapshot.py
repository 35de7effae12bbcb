"""The records of one scope with their scores, as recall ranks them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import cast

from langgraph.store.base import Result, SearchItem

from langgraph_learning._engine.repository import ScopeSnapshot, read_snapshot
from langgraph_learning.records import Scope
from langgraph_learning.stores import LearningStore, Ranked


@dataclass(frozen=True)
class RankedSnapshot(ScopeSnapshot):
    """The records of a learning store in one scope, with their scores, and the ids of those that are not shown."""

    scores: Mapping[str, float] = field(default_factory=dict)
    ranked: bool = False
    """Whether the scores are final; otherwise recall ranks the records by their words as well."""
    suppressed: frozenset[str] = frozenset()
    """The ids of records that `filter_active` leaves out because of an archived record; they are read but not shown."""
    order: tuple[Ranked, ...] | None = None
    """The records, best first, if they are ranked with their sessions; else None."""
    votes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By record id: how often the present version of the record was found helpful, and how often harmful."""


def read_ranked(store: LearningStore, scope: Scope, *results: Result, limit: int | None = None) -> RankedSnapshot:
    """Return the records in results of `read_op`, as `read_snapshot` does, with the scores that the store returned."""
    snapshot = read_snapshot(store, scope, *results, limit=limit)
    items = [item for result in results for item in cast("Iterable[SearchItem]", result or ())]
    namespace = (*scope.path, store.name)  # a search also returns items of the namespaces below
    scores = {
        item.key: item.score
        for item in items
        if tuple(item.namespace) == namespace and getattr(item, "score", None) is not None
    }
    parts = {part.name: getattr(snapshot, part.name) for part in fields(snapshot)}
    return RankedSnapshot(**parts, scores=cast("dict[str, float]", scores))
