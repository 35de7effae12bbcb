"""The output of an importer: rows for `load`, and what was left out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from langgraph_learning.validity import with_timezone
from langgraph_learning.versioned_store import Json

Row: TypeAlias = dict[str, Json]


@dataclass(frozen=True)
class Skipped:
    """An entry that was not imported, and the reason."""

    where: str
    reason: str


Found: TypeAlias = Row | Skipped


def build_row(
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
    """Return a row; it has no dates if the source has none.

    Args:
        store: The learning store.
        id: The record's id, the same for every import.
        content: The content to store.
        text: The text for readers and the search.
        user: The user; None if the source does not name one.
        thread: The thread it was said in; part of the scope only for a session context.
        agent: The agent whose decision it is.
        created: ISO text, seconds since 1970 or a datetime.
        updated: The same; by default `created`.
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
    """Return a date as ISO text with its offset, by default UTC; None for what is no date."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC).isoformat()
        parsed = value if isinstance(value, datetime) else datetime.fromisoformat(str(value)) if value else None
    except (ValueError, OverflowError, OSError):
        return None
    if parsed is None:
        return None
    return with_timezone(parsed).isoformat()


def parse_json(value: object) -> object:
    """Return the value of JSON text; anything else unchanged."""
    if not isinstance(value, str | bytes):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def to_text(value: object) -> str:
    """Return a text without surrounding space; empty for what is no text."""
    return value.strip() if isinstance(value, str) else ""
