"""What commits say was recalled, without records that were erased: the id of an entity is made of its name.

Forgetting a user (a flow of the engine) and deleting a thread (a method of the checkpointer) share these rules.
"""

from collections.abc import Iterable, Set
from typing import TypeAlias

from langgraph.store.base import Item, PutOp, Result

from langgraph_learning.namespace_labels import USER
from langgraph_learning.versioned_store import Address, Namespace

Mention: TypeAlias = tuple[str | None, str, str]
"""A record as a commit may name it: the label of its user (None if it is shared), its learning store, and its id."""


def mention_of(address: Address) -> Mention:
    """Return how commits name the record at an address."""
    path, key = address
    return _owner(path), path[-1], key


def without_mentions(results: Iterable[Result], gone: Set[Mention]) -> tuple[list[PutOp], dict[Address, int]]:
    """Return the puts that take `gone` out of those commits that name one, and the versions that they expect.

    The id of a profile field is the same for every user, so a user's own records count in that user's commits alone.
    """
    puts, expect = list[PutOp](), dict[Address, int]()
    for item in [result for result in results if isinstance(result, Item)]:
        place = (tuple(item.namespace), item.key)
        provenance = item.value.get("provenance") or {}
        recalled = [tuple(pair) for pair in provenance.get("recalled") or ()]
        left = [pair for pair in recalled if gone.isdisjoint({(None, *pair), (_owner(place[0]), *pair)})]
        if left != recalled:
            puts.append(PutOp(*place, {**item.value, "provenance": {**provenance, "recalled": left}}, index=False))
            expect[place] = getattr(item, "version", 0)
    return puts, expect


def _owner(path: Namespace) -> str | None:
    """Return the label of the user whose items lie there; None in a shared namespace."""
    return path[2] if path[1] == USER else None
