"""Conversations: every message of user and assistant as it was written, found by its words and its neighbours'."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import ClassVar

from pydantic import Field

from langgraph_learning.config import ConversationsConfig
from langgraph_learning.records import Add, Change, Record
from langgraph_learning.stores.base import QUERY, Entry, LearningStore, Ranked, SpokenMessage
from langgraph_learning.stores.operations import Operation, Refused, operation

SEARCH = "Search the messages of earlier conversations: exact words, names, dates, who said what."
LONGEST_SPEAKER = 60
SHOWN_CHARS, BRIEF_CHARS = 1_500, 300
"""The most characters shown of a message: if it matches, and if it is a neighbour or the entry is brief."""


class ConversationsStore(LearningStore):
    """The learning store for conversations."""

    name: ClassVar[str] = "conversations"
    config_class = ConversationsConfig
    config: ConversationsConfig
    label: ClassVar[str] = "c"
    title: ClassVar[str] = "What was said before, in parts:"
    captures: ClassVar[bool] = True

    def __init__(self, config: ConversationsConfig | None = None) -> None:
        """Create the search tool. There are no operations, because messages are kept without a model."""
        super().__init__(config)
        self.operations = ()
        days = (int | None, Field(default=None, ge=1, description="Only messages of the last so many days"))
        limit = (int, Field(default=5, ge=1, le=50, description="The largest number of passages"))
        self.searches = (operation("search_conversations", SEARCH, query=QUERY, days=days, limit=limit),)

    @property
    def share(self) -> float:
        """The largest part of the recalled text that conversations may take, from 0 to 1."""
        return self.config.share

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Refuse every operation, because messages do not change."""
        raise Refused("messages of a conversation cannot be changed")

    def capture(self, message: SpokenMessage, zone: tzinfo, kept: Record | None = None) -> Add | None:
        """Return the record of a message: its speaker, its time, and its text up to `max_chars`.

        An edited message (`kept`) keeps its speaker and its time.
        """
        text = message.text.strip()[: self.config.max_chars]
        if not text or (kept is None and message.role not in self.config.roles):
            return None
        said_at = (_said_at(kept) if kept else message.said_at).astimezone(zone)
        speaker = str(kept.content["speaker"]) if kept else _speaker(message)
        return Add(
            store=self.name,
            content={"speaker": speaker, "text": text, "said_at": said_at.isoformat()},
            text=f"({_day(said_at)}) {speaker}: {text}",
            expires_at=said_at + self.config.retention if self.config.retention else None,
        )

    def said_at(self, record: Record) -> datetime:
        """Return the time at which a message was said, which may be long before it was learned."""
        return _said_at(record)

    def entries(self, ranked: Sequence[Ranked], query: str = "", *, complete: bool = True) -> list[Entry]:
        """Return one entry per passage: a message that matches and its neighbours, with days and speakers."""
        return [_passage(messages) for messages in _passages(ranked)]


def _speaker(message: SpokenMessage) -> str:
    """Return the speaker's name on one line, without characters that could close a block of the prompt."""
    name = " ".join(re.sub(r"[\x00-\x1f<>]", " ", message.name or "").split())
    return name[:LONGEST_SPEAKER] or message.role


def _passages(ranked: Sequence[Ranked]) -> Iterator[list[Ranked]]:
    """Yield the passage of each message: the message with the ones before and after it. Best first, none twice."""
    unused = {(item.record.session, item.record.place): item for item in ranked}
    for item in ranked:
        session, place = item.record.session, item.record.place or 0
        if (session, item.record.place) in unused:
            around = (unused.pop((session, place + step), None) for step in (-1, 0, 1))
            yield [message for message in around if message is not None]


def _passage(messages: Sequence[Ranked]) -> Entry:
    best = max(messages, key=lambda message: message.score)
    about = [best, *(message for message in messages if message is not best)]
    return Entry(_lines(messages, best, SHOWN_CHARS), tuple(about), brief=_lines([best], best, BRIEF_CHARS))


def _lines(messages: Sequence[Ranked], best: Ranked, longest: int) -> str:
    """Return the messages as lines with their speakers, below a line for each day."""
    lines: list[str] = []
    today = ""
    for message in messages:
        content = message.record.content
        if (day := _day(_said_at(message.record))) != today:
            today = day
            lines.append(f"{day}:")
        text = str(content.get("text", ""))
        room = longest if message is best or message.matched else BRIEF_CHARS
        lines.append(f"{content.get('speaker')}: {text[:room]}{'...' if len(text) > room else ''}")
    return "\n".join(lines)


def _said_at(record: Record) -> datetime:
    try:
        at = datetime.fromisoformat(str(record.content.get("said_at")))
    except ValueError:
        return record.created_at
    return at if at.tzinfo else at.replace(tzinfo=record.created_at.tzinfo)


def _day(at: datetime) -> str:
    return f"{at.day} {at:%B %Y}"
