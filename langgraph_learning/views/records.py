"""Views of records: one, many, and the history of one."""

from collections.abc import Iterable, Sequence

from pydantic import BaseModel

from langgraph_learning.records import DOCUMENT, Record, Revision, Scope, Source
from langgraph_learning.schemas import UserProfile
from langgraph_learning.views.markup import Child, Html, data, grid, html, join, pairs, quiet, tag, when, with_style

HEAD = ("learning store", "record", "because of", "since", "")


def table(records: Iterable[Record], *, title: str | None = None) -> Html:
    """Return records as one table, in the given order."""
    listed = list(records)
    rows = [
        (quiet(record.store), _text(record), because(record.source), _since(record), _state(record))
        for record in listed
    ]
    return with_style(grid(HEAD, rows, title) if listed else quiet(f"{title or 'records'}: none"))


def history(revisions: Sequence[Revision], *, title: str | None = None) -> Html:
    """Return the states of one record, oldest first as `Scoped.history` returns them."""
    rows = [(revision.version, _revision_text(revision), _why(revision), when(revision.at)) for revision in revisions]
    return with_style(grid(("version", "record", "because of", "since"), rows, title) if rows else quiet("no history"))


@html.register
def _record(record: Record) -> Html:
    rows: list[tuple[str, Child]] = [
        ("record", _text(record)),
        *((name, data(_spell(value))) for name, value in record.content.items() if _spell(value) != record.text),
        ("because of", because(record.source)),
        ("belongs to", _owner(record.scope)),
        ("known since", join([when(record.created_at), quiet(f" version {record.version}, {record.status}")])),
        ("id", quiet(record.id)),
    ]
    return with_style(pairs(record.store, rows))


@html.register
def _revision(revision: Revision) -> Html:
    return history([revision])


def _text(record: Record) -> Html:
    struck = record.status in ("superseded", "archived")
    return tag("s", data(record.text)) if struck else data(record.text)


def _state(record: Record) -> Html:
    parts = [f"v{record.version}" if record.version > 1 else "", record.status if record.status != "active" else ""]
    return quiet(" ".join(part for part in parts if part))


def because(source: Source) -> Html:
    """Return the support of a record: the quote it rests on, or its author, and who approved it."""
    if source.quote:
        vouched = tag("span", "“", data(source.quote), "”", class_="quote")
    else:
        vouched = quiet("inferred" if source.inferred else f"by {source.actor}")
    approved = tag("div", quiet("approved by "), data(source.approved_by)) if source.approved_by else None
    return join([vouched, approved])


def _owner(scope: Scope) -> Html:
    return data(", ".join(f"{name} {value}" for name, value in scope if value is not None))


def _since(record: Record) -> Html | None:
    """Return when the record was learned; unknown for documents of a vector store."""
    return when(record.updated_at) if record.status != DOCUMENT else None


def _revision_text(revision: Revision) -> Html:
    return data(revision.record.text) if revision.record else tag("span", "removed", class_="remove")


def _why(revision: Revision) -> Html | None:
    return because(revision.record.source) if revision.record else None


def _spell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_spell(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_spell(item)}" for key, item in value.items())
    return "" if value is None else str(value)


def profile_table(profile: BaseModel) -> Html:
    """Return the fields of a profile with their values."""
    rows = [(name.replace("_", " "), _value_cell(getattr(profile, name, None))) for name in type(profile).model_fields]
    return with_style(pairs(type(profile).__name__, rows))


@html.register
def _profile(profile: UserProfile) -> Html:
    return profile_table(profile)


def _value_cell(value: object) -> Html:
    if value is None or value == [] or value == {}:
        return quiet("not known")
    if isinstance(value, dict):
        value = [f"{key}: {part}" for key, part in value.items()]
    return data(", ".join(map(str, value)) if isinstance(value, (list, tuple, set)) else str(value))
