"""Changes that many learning stores plan in the same way."""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from langgraph_learning.records import ACTIVE, ARCHIVED, Add, Change, Record, Remove, Update
from langgraph_learning.stores.operations import Refused


def find_record(records: Sequence[Record], record_id: object, kind: str) -> Record:
    """Return the record that an operation names.

    Args:
        records: All records in scope.
        record_id: The full id of the record.
        kind: The word for a record in the message to the model, such as `"memory"`.

    Raises:
        Refused: There is no such record.
    """
    match = next((record for record in records if record.id == record_id), None)
    if match is None:
        raise Refused(f"there is no such {kind}")
    return match


def remove_record(record: Record) -> Remove:
    """Return the change that removes `record`."""
    return Remove(store=record.store, id=record.id, text=record.text)


def archive_record(record: Record) -> Update:
    """Return the change that archives `record`.

    The record is not removed: its source stays, and every learning store can undo the change.
    """
    return Update(
        store=record.store,
        id=record.id,
        content=record.content,
        text=record.text,
        status=ARCHIVED,
        source=record.source,
        **record.validity,
    )


def set_record(
    store: str,
    by_id: Mapping[str, Record],
    key: str,
    content: dict[str, JsonValue],
    text: str,
    status: str = ACTIVE,
) -> list[Change]:
    """Return the change that gives the record of an id this content; none if it has it already."""
    old = by_id.get(key)
    if old is not None and (old.content, old.text, old.status) == (content, text, status):
        return []
    kind = Add if old is None else Update
    return [kind(store=store, id=key, content=content, text=text, status=status)]
