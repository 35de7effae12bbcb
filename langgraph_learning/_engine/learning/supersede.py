"""What takes the place of something from a day on: both sides get that date. What is removed goes with its past."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from langgraph_learning._engine.repository import ScopeSnapshot
from langgraph_learning.records import SUPERSEDED, Add, Change, Remove, Update


def date_changes(changes: Iterable[Change], snapshot: ScopeSnapshot, at: datetime) -> Iterator[Change]:
    """Yield `changes`; dates that the learning store left open become the time of the message.

    Args:
        changes: The changes that a learning store has planned.
        snapshot: The records as they are before.
        at: The time of the message.
    """
    for change in changes:
        if not isinstance(change, Remove):
            yield _dated(change, snapshot, at)
            continue
        yield change
        earlier = (each for each in snapshot.past if each.past_of == change.id)
        yield from (Remove(store=each.store, id=each.id, text=each.text, past_of=change.id) for each in earlier)


def _dated(change: Add | Update, snapshot: ScopeSnapshot, at: datetime) -> Change:
    if not change.from_now_on and change.status != SUPERSEDED:
        return change
    old = snapshot.by_id.get(change.id)
    begun = old.valid_from if old is not None else None
    since = max(at, begun or at)  # a history may be learned out of order: nothing is over before it began
    name = "valid_to" if change.status == SUPERSEDED else "valid_from"
    return change if getattr(change, name) else change.model_copy(update={name: since})
