"""Ids as git has them: shown by their beginning, and taken by any beginning that only one of them has."""

from collections.abc import Iterable

from langgraph_learning.errors import ConfigurationError

SHORTEST = 8
"""How many letters of an id are shown at least."""
_LISTED = 5


def shorten(ids: Iterable[str]) -> dict[str, str]:
    """Return the beginning of each id that tells it from the others; a readable one, `user_profile:name`, whole."""
    ordered = sorted(set(ids))
    short = {}
    for place, key in enumerate(ordered):
        beside = [*ordered[max(place - 1, 0) : place], *ordered[place + 1 : place + 2]]
        length = 1 + max((_in_common(key, other) for other in beside), default=0)
        short[key] = key[: max(length, SHORTEST)] if _is_code(key) else key
    return short


def find_by_prefix(wanted: str, ids: Iterable[str], what: str, lists: str) -> str:
    """Return the one id that is `wanted`, or begins with it.

    Args:
        wanted: An id or its beginning.
        ids: All there are.
        what: What they are ids of, for the message.
        lists: The command that lists them.

    Raises:
        ConfigurationError: None does, or several do.
    """
    known = sorted(set(ids))
    if wanted in known:
        return wanted
    meant = [key for key in known if wanted and key.startswith(wanted)]
    if len(meant) == 1:
        return meant[0]
    if not meant:
        raise ConfigurationError(f"there is no {what} {wanted!r} of this user; `{lists}` lists them")
    more = f" and {len(meant) - _LISTED} more" if len(meant) > _LISTED else ""
    raise ConfigurationError(
        f"{wanted!r} is the beginning of {len(meant)} ids: {', '.join(meant[:_LISTED])}{more}; give more letters"
    )


def _is_code(key: str) -> bool:
    return len(key) > 2 * SHORTEST and all(letter in "0123456789abcdef-" for letter in key)


def _in_common(one: str, other: str) -> int:
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
