"""What a learning store sheds without a model's judgement: what is said twice, and what holds no longer."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from pydantic import JsonValue

from langgraph_learning.records import ACTIVE, ARCHIVED, SUPERSEDED, Curated, Record, Update
from langgraph_learning.stores.values import as_list, union
from langgraph_learning.text import same_statement, statement_key


def archive(record: Record) -> Update:
    """Return the change that sets `record` aside: not removed, so that its source stays and any store can undo it."""
    return Update(
        store=record.store,
        id=record.id,
        content=record.content,
        text=record.text,
        status=ARCHIVED,
        source=record.source,
        **record.validity,
    )


def find_outdated(store: str, records: Sequence[Record], at: datetime, max_age: timedelta | None) -> list[Curated]:
    """Return the retirement of what was superseded, has expired, or was not changed for `max_age`."""
    return [
        Curated(
            store=store,
            kind="retired",
            ids=(record.id,),
            texts=(record.text,),
            reason=reason,
            changes=(archive(record),),
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
    """Whether a day, or a moment, is over; what is neither never is."""
    try:
        if len(str(end)) == len("2026-01-31"):
            return date.fromisoformat(str(end)) < at.date()
        moment = datetime.fromisoformat(str(end))
    except ValueError:
        return False
    return (moment if moment.tzinfo else moment.replace(tzinfo=at.tzinfo)) < at


def duplicates(store: str, records: Sequence[Record]) -> list[Curated]:
    """Return the merging of records that say the same, given the active ones, oldest first."""
    groups: dict[tuple[str, ...], list[list[Record]]] = {}
    for record in records:
        alike = groups.setdefault(statement_key(record.text), [])
        group = next((group for group in alike if all(_is_twin(each, record) for each in group)), None)
        if group is None:
            alike.append([record])
        else:
            group.append(record)
    found = [group for alike in groups.values() for group in alike if len(group) > 1]
    return [merge_group(store, group, group[0].text, "said twice") for group in found]


def _is_twin(one: Record, other: Record) -> bool:
    """Whether nothing is lost when one stands for both."""
    shared = one.content.keys() & other.content.keys()
    return same_statement(one.text, other.text) and all(_agree(one.content[k], other.content[k]) for k in shared)


def _agree(one: JsonValue, other: JsonValue) -> bool:
    if one is None or other is None or (isinstance(one, list) and isinstance(other, list)):
        return True
    if isinstance(one, str) and isinstance(other, str):
        return same_statement(one, other)
    return one == other


def merge_group(store: str, group: Sequence[Record], text: str, reason: str) -> Curated:
    """Return the merging of `group` into its first record, which takes over what it lacks and says `text`.

    It is an update also where it takes over nothing: what was said again has not grown old.
    """
    kept, *others = group
    content = {name: text if value == kept.text else value for name, value in union_content(group).items()}
    own = any(same_statement(text, record.text) for record in group)
    # Other words than anybody's are a model's: no quote vouches for them.
    source = kept.source if own else kept.source.model_copy(update={"quote": None, "actor": "assistant"})
    update = Update(store=store, id=kept.id, content=content, text=text, source=source, **kept.validity)
    return Curated(
        store=store,
        kind="merged",
        ids=tuple(record.id for record in group),
        texts=tuple(record.text for record in group),
        reason=reason,
        changes=(update, *(archive(record) for record in others)),
    )


def union_content(records: Sequence[Record]) -> dict[str, JsonValue]:
    """Return the contents as one: lists added up, of anything else what the first says that says something."""
    content: dict[str, JsonValue] = {}
    for record in records:
        for name, value in record.content.items():
            if isinstance(value, list) and isinstance(content.get(name, []), list):
                content[name] = union(as_list(content.get(name)), value)
            elif content.get(name) is None:
                content[name] = value
    return content
