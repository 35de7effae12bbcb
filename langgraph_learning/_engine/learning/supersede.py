"""What takes the place of something from a day on: both sides get that date, and the past stays a record."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from langgraph_learning._engine.learning.turn import derived_id
from langgraph_learning.records import ACTIVE, SUPERSEDED, Add, Change, Record, Remove


def past_id(record_id: str, version: int) -> str:
    """Return the id under which the state of a record is kept that something else has taken the place of."""
    return derived_id("past", record_id, version)


def date_changes(changes: Iterable[Change], known: Mapping[str, Record], at: datetime) -> Iterator[Change]:
    """Yield `changes` with the dates that a learning store has left to the moment at which something was said.

    Args:
        changes: What a learning store has planned.
        known: The records by id, as they stand before.
        at: When it was said.
    """
    for change in changes:
        if isinstance(change, Remove) or not (change.from_now_on or change.status == SUPERSEDED):
            yield change
            continue
        old = known.get(change.id)
        # A history may be learned out of order: nothing is over before it began.
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
