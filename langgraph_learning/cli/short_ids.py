"""Short ids as in git: commands show the beginning of an id, and accept any beginning that is unique."""

from collections.abc import Iterable

from langgraph_learning.errors import ConfigurationError

SHORTEST = 8
"""The fewest letters of an id that are shown."""
_LISTED = 5
"""The most ids that an error message lists."""


def shorten(ids: Iterable[str]) -> dict[str, str]:
    """Return by id its shortest unique beginning; a readable id such as `user_profile:name` stays whole."""
    ordered = sorted(set(ids))
    short = {}
    for place, key in enumerate(ordered):
        # The ids are sorted, so the one that shares the longest beginning is next to it.
        beside = [*ordered[max(place - 1, 0) : place], *ordered[place + 1 : place + 2]]
        length = 1 + max((_in_common(key, other) for other in beside), default=0)
        short[key] = key[: max(length, SHORTEST)] if _is_code(key) else key
    return short


def find_by_prefix(prefix: str, ids: Iterable[str], what: str, lists: str) -> str:
    """Return the id that is equal to `prefix`, or the only one that begins with it.

    Args:
        prefix: An id or its beginning.
        ids: All ids to choose from.
        what: The word for what the ids name, for the error message.
        lists: The command that lists them, for the error message.

    Raises:
        ConfigurationError: No id begins with `prefix`, or several do.
    """
    sorted_ids = sorted(set(ids))
    if prefix in sorted_ids:
        return prefix
    matches = [key for key in sorted_ids if prefix and key.startswith(prefix)]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise ConfigurationError(f"there is no {what} {prefix!r} of this user; `{lists}` lists them")
    more = f" and {len(matches) - _LISTED} more" if len(matches) > _LISTED else ""
    raise ConfigurationError(
        f"{prefix!r} is the beginning of {len(matches)} ids: {', '.join(matches[:_LISTED])}{more}; give more letters"
    )


def _is_code(key: str) -> bool:
    return len(key) > 2 * SHORTEST and all(letter in "0123456789abcdef-" for letter in key)


def _in_common(first: str, second: str) -> int:
    return next(
        (place for place, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )
