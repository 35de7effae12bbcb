"""Search of records in sessions: search, rank with neighbouring records, then read the missing neighbours.

That is two round trips: what ranks well for its neighbours' sake, and the neighbours of what is shown, are read by
their places. A store that does not rank is read as a whole and ranked here.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import cast

from langgraph.store.base import GetOp, Item, Op, Result, SearchItem, SearchOp

from langgraph_learning._engine.flow import Flow, StoreInfo, batch
from langgraph_learning._engine.recall.ranked_snapshot import RankedSnapshot
from langgraph_learning._engine.recall.ranking import match_words, score_texts
from langgraph_learning._engine.recall.session_ranking import Place, Ranking, Signals, neighbours, rank_sessions
from langgraph_learning._engine.repository import EVERYTHING, read_op
from langgraph_learning.records import Record, Scope
from langgraph_learning.stores import LearningStore, Ranked
from langgraph_learning.text import QueryTerm, query_terms, terms

FOUND = 200
"""How many records a search is asked for."""
NEWEST = 50
"""How many are read where nothing is asked."""
SHOWN = 25
"""Of how many of the best the neighbours are read."""


def find_ordered(store: LearningStore, scope: Scope, query: str, stand: StoreInfo) -> list[SearchOp]:
    """Return the operations that find the records of `store` that fit `query`."""
    if stand.ranks:
        return [read_op(store, scope, query, FOUND if query else NEWEST)]
    return [read_op(store, scope, limit=EVERYTHING), *([read_op(store, scope, query, FOUND)] if query else [])]


def read_ordered(
    store: LearningStore, scope: Scope, query: str, results: Sequence[Result], stand: StoreInfo
) -> Flow[RankedSnapshot]:
    """Return the records that fit `query` best, in order, with their neighbours."""
    namespace = (*scope.path, store.name)
    items = [
        item
        for result in results
        for item in cast("list[SearchItem]", result or [])
        if tuple(item.namespace) == namespace
    ]
    by_place = {_place(item.key): item for item in items}
    if not query:
        newest = sorted(by_place.values(), key=lambda item: (item.updated_at, item.key), reverse=True)[:NEWEST]
        records = [Record.from_item(item) for item in newest]
        return _snapshot(store, scope, [Ranked(record, 0.0) for record in records])
    known: Mapping[Place, Item] = by_place
    found = _signals(items) if stand.ranks else _rank_here(by_place, items, query)
    ranking = rank_sessions(found)
    best = {each.place: each for each in ranking}
    wanted = [*best, *neighbours(each.place for each in ranking[:SHOWN])]
    if missing := [place for place in wanted if place not in known] if stand.ranks else []:
        gets: list[Op] = [GetOp(namespace, f"{session}-{place}", refresh_ttl=False) for session, place in missing]
        read = [item for item in (yield from batch(*gets, as_of=stand.revision)) if isinstance(item, Item)]
        known = {**known, **{_place(item.key): item for item in read}}
    read_here = [(best.get(place), Record.from_item(known[place])) for place in wanted if place in known]
    asked = query_terms(query)
    return _snapshot(store, scope, [_rank(record, ranking, asked) for ranking, record in read_here])


def _place(key: str) -> Place:
    """Return the session and the place in it that the key of a record names; the record need not be read for it."""
    session, _, place = key.rpartition("-")
    return (session, int(place)) if session and place.isdecimal() else (key, 0)


def _signals(items: Iterable[SearchItem]) -> dict[Place, Signals]:
    """Return what the store said of the records that fit; one that tells words from meaning says both."""
    found: dict[Place, Signals] = {}
    for item in items:
        parts: Mapping[str, float] = getattr(item, "parts", None) or {"words": item.score or 0.0}
        if item.score:
            found[_place(item.key)] = Signals(parts.get("words", 0.0), parts.get("meaning", 0.0))
    return found


def _rank_here(by_place: Mapping[Place, Item], items: Iterable[SearchItem], query: str) -> dict[Place, Signals]:
    """Return how well the words of each record fit, and what the store's own search said of it."""
    places = list(by_place)
    words = score_texts([_count_terms(_text(by_place[place].value)) for place in places], query)
    given = {_place(item.key): item.score for item in items if item.score is not None}
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
    """Return how often `text` holds each of its terms: all of a scope is ranked here, question after question."""
    return Counter(terms(text))


def _rank(record: Record, ranking: Ranking | None, asked: Sequence[QueryTerm]) -> Ranked:
    if ranking is None:
        return Ranked(record, 0.0)
    text = "\n".join([record.text, *record.keys.values()])
    return Ranked(record, ranking.score, match_words(set(terms(text)), asked), ranking.parts)


def _snapshot(store: LearningStore, scope: Scope, ranked: Iterable[Ranked]) -> RankedSnapshot:
    """Return the records in the order they were said, without what has expired."""
    now = datetime.now(UTC)
    order = [each for each in ranked if each.record.expires_at is None or each.record.expires_at > now]
    order.sort(key=lambda each: -each.score)
    records = sorted((each.record for each in order), key=_age)
    return RankedSnapshot(store, scope, tuple(records), order=tuple(order))


def _age(record: Record) -> tuple[str, int, str]:
    return (record.created_at.isoformat(), record.place or 0, record.id)


def without(snapshot: RankedSnapshot, thread_id: str | None, messages: frozenset[str]) -> RankedSnapshot:
    """Return the snapshot without what the model is shown anyway: these messages of the thread."""
    if snapshot.order is None or not messages:
        return snapshot
    shown = {
        record.id
        for record in snapshot.records
        if record.source.thread_id == thread_id and not messages.isdisjoint(record.source.message_ids)
    }
    return replace(
        snapshot,
        records=tuple(record for record in snapshot.records if record.id not in shown),
        order=tuple(each for each in snapshot.order if each.record.id not in shown),
    )
