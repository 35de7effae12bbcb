"""What was said: every message of user and assistant, kept as it was said and found by its words and neighbours."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import ClassVar

from pydantic import Field

from langgraph_learning.config import ConversationsConfig
from langgraph_learning.records import Add, Change, Curated, Record
from langgraph_learning.stores.base import Entry, LearningStore, Ranked, SpokenMessage
from langgraph_learning.stores.operations import Operation, Refused, operation

SEARCH = "Search what was said in earlier conversations: exact words, names, dates, who said what."
LONGEST_SPEAKER = 60
SHOWN_CHARS, BRIEF_CHARS = 1_500, 300
"""How much is shown of a message that fits, and of its neighbours or where room is short, in characters."""


class ConversationsStore(LearningStore):
    """The conversations."""

    name: ClassVar[str] = "conversations"
    config_class = ConversationsConfig
    config: ConversationsConfig
    label: ClassVar[str] = "c"
    title: ClassVar[str] = "What was said before, in parts:"
    captures: ClassVar[bool] = True

    def __init__(self, config: ConversationsConfig | None = None) -> None:
        """Make the search; there is nothing to ask a model for."""
        super().__init__(config)
        self.operations = ()
        query = (str | None, Field(default=None, description="What to look for; leave it out for the newest"))
        days = (int | None, Field(default=None, ge=1, description="Only what was said in the last so many days"))
        limit = (int, Field(default=5, ge=1, le=50, description="How many passages at most"))
        self.searches = (operation("search_conversations", SEARCH, query=query, days=days, limit=limit),)

    @property
    def share(self) -> float:
        """How much of the recalled text may be conversation."""
        return self.config.share

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Refuse: what was said does not change.

        Raises:
            Refused: Always.
        """
        raise Refused("what was said is kept as it was said")

    def capture(self, message: SpokenMessage, zone: tzinfo, kept: Record | None = None) -> Add | None:
        """Keep who said it, when, and the beginning of what is too long; what was edited keeps speaker and time."""
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

    def curate(self, records: Sequence[Record], at: datetime, max_age: timedelta | None = None) -> list[Curated]:
        """Leave everything: the same words said twice were said twice."""
        return []

    def filter_search(self, search: Operation, ranked: Sequence[Ranked], at: datetime) -> Sequence[Ranked]:
        """Return what was said in the days that are asked for."""
        days = search.model_dump().get("days")
        fitting = super().filter_search(search, ranked, at)
        oldest = at - timedelta(days=days) if days is not None else None
        return [each for each in fitting if oldest is None or _said_at(each.record) >= oldest]

    def entries(self, ranked: Sequence[Ranked], query: str = "", *, complete: bool = True) -> list[Entry]:
        """Show each passage by day and speaker: what fits, with the messages around it."""
        return [_passage(messages) for messages in _passages(ranked)]


def _speaker(message: SpokenMessage) -> str:
    """Return the name of who said it: one line, without what could close a block of the prompt."""
    name = " ".join(re.sub(r"[\x00-\x1f<>]", " ", message.name or "").split())
    return name[:LONGEST_SPEAKER] or message.role


def _passages(ranked: Sequence[Ranked]) -> Iterator[list[Ranked]]:
    """Yield each message that fits between the ones before and after it, the best first, none of them twice."""
    left = {(each.record.session, each.record.place): each for each in ranked}
    for each in ranked:
        session, place = each.record.session, each.record.place or 0
        if (session, each.record.place) in left:
            around = (left.pop((session, place + step), None) for step in (-1, 0, 1))
            yield [message for message in around if message is not None]


def _passage(messages: Sequence[Ranked]) -> Entry:
    best = max(messages, key=lambda each: each.score)
    about = [best, *(each for each in messages if each is not best)]
    return Entry(_lines(messages, best, SHOWN_CHARS), tuple(about), brief=_lines([best], best, BRIEF_CHARS))


def _lines(messages: Sequence[Ranked], best: Ranked, longest: int) -> str:
    """Return the messages under their days, each with its speaker."""
    lines: list[str] = []
    today = ""
    for each in messages:
        content = each.record.content
        if (day := _day(_said_at(each.record))) != today:
            today = day
            lines.append(f"{day}:")
        text = str(content.get("text", ""))
        room = longest if each is best or each.matched else BRIEF_CHARS
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
