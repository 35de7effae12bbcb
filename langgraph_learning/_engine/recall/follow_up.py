"""What to look for when a question goes on from what was said before: "and which place do I have?"."""

from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from langgraph_learning._engine.learning.messages import Speakers, last_turn_start, message_text
from langgraph_learning._engine.learning.turn import question
from langgraph_learning.text import query_terms

SHORT = 8
"""A question with more words than this that say something stands for itself."""
EARLIER = 2
"""How many of the user's messages before it are looked for, too."""
LONGEST = 400
"""How much of each of them, in characters: its end, where it comes to what it is about."""


def recall_query(messages: Sequence[BaseMessage], speakers: Speakers) -> str:
    """Return the text to recall by: the question, and before it, with falling weight, what the user said last.

    A word counts as often as it stands there: the question four times, the message before it twice, the one before that
    once.
    """
    asked = question(messages, speakers)
    earlier = _said_before(messages, speakers)
    words = {term.word for term in query_terms(asked)}
    if not earlier or not asked or len(words) > SHORT:
        return asked
    weights = [4, 2, 1]
    texts = [asked, *earlier]
    return "\n".join(text for text, weight in zip(texts, weights, strict=False) for _ in range(weight))


def _said_before(messages: Sequence[BaseMessage], speakers: Speakers) -> list[str]:
    """Return what the user said before the last turn, the last first."""
    before = messages[: last_turn_start(messages)]
    texts: list[str] = []
    for message in reversed(before):
        if speakers.role(message) == "user" and (text := message_text(message)):
            texts.append(text[-LONGEST:])
        if len(texts) == EARLIER:
            break
    return texts
