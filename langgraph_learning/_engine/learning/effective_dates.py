"""Dates of changes: the old and the new statement get the same date."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from langgraph_learning._engine.repository import ScopeSnapshot
from langgraph_learning.records import SUPERSEDED, Add, Change, Remove, Update


def date_changes(changes: Iterable[Change], snapshot: ScopeSnapshot, at: datetime) -> Iterator[Change]:
    """Yield `changes`; dates that the learning store left open become the time of the message.

    Args:
        changes: The changes that a learning store has planned.
        snapshot: The records before the changes.
        at: The time of the message.
    """
    for change in changes:
        yield change if isinstance(change, Remove) else _dated(change, snapshot, at)


def _dated(change: Add | Update, snapshot: ScopeSnapshot, at: datetime) -> Change:
    if not change.from_now_on and change.status != SUPERSEDED:
        return change
    old = snapshot.by_id.get(change.id)
    begun = old.valid_from if old is not None else None
    since = max(at, begun or at)  # a history may be learned out of order, and nothing may end before it began
    name = "valid_to" if change.status == SUPERSEDED else "valid_from"
    return change if getattr(change, name) else change.model_copy(update={name: since})
