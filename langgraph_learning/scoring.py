"""Scores of how well a text fits a query: BM25, and its combination with the score of another search.

Recall ranks the records it has read with it, and the stores rank what they hold; the SQL uses the same constants. They
were measured on conversations: combining by reciprocal ranks with equal weights is worse than BM25 alone.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

K1, B = 0.9, 0.4
"""How soon a repeated term stops counting, and how much the length of a text counts."""
LEXICAL, DENSE = 0.7, 0.3
"""The weight of words, and that of the other search's score, usually from vectors."""


def term_weights(asked: Mapping[str, int], texts: Sequence[Collection[str]]) -> dict[str, float]:
    """Return the weight of each term in `texts`: rare terms count more, and repeated query terms twice."""
    holding = Counter(term for text in texts for term in set(text) if term in asked)
    total = len(texts)
    return {term: asked[term] * math.log(1 + (total - count + 0.5) / (count + 0.5)) for term, count in holding.items()}


def bm25(text: Counter[str], weights: Mapping[str, float], mean_length: float) -> float:
    """Return the score of `text` for the terms of `weights`."""
    norm = K1 * (1 - B + B * text.total() / mean_length)
    return sum(weight * text[term] / (text[term] + norm) for term, weight in weights.items() if term in text)


def scale(spread: float) -> float:
    """Return the divisor that makes scores comparable with those of another kind; equal scores stay unchanged."""
    return spread if spread > 1e-9 else 1.0
