"""Secrets are masked before anything is stored: keys, tokens, passwords, card numbers."""

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from pydantic import JsonValue

Mask: TypeAlias = Callable[[str], str]

_KEY = "[key]"
# What stands behind its name, if it does not read like a word: "my password is hunter2", "api_key=...".
_NAMED = (
    r"(?i)\b((?:api|access|secret|private|auth|client)[ _-]?(?:key|token|secret)|pass(?:word|wd|phrase|code)"
    r"|pwd|token|secret|pin)"
    r"(\s*(?:is|was|=|:|to)\s*:?\s*)[\"'`]?(?=[^\s\"'`,;]*[\d_!@#$%^&*+])[^\s\"'`,;]{4,}[\"'`]?"
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", "[private key]"),
        (r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*", "[token]"),  # a JSON web token
        (r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{12,}", r"\1 [token]"),
        (r"\b(?:sk|pk|rk)[-_](?:[a-z]+[-_])*[\w-]{16,}", _KEY),  # OpenAI, Anthropic, Stripe
        (
            r"\b(?:ghp|gho|ghu|ghs|ghr|glpat|github_pat|npm|hf|xox[abeprs]|lsv2_pt|lsv2_sk|pypi|dop_v1)[-_][\w-]{16,}",
            _KEY,
        ),
        (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", _KEY),
        (r"\bAIza[\w-]{30,}", _KEY),
        (r"(?<=://)([^\s/:@]+):[^\s/@]+(?=@)", r"\1:[password]"),
        (_NAMED, r"\1\2[secret]"),
    )
)
_CARD = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w])")


def mask_secrets(text: str) -> str:
    """Return `text` with what looks like a key, a token, a password or a card number taken out.

    It errs on the side of what has a known form: a password that reads like any other word is only recognised behind
    its name (`password: ...`). Give `LearningMachine(mask=...)` a function of your own to take out more, or less.
    """
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return _CARD.sub(lambda found: "[card number]" if _is_card(found[0]) else found[0], text)


def _is_card(text: str) -> bool:
    """Whether the digits pass the check of payment cards (Luhn): most other long numbers do not."""
    digits = [int(character) for character in text if character.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 and len(set(digits)) > 1


def masked(value: JsonValue, mask: Mask) -> JsonValue:
    """Return a JSON value with every text in it masked."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list):
        return [masked(item, mask) for item in value]
    if isinstance(value, Mapping):
        return {key: masked(item, mask) for key, item in value.items()}
    return value
