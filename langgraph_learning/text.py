"""How text becomes words, in one place, so that recall and every store agree on what a word is.

English words are stemmed (Snowball) and stop words dropped; words of other alphabets are kept as they are;
scripts without spaces (Chinese, Japanese, Thai, ...) become overlapping pairs of characters.
"""

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
    return str(_STEMMERS.english.stemWord(word)) if word.isascii() else word


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
