"""The search text for a question that continues an earlier message, such as "and which place do I have?"."""

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
"""A question with more different search words than this is searched for alone, without earlier messages or hints."""
EARLIER = 2
"""How many earlier messages of the user a short question is combined with."""
LONGEST = 400
"""The most characters used of an earlier message (its end, closest to the question) or of a hint (its beginning)."""


WEIGHTS = (4, 2, 1)
"""How often the search text has the question, the message before it, and the one before that. A hint occurs once."""


def recall_query(messages: Sequence[BaseMessage], speakers: Speakers) -> str:
    """Return the text to search for: the question and, if it is short, the user's last messages before it.

    The search counts a word as often as it occurs, so repetition gives weight: the text repeats the question four
    times, the message before it twice, and has the one before that once (`WEIGHTS`).
    """
    asked = question(messages, speakers)
    earlier = _said_before(messages, speakers)
    if not earlier or not asked or _count_words(asked) > SHORT:
        return asked
    return "\n".join(text for text, weight in zip((asked, *earlier), WEIGHTS, strict=False) for _ in range(weight))


def add_hints(query: str, stores: Sequence[tuple[LearningStore, Scope]]) -> Flow[str]:
    """Return `query`, followed by the hints of the learning stores that guide recall; a long question gets no hints."""
    guides = [(store, scope) for store, scope in stores if store.guides_recall]
    asked, *rest = query.split("\n")
    followed = asked in rest  # then `recall_query` has repeated the question already
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
    """Return the ends of the user's messages before the last turn, the newest first, at most `EARLIER` of them."""
    before = messages[: last_turn_start(messages)]
    texts: list[str] = []
    for message in reversed(before):
        if speakers.role(message) == "user" and (text := message_text(message)):
            texts.append(text[-LONGEST:])
        if len(texts) == EARLIER:
            break
    return texts
