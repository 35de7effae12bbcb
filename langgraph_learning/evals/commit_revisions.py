"""Which revision of the store has how many commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from langgraph.store.base import BaseStore

from langgraph_learning.labels import COMMITS
from langgraph_learning.records import ROOT, Namespace
from langgraph_learning.versioned_store import VersionedStore

EVERYTHING = 1_000_000


@dataclass(frozen=True)
class Milestone:
    """Memory as it stood after so many commits."""

    commits: int
    revision: int


def find_milestones(store: VersionedStore, at: Sequence[int]) -> tuple[list[Milestone], int]:
    """Return the revisions after so many commits of all users, and how many commits there are in all.

    What is more than there is comes to one milestone at the end.
    """
    kept = cast("BaseStore", store)
    places = [tuple(place) for place in kept.list_namespaces(prefix=(ROOT,), suffix=(COMMITS,), limit=EVERYTHING)]
    items = [item for place in places for item in kept.search(place, limit=EVERYTHING, refresh_ttl=False)]
    # Written once each, so the order in which they were written is that of their revisions.
    ordered = sorted(
        (item.created_at, tuple(item.namespace), item.key) for item in items if item.namespace[-1] == COMMITS
    )
    last = store.revision()
    wanted = sorted({min(count, len(ordered)) for count in at})
    found = [_milestone(store, count, ordered[count - 1][1:] if count else None, last) for count in wanted]
    return found, len(ordered)


def _milestone(store: VersionedStore, count: int, commit: tuple[Namespace, str] | None, last: int) -> Milestone:
    """Return the first revision in which a commit is there, found by halving."""
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
