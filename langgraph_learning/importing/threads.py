"""Conversations that a checkpointer holds, as turns to learn from: what was said before there was a learning machine.

A checkpointer keeps states, not dates of messages. The oldest checkpoint that holds a message says when it was said. A
message that only older checkpoints hold was trimmed away, if it stood before the first one that is left; else it was
taken out of the thread, and stays out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A message of the user and what followed, and when it was said."""

    messages: tuple[BaseMessage, ...]
    said_at: datetime


@dataclass(frozen=True, slots=True)
class StoredThread:
    """A thread of a checkpointer: whose it is, where a run said so, and its turns in order."""

    thread_id: str
    user_id: str | None
    turns: tuple[StoredTurn, ...]


def read_thread(saver: BaseCheckpointSaver[Any], thread_id: str, messages_key: str = "messages") -> StoredThread:
    """Return what `saver` holds of a thread; no turns where its state keeps no messages under `messages_key`."""
    messages: dict[str, BaseMessage] = {}
    said: dict[str, tuple[datetime, int]] = {}
    standing: set[str] | None = None
    user: str | None = None
    for found in saver.list({"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}):  # the newest first
        user = user or _user(found.metadata)
        at = datetime.fromisoformat(found.checkpoint["ts"])
        stored = found.checkpoint["channel_values"].get(messages_key)
        ids = set()
        for place, message in enumerate(stored if isinstance(stored, list) else ()):
            if isinstance(message, BaseMessage):
                ids.add(key := message.id or f"#{place}")
                messages.setdefault(key, message)
                said[key] = (at, place)
        standing = ids if standing is None else standing
    start = min((said[key] for key in standing or ()), default=None)
    kept = [key for key in said if start is not None and (key in (standing or ()) or said[key] < start)]
    ordered = sorted(kept, key=lambda key: said[key])
    return StoredThread(thread_id, user, tuple(_turns([(messages[key], said[key][0]) for key in ordered])))


def _user(metadata: object) -> str | None:
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    return str(user) if isinstance(user, str | int) and str(user) else None


def _turns(said: Sequence[tuple[BaseMessage, datetime]]) -> Iterator[StoredTurn]:
    turn: list[tuple[BaseMessage, datetime]] = []
    for message, at in said:
        if isinstance(message, HumanMessage) and any(not isinstance(before, HumanMessage) for before, _ in turn):
            yield StoredTurn(tuple(each for each, _ in turn), turn[0][1])
            turn = []
        turn.append((message, at))
    if turn:
        yield StoredTurn(tuple(each for each, _ in turn), turn[0][1])
