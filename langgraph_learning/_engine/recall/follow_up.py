"""What to look for when a question goes on from what was said before: "and which place do I have?"."""

from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from langgraph_learning._engine.flow import Flow, batch, describe_store
from langgraph_learning._engine.learning.messages import Speakers, last_turn_start, message_text
from langgraph_learning._engine.learning.turn import question
from langgraph_learning._engine.repository import read_op, read_snapshot
from langgraph_learning.records import Scope
from langgraph_learning.stores import LearningStore
from langgraph_learning.text import query_terms

SHORT = 8
"""A question with more words than this that say something stands for itself."""
EARLIER = 2
"""How many of the user's messages before it are looked for, too."""
LONGEST = 400
"""How much of each of them, in characters: its end, where it comes to what it is about."""


WEIGHTS = (4, 2, 1)
"""How often the question counts, the message before it, and the one before that; what a session is about, once."""


def recall_query(messages: Sequence[BaseMessage], speakers: Speakers) -> str:
    """Return the text to recall by: the question, and before it, with falling weight, what the user said last.

    A word counts as often as it stands there: the question four times, the message before it twice, the one before that
    once.
    """
    asked = question(messages, speakers)
    earlier = _said_before(messages, speakers)
    if not earlier or not asked or _count_words(asked) > SHORT:
        return asked
    return "\n".join(text for text, weight in zip((asked, *earlier), WEIGHTS, strict=False) for _ in range(weight))


def add_hints(query: str, stores: Sequence[tuple[LearningStore, Scope]]) -> Flow[str]:
    """Return `query`, and with less weight what learning stores say the session is about; long questions go alone."""
    guides = [(store, scope) for store, scope in stores if store.guides_recall]
    asked, *rest = query.split("\n")
    followed = asked in rest  # `recall_query` has weighed it already
    if not guides or not asked or (not followed and _count_words(query) > SHORT):
        return query
    stand = yield from describe_store()
    results = yield from batch(*(read_op(store, scope) for store, scope in guides), as_of=stand.revision)
    hints = [
        store.recall_hint(read_snapshot(store, scope, result).records)[:LONGEST]
        for (store, scope), result in zip(guides, results, strict=True)
    ]
    found = [hint for hint in hints if hint]
    return "\n".join([*([query] * (1 if followed else WEIGHTS[0])), *found]) if found else query


def _count_words(text: str) -> int:
    return len({term.word for term in query_terms(text)})


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
