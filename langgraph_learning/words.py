"""Splitting text into words, in one place, so that recall and every store agree on what a word is.

A text is found by its `terms`: its words without stop words, each reduced to its stem in the language of its line.
Scripts without spaces (Chinese, Japanese, Thai, ...) become overlapping pairs of characters, and an emoji is a word. A
query is often too short to show its language: `query_terms` gives each word the stems of all languages it may belong
to, unless the query is certainly English.
"""

import math
import re
import unicodedata
from collections import Counter
from functools import lru_cache
from importlib.metadata import version
from typing import NamedTuple

from langgraph_learning.languages import ENGLISH, Guess, guess_language, stop_words
from langgraph_learning.stemming import LATIN, LONGEST_WORD, alike, pairs, script_language, snowball, stems

STOP_WORDS = frozenset(
    "a an the and or but if then of to in on at by for with from as is are was were be been being am do does did doing"
    " have has had having it its this that these those i you he she we they me him her us them my your his our their"
    " what which who whom when where why how will would can could should may might must not no so than too very".split()
)

_ANALYSIS = 2
"""A counter that goes up with every change of what `terms` returns; each database is then indexed again."""

_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "＇": "'"})
_INVISIBLE = str.maketrans(dict.fromkeys("\u00ad\u200b\u2060\ufeff"))
_POSSESSIVE = re.compile(r"'s\b")
_WORD = re.compile(r"\w+")
# Scripts written without spaces: Han, Hiragana, Katakana, Thai, Lao, Khmer, Myanmar.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_HANGUL = "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"
# In many scripts a mark is a vowel in the middle of a word, but `\w` does not match it.
_MARKS = "".join(
    letter
    for letter in map(chr, (*range(0x300, 0x1E00), *range(0xA800, 0xAC00)))
    if unicodedata.category(letter)[0] == "M"
)
_EMOJI = "[\U0001f1e6-\U0001f1ff]{2}|[\u2600-\u27bf\u2b50\u2b55\U0001f300-\U0001f3fa\U0001f400-\U0001faff]"
_TOKEN = re.compile(rf"\w[\w{_MARKS}]*|{_EMOJI}")
_RUN = re.compile(f"(?P<unspaced>[{_UNSPACED}]+)|(?P<hangul>[{_HANGUL}]+)|[^{_UNSPACED}{_HANGUL}]+")

# Unicode's "stream-safe" limit: no script stacks more marks, and sorting more takes quadratic time.
_MOST_MARKS = 30
_LONG_RUN = re.compile(rf"[^\w\s\x00-\x7f]{{{_MOST_MARKS + 1},}}")

# Letters that are written for one another, and marks that writers may omit.
_LETTERS = str.maketrans(
    {
        **dict(zip("łøđħıŀðþ", "lodhildt", strict=True)),
        **{"æ": "ae", "œ": "oe"},
        **dict(zip("أإآٱىیةۀکؤئ", "اااايیههكوي".replace("ی", "ي"), strict=True)),
        **dict(zip("ךםןףץ", "כמנפצ", strict=True)),
        **dict.fromkeys(map(chr, (0x0640, 0x0670, *range(0x064B, 0x0656), *range(0x0591, 0x05BE))), ""),
        **dict.fromkeys(map(chr, (0x05BF, 0x05C1, 0x05C2, 0x05C4, 0x05C5, 0x05C7)), ""),
    }
)


def analysis_version() -> str:
    """Return the name of this analysis; an index of another analysis does not fit its terms."""
    return f"{_ANALYSIS}, snowballstemmer {version('snowballstemmer')}"


def normalize(form: str, text: str) -> str:
    """Return `text` in a Unicode form; of a letter under hundreds of marks, most marks are removed.

    Normalizing sorts the marks, which takes quadratic time.
    """
    return unicodedata.normalize(form, text if text.isascii() else _LONG_RUN.sub(_cut_marks, text))  # type: ignore[arg-type]


def _cut_marks(run: re.Match[str]) -> str:
    kept, count = [], 0
    for c in run[0]:
        count = count + 1 if unicodedata.category(c)[0] == "M" else 0
        if count <= _MOST_MARKS:
            kept.append(c)
    return "".join(kept)


def fold(text: str) -> str:
    """Return `text` in one spelling: compatibility forms, case, accents and apostrophes folded."""
    if text.isascii():
        return text.casefold()
    decomposed = normalize("NFKD", text.translate(_APOSTROPHES)).casefold()
    # Only marks of Latin, Greek and Cyrillic letters are removed: elsewhere a mark is a vowel.
    kept = "".join(c for c in decomposed if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", kept)


def fold_letters(text: str) -> str:
    """Return `text` folded further than `fold`: also letters that people write for one another.

    These are `ł` and `l`, the dotless and the dotted `i`, and the forms of alef; vowel points are removed.
    """
    folded = fold(text)
    return folded if folded.isascii() else folded.translate(_LETTERS)


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Return the English Snowball stem of an ASCII `word`, and any other word unchanged."""
    return snowball(word, ENGLISH) if word.isascii() else word


def words(text: str) -> list[str]:
    """Return the folded words of `text` in order, with unspaced scripts as pairs of characters."""
    folded_words: list[str] = []
    for word in _WORD.findall(_POSSESSIVE.sub("", fold(text))):
        for run in _RUN.finditer(word):
            folded_words += pairs(run[0]) if run["unspaced"] else [run[0]]
    return folded_words


_ANY = "any"
_LIKELY = LATIN[:5]
"""The languages of a text that shows none; it has few words (`Perro negro`), so this costs little."""


class QueryTerm(NamedTuple):
    """A term to search for, and the word of the query that it stands for."""

    term: str
    word: str


class _Word(NamedTuple):
    """A word in one script: as written, with folded case, and the language that its script shows (None: Latin)."""

    written: str
    folded: str
    language: str | None


def terms(text: str) -> list[str]:
    """Return the terms that `text` is found by: its words without stop words, as stems in the line's language."""
    lines = [_words_of(line) for line in text.split("\n")]
    guesses = [_guess(line) for line in lines]
    if len(lines) > 1 and not all(guess.known for guess in guesses):
        whole = _guess([word for line in lines for word in line])
        guesses = [guess if guess.known else whole for guess in guesses]
    languages = [guess.language if guess.known else _ANY for guess in guesses]
    return [
        term
        for line, language in zip(lines, languages, strict=True)
        for word in line
        for term in _terms(word.written, word.language or language)
    ]


def query_terms(text: str) -> list[QueryTerm]:
    """Return the terms of a query; a word occurs once for each spelling that may match it."""
    query_words = _words_of(text.replace("\n", " "))
    guess = _guess(query_words)
    english = guess.known and guess.language == ENGLISH
    latin = (ENGLISH,) if english else LATIN
    if not english and not guess.certain:  # a stop word of one language is a name in another: Ha Noi
        guess = Guess("unknown")
    return [
        QueryTerm(term, word.folded)
        for word in query_words
        if not _is_stop_word(word.written, word.language or guess.language)
        for term in _stems_in(word.written, alike(word.language) if word.language else latin)
    ]


def _words_of(line: str) -> list[_Word]:
    plain = line if line.isascii() else normalize("NFKC", line.translate(_APOSTROPHES).translate(_INVISIBLE))
    line_words: list[_Word] = []
    for token in _TOKEN.findall(re.sub(r"'[sS]\b", "", plain)):
        if token.isascii():
            line_words.append(_Word(token, token.casefold(), None))
        else:
            line_words += [
                _Word(run[0], run[0].casefold(), "unspaced" if run["unspaced"] else script_language(run[0], line))
                for run in _RUN.finditer(token)
            ]
    return line_words


def _guess(line: list[_Word]) -> Guess:
    return guess_language([word.folded for word in line if word.language is None])


@lru_cache(maxsize=100_000)
def _terms(word: str, language: str) -> tuple[str, ...]:
    """Return the terms of a written word, in a language or in `_ANY` in Latin letters; none for a stop word."""
    if _is_stop_word(word, ENGLISH if language == _ANY else language):
        return ()
    if language == _ANY:
        return _stems_in(word, _LIKELY)
    # A name may be asked for in any language, so it is also found by its English stem.
    named = language in LATIN and word[0].isupper()
    return _stems_in(word, (language, ENGLISH)) if named else _stems(word, language)


def _is_stop_word(word: str, language: str) -> bool:
    return fold(word) in (STOP_WORDS if language == ENGLISH else stop_words(language))


@lru_cache(maxsize=50_000)
def _stems_in(word: str, languages: tuple[str, ...]) -> tuple[str, ...]:
    if len(word) > LONGEST_WORD:  # all languages would return it unchanged
        languages = languages[:1]
    return tuple(dict.fromkeys(term for language in languages for term in _stems(word, language)))


@lru_cache(maxsize=100_000)
def _stems(word: str, language: str) -> tuple[str, ...]:
    """Return the stems of a written word; in Latin letters also the stem it has without accents."""
    if language == "unspaced":
        return tuple(pair for pair in pairs(fold_letters(word)) if pair)
    if language == ENGLISH:
        return (stem(fold_letters(word)),)
    if language == "turkish":
        word = word.translate(_TURKISH_CAPITALS)
    folded = word.casefold()
    if len(word) > LONGEST_WORD:
        return (fold_letters(folded),)
    spelled = (folded, fold_letters(folded)) if language in LATIN else (folded,)
    folded_stems = (fold_letters(stemmed) for spelling in spelled for stemmed in stems(spelling, language))
    return tuple(dict.fromkeys(stemmed for stemmed in folded_stems if stemmed))


_TURKISH_CAPITALS = str.maketrans({"I": "ı", "İ": "i"})


# Words that add nothing to a statement about a user; "no", "over", "than", "for", tenses and the like do.
_FILLER = frozenset("a an the and of in on at as is are am be that which i my me we our us you your user users".split())
_DIRECTED = frozenset(map(stem, "over than before after from to for with by into not no never instead rather".split()))


def same_statement(first: str, second: str) -> bool:
    """Return whether two statements say the same in (nearly) the same words.

    Spelling, case, punctuation, filler words and harmless word order do not count. Numbers, negations and tenses do,
    and so does the order of names and of words around a comparison: "Rust over Go" is not "Go over Rust".
    """
    if _SYMBOLS.findall(fold(first)) != _SYMBOLS.findall(fold(second)):
        return False
    a, b = _significant(first), _significant(second)
    if a == b:
        return bool(a) or fold(first).strip() == fold(second).strip()
    directed = _DIRECTED.intersection(a)
    return not directed and sorted(a) == sorted(b) and _names(first) == _names(second)


def is_completed_by(one: str, other: str) -> bool:
    """Return whether `other` says all that `one` does, in the same order, and only adds to it.

    Words that may take something back (`not`, `no longer`) count as saying something else. So does an addition in a
    script without spaces, where such words are parts of others.
    """
    before, after = _significant(one), _significant(other)
    remaining = iter(after)
    if not before or not all(word in remaining for word in before):
        return False
    added = Counter(after) - Counter(before)
    unspaced = any(run["unspaced"] for word in added for run in _RUN.finditer(word))
    return not unspaced and not _DIRECTED.intersection(added)


def statement_key(text: str) -> tuple[str, ...]:
    """Return a key that is equal for any two texts that `same_statement` considers equal."""
    return tuple(sorted(_significant(text))) or (fold(text).strip(),)


# The signs that tell C, C++ and C# apart.
_SYMBOLS = re.compile(r"\w[+#]+(?!\w)")


@lru_cache(maxsize=20_000)
def _significant(text: str) -> tuple[str, ...]:
    return tuple(stem(word) for word in words(text) if word not in _FILLER)


def _names(text: str) -> list[str]:
    """Return the capitalised words of a sentence in order, without the first one, which is always capitalised."""
    return [word for word in _WORD.findall(text)[1:] if word[0].isupper()]


def tokens(text: str) -> int:
    """Estimate the tokens of `text`, rather too many than too few: one for four ASCII characters or one other."""
    wide = 0 if text.isascii() else sum(not c.isascii() for c in text)
    return math.ceil((len(text) - wide) / 4) + wide
