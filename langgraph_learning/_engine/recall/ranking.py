"""Rank records by how well they fit a text: BM25 over the records that were read, combined with the store's scores."""

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, pstdev

from langgraph_learning._engine.maintenance.votes import Tally
from langgraph_learning.records import Record
from langgraph_learning.scoring import DENSE, LEXICAL, bm25, scale, term_weights
from langgraph_learning.stores import Ranked
from langgraph_learning.words import QueryTerm, query_terms, terms

SWAY = 0.5
"""The largest part of a score that votes may add or take away."""


def rank_records(
    records: Sequence[Record],
    query: str,
    scores: Mapping[str, float] | None = None,
    *,
    final: bool = False,
    votes: Mapping[str, Tally] | None = None,
) -> list[Ranked]:
    """Return `records` with their scores, the best first; of equal scores the newest first.

    Args:
        records: The records to rank.
        query: The text to compare them with.
        scores: The scores of the store's own search, by record id.
        final: Whether to use `scores` as they are. A store that searches words itself has counted them over all its
            records, so its scores are better than those computed here.
        votes: How often each record was found helpful, and how often harmful, by record id.
    """
    asked = query_terms(query)
    given = scores or {}
    # With final scores, a record without a score has no word of the query: do not look for matches in it.
    texts = [Counter(terms(record.text)) if given.get(record.id) or not final else Counter[str]() for record in records]
    if final:
        every = [{"search": given.get(record.id, 0.0)} for record in records]
    else:
        every = _rank_here(records, texts, Counter(term.term for term in asked), given)
    ranked = [
        apply_vote(Ranked(record, round(sum(parts.values()), 9), match_words(text, asked), parts), votes or {})
        for record, text, parts in zip(records, texts, every, strict=True)
    ]
    newest_first = sorted(ranked, key=lambda item: (item.record.updated_at, item.record.id), reverse=True)
    return sorted(newest_first, key=lambda item: -item.score)


def score_texts(texts: Sequence[Counter[str]], query: str) -> list[float]:
    """Return the BM25 score of each text for `query`; a text is given as the counts of its terms."""
    return _bm25(texts, Counter(term.term for term in query_terms(query)))


def match_words(text: Container[str], asked: Sequence[QueryTerm]) -> tuple[str, ...]:
    """Return the words of a query that a text contains in any inflection, each once."""
    # Reversed, so that of two words with the same term the first one stays; then reversed back.
    matches = {term.term: term.word for term in reversed(asked) if term.term in text}
    return tuple(dict.fromkeys(reversed(matches.values())))


def blend_with_nearest(records: Sequence[Record], query: str, nearest: Sequence[str]) -> dict[str, float]:
    """Return scores from 0 to 1 by record id: half for the words, half for the position in `nearest`.

    `nearest` has ids, the nearest first. Its order is used and not its scores, because some vector stores return
    similarities and others distances.
    """
    lexical = {item.record.id: item.score for item in rank_records(records, query)}
    best = max(lexical.values(), default=0.0) or 1.0
    places = {key: 1 - place / len(nearest) for place, key in enumerate(nearest)}
    return {key: (score / best + places.get(key, 0.0)) / 2 for key, score in lexical.items()}


def apply_vote(ranked: Ranked, votes: Mapping[str, Tally]) -> Ranked:
    """Return a record with its score after the votes on it: helpful ones raise the score, harmful ones lower it.

    Votes change a score by at most half of it, so a record that does not fit is not shown because of its votes.
    """
    if ranked.record.id not in votes:
        return ranked
    helpful, harmful = votes[ranked.record.id]
    opinion = (helpful - harmful) / (helpful + harmful + 2)  # between -1 and 1; the 2 keeps it near 0 for few votes
    sway = round(SWAY * opinion * abs(ranked.score), 9)
    parts = {**ranked.parts, "votes": sway}
    return replace(ranked, score=round(ranked.score + sway, 9), votes=(helpful, harmful), parts=parts)


def _rank_here(
    records: Sequence[Record], texts: Sequence[Counter[str]], asked: Counter[str], scores: Mapping[str, float]
) -> list[dict[str, float]]:
    lexical = _bm25(texts, asked)
    if scores:
        return _fuse(lexical, [scores.get(record.id) for record in records])
    return [{"words": score} for score in lexical]


def _bm25(texts: Sequence[Counter[str]], asked: Counter[str]) -> list[float]:
    if not texts:
        return []
    weights = term_weights(asked, texts)
    mean_length = fmean(text.total() for text in texts) or 1.0
    return [bm25(text, weights, mean_length) for text in texts]


def _fuse(lexical: list[float], given: list[float | None]) -> list[dict[str, float]]:
    """Add the weighted standardised scores; a record that the store's search did not return gets its worst score."""
    worst = min(score for score in given if score is not None)
    dense = _standardise([worst if score is None else score for score in given])
    pairs = zip(_standardise(lexical), dense, strict=True)
    return [{"words": LEXICAL * one, "meaning": DENSE * other} for one, other in pairs]


def _standardise(scores: list[float]) -> list[float]:
    mean, spread = fmean(scores), scale(pstdev(scores))
    return [(score - mean) / spread for score in scores]
