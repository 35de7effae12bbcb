"""A long history in parts: each is small enough for one extraction, and a commit of its own."""

from collections.abc import Iterator, Sequence

from langchain_core.messages import BaseMessage, HumanMessage

from langgraph_learning._engine.learning.messages import LONGEST_MESSAGE

MOST_MESSAGES = 40
MOST_CHARS = 40_000
"""How much of a history one extraction is shown, in messages and in characters."""


def split_history(messages: Sequence[BaseMessage]) -> Iterator[tuple[int, int]]:
    """Yield where each part begins and ends; a part begins with a message of the user's, where there is one.

    The same history has the same parts every time, so what was interrupted goes on where it stopped.
    """
    start, chars = 0, 0
    for index, message in enumerate(messages):
        size = min(len(str(message.text)), LONGEST_MESSAGE)
        full = index - start >= MOST_MESSAGES or chars + size > MOST_CHARS
        if index > start and full and (isinstance(message, HumanMessage) or index - start >= 2 * MOST_MESSAGES):
            yield start, index
            start, chars = index, 0
        chars += size
    if start < len(messages):
        yield start, len(messages)
