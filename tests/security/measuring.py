"""How well a mask does on a list: secrets that are gone, honest text that stays."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Score:
    """What a mask missed, what it took too much of, and which honest sentences it changed."""

    missed: list[str] = field(default_factory=list)
    blurred: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)


def plain(form: str) -> str:
    """Return a form as a user would write it, without the signs around what is secret."""
    return re.sub("[«»·]", "", form)


def secrets_in(form: str) -> list[str]:
    """Return what is secret in a form."""
    return [plain(secret) for secret in re.findall("«(.*?)»", form, re.DOTALL)]


def leaks(form: str, shown: str) -> bool:
    """Whether a word of a secret, or its end, is in `shown` more often than around the secret."""
    around = re.sub("«.*?»", "\0", form, flags=re.DOTALL)
    parts = {part for secret in secrets_in(form) for part in (secret, secret[-6:], *re.findall(r"\S{3,}", secret))}
    left = re.sub(r"\[[A-Za-z ]+\]", "\0", shown)  # "[password]" is not what is left of "pass"
    return any(left.count(part) > around.count(part) for part in parts)


def blurs(form: str, shown: str) -> bool:
    """Whether a word around the secret is no longer in `shown`."""
    around = re.sub("«.*?»", " ", form, flags=re.DOTALL)
    return any(word not in shown for word in re.findall(r"\w+", around))


def measure(mask: Callable[[str], str], secrets: Iterable[str], near_misses: Iterable[str]) -> Score:
    """Run a mask over both lists."""
    score = Score()
    for form in secrets:
        shown = mask(plain(form))
        if leaks(form, shown):
            score.missed.append(form)
        elif blurs(form, shown):
            score.blurred.append(form)
    score.changed.extend(text for text in near_misses if mask(text) != text)
    return score
