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
    history: Sequence[BaseMessage],
    said_at: datetime | None,
    progress: Callable[[int, int], object] | None,
) -> Flow[Commit | None]:
    """Learn from a history part by part, and return the last commit that changed something; none is learned twice.

    A part may begin with turns that have a commit, because the history has grown, or a graph has learned them. These
    are left out; only their messages are kept as they are now, those of the whole history at its end.
    """
    last, before, learned = None, 0, list[TurnMessage]()
    speakers = Speakers(learning_tools=settings.tool_names, user_tools=settings.user_tools)
    works, capturing, now = settings.extractions(), settings.capturing, datetime.now(UTC)
    for start, end in split_history(history):
        while start < end:
            turn = replace(turn_of(history[start:end], speakers, said_at), human_offset=before)
            turn_input = TurnInput(turn, identity, now, anchors=_ids(history[max(0, start - ANCHORS) : start]))
            beginnings = list(_beginnings(turn_input))
            count, part_commit = yield from find_learned(works, beginnings, capturing)
            if part_commit is None:
                thread = read_thread(history[max(0, start - MOST_MESSAGES) : end], settings.name, speakers)
                part_commit = yield from extract(works, turn_input, settings.rules, thread=thread, capturing=capturing)
            elif (yield from stands(part_commit)):
                learned += name_messages(beginnings[count - 1].turn)
            else:
                part_commit = None
            last = part_commit if part_commit is not None and _changes(part_commit) else last
            stop = start + turn.human[count].position if 0 < count < len(beginnings) else end
            before += count_user_messages(history[start:stop], speakers)
            start = stop
        if progress is not None:
            progress(end, len(history))
    if identity.thread_id is None or not capturing:
        return last
    said = TurnInput(Turn(tuple(learned)), identity, now, anchors=_ids(history[:1]))
    current = turn_of(history, speakers).messages
    return (yield from keep_messages(said, "history", settings.rules, capturing, current)) or last


def _ids(messages: Sequence[BaseMessage]) -> tuple[str, ...]:
    return tuple(message.id for message in messages if message.id)


def _beginnings(turn_input: TurnInput) -> Iterator[TurnInput]:
    """Yield the turn up to each message of the user but the first, and then all of it."""
    turn = turn_input.turn
    for human in turn.human[1:]:
        messages = tuple(message for message in turn.messages if message.position < human.position)
        yield replace(turn_input, turn=replace(turn, messages=messages))
    yield turn_input


def _changes(commit: Commit) -> bool:
    return bool(commit.changes or commit.proposed or commit.refused)
