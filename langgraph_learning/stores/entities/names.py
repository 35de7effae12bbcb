"""Names and types of entities in any script: which are the same, and which names a text mentions."""

import re
import unicodedata
from functools import lru_cache

from langgraph_learning.words import STOP_WORDS, fold, fold_letters, normalize

UNKNOWN = "unknown"
"""The type of an entity that only a relationship has named so far."""
TYPES = frozenset("person project company organisation organization team system product service place".split())
"""Types that may qualify a name (`project/radar`) before an entity of the type exists."""

_SINGULAR = {
    "people": "person",
    "persons": "person",
    "projects": "project",
    "companies": "company",
    "systems": "system",
    "products": "product",
}
_ACCENT = re.compile("[\u0300-\u036f]")
# Scripts without spaces, or with particles attached to names: Thai to Myanmar, Kana, Han, Hangul.
_UNSPACED_LETTERS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uac00-\ud7af"
_UNSPACED = re.compile(f"[{_UNSPACED_LETTERS}]")
_OPTIONAL_SPACE = re.compile(f"(?<=[{_UNSPACED_LETTERS}])-(?=[{_UNSPACED_LETTERS}])")


def one_line(text: str) -> str:
    """Return `text` with its spaces collapsed."""
    return " ".join(text.split())


@lru_cache(maxsize=20_000)
def slug(name: str) -> str:
    """Return the identifying form of a name: case, accents and punctuation folded, but `C++` and `C#` kept."""
    return _slug(name)


@lru_cache(maxsize=4)
def _fold_text(text: str) -> str:
    """Return the folded text; cached, because a text is long and searched for every known name."""
    return _join_spaces(text)


@lru_cache(maxsize=20_000)
def _fold_name(name: str) -> str:
    """Return what two spellings of a name share; spaces and their marks do not count in scripts that may omit them.

    Unlike `slug`, it is never stored.
    """
    return _join_spaces(name)


def _join_spaces(text: str) -> str:
    return _OPTIONAL_SPACE.sub("", _slug(fold_letters(text)))


def _slug(name: str) -> str:
    letters = "".join(_keep_letter(c) for c in fold(name))
    joined = re.sub("-+", "-", letters).strip("-")
    return joined if any(c.isalnum() for c in joined) else ""


def _keep_letter(c: str) -> str:
    if c.isalnum() or c in "+#" or unicodedata.category(c)[0] == "M":
        return c
    return "" if unicodedata.category(c) == "Cf" else "-"


def same_name(first: str, second: str) -> bool:
    """Return whether two names are the same: a missing accent may stand for any accent, a different one may not."""
    if not slug(first) or _fold_name(first) != _fold_name(second):
        return False
    return all(
        a == b or (letter != "и" and "" in (a, b))  # й is a letter of its own
        for (letter, a), (_, b) in zip(_accents(first), _accents(second), strict=False)
    )


def _accents(name: str) -> list[tuple[str, str]]:
    """Return the letters of a name, each with its accents."""
    accented: list[tuple[str, str]] = []
    for c in normalize("NFKD", normalize("NFKD", name).casefold()):
        if _ACCENT.match(c):
            accented[-1:] = [(letter, accents + c) for letter, accents in accented[-1:]]
        elif c.isalnum():
            accented.append((c, ""))
    return accented


def normalize_name(name: str) -> str:
    """Return a name in one spelling that keeps its accents."""
    return normalize("NFKC", one_line(name)).casefold()


def normal_type(text: str | None) -> str:
    """Return a type in one spelling and number; an empty type is unknown."""
    words = fold(text or "").replace("_", " ").replace("-", " ").split()
    joined = " ".join(words)
    return _SINGULAR.get(joined, joined) or UNKNOWN


def mergeable(first: str, second: str) -> bool:
    """Return whether entities of these types may be the same; two different known types never are."""
    return first == second or UNKNOWN in (first, second)


def mentions(text: str, name: str) -> bool:
    """Return whether `text` mentions `name`: between word boundaries, or anywhere in scripts without spaces."""
    name_words, folded = _fold_name(name), _fold_text(text)
    if not name_words or name_words not in folded or (len(name_words) == 1 and _UNSPACED.match(name_words)):
        return False
    # Names such as The Who, It, Will.
    if name_words in STOP_WORDS and not re.search(rf"\b{re.escape(one_line(name))}\b", text):
        return False
    places = (match.start() for match in re.finditer(f"(?={re.escape(name_words)})", folded))
    return any(
        _apart(folded[place - 1 : place], name_words[0])
        and _apart(folded[place + len(name_words) :][:1], name_words[-1])
        for place in places
    )


def _apart(beside: str, edge: str) -> bool:
    """Return whether the character beside a name does not belong to its word."""
    return beside in ("", "-") or bool(_UNSPACED.match(beside) or _UNSPACED.match(edge))
