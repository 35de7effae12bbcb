"""Checks of an answer: what a task expects of its text."""

from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

from langgraph_learning.text import fold, words

Check: TypeAlias = Callable[[str], bool | float]
"""Says of the text of an answer whether it is right, or to which share from 0 to 1."""


def contains(*expected: str) -> Check:
    """Return a check that an answer holds all of these texts; case, accents and spaces do not count."""
    wanted = [" ".join(fold(text).split()) for text in expected]
    return lambda answer: all(text in " ".join(fold(answer).split()) for text in wanted)


def exact(*expected: str) -> Check:
    """Return a check that an answer has the words of one of these texts, and no others."""
    wanted = [words(text) for text in expected]
    return lambda answer: words(answer) in wanted


def f1(*expected: str) -> Check:
    """Return a check of how well the words of an answer fit one of these texts, as questions about texts are judged."""
    wanted = [Counter(words(text)) for text in expected]
    return lambda answer: max((_f1(Counter(words(answer)), each) for each in wanted), default=0.0)


def _f1(given: Counter[str], wanted: Counter[str]) -> float:
    shared = (given & wanted).total()
    return 2 * shared / (given.total() + wanted.total()) if shared else 0.0
