"""Operations that every learning store has, for people and curation; extraction and agent tools do not offer them."""

from collections.abc import Sequence

from pydantic import Field

from langgraph_learning.records import ACTIVE, Change, Record, Remove
from langgraph_learning.stores.base import ID
from langgraph_learning.stores.curation import merge_group
from langgraph_learning.stores.operations import Operation, Refused, operation
from langgraph_learning.stores.record_changes import archive_record

BECAUSE = (str, Field(description="Why, in a few words"))
IDS = (list[str], Field(description="The short ids of all the notes that become one"))
TEXT = (str, Field(description="The one statement that says it all"))

MERGE = operation("merge_records", "Make one note of several that say the same.", ids=IDS, text=TEXT)
RETIRE = operation(
    "retire_record",
    "Set a note aside that a newer one contradicts, or that holds no longer.",
    id=(str, ID),
    because=BECAUSE,
)
KEEP = operation("keep_record", "Recall a note again that was set aside.", id=(str, ID), because=BECAUSE)
DROP = operation("drop_record", "Remove a note that was set aside.", id=(str, ID), because=BECAUSE)
MAINTENANCE = (MERGE, RETIRE, KEEP, DROP)
ON_REJECT = {KEEP.__name__: DROP.__name__}
"""The operation that runs when a person rejects a proposal of the operation; without an entry, nothing runs."""


def plan_maintenance(store: str, operation: Operation, records: Sequence[Record]) -> list[Change]:
    """Return the changes of one of these operations.

    Raises:
        Refused: A record that the operation names does not exist.
    """
    arguments = operation.model_dump()
    by_id = {record.id: record for record in records}
    ids = list(dict.fromkeys(arguments.get("ids") or [arguments.get("id")]))
    if any(key not in by_id for key in ids):
        raise Refused("a record that this operation names no longer exists")
    group = sorted((by_id[key] for key in ids), key=lambda record: (record.created_at, record.id))
    if isinstance(operation, MERGE):
        return _merge(store, group, arguments["text"])
    [record] = group
    if isinstance(operation, DROP):
        return [Remove(store=store, id=record.id, text=record.text, source=record.source)]
    if isinstance(operation, RETIRE):
        return [archive_record(record)] if record.status == ACTIVE else []
    restored = archive_record(record).model_copy(update={"status": ACTIVE})
    return [restored] if record.status != ACTIVE else []


def _merge(store: str, group: Sequence[Record], text: str) -> list[Change]:
    if len(group) < 2 or any(record.status != ACTIVE for record in group):
        raise Refused("a merge needs two or more active notes")
    if not all(takes_text(record) for record in group):
        raise Refused(
            f"records of {store} cannot be merged, because their text consists of several fields: retire all but one"
        )
    return list(merge_group(store, group, text, "").changes)


def takes_text(record: Record) -> bool:
    """Return whether the text of `record` is one of its fields, so that a merge can replace it."""
    return record.text in record.content.values()
