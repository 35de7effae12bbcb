"""A long history in parts: each part is small enough for one extraction, and becomes one commit."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage

from langgraph_learning._engine.flow import Flow
from langgraph_learning._engine.learning.extract import extract
from langgraph_learning._engine.learning.grounding import read_thread
from langgraph_learning._engine.learning.messages import LONGEST_MESSAGE, Speakers, count_user_messages
from langgraph_learning._engine.learning.turn import TurnInput, turn_of
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
    """Learn from a history part by part, and return the last commit that changed something; none is learned twice."""
    now, last, before = datetime.now(UTC), None, 0
    speakers = Speakers(learning_tools=settings.tool_names, user_tools=settings.user_tools)
    works = settings.extractions()
    for start, end in split_history(history):
        turn = replace(turn_of(history[start:end], speakers, said_at), human_offset=before)
        before += count_user_messages(history[start:end], speakers)
        turn_input = TurnInput(turn=turn, identity=identity, at=now)
        thread = read_thread(history[max(0, start - MOST_MESSAGES) : end], settings.name, speakers)
        part_commit = yield from extract(
            works,
            turn_input,
            settings.rules,
            thread=thread,
            capturing=settings.capturing,
        )
        if part_commit is not None and (part_commit.changes or part_commit.proposed or part_commit.refused):
            last = part_commit
        if progress is not None:
            progress(end, len(history))
    return last
