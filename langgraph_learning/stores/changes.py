"""Changes that many learning stores plan in the same way."""

from collections.abc import Sequence

from langgraph_learning.records import Record, Remove
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


def remove(record: Record) -> Remove:
    """Return the change that removes `record`."""
    return Remove(store=record.store, id=record.id, text=record.text)
