"""Search by a query: BM25 over the words of the scope, combined with vectors if there are any.

Each kind of score is divided by its spread over the best candidates, then the two are added (z-scores, measured from
the lowest score instead of the mean: the order is the same, and no score is below zero). Items that do not match
follow, newest first, so that the pages cover the whole scope.
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from langgraph.store.base import SearchOp
from numpy.typing import NDArray

from langgraph_learning.checkpointers._store.dialect import EVERYTHING, SCORES, Floats, Row, Scores
from langgraph_learning.checkpointers._store.embedding import Vectors
from langgraph_learning.checkpointers._store.reading import ID, Page, SearchScope, browse
from langgraph_learning.checkpointers._store.writing import index_query_terms
from langgraph_learning.scoring import DENSE, LEXICAL, bm25, scale, term_weights

EXACT_UP_TO = 50_000  # with more items in scope, the index of vectors is used
CANDIDATES = 200  # the best of each kind; fixed, because with another number the pages would not fit together


def search(scope: SearchScope, op: SearchOp, vectors: Vectors) -> Page:
    """Return the page that a search asks for: ranked by its query, or newest first if it has none."""
    if not op.query:
        return browse(scope, op.limit, op.offset)
    return rank(scope, op.query, vectors.queries.get(op.query), op.limit, op.offset)


def rank(scope: SearchScope, query: str, vector: Floats | None, limit: int, offset: int) -> Page:
    """Return a page of the scope, ranked by relevance to `query`."""
    words = Counter(index_query_terms(query))
    if scope.revision is not None:
        return _rank_as_of(scope, words, limit, offset)
    if vector is None:
        return _rank_words(scope, words, limit, offset)
    return _rank_both(scope, words, vector, limit, offset)


def _word_params(words: Counter[str]) -> dict[str, object]:
    return {"terms": list(words), "times": list(words.values())}


def _with_scores(rows: Sequence[Row]) -> list[tuple[Row, float | None]]:
    return [(row[:-1], row[-1]) for row in rows]


def _rank_words(scope: SearchScope, words: Counter[str], limit: int, offset: int) -> Page:
    asked = _word_params(words)
    rows = scope.rows("rank_words", **asked, limit=limit, offset=offset) if words else []
    page_rows = _with_scores(rows)
    if len(page_rows) == limit:
        return Page(page_rows)
    # The matches end on this page, or before it.
    ids = [item for (item,) in scope.rows("matching", **asked)] if words and offset else [row[ID] for row in rows]
    return Page(page_rows + _newest(scope, ids, limit - len(page_rows), offset))


def _rank_both(scope: SearchScope, words: Counter[str], vector: Floats, limit: int, offset: int) -> Page:
    ids, fused, by_words = _fuse(*_find_candidates(scope, words, vector))
    page = ids[offset : offset + limit].tolist()
    rows = scope.session.rows("get_by_id", {"ids": page})
    page_rows: list[tuple[Row, float | None]] = list(zip(rows, fused[offset : offset + limit].tolist(), strict=True))
    if len(page_rows) < limit:
        page_rows += _newest(scope, ids.tolist(), limit - len(page_rows), offset)
    return Page(page_rows, by_words[offset : offset + limit].tolist())


def _newest(scope: SearchScope, ids: list[int], limit: int, offset: int) -> list[tuple[Row, float | None]]:
    """Return the rest of a page after the items named in `ids`, which match better: the other items, newest first."""
    rows = scope.rows("browse", ids=ids, limit=limit, offset=max(0, offset - len(ids)))
    return [(row, 0.0) for row in rows]


def _find_candidates(scope: SearchScope, words: Counter[str], vector: Floats) -> tuple[Scores, Scores]:
    """Return the scores of words and of vectors; in a large scope, only for the best items of either kind."""
    [(size,)] = scope.rows("count_items")
    asked, query = _word_params(words), {"query": scope.session.vector(vector), "candidates": CANDIDATES}
    if size <= EXACT_UP_TO:
        lexical = _scores(scope, "score_words", ids=[], candidates=EVERYTHING, **asked)
        return lexical, best_of_each(_scores(scope, "score_vectors", **query))
    dense = _find_nearest(scope, query)
    lexical = _scores(scope, "score_words", ids=dense["item"].tolist(), candidates=CANDIDATES, **asked)
    others = np.setdiff1d(lexical["item"], dense["item"]).tolist()
    return lexical, np.concatenate([dense, best_of_each(_scores(scope, "score_these", ids=others, **query))])


def _find_nearest(scope: SearchScope, query: dict[str, object]) -> Scores:
    """Return the nearest items by the index; if a filter leaves too few of them, compare all exactly."""
    nearest = best_of_each(_scores(scope, "score_nearest", **query))
    if len(nearest) < CANDIDATES // 2:
        nearest = best_of_each(_scores(scope, "score_vectors", **query))
    return nearest[np.argsort(-nearest["score"], kind="stable")[:CANDIDATES]]


def _scores(scope: SearchScope, name: str, **params: object) -> Scores:
    return scope.session.scores(name, {**scope.params, **params}, where=scope.where, visible=scope.visible)


def best_of_each(scores: Scores) -> Scores:
    """Return each item once, with its best score: an item may have several vectors."""
    ids, place = np.unique(scores["item"], return_inverse=True)
    best = np.zeros(len(ids), dtype=SCORES)
    best["item"], best["score"] = ids, -np.inf
    np.maximum.at(best["score"], place, scores["score"])
    return best


def _fuse(lexical: Scores, dense: Scores) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the candidates, best first, their total scores, and the part from words; ties go by item, oldest first.

    The spread is measured over the best of each kind, in a small scope too: all the other items would hide the
    differences between the best ones.
    """
    ids = np.union1d(lexical["item"], dense["item"]).astype(np.int64)
    kinds = ((LEXICAL, lexical, 0.0), (DENSE, dense, dense["score"].min(initial=1.0)))
    places = [np.searchsorted(ids, scores["item"]) for _, scores, _ in kinds]
    best = np.zeros(len(ids), dtype=bool)
    for place, (_, scores, _) in zip(places, kinds, strict=True):
        best[place[_is_best(scores["score"])]] = True
    parts = []
    for place, (weight, scores, lowest) in zip(places, kinds, strict=True):
        column = np.full(len(ids), lowest)
        column[place] = scores["score"]
        spread = column[best].std() if len(scores) else 0.0
        parts.append(weight * (column - lowest) / scale(spread))
    total = np.round(sum(parts), 9)
    order = np.argsort(-total, kind="stable")
    return ids[order], total[order], parts[0][order]


def _is_best(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which scores are among the best, including ties with the last of them."""
    if len(scores) <= CANDIDATES:
        return np.ones(len(scores), dtype=bool)
    last = np.partition(scores, -CANDIDATES)[-CANDIDATES]
    return np.asarray(scores >= last)


def _rank_as_of(scope: SearchScope, words: Counter[str], limit: int, offset: int) -> Page:
    """Rank the items of a revision; old versions have no index, so their stored terms are read."""
    rows = scope.rows("scan_as_of")
    documents = [row[-3].split() for row in rows if row[-3] is not None]
    weights = term_weights(words, documents)
    mean = max(sum(map(len, documents)) / max(len(documents), 1), 1.0)
    ranked = []
    for row in rows:
        *columns, stored, recorded_from, matches = row
        if matches:
            item = columns[-1]
            score = _round(bm25(Counter((stored or "").split()), weights, mean))
            order = (-score, item, 0) if score else (0.0, -recorded_from, -item)
            ranked.append((order, tuple(columns), score))
    ranked.sort(key=lambda entry: entry[0])
    return Page([(columns, score) for _, columns, score in ranked[offset : offset + limit]])


def _round(score: float) -> float:
    """Round as the SQL statements do, so that a search of the past ranks as it did then."""
    return math.floor(score * 1e9 + 0.5) / 1e9


def as_scores(rows: Sequence[Row]) -> Scores:
    """Return pairs of item and score as an array."""
    return np.array(rows, dtype=SCORES) if rows else np.empty(0, dtype=SCORES)
