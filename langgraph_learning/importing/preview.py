"""The preview of an import: all rows are checked and sorted before the first one is written."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError

from langgraph_learning.importing.build_row import Found, Row, Skipped
from langgraph_learning.importing.own_export import WHOLE
from langgraph_learning.masking import Mask, mask_secrets, mask_values
from langgraph_learning.records import Namespace, Record, Source

Key = tuple[Namespace, str]
TOLD = 40
"""The number of characters of a text that identify it in a message."""


@dataclass
class ImportPreview:
    """The rows of an import: the new ones, those that replace a record, and those that were left out."""

    new: dict[str, list[Record]] = field(default_factory=dict)
    """The new records by user."""
    replacing: dict[str, list[Record]] = field(default_factory=dict)
    """By user, the records that replace another record with the same id."""
    unchanged: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def users(self) -> list[str]:
        """The users whose records would be written."""
        return sorted({*self.new, *self.replacing})

    def rows(self, user: str) -> list[Row]:
        """Return the rows to load for a user."""
        records = [*self.new.get(user, ()), *self.replacing.get(user, ())]
        return [{"id": record.id, **record.model_dump(mode="json", exclude={"id", "version"})} for record in records]


def preview_rows(
    rows: Iterable[Found],
    user: str | None,
    read_present: Callable[[str], Iterable[Mapping[str, object]]],
    at: datetime,
    mask: Mask = mask_secrets,
    check: Callable[[Record], str | None] = lambda record: None,
) -> ImportPreview:
    """Check and sort the rows of a source.

    Args:
        rows: The rows of an importer.
        user: The user to import for; rows that name another of several users are left out. By default the rows' own
            users.
        read_present: A function that returns the present records of a user, as `export` does.
        at: The date for rows without one.
        mask: The function that masks secrets in what is stored.
        check: A function that returns why a record would be refused; None if it would be accepted.
    """
    result = ImportPreview()
    owned = _check_owner(
        _check_rows((_mask_row(item, mask) for item in rows), user, at, result.skipped), user, result.skipped
    )
    records = []
    for record in owned:
        if reason := check(record):
            result.skipped.append(Skipped(f"record {record.id} ({record.text[:TOLD]!r})", reason))
        else:
            records.append(record)
    for owner in dict.fromkeys(str(record.scope.user_id) for record in records):
        stored = {_key(old): old for old in map(Record.model_validate, read_present(owner))}
        for record in (record for record in records if record.scope.user_id == owner):
            old = stored.get(_key(record))
            if old is not None and _same(old, record):
                result.unchanged += 1
            else:
                (result.new if old is None else result.replacing).setdefault(owner, []).append(record)
    return result


def _mask_row(item: Found, mask: Mask) -> Found:
    """Return a row with content and text masked; ids and dates are not masked."""
    if isinstance(item, Skipped):
        return item
    return {**item, **{name: mask_values(item[name], mask) for name in ("content", "text") if name in item}}


def _check_rows(rows: Iterable[Found], user: str | None, at: datetime, skipped: list[Skipped]) -> list[Record]:
    """Return the valid records, each id once; the others go to `skipped` with the reason."""
    records: dict[Key, Record] = {}
    for row in rows:
        record = row if isinstance(row, Skipped) else _record(row, user, at)
        if isinstance(record, Skipped):
            skipped.append(record)
        elif not _same(records.setdefault(_key(record), record), record):
            skipped.append(Skipped(f"record {record.id}", "an earlier row has the same id and user"))
    return list(records.values())


def _record(row: Row, user: str | None, at: datetime) -> Record | Skipped:
    where = f"record {row.get('id')} ({str(row.get('text'))[:TOLD]!r})"
    undated = {"created_at": at, "updated_at": at}
    try:
        record = Record.model_validate({"source": Source(actor="import"), **undated, **row})
    except ValidationError as error:
        wrong = error.errors()[0]
        return Skipped(where, f"it is no record: {'.'.join(map(str, wrong['loc']))}: {wrong['msg']}")
    if record.scope.namespace is not None:
        return Skipped(where, f"it belongs to a namespace, not to a user; {WHOLE}")
    if record.scope.user_id is None and user is None:
        return Skipped(where, "the source names no user: give --user")
    return record


def _check_owner(records: Sequence[Record], user: str | None, skipped: list[Skipped]) -> list[Record]:
    """Return the records as the user's; in a source with several users, records of others are skipped."""
    if user is None:
        return list(records)
    several = len({record.scope.user_id for record in records} - {None}) > 1
    own = []
    for record in records:
        if several and record.scope.user_id not in (None, user):
            where = f"record {record.id} ({record.text[:TOLD]!r})"
            skipped.append(Skipped(where, f"it belongs to {record.scope.user_id!r}, not to {user!r}"))
        else:
            own.append(record.model_copy(update={"scope": record.scope.model_copy(update={"user_id": user})}))
    return own


def _key(record: Record) -> Key:
    return record.namespace, record.id


def _same(first: Record, second: Record) -> bool:
    """Return whether two records say the same; dates and sources may differ, and those of the older record stay."""
    return (first.content, first.text, first.status) == (second.content, second.text, second.status)
