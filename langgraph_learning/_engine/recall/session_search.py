"""Search of records in sessions: search, rank with neighbouring records, then read the missing neighbours.

This takes two round trips. The second one reads, by their places, the records that rank well only because of their
neighbours, and the neighbours of the best records. A store that does not rank is read as a whole and ranked here.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import cast

from langgraph.store.base import GetOp, Item, Op, Result, SearchItem

from langgraph_learning._engine.flow import Flow, StoreInfo, batch
from langgraph_learning._engine.recall.ranking import match_words, score_texts
from langgraph_learning._engine.recall.session_ranking import Place, Ranking, Signals, neighbours, rank_sessions
from langgraph_learning._engine.repository import RankedSnapshot
from langgraph_learning.records import Record, Scope
from langgraph_learning.stores import LearningStore, Ranked
from langgraph_learning.words import QueryTerm, query_terms, terms

NEWEST = 50
"""How many of the newest records are read if there is no query."""
SHOWN = 25
"""For how many of the best records the neighbours are read."""


def read_sessions(
    store: LearningStore,
    scope: Scope,
    query: str,
    results: Sequence[Result],
    info: StoreInfo,
    at: datetime | None = None,
) -> Flow[RankedSnapshot]:
    """Return the records that fit `query` best, and their neighbours, from the results of a search for `query`.

    With `at`, only records of what was said by then. Without it, nothing is compared with this machine's clock: what
    another machine has said "now" may seem to be later.
    """
    namespace = (*scope.path, store.name)  # a search also returns items of the namespaces below
    items = [
        item
        for result in results
        for item in cast("list[SearchItem]", result or [])
        if tuple(item.namespace) == namespace and _was_said(store, item, at)
    ]
    by_place = {_place(item.key): item for item in items}
    if not query:
        newest = sorted(by_place.values(), key=lambda item: (item.updated_at, item.key), reverse=True)[:NEWEST]
        records = [Record.from_item(item) for item in newest]
        return _snapshot(store, scope, [Ranked(record, 0.0) for record in records])
    present: Mapping[Place, Item] = by_place
    rankings = rank_sessions(_signals(items) if info.ranks else _rank_here(by_place, items, query))
    best = {ranking.place: ranking for ranking in rankings}
    wanted = [*best, *neighbours(ranking.place for ranking in rankings[:SHOWN])]
    if missing := [place for place in wanted if place not in present] if info.ranks else []:
        gets: list[Op] = [GetOp(namespace, f"{session}-{place}", refresh_ttl=False) for session, place in missing]
        read = [
            item
            for item in (yield from batch(*gets, as_of=info.revision))
            if isinstance(item, Item) and _was_said(store, item, at)
        ]
        present = {**present, **{_place(item.key): item for item in read}}
    ranked = [(best.get(place), Record.from_item(present[place])) for place in wanted if place in present]
    asked = query_terms(query)
    return _snapshot(store, scope, [_rank(record, ranking, asked) for ranking, record in ranked])


def _was_said(store: LearningStore, item: Item, at: datetime | None) -> bool:
    return at is None or store.said_at(Record.from_item(item)) <= at


def _place(key: str) -> Place:
    """Return the session and the position that are written in the key of a record, so that it need not be read."""
    session, _, place = key.rpartition("-")
    return (session, int(place)) if session and place.isdecimal() else (key, 0)


def _signals(items: Iterable[SearchItem]) -> dict[Place, Signals]:
    """Return the scores of the store, by words and by meaning if it separates them; else all counts as words."""
    signals: dict[Place, Signals] = {}
    for item in items:
        parts: Mapping[str, float] = getattr(item, "parts", None) or {"words": item.score or 0.0}
        if item.score:
            signals[_place(item.key)] = Signals(parts.get("words", 0.0), parts.get("meaning", 0.0))
    return signals


def _rank_here(by_place: Mapping[Place, Item], items: Iterable[SearchItem], query: str) -> dict[Place, Signals]:
    """Return the BM25 score of each record as words, and the score of the store's own search as meaning."""
    places = list(by_place)
    words = score_texts([_count_terms(_text(by_place[place].value)) for place in places], query)
    given = {_place(item.key): item.score for item in items if item.score is not None}
    # A record that the store's search did not return gets the lowest of its scores.
    return {
        place: Signals(score, given.get(place) or min(given.values(), default=0.0))
        for place, score in zip(places, words, strict=True)
        if score or place in given
    }


def _text(value: Mapping[str, object]) -> str:
    keys = value.get("keys")
    return "\n".join(map(str, [value.get("text", ""), *(keys.values() if isinstance(keys, Mapping) else ())]))


@lru_cache(maxsize=20_000)
def _count_terms(text: str) -> Counter[str]:
    """Return how often `text` has each of its terms; cached, because every question ranks the whole scope again."""
    return Counter(terms(text))


def _rank(record: Record, ranking: Ranking | None, asked: Sequence[QueryTerm]) -> Ranked:
    if ranking is None:
        return Ranked(record, 0.0)
    text = "\n".join([record.text, *record.keys.values()])
    return Ranked(record, ranking.score, match_words(set(terms(text)), asked), ranking.parts)


def _snapshot(store: LearningStore, scope: Scope, ranked: Iterable[Ranked]) -> RankedSnapshot:
    """Return the snapshot without expired records: `records` by age, `order` by score."""
    now = datetime.now(UTC)
    order = [item for item in ranked if item.record.expires_at is None or item.record.expires_at > now]
    order.sort(key=lambda item: -item.score)
    present = [item.record for item in order]
    records = sorted(present, key=lambda record: (record.created_at.isoformat(), record.place or 0, record.id))
    return RankedSnapshot(store, scope, tuple(records), order=tuple(order))
