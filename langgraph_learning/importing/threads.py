"""Conversations in a checkpointer, as turns to learn from: those held before there was a learning machine.

A checkpointer stores states, not dates of messages, so the oldest checkpoint with a message gives its date. Of messages
that only older checkpoints have, those before the first remaining message were trimmed away, and are learned from. The
others were deleted from the thread, and are not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from langchain_core.messages import BaseMessage, HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A message of the user with what followed, and the time it was said."""

    messages: tuple[BaseMessage, ...]
    said_at: datetime


@dataclass(frozen=True, slots=True)
class StoredThread:
    """A thread of a checkpointer: its user if a run named one, and its turns in order."""

    thread_id: str
    user_id: str | None
    turns: tuple[StoredTurn, ...]


def read_thread(saver: BaseCheckpointSaver[str], thread_id: str, messages_key: str = "messages") -> StoredThread:
    """Return the turns of a thread in `saver`; none if its state has no messages under `messages_key`."""
    messages: dict[str, BaseMessage] = {}
    positions: dict[str, tuple[datetime, int]] = {}
    newest_keys: set[str] | None = None
    user: str | None = None
    for saved in saver.list({"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}):  # the newest first
        user = user or _user(saved.metadata)
        at = datetime.fromisoformat(saved.checkpoint["ts"])
        stored = saved.checkpoint["channel_values"].get(messages_key)
        ids = set()
        for index, message in enumerate(stored if isinstance(stored, list) else ()):
            if isinstance(message, BaseMessage):
                ids.add(key := message.id or f"#{index}")
                messages.setdefault(key, message)
                positions[key] = (at, index)
        newest_keys = ids if newest_keys is None else newest_keys
    start = min((positions[key] for key in newest_keys or ()), default=None)
    keys = [key for key in positions if start is not None and (key in (newest_keys or ()) or positions[key] < start)]
    ordered = sorted(keys, key=lambda key: positions[key])
    return StoredThread(thread_id, user, tuple(_turns([(messages[key], positions[key][0]) for key in ordered])))


def _user(metadata: object) -> str | None:
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    return str(user) if isinstance(user, str | int) and str(user) else None


def _turns(dated_messages: Sequence[tuple[BaseMessage, datetime]]) -> Iterator[StoredTurn]:
    turn: list[tuple[BaseMessage, datetime]] = []
    for message, at in dated_messages:
        if isinstance(message, HumanMessage) and any(not isinstance(before, HumanMessage) for before, _ in turn):
            yield StoredTurn(tuple(part for part, _ in turn), turn[0][1])
            turn = []
        turn.append((message, at))
    if turn:
        yield StoredTurn(tuple(part for part, _ in turn), turn[0][1])
