"""The plan for erasing one author from items that several authors wrote.

It serves a user and a thread alike: what the author wrote goes with its history, and what others wrote stays.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from langgraph_learning.checkpointers._store.codec import Json
from langgraph_learning.versioned_store import Address, VersionedStore, holds


@dataclass(frozen=True, slots=True)
class ErasurePlan:
    """The items to erase with their history, those that keep only their present state, and states to restore."""

    erase: list[Address] = field(default_factory=list)
    keep_present: list[Address] = field(default_factory=list)
    restore: dict[Address, dict[str, Json]] = field(default_factory=dict)


def plan_erasure(store: VersionedStore, addresses: Iterable[Address], by: Mapping[str, object]) -> ErasurePlan:
    """Return the plan for erasing the states that match `by`, from the histories of `addresses`."""
    plan = ErasurePlan()
    for address in addresses:
        states = store.history(*address)
        written = [holds(state.value or {}, by) for state in states]
        if states and states[-1].value is not None and not written[-1]:
            plan.keep_present.append(address)
            continue
        plan.erase.append(address)
        first = written.index(True) if True in written else 0
        if first and (before := states[first - 1].value) is not None:
            plan.restore[address] = dict(before)
    return plan
