"""The revisions of a store after given numbers of commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from langgraph.store.base import BaseStore

from langgraph_learning.namespace_labels import COMMITS
from langgraph_learning.records import ROOT, Namespace
from langgraph_learning.versioned_store import VersionedStore

EVERYTHING = 1_000_000


@dataclass(frozen=True)
class Milestone:
    """The revision of the store after a number of commits."""

    commits: int
    revision: int


def find_milestones(store: VersionedStore, at: Sequence[int]) -> tuple[list[Milestone], int]:
    """Return the revisions after given numbers of commits of all users, and the total number of commits.

    Numbers above the total share one milestone at the end.
    """
    base_store = cast("BaseStore", store)
    namespaces = [
        tuple(namespace)
        for namespace in base_store.list_namespaces(prefix=(ROOT,), suffix=(COMMITS,), limit=EVERYTHING)
    ]
    items = [
        item for namespace in namespaces for item in base_store.search(namespace, limit=EVERYTHING, refresh_ttl=False)
    ]
    # Each commit is written once, so the order of writing is the order of revisions.
    ordered = sorted(
        (item.created_at, tuple(item.namespace), item.key) for item in items if item.namespace[-1] == COMMITS
    )
    last = store.revision()
    counts = sorted({min(count, len(ordered)) for count in at})
    milestones = [_milestone(store, count, ordered[count - 1][1:] if count else None, last) for count in counts]
    return milestones, len(ordered)


def _milestone(store: VersionedStore, count: int, commit: tuple[Namespace, str] | None, last: int) -> Milestone:
    """Return the first revision that contains a commit, by binary search."""
    if commit is None:
        return Milestone(0, 0)
    low, high = 1, last
    while low < high:
        middle = (low + high) // 2
        if store.as_of(middle).get(*commit, refresh_ttl=False) is None:
            low = middle + 1
        else:
            high = middle
    return Milestone(count, low)
