"""A long history in parts: each part is small enough for one extraction, and becomes one commit."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage

from langgraph_learning._engine.flow import Flow
from langgraph_learning._engine.learning.capture import name_messages
from langgraph_learning._engine.learning.extract import extract, find_learned, keep_messages, stands
from langgraph_learning._engine.learning.grounding import read_thread
from langgraph_learning._engine.learning.messages import LONGEST_MESSAGE, Speakers, TurnMessage, count_user_messages
from langgraph_learning._engine.learning.turn import ANCHORS, Turn, TurnInput, turn_of
from langgraph_learning._engine.settings import MachineSettings
from langgraph_learning.records import Commit, Identity

MOST_MESSAGES = 40
MOST_CHARS = 40_000
"""The number of messages and characters of a history that one extraction reads."""


def split_history(messages: Sequence[BaseMessage]) -> Iterator[tuple[int, int]]:
    """Yield start and end of each part; a part begins with a message of the user if possible.

    The same history always has the same parts, so an interrupted run continues where it stopped.
    """
    start, chars, count = 0, 0, 0
    for index, message in enumerate(messages):
        # Tool calls and results have their own budget in the prompt, so they neither fill a part nor divide a turn.
        spoken = bool(str(message.text).strip()) and not isinstance(message, ToolMessage)
        size = min(len(str(message.text)), LONGEST_MESSAGE) if spoken else 0
        full = count >= MOST_MESSAGES or chars + size > MOST_CHARS
        if index > start and full and (isinstance(message, HumanMessage) or (spoken and count >= 2 * MOST_MESSAGES)):
            yield start, index
            start, chars, count = index, 0, 0
        chars, count = chars + size, count + spoken
    if start < len(messages):
        yield start, len(messages)


def learn_history(
    settings: MachineSettings,
    identity: Identity,
    messages: Sequence[BaseMessage],
    said_at: datetime | None,
    progress: Callable[[int, int], object] | None,
) -> Flow[Commit | None]:
    """Learn from a history part by part, and return the last commit that changed something; none is learned twice.

    A part may begin with turns that have a commit, because the history has grown, or a graph has learned them. These
    are left out, and at the end the messages are kept as they are now.
    """
    history, last = _History(settings, identity, messages, said_at), None
    for start, end in split_history(messages):
        while start < end:
            start, part_commit = yield from history.learn(start, end)
            if part_commit is not None and (part_commit.changes or part_commit.proposed or part_commit.refused):
                last = part_commit
        if progress is not None:
            progress(end, len(messages))
    return (yield from history.keep()) or last


class _History:
    """A history from which turn after turn is learned."""

    def __init__(
        self, settings: MachineSettings, identity: Identity, messages: Sequence[BaseMessage], said_at: datetime | None
    ) -> None:
        self._settings, self._identity, self._messages, self._said_at = settings, identity, messages, said_at
        self._speakers = Speakers(learning_tools=settings.tool_names, user_tools=settings.user_tools)
        self._works, self._now = settings.extractions(), datetime.now(UTC)
        self._before = 0
        self._learned: list[TurnMessage] = []

    def learn(self, start: int, end: int) -> Flow[tuple[int, Commit | None]]:
        """Learn from a part, or pass over its beginning if that has a commit; return where the rest begins."""
        settings, messages = self._settings, self._messages
        turn = replace(turn_of(messages[start:end], self._speakers, self._said_at), human_offset=self._before)
        anchors = _ids(messages[max(0, start - ANCHORS) : start])
        turn_input = TurnInput(turn, self._identity, self._now, anchors=anchors)
        beginnings = list(_beginnings(turn_input))
        count, part_commit = yield from find_learned(self._works, beginnings, settings.capturing)
        stop = start + turn.human[count].position if 0 < count < len(beginnings) else end
        self._before += count_user_messages(messages[start:stop], self._speakers)
        if part_commit is None:
            thread = read_thread(messages[max(0, start - MOST_MESSAGES) : end], settings.name, self._speakers)
            flow = extract(self._works, turn_input, settings.rules, thread=thread, capturing=settings.capturing)
            return stop, (yield from flow)
        if not (yield from stands(part_commit)):
            return stop, None
        self._learned += name_messages(beginnings[count - 1].turn)
        return stop, part_commit

    def keep(self) -> Flow[Commit | None]:
        """Keep the messages as they are now: a reply may have been given anew since its turn was learned."""
        settings = self._settings
        if self._identity.thread_id is None or not self._learned:
            return None
        learned = TurnInput(Turn(tuple(self._learned)), self._identity, self._now, anchors=_ids(self._messages[:1]))
        current = turn_of(self._messages, self._speakers).messages if settings.capturing else ()
        return (yield from keep_messages(learned, "history", settings.rules, settings.capturing, current))


def _ids(messages: Sequence[BaseMessage]) -> tuple[str, ...]:
    return tuple(message.id for message in messages if message.id)


def _beginnings(turn_input: TurnInput) -> Iterator[TurnInput]:
    """Yield the turn up to each message of the user but the first, and then all of it."""
    turn = turn_input.turn
    for human in turn.human[1:]:
        messages = tuple(message for message in turn.messages if message.position < human.position)
        yield replace(turn_input, turn=replace(turn, messages=messages))
    yield turn_input
