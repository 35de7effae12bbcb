"""What an import would write: every row checked and sorted out before one is written."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError

from langgraph_learning.importing.exported import WHOLE
from langgraph_learning.importing.rows import Found, Row, Skipped
from langgraph_learning.masking import Mask, mask_secrets, mask_values
from langgraph_learning.records import Namespace, Record, Source

Key = tuple[Namespace, str]
TOLD = 40
"""How much of a text tells which one is meant."""


@dataclass
class ImportPreview:
    """The rows of an import: what is new, what takes the place of something else, and what was left out."""

    new: dict[str, list[Record]] = field(default_factory=dict)
    """By user."""
    replacing: dict[str, list[Record]] = field(default_factory=dict)
    """By user: another record of this id is there, and goes."""
    unchanged: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def users(self) -> list[str]:
        """Whose records would be written."""
        return sorted({*self.new, *self.replacing})

    def rows(self, user: str) -> list[Row]:
        """Return what to load for a user."""
        records = [*self.new.get(user, ()), *self.replacing.get(user, ())]
        return [{"id": record.id, **record.model_dump(mode="json", exclude={"id", "version"})} for record in records]


def preview_rows(
    found: Iterable[Found],
    user: str | None,
    there: Callable[[str], Iterable[Mapping[str, object]]],
    at: datetime,
    mask: Mask = mask_secrets,
    check: Callable[[Record], str | None] = lambda record: None,
) -> ImportPreview:
    """Sort out what a source gave.

    Args:
        found: What an importer yields.
        user: Who takes it in; what names another one of several users is left out. By default the rows' own users.
        there: Returns what a user has already, as `export` does.
        at: The date of what has none.
        mask: Takes secrets out of what is stored.
        check: Returns why a record would be refused; None if it would be taken.
    """
    intake = ImportPreview()
    owned = _check_owner(
        _check_rows((_mask_row(each, mask) for each in found), user, at, intake.skipped), user, intake.skipped
    )
    records = []
    for record in owned:
        if reason := check(record):
            intake.skipped.append(Skipped(f"record {record.id} ({record.text[:TOLD]!r})", reason))
        else:
            records.append(record)
    for owner in dict.fromkeys(str(record.scope.user_id) for record in records):
        known = {_key(old): old for old in map(Record.model_validate, there(owner))}
        for record in (record for record in records if record.scope.user_id == owner):
            old = known.get(_key(record))
            if old is not None and _same(old, record):
                intake.unchanged += 1
            else:
                (intake.new if old is None else intake.replacing).setdefault(owner, []).append(record)
    return intake


def _mask_row(each: Found, mask: Mask) -> Found:
    """Mask what is kept and shown; ids and dates stay what they are."""
    if isinstance(each, Skipped):
        return each
    return {**each, **{name: mask_values(each[name], mask) for name in ("content", "text") if name in each}}


def _check_rows(found: Iterable[Found], user: str | None, at: datetime, skipped: list[Skipped]) -> list[Record]:
    """Return the records among what was found, each id once; why the others are none goes to `skipped`."""
    records: dict[Key, Record] = {}
    for each in found:
        made = each if isinstance(each, Skipped) else _record(each, user, at)
        if isinstance(made, Skipped):
            skipped.append(made)
        elif not _same(records.setdefault(_key(made), made), made):
            skipped.append(Skipped(f"record {made.id}", "another record of this id and user stands before it"))
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
        return Skipped(where, "the source does not say whose it is: give --user")
    return record


def _check_owner(records: Sequence[Record], user: str | None, skipped: list[Skipped]) -> list[Record]:
    """Make the records the user's. Where they are of several users, those of others never become this one's."""
    if user is None:
        return list(records)
    several = len({record.scope.user_id for record in records} - {None}) > 1
    kept = []
    for record in records:
        if several and record.scope.user_id not in (None, user):
            where = f"record {record.id} ({record.text[:TOLD]!r})"
            skipped.append(Skipped(where, f"it belongs to {record.scope.user_id!r}, not to {user!r}"))
        else:
            kept.append(record.model_copy(update={"scope": record.scope.model_copy(update={"user_id": user})}))
    return kept


def _key(record: Record) -> Key:
    return record.namespace, record.id


def _same(one: Record, other: Record) -> bool:
    """Whether two records say the same: dates and sources may differ, and the older one's are the better ones."""
    return (one.content, one.text, one.status) == (other.content, other.text, other.status)
