"""The search text for a question that continues an earlier message, such as "and which place do I have?"."""

from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from langgraph_learning._engine.flow import Flow, batch, describe_store
from langgraph_learning._engine.learning.messages import Speakers, last_turn_start, message_text
from langgraph_learning._engine.learning.turn import question
from langgraph_learning._engine.repository import read_op, read_snapshot
from langgraph_learning.records import Scope
from langgraph_learning.stores import LearningStore
from langgraph_learning.words import query_terms

SHORT = 8
"""A question with more different search words than this is searched for alone, without earlier messages or hints."""
EARLIER = 2
"""How many earlier messages of the user a short question is combined with."""
LONGEST = 400
"""The most characters used of an earlier message (its end, closest to the question) or of a hint (its beginning)."""


WEIGHTS = (4, 2, 1)
"""How often the search text has the question, the message before it, and the one before that. A hint occurs once."""


def search_text(
    query: str | None,
    stores: Sequence[tuple[LearningStore, Scope]],
    messages: Sequence[BaseMessage],
    speakers: Speakers,
) -> Flow[str]:
    """Return the text to search for: `query`, or else the user's last words; to a short question it adds more.

    These are the user's messages before it, unless `query` is given, and the hints of the learning stores that guide
    recall. The search counts a word as often as it occurs, so repetition gives weight (`WEIGHTS`).
    """
    asked = question(messages, speakers) if query is None else query
    if not asked or len({term.word for term in query_terms(asked)}) > SHORT:
        return asked
    earlier = _earlier_words(messages, speakers) if query is None else []
    hints: list[str] = []
    if guides := [(store, scope) for store, scope in stores if store.guides_recall]:
        info = yield from describe_store()
        results = yield from batch(*(read_op(store, scope) for store, scope in guides), as_of=info.revision)
        for (store, scope), result in zip(guides, results, strict=True):
            hints.append(store.recall_hint(read_snapshot(store, scope, result).records)[:LONGEST])
    if not earlier and not any(hints):
        return asked
    weighted = [text for text, weight in zip((asked, *earlier), WEIGHTS, strict=False) for _ in range(weight)]
    return "\n".join([*weighted, *filter(None, hints)])


def _earlier_words(messages: Sequence[BaseMessage], speakers: Speakers) -> list[str]:
    """Return the ends of the user's messages before the last turn, the newest first, at most `EARLIER` of them."""
    texts: list[str] = []
    for message in reversed(messages[: last_turn_start(messages)]):
        if speakers.role(message) == "user" and (text := message_text(message)):
            texts.append(text[-LONGEST:])
        if len(texts) == EARLIER:
            break
    return texts
