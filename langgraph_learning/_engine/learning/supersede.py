"""What takes the place of something from a day on: both sides get that date."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from langgraph_learning.records import SUPERSEDED, Change, Record, Remove


def date_changes(changes: Iterable[Change], known: Mapping[str, Record], at: datetime) -> Iterator[Change]:
    """Yield `changes`; dates that the learning store left open become the time of the message.

    Args:
        changes: The changes that a learning store has planned.
        known: The present records by id.
        at: The time of the message.
    """
    for change in changes:
        if isinstance(change, Remove) or not (change.from_now_on or change.status == SUPERSEDED):
            yield change
            continue
        begun = old.valid_from if (old := known.get(change.id)) is not None else None
        since = max(at, begun or at)  # a history may be learned out of order: nothing is over before it began
        name = "valid_to" if change.status == SUPERSEDED else "valid_from"
        yield change if getattr(change, name) else change.model_copy(update={name: since})
