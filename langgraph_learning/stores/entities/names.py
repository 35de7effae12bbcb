"""Names and types of entities in any script: which are the same, and which of them a text speaks of."""

import re
import unicodedata
from functools import lru_cache

from langgraph_learning.text import STOP_WORDS, fold, fold_letters, normalize

UNKNOWN = "unknown"
"""The type of an entity that only a relationship has named so far."""
TYPES = frozenset("person project company organisation organization team system product service place".split())
"""Types that may qualify a name (`project/radar`) before there is an entity of the type."""

_SINGULAR = {
    "people": "person",
    "persons": "person",
    "projects": "project",
    "companies": "company",
    "systems": "system",
    "products": "product",
}
_ACCENT = re.compile("[\u0300-\u036f]")
# Written without spaces, or with particles stuck to the name: Thai to Myanmar, Kana, Han, Hangul.
_UNSPACED_LETTERS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uac00-\ud7af"
_UNSPACED = re.compile(f"[{_UNSPACED_LETTERS}]")
_OPTIONAL_SPACE = re.compile(f"(?<=[{_UNSPACED_LETTERS}])-(?=[{_UNSPACED_LETTERS}])")


def one_line(text: str) -> str:
    """Return `text` with its spaces collapsed."""
    return " ".join(text.split())


@lru_cache(maxsize=20_000)
def slug(name: str) -> str:
    """Return what identifies a name: case, accents and punctuation folded, `C`, `C++` and `C#` apart; "" of none."""
    return _slug(name)


@lru_cache(maxsize=4)
def _fold_text(text: str) -> str:
    """A text is long, and asked about for every name that is known."""
    return _join_spaces(text)


@lru_cache(maxsize=20_000)
def _fold_name(name: str) -> str:
    """What two spellings of a name have in common: not the spaces of scripts that may leave them out, nor their marks.

    Unlike `slug` nothing that is stored follows from it.
    """
    return _join_spaces(name)


def _join_spaces(text: str) -> str:
    return _OPTIONAL_SPACE.sub("", _slug(fold_letters(text)))


def _slug(name: str) -> str:
    kept = "".join(_keep_letter(c) for c in fold(name))
    found = re.sub("-+", "-", kept).strip("-")
    return found if any(c.isalnum() for c in found) else ""


def _keep_letter(c: str) -> str:
    if c.isalnum() or c in "+#" or unicodedata.category(c)[0] == "M":
        return c
    return "" if unicodedata.category(c) == "Cf" else "-"


def same_name(one: str, other: str) -> bool:
    """Whether two names are one: a missing accent counts as the accent, another accent does not."""
    if not slug(one) or _fold_name(one) != _fold_name(other):
        return False
    return all(
        a == b or (letter != "и" and "" in (a, b))  # й is a letter of its own
        for (letter, a), (_, b) in zip(_accents(one), _accents(other), strict=False)
    )


def _accents(name: str) -> list[tuple[str, str]]:
    """The letters of a name, each with its accents."""
    found: list[tuple[str, str]] = []
    for c in normalize("NFKD", normalize("NFKD", name).casefold()):
        if _ACCENT.match(c):
            found[-1:] = [(letter, accents + c) for letter, accents in found[-1:]]
        elif c.isalnum():
            found.append((c, ""))
    return found


def normalize_name(name: str) -> str:
    """Return a name in one spelling that keeps its accents."""
    return normalize("NFKC", one_line(name)).casefold()


def normal_type(text: str | None) -> str:
    """Return a type in one spelling: people are persons, and nothing is unknown."""
    words = fold(text or "").replace("_", " ").replace("-", " ").split()
    found = " ".join(words)
    return _SINGULAR.get(found, found) or UNKNOWN


def mergeable(one: str, other: str) -> bool:
    """Whether entities of these types can be one: two named types never are."""
    return one == other or UNKNOWN in (one, other)


def mentions(text: str, name: str) -> bool:
    """Whether `text` speaks of `name`: on word boundaries, and anywhere in scripts that are written without spaces."""
    wanted, heard = _fold_name(name), _fold_text(text)
    if not wanted or wanted not in heard or (len(wanted) == 1 and _UNSPACED.match(wanted)):
        return False
    if wanted in STOP_WORDS and not re.search(rf"\b{re.escape(one_line(name))}\b", text):  # The Who, It, Will
        return False
    places = (found.start() for found in re.finditer(f"(?={re.escape(wanted)})", heard))
    return any(
        _apart(heard[place - 1 : place], wanted[0]) and _apart(heard[place + len(wanted) :][:1], wanted[-1])
        for place in places
    )


def _apart(beside: str, edge: str) -> bool:
    """Whether the character beside a name does not belong to its word."""
    return beside in ("", "-") or bool(_UNSPACED.match(beside) or _UNSPACED.match(edge))
