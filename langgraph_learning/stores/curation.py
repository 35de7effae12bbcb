"""Curation without a model: find records that repeat others, and records that no longer hold."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from pydantic import JsonValue

from langgraph_learning.records import ACTIVE, SUPERSEDED, Record, Update
from langgraph_learning.reports import Curated
from langgraph_learning.stores.json_values import as_list, union
from langgraph_learning.stores.record_changes import archive_record
from langgraph_learning.words import same_statement, statement_key


def find_outdated(store: str, records: Sequence[Record], at: datetime, max_age: timedelta | None) -> list[Curated]:
    """Return one proposal to archive for each record that is superseded, has expired, or is unchanged for `max_age`."""
    return [
        Curated(
            store=store,
            kind="retired",
            ids=(record.id,),
            texts=(record.text,),
            reason=reason,
            changes=(archive_record(record),),
        )
        for record in records
        if (reason := _why_outdated(record, at, max_age))
    ]


def _why_outdated(record: Record, at: datetime, max_age: timedelta | None) -> str:
    if record.status == SUPERSEDED:
        return "superseded"
    if record.status != ACTIVE:
        return ""
    if (end := record.content.get("expires_at")) and _is_past(end, at):
        return f"expired at {end}"
    for end_at, why in ((record.valid_to, "held until"), (record.expires_at, "expired at")):
        if end_at is not None and end_at <= at and not record.content.get("expires_at"):
            return f"{why} {end_at:%Y-%m-%d}"
    if max_age is not None and at - record.updated_at > max_age:
        return f"not changed since {record.updated_at:%Y-%m-%d}"
    return ""


def _is_past(end: JsonValue, at: datetime) -> bool:
    """Return whether a day or a point in time is over; False for a value that is neither."""
    try:
        if len(str(end)) == len("2026-01-31"):
            return date.fromisoformat(str(end)) < at.date()
        moment = datetime.fromisoformat(str(end))
    except ValueError:
        return False
    return (moment if moment.tzinfo else moment.replace(tzinfo=at.tzinfo)) < at


def duplicates(store: str, records: Sequence[Record]) -> list[Curated]:
    """Return one proposal to merge for each group of records that say the same; `records` are active, oldest first."""
    groups: dict[tuple[str, ...], list[list[Record]]] = {}
    for record in records:
        alike = groups.setdefault(statement_key(record.text), [])
        group = next((group for group in alike if all(_is_twin(member, record) for member in group)), None)
        if group is None:
            alike.append([record])
        else:
            group.append(record)
    repeated = [group for alike in groups.values() for group in alike if len(group) > 1]
    return [merge_group(store, group, group[0].text, "said twice") for group in repeated]


def _is_twin(first: Record, second: Record) -> bool:
    """Return whether one record can replace both without a loss."""
    shared = first.content.keys() & second.content.keys()
    return same_statement(first.text, second.text) and all(_agree(first.content[k], second.content[k]) for k in shared)


def _agree(first: JsonValue, second: JsonValue) -> bool:
    if first is None or second is None or (isinstance(first, list) and isinstance(second, list)):
        return True
    if isinstance(first, str) and isinstance(second, str):
        return same_statement(first, second)
    return first == second


def merge_group(store: str, group: Sequence[Record], text: str, reason: str) -> Curated:
    """Return the proposal to merge `group` into its first record, with `text` and the fields that it lacks.

    The first record is updated even if no field changes: the user said it again, so it counts as new.
    """
    first, *others = group
    content = {name: text if value == first.text else value for name, value in union_content(group).items()}
    own = any(same_statement(text, record.text) for record in group)
    # A text that no record of the group has comes from a model, so the user's quote does not support it.
    source = first.source if own else first.source.model_copy(update={"quote": None, "actor": "assistant"})
    update = Update(store=store, id=first.id, content=content, text=text, source=source, **first.validity)
    return Curated(
        store=store,
        kind="merged",
        ids=tuple(record.id for record in group),
        texts=tuple(record.text for record in group),
        reason=reason,
        changes=(update, *(archive_record(record) for record in others)),
    )


def union_content(records: Sequence[Record]) -> dict[str, JsonValue]:
    """Return one content for all records: lists are joined; of other fields, the first value that is not None."""
    content: dict[str, JsonValue] = {}
    for record in records:
        for name, value in record.content.items():
            if isinstance(value, list) and isinstance(content.get(name, []), list):
                content[name] = union(as_list(content.get(name)), value)
            elif content.get(name) is None:
                content[name] = value
    return content
