"""How options are checked: keywords only, and a wrong value raises an error that says what to give."""

import difflib
import inspect
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Self, SupportsIndex, TypeVar

from langgraph_learning.errors import ConfigurationError

T = TypeVar("T")


class Keywords:
    """The base of all configurations: it takes keywords only, and an unknown one raises an error with a suggestion."""

    def __new__(cls, *positional: object, **options: object) -> Self:
        """Check the keywords before `__init__` binds them.

        Raises:
            ConfigurationError: An unknown keyword, or an argument without one.
        """
        names = [name for name in inspect.signature(cls.__init__).parameters if name != "self"]
        if positional:
            raise ConfigurationError(f"{cls.__name__} takes keywords only: {', '.join(names)}")
        check_known(cls.__name__, options, names)
        return super().__new__(cls)


def check_known(owner: str, options: Iterable[str], known: Iterable[str]) -> None:
    """Check that all options exist.

    Raises:
        ConfigurationError: One does not; the message suggests the most similar one that does.
    """
    known = list(known)
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known)}"
            if name == "mode" and name not in known:  # `model` looks similar, but is not what is meant
                hint = "each learning store has a mode of its own, e.g. user_memory=UserMemoryConfig(mode=...)"
            raise ConfigurationError(f"{owner} has no option {name!r}; {hint}")


def check_choice(owner: str, option: str, value: object, choices: Sequence[str]) -> None:
    """Raise `ConfigurationError` unless `value` is one of `choices`."""
    if value not in choices:
        raise ConfigurationError(f"{owner}({option}={value!r}): give {' or '.join(map(repr, choices))}")


def check_function(owner: str, option: str, value: object, what: str) -> None:
    """Raise `ConfigurationError` unless `value` is None or a function; `what` says in the message which function."""
    if value is not None and not callable(value):
        raise ConfigurationError(f"{owner}({option}={value!r}): give a function {what}, or None")


def check_limit(name: str, limit: object) -> int | None:
    """Return `limit` as an int, also one of numpy's; raise `ConfigurationError` unless it is from 1, or None."""
    if limit is None:
        return None
    number = operator.index(limit) if isinstance(limit, SupportsIndex) and not isinstance(limit, bool) else 0
    if number < 1:
        raise ConfigurationError(f"{name} is a whole number from 1, not {limit!r}")
    return number


def check_seconds(name: str, seconds: object) -> None:
    """Raise `ConfigurationError` unless `seconds` is None or a number above 0."""
    if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0):
        raise ConfigurationError(f"{name} is a number of seconds above 0, or None, not {seconds!r}")


def check_duration(name: str, seconds: object) -> None:
    """Raise `ConfigurationError` unless `seconds` is None or a number from 0."""
    if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0):
        raise ConfigurationError(f"{name} is a number of seconds from 0, or None, not {seconds!r}")


def check_string(name: str, text: object) -> None:
    """Raise `ConfigurationError` unless `text` is a string; it may be empty."""
    if not isinstance(text, str):
        raise ConfigurationError(f"{name} is a text, not {text!r}")


def check_bool(name: str, given: object) -> None:
    """Raise `ConfigurationError` unless `given` is True or False."""
    if not isinstance(given, bool):
        raise ConfigurationError(f"{name}: give True or False, not {given!r}")


def check_class(name: str, given: object) -> None:
    """Raise `ConfigurationError` unless `given` is None or a class."""
    if given is not None and not isinstance(given, type) and not hasattr(given, "__origin__"):
        raise ConfigurationError(f"{name}: give a class, such as a TypedDict, not {given!r}")


def check_list(name: str, given: Iterable[T]) -> tuple[T, ...]:
    """Return the entries of a list or another iterable; raise `ConfigurationError` for anything else, also a text.

    An iterator yields its entries once, so use what this returns and not `given`.
    """
    if not isinstance(given, Iterable) or isinstance(given, str | bytes | Mapping):
        raise ConfigurationError(f"{name}: give a list, not {given!r:.80}")
    return tuple(given)


def check_text(name: str, text: object) -> None:
    """Raise `ConfigurationError` unless `text` is a string with more than white space in it."""
    if not isinstance(text, str) or not text.strip():
        raise ConfigurationError(f"{name} is a text that is not empty, not {text!r}")
