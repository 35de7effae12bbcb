"""The changes that many learning stores plan alike."""

from collections.abc import Sequence

from langgraph_learning.records import Record, Remove
from langgraph_learning.stores.operations import Refused


def find_record(records: Sequence[Record], record_id: object, kind: str) -> Record:
    """Return the record that an operation names.

    Args:
        records: All in scope.
        record_id: Its own id.
        kind: What it is called in the message to the model: `"memory"`.

    Raises:
        Refused: It is not there.
    """
    found = next((record for record in records if record.id == record_id), None)
    if found is None:
        raise Refused(f"there is no such {kind}")
    return found


def remove(record: Record) -> Remove:
    """Return the change that takes `record` out."""
    return Remove(store=record.store, id=record.id, text=record.text)
