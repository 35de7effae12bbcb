"""How well a text fits a query: BM25, and its blend with the score of another search.

Recall ranks records at hand with it, the stores rank what they hold; SQL takes the same constants. They were measured
on conversations: fusing by equal-weight reciprocal ranks loses to BM25 alone.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

K1, B = 0.9, 0.4
"""How soon a repeated term stops counting, and how much the length of a text counts."""
LEXICAL, DENSE = 0.7, 0.3
"""The weight of words, and of the other search's score, usually that of vectors."""


def term_weights(asked: Mapping[str, int], texts: Sequence[Collection[str]]) -> dict[str, float]:
    """Return the weight of each term that `texts` hold: rare ones count more, and those asked for twice double."""
    holding = Counter(term for text in texts for term in set(text) if term in asked)
    total = len(texts)
    return {term: asked[term] * math.log(1 + (total - count + 0.5) / (count + 0.5)) for term, count in holding.items()}


def bm25(text: Counter[str], weights: Mapping[str, float], mean_length: float) -> float:
    """Return how well `text` fits the terms of `weights`."""
    norm = K1 * (1 - B + B * text.total() / mean_length)
    return sum(weight * text[term] / (text[term] + norm) for term, weight in weights.items() if term in text)


def scale(spread: float) -> float:
    """Return what to divide scores by before they are added to those of another kind; equal scores stay as they are."""
    return spread if spread > 1e-9 else 1.0
