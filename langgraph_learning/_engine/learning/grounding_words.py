"""The word lists of `grounding_words.toml`, and comparing texts by meaning.

Words are compared in one spelling, by their stems and beginnings, and by groups of words with much the same meaning.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from langgraph_learning.words import fold, stem, words


@dataclass(frozen=True)
class Vocabulary:
    """The terms of some texts, for lookup by spelling, by beginning, and by meaning."""

    terms: frozenset[str]
    stems: Mapping[str, tuple[str, ...]] = field(repr=False)
    concepts: frozenset[int] = frozenset()

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Vocabulary":
        """Return the vocabulary of texts."""
        vocabulary = frozenset(term for text in texts for term in statement_terms(text))
        stems: dict[str, list[str]] = {}
        for term in vocabulary:
            stems.setdefault(term[:3], []).append(term)
        concepts = frozenset(number for term in vocabulary for number in concepts_of(term))
        return cls(vocabulary, {beginning: tuple(listed) for beginning, listed in stems.items()}, concepts)

    def holds(self, term: str) -> bool:
        """Return whether a term, or another form of the word, is in the vocabulary."""
        return term in self.terms or any(_is_form(term, candidate) for candidate in self.stems.get(term[:3], ()))

    def means(self, term: str) -> bool:
        """Return whether a term, or one with much the same meaning, is in the vocabulary."""
        return self.holds(term) or not self.concepts.isdisjoint(concepts_of(term))


def significant_terms(text: str) -> list[str]:
    """Return the terms that tell one statement about a user from another."""
    significant = [
        term for term in dict.fromkeys(statement_terms(text)) if len(term) > 1 or not term.isascii() or term.isdigit()
    ]
    return [term for term in significant if term not in list_terms("generic")] or significant


def statement_terms(text: str) -> list[str]:
    """Return the words of a text in one spelling: English words without endings, scripts without spaces as pairs.

    This differs from the terms of the search. The search guesses the language of a line, and a statement and the words
    it rests on may be in two languages.
    """
    return [stem(word) for word in words(text)]


def _is_form(first: str, second: str) -> bool:
    """Return whether two terms are likely forms of one word: they share most of their letters, from the first on."""
    shared = 0
    for left, right in zip(first, second, strict=False):
        if left != right:
            break
        shared += 1
    return shared >= (4 if first.isascii() else 3) and shared >= 0.6 * max(len(first), len(second))


@cache
def word_lists() -> Mapping[str, Any]:
    """Return the word lists of `grounding_words.toml`."""
    return tomllib.loads(resources.files(__package__).joinpath("grounding_words.toml").read_text("utf-8"))


@cache
def list_terms(name: str) -> frozenset[str]:
    """Return the terms of a word list."""
    return frozenset(statement_terms(word_lists()[name]))


@cache
def fold_words(name: str) -> frozenset[str]:
    """Return the words of a word list unchanged, in one spelling."""
    return frozenset(fold(word_lists()[name]).split())


def concepts_of(term: str) -> tuple[int, ...]:
    """Return the groups of meaning of a term, with or without an ending: "kurze" is in the groups of "kurz"."""
    forms = [term, *(term[:-cut] for cut in (1, 2) if len(term) - cut >= 4)]
    return next((groups for form in forms if (groups := _concepts().get(form))), ())


@cache
def _concepts() -> Mapping[str, tuple[int, ...]]:
    """Return the groups of each term."""
    groups: dict[str, list[int]] = {}
    for number, line in enumerate(word_lists()["concepts"].strip().splitlines()):
        for term in dict.fromkeys(statement_terms(line)):
            groups.setdefault(term, []).append(number)
    return {term: tuple(numbers) for term, numbers in groups.items()}
