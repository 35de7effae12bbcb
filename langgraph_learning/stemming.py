"""Stems of words in every script: by Snowball for the languages it has, by a few rules for others."""

import re
import threading
from functools import lru_cache
from importlib import import_module
from typing import Protocol

LATIN = tuple(
    "english german french spanish italian portuguese catalan dutch swedish danish norwegian finnish hungarian polish"
    " czech romanian turkish indonesian estonian lithuanian".split()
)
"""The languages in Latin letters that are recognised and stemmed."""
LONGEST_WORD = 64
"""The length of the longest word; stemming longer runs (a key, an image in base64) takes quadratic time."""

# First and last letter of a script, and the language whose rules apply to its words.
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

# Particles at the front of a Hebrew or an Arabic word: and, the, in, to, from, as, that.
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
    """The stemmers of a thread; they are not shared, because a stemmer stores the word it works on."""

    def __init__(self) -> None:
        self.by_language: dict[str, _Stemmer] = {}


_STEMMERS = _Stemmers()


@lru_cache(maxsize=100_000)
def snowball(word: str, language: str) -> str:
    """Return the Snowball stem of `word`, given in folded case; an overlong word is returned unchanged."""
    if len(word) > LONGEST_WORD:
        return word
    stemmer = _STEMMERS.by_language.get(language)
    if stemmer is None:
        # Not `snowballstemmer.stemmer`: with PyStemmer installed, that returns stems of another release.
        module = import_module(f"snowballstemmer.{language}_stemmer")
        stemmer = _STEMMERS.by_language[language] = getattr(module, f"{language.title()}Stemmer")()
    return stemmer.stemWord(word)


def script_language(word: str, line: str) -> str | None:
    """Return the language that the script of `word` shows in this `line`; None for Latin letters and digits."""
    first = word[0]
    language = next((language for low, high, language in _SCRIPTS if low <= first <= high), None)
    if language in _TWO_TO_A_SCRIPT:
        return _one_of_two(language, line)
    if language is None and not first.isascii() and first > "\u02ff" and not "\u1e00" <= first <= "\u1eff":
        return "unknown"
    return language


@lru_cache(maxsize=64)
def _one_of_two(language: str, line: str) -> str:
    """Return which of two languages a line is in; cached, because a line is long and checked for each of its words."""
    letters, second = _OTHERS[language]
    return second if letters.search(line) else language


def alike(language: str) -> tuple[str, ...]:
    """Return `language` and the others of its script: a short query may not show which one it is."""
    return next((group for group in _TWO_TO_A_SCRIPT.values() if language in group), (language,))


def stems(word: str, language: str) -> tuple[str, ...]:
    """Return the search terms of `word` in `language`: its stem, and another one if a particle is uncertain."""
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
    stripped = _HEBREW_FRONT.sub("", bare)
    return tuple(dict.fromkeys(_HEBREW_END.sub("", form) for form in (bare, stripped)))


def _arabic(word: str) -> tuple[str, ...]:
    bare = _ARABIC_AND.sub("", word)
    stripped = _ARABIC_FRONT.sub("", bare)
    return tuple(dict.fromkeys(snowball(form, "arabic") for form in (bare, stripped)))


def _korean(word: str) -> tuple[str, ...]:
    """Return the noun without its particle, as pairs of syllables: so compounds and other spacings match."""
    end = next(
        (particle for particle in _KOREAN_PARTICLES if word.endswith(particle) and len(word) > len(particle)), ""
    )
    noun = word.removesuffix(end)
    # One syllable may be a noun (집에) or the front of one (나이), so both are kept.
    return tuple(dict.fromkeys((*pairs(noun), *(pairs(word) if len(noun) == 1 else ()))))


def pairs(run: str) -> list[str]:
    """Return the overlapping pairs of characters of `run`; a single character is returned unchanged."""
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]
