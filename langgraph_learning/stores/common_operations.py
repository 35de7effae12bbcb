"""Operations that every learning store has: a person, or a curation, asks for them, never an extraction or a tool."""

from collections.abc import Sequence

from pydantic import Field

from langgraph_learning.records import ACTIVE, Change, Record, Remove
from langgraph_learning.stores.base import ID
from langgraph_learning.stores.curation import archive, merge_group
from langgraph_learning.stores.operations import Operation, Refused, operation

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
"""What a person's no to a proposal carries out, where it is not just that nothing happens."""


def plan_maintenance(store: str, asked: Operation, records: Sequence[Record]) -> list[Change]:
    """Return what one of these operations changes.

    Raises:
        Refused: What it is about is not there.
    """
    given = asked.model_dump()
    known = {record.id: record for record in records}
    wanted = list(dict.fromkeys(given.get("ids") or [given.get("id")]))
    if any(key not in known for key in wanted):
        raise Refused("what it is about is not there any more")
    found = sorted((known[key] for key in wanted), key=lambda record: (record.created_at, record.id))
    if isinstance(asked, MERGE):
        return _merge(store, found, given["text"])
    [record] = found
    if isinstance(asked, DROP):
        return [Remove(store=store, id=record.id, text=record.text, source=record.source)]
    if isinstance(asked, RETIRE):
        return [archive(record)] if record.status == ACTIVE else []
    kept = archive(record).model_copy(update={"status": ACTIVE})
    return [kept] if record.status != ACTIVE else []


def _merge(store: str, found: Sequence[Record], text: str) -> list[Change]:
    if len(found) < 2 or any(record.status != ACTIVE for record in found):
        raise Refused("to merge takes two or more notes that are in use")
    if not all(takes_text(record) for record in found):
        raise Refused(f"the text of {store} is made of several fields: retire all but one")
    return list(merge_group(store, found, text, "").changes)


def takes_text(record: Record) -> bool:
    """Whether the text of `record` is one of its fields, and can be written anew."""
    return record.text in record.content.values()
