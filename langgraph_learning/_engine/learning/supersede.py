"""Changes that replace something from a day on: both sides get that date, and the past stays as a record."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from langgraph_learning._engine.learning.turn import derived_id
from langgraph_learning.records import ACTIVE, SUPERSEDED, Add, Change, Record, Remove


def past_id(record_id: str, version: int) -> str:
    """Return the id of the record that keeps a replaced state of another record."""
    return derived_id("past", record_id, version)


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
        old = known.get(change.id)
        # A history may be learned out of order, and nothing may end before it began.
        since = max(at, old.valid_from) if old is not None and old.valid_from is not None else at
        if change.status == SUPERSEDED:
            yield change.model_copy(update={"valid_to": change.valid_to or since})
            continue
        if old is not None and old.status == ACTIVE:
            yield _past_of(old, since)
        yield change.model_copy(update={"valid_from": change.valid_from or since})


def _past_of(record: Record, until: datetime) -> Add:
    return Add(
        store=record.store,
        id=past_id(record.id, record.version),
        content={**record.content, "superseded_by": record.id},
        text=record.text,
        status=SUPERSEDED,
        source=record.source,
        valid_from=record.valid_from,
        valid_to=until,
        expires_at=record.expires_at,
    )
