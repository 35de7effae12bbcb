"""What an importer makes: rows as `load` takes them, and what it left out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Skipped:
    """Something that was not taken in."""

    where: str
    reason: str


Found: TypeAlias = Row | Skipped


def row(
    store: str,
    id: str,
    content: Mapping[str, object],
    text: str,
    *,
    user: object,
    thread: object = None,
    agent: str | None = None,
    created: object = None,
    updated: object = None,
) -> Row:
    """Return a row; it has no dates where the source has none.

    Args:
        store: The learning store.
        id: The record's id, the same every time.
        content: What is kept.
        text: What a reader and the search see.
        user: Whose it is; None where the source does not say.
        thread: The thread it was said in; part of the scope of a session context alone.
        agent: The agent whose decision it is.
        created: ISO text, seconds since 1970 or a datetime.
        updated: Likewise; by default `created`.
    """
    said_in = None if thread is None else str(thread)
    scope = {"user_id": None if user is None else str(user), "agent": agent}
    if store == "session_context":
        scope["thread_id"] = said_in
    first = moment(created)
    dates = {"created_at": first, "updated_at": moment(updated) or first} if first else {}
    source = {"actor": "import", "thread_id": said_in}
    return {"id": id, "store": store, "scope": scope, "content": dict(content), "text": text, "source": source, **dates}


def moment(value: object) -> str | None:
    """Return a date as ISO text with its offset, UTC where it has none; None for what is no date."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC).isoformat()
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value)) if value else None
    except (ValueError, OverflowError, OSError):
        return None
    if found is None:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()


def parse_json(value: object) -> object:
    """Return JSON that is given as text, anything else as it is."""
    if not isinstance(value, str | bytes):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def to_text(value: object) -> str:
    """Return a text without the space around it; empty for what is no text."""
    return value.strip() if isinstance(value, str) else ""
