"""Words without their endings, for every script: Snowball where it has the language, a few rules where it has not."""

import re
import threading
from functools import lru_cache
from importlib import import_module
from typing import Protocol

LATIN = tuple(
    "english german french spanish italian portuguese catalan dutch swedish danish norwegian finnish hungarian polish"
    " czech romanian turkish indonesian estonian lithuanian".split()
)
"""The languages in Latin letters that are told apart and stemmed."""
LONGEST_WORD = 64
"""No word is that long, and stemming what is (a key, an image in base64) takes the square of its length."""

# First and last letter of a script, and the language whose rules its words follow.
_SCRIPTS = (
    ("\u0370", "\u03ff", "greek"),
    ("\u0400", "\u052f", "russian"),
    ("\u0530", "\u058f", "armenian"),
    ("\u0590", "\u05ff", "hebrew"),
    ("\u0600", "\u077f", "arabic"),
    ("\u0900", "\u097f", "hindi"),
    ("\u0b80", "\u0bff", "tamil"),
    ("\u1100", "\u11ff", "korean"),
    ("\u1f00", "\u1fff", "greek"),
    ("\uac00", "\ud7af", "korean"),
)
_OTHERS = {"arabic": (re.compile("[پچژگکی]"), "persian"), "russian": (re.compile("[ђјљњћџЂЈЉЊЋЏ]"), "serbian")}
_TWO_TO_A_SCRIPT = {"arabic": ("arabic", "persian"), "russian": ("russian", "serbian")}

# What may be stuck to the front of a Hebrew or an Arabic word: and, the, in, to, from, as, that.
_HEBREW_FRONT = re.compile(r"^(?:ו?(?:כש|מש|ש)?(?:[בכלמ]|ה)?)(?=\w{3})")
_HEBREW_END = re.compile("(?<=..)(?:ים|ות|ה)$")
_ARABIC_AND = re.compile(r"^[وف](?=(?:ال|لل)\w{2})")
_ARABIC_FRONT = re.compile(r"^(?:ال|[وفبلك])(?=\w{3})")
_PORTUGUESE_PLURAL = re.compile("ões$")
_UNSTEMMED = ("unknown", "vietnamese")
_KOREAN_PARTICLES = sorted(
    "은 는 이 가 을 를 의 에 에서 에게 에게서 께 께서 한테 한테서 로 으로 로서 으로서 로써 으로써 와 과 랑 이랑 하고"
    " 도 만 까지 부터 보다 처럼 같이 마다 조차 마저 밖에 이나 나 라도 이라도 야 아 이다 입니다 이에요 예요 에는 에도"
    " 에서는 에서도 로는 으로는 와는 과는 들 들은 들이 들을 들의 들과 이라는 라는 이란".split(),
    key=len,
    reverse=True,
)


class _Stemmer(Protocol):
    def stemWord(self, word: str) -> str: ...  # Snowball's name


class _Stemmers(threading.local):
    """The stemmers of a thread: each keeps the word it works on in itself."""

    def __init__(self) -> None:
        self.by_language: dict[str, _Stemmer] = {}


_STEMMERS = _Stemmers()


@lru_cache(maxsize=100_000)
def snowball(word: str, language: str) -> str:
    """Return the Snowball stem of `word`, folded in case, in `language`; a word that is too long as it is."""
    if len(word) > LONGEST_WORD:
        return word
    stemmer = _STEMMERS.by_language.get(language)
    if stemmer is None:
        # Not `snowballstemmer.stemmer`: where PyStemmer is installed that gives stems of another release.
        module = import_module(f"snowballstemmer.{language}_stemmer")
        stemmer = _STEMMERS.by_language[language] = getattr(module, f"{language.title()}Stemmer")()
    return stemmer.stemWord(word)


def script_language(word: str, line: str) -> str | None:
    """Return the language that the script of `word` tells, in this `line`; None for Latin letters and digits."""
    first = word[0]
    language = next((language for low, high, language in _SCRIPTS if low <= first <= high), None)
    if language in _TWO_TO_A_SCRIPT:
        return _one_of_two(language, line)
    if language is None and not first.isascii() and first > "\u02ff" and not "\u1e00" <= first <= "\u1eff":
        return "unknown"
    return language


@lru_cache(maxsize=64)
def _one_of_two(language: str, line: str) -> str:
    """A line is long, and asked about for each of its words."""
    letters, other = _OTHERS[language]
    return other if letters.search(line) else language


def alike(language: str) -> tuple[str, ...]:
    """Return `language` and the others of its script: a question may be too short to tell."""
    return next((group for group in _TWO_TO_A_SCRIPT.values() if language in group), (language,))


def stems(word: str, language: str) -> tuple[str, ...]:
    """Return what `word` is found by in `language`: its stem, and another one where what is stuck to it is unsure."""
    if len(word) > LONGEST_WORD or language in _UNSTEMMED:
        return (word,)
    if language == "portuguese":
        word = _PORTUGUESE_PLURAL.sub("ão", word)
    if language == "hebrew":
        return _hebrew(word)
    if language == "arabic":
        return _arabic(word)
    if language == "korean":
        return _korean(word)
    return (snowball(word, language),)


def _hebrew(word: str) -> tuple[str, ...]:
    bare = re.sub("[\u0591-\u05c7\"'׳״]", "", word)
    rest = _HEBREW_FRONT.sub("", bare)
    return tuple(dict.fromkeys(_HEBREW_END.sub("", each) for each in (bare, rest)))


def _arabic(word: str) -> tuple[str, ...]:
    bare = _ARABIC_AND.sub("", word)
    rest = _ARABIC_FRONT.sub("", bare)
    return tuple(dict.fromkeys(snowball(each, "arabic") for each in (bare, rest)))


def _korean(word: str) -> tuple[str, ...]:
    """The noun without its particle, as pairs of syllables, so that compounds and other spacing are found, too."""
    end = next((each for each in _KOREAN_PARTICLES if word.endswith(each) and len(word) > len(each)), "")
    rest = word.removesuffix(end)
    # One syllable may be a noun (집에) or the front of one (나이): both are kept.
    return tuple(dict.fromkeys((*pairs(rest), *(pairs(word) if len(rest) == 1 else ()))))


def pairs(run: str) -> list[str]:
    """Return the overlapping pairs of characters of `run`; a single one as it is."""
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]
