"""How text becomes words, in one place, so that recall and every store agree on what a word is.

English words are stemmed (Snowball) and stop words dropped; words of other alphabets are kept as they are;
scripts without spaces (Chinese, Japanese, Thai, ...) become overlapping pairs of characters.
"""

import math
import re
import threading
import unicodedata
from functools import lru_cache

import snowballstemmer


class _Stemmers(threading.local):
    """One stemmer a thread: it keeps the word it works on in itself."""

    def __init__(self) -> None:
        self.english = snowballstemmer.stemmer("english")


_STEMMERS = _Stemmers()

LONGEST_WORD = 64
STOP_WORDS = frozenset(
    "a an the and or but if then of to in on at by for with from as is are was were be been being am do does did doing"
    " have has had having it its this that these those i you he she we they me him her us them my your his our their"
    " what which who whom when where why how will would can could should may might must not no so than too very".split()
)

_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "＇": "'"})
_POSSESSIVE = re.compile(r"'s\b")
_WORD = re.compile(r"\w+")
# Scripts written without spaces: Han, Hiragana, Katakana, Thai, Lao, Khmer, Myanmar.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]+"
)


def fold(text: str) -> str:
    """Return `text` in one spelling: compatibility forms, case, accents and apostrophes folded."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES)).casefold()
    # Only marks of Latin, Greek and Cyrillic letters fall away: elsewhere a mark is a vowel.
    kept = "".join(c for c in decomposed if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", kept)


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Return the English Snowball stem of an ASCII `word`, any other word unchanged."""
    # No English word is that long, and stemming what is (a key, an image in base64) takes the square of its length.
    return str(_STEMMERS.english.stemWord(word)) if word.isascii() and len(word) <= LONGEST_WORD else word


def words(text: str) -> list[str]:
    """Return the folded words of `text` in order, unspaced scripts as pairs of characters."""
    found: list[str] = []
    for word in _WORD.findall(_POSSESSIVE.sub("", fold(text))):
        end = 0
        for run in _UNSPACED.finditer(word):
            found += [word[end : run.start()]] if run.start() > end else []
            pairs = [run[0][i : i + 2] for i in range(len(run[0]) - 1)]
            found += pairs or [run[0]]
            end = run.end()
        found += [word[end:]] if end < len(word) else []
    return found


def terms(text: str) -> list[str]:
    """Return what `text` is indexed and searched by: its words, stop words out, English words stemmed."""
    return [stem(word) for word in words(text) if word not in STOP_WORDS]


# Words that carry nothing in a statement about a user; "no", "over", "than", "for", tenses and the like are not here.
_FILLER = frozenset("a an the and of in on at as is are am be that which i my me we our us you your user users".split())
_DIRECTED = frozenset(map(stem, "over than before after from to for with by into not no never instead rather".split()))


def same_statement(one: str, other: str) -> bool:
    """Return whether two statements say the same in (nearly) the same words.

    Spelling, case, punctuation, filler words and harmless word order do not count. Numbers, negations and tenses do,
    and so does the order of names and of what stands around a comparison: "Rust over Go" is not "Go over Rust".
    """
    if _SYMBOLS.findall(fold(one)) != _SYMBOLS.findall(fold(other)):
        return False
    a, b = _significant(one), _significant(other)
    if a == b:
        return bool(a) or fold(one).strip() == fold(other).strip()
    directed = _DIRECTED.intersection(a)
    return not directed and sorted(a) == sorted(b) and _names(one) == _names(other)


def statement_key(text: str) -> tuple[str, ...]:
    """Return what is equal for any two texts that `same_statement` takes for one, to find them by."""
    return tuple(sorted(_significant(text))) or (fold(text).strip(),)


# What tells C, C++ and C# apart.
_SYMBOLS = re.compile(r"\w[+#]+(?!\w)")


@lru_cache(maxsize=20_000)
def _significant(text: str) -> tuple[str, ...]:
    return tuple(stem(word) for word in words(text) if word not in _FILLER)


def _names(text: str) -> list[str]:
    """The capitalised words of a sentence in order, the opening one left out: any word is capital there."""
    return [word for word in _WORD.findall(text)[1:] if word[0].isupper()]


def tokens(text: str) -> int:
    """Estimate the tokens of `text`, rather too many than too few: four ASCII characters, or one other, are one."""
    wide = 0 if text.isascii() else sum(not c.isascii() for c in text)
    return math.ceil((len(text) - wide) / 4) + wide
