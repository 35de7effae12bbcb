"""Checks of an answer: what a task expects of its text."""

from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

from langgraph_learning.words import fold, words

Check: TypeAlias = Callable[[str], bool | float]
"""A function that judges the text of an answer: true, false, or a share from 0 to 1."""


def contains(*expected: str) -> Check:
    """Return a check that an answer contains all these texts; case, accents and spaces do not count."""
    folded = [" ".join(fold(text).split()) for text in expected]
    return lambda answer: all(text in " ".join(fold(answer).split()) for text in folded)


def exact(*expected: str) -> Check:
    """Return a check that an answer has exactly the words of one of these texts."""
    word_lists = [words(text) for text in expected]
    return lambda answer: words(answer) in word_lists


def f1(*expected: str) -> Check:
    """Return a check of how well the words of an answer match one of these texts (token F1)."""
    word_counts = [Counter(words(text)) for text in expected]
    return lambda answer: max((_f1(Counter(words(answer)), counts) for counts in word_counts), default=0.0)


def _f1(answer: Counter[str], expected: Counter[str]) -> float:
    shared = (answer & expected).total()
    return 2 * shared / (answer.total() + expected.total()) if shared else 0.0
