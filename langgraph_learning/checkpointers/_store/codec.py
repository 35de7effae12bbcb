"""The stored form of namespaces, keys and values, so that both databases keep every string that LangGraph allows.

Postgres refuses NUL and lone surrogates in text and JSON. They are stored as U+FDD0 (a code point that no text uses)
and four hexadecimal digits. U+FDD0 itself is stored the same way, so reading gives back exactly what was written.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeAlias

Json: TypeAlias = Any  # any value that JSON can hold
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
END = "\x1f"
_MARK = "\ufdd0"
_ODD = re.compile("[\x00\ufdd0\ud800-\udfff]")
_ODD_LABEL = re.compile("[\x00\x1f\ufdd0\ud800-\udfff]")
_ODD_JSON = re.compile("\\\\u0000|[\ufdd0\ud800-\udfff]")
_ESCAPED = re.compile(_MARK + "([0-9a-f]{4})")
# A float such as 1e+23, outside of strings: Postgres would return it from JSON as a whole number.
_EXPONENT = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?e\+\d+')


def _escape(text: str, odd: re.Pattern[str] = _ODD) -> str:
    return odd.sub(lambda match: f"{_MARK}{ord(match[0]):04x}", text)


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def _plain_float(match: re.Match[str]) -> str:
    return match[0] if match[0].startswith('"') else format(float(match[0]), ".1f")


def _map_strings(value: Json, change: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(str(key)): _map_strings(inner, change) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_map_strings(inner, change) for inner in value]
    return value


def write_key(key: str) -> str:
    """Return `key` as it is stored."""
    return _escape(str(key))


def read_key(stored: str) -> str:
    """Return the key that `stored` encodes."""
    return _unescape(stored) if _MARK in stored else stored


def write_path(labels: tuple[str, ...]) -> str:
    """Return a namespace as one text; a prefix of its labels is a prefix of this text."""
    return END + "".join(f"{_escape(label, _ODD_LABEL)}{END}" for label in labels)


@lru_cache(maxsize=1_000)
def read_path(path: str) -> tuple[str, ...]:
    """Return the labels that `path` encodes."""
    labels = path.split(END)[1:-1]
    return tuple(_unescape(label) if _MARK in label else label for label in labels)


def path_range(prefix: tuple[str, ...]) -> tuple[str, str]:
    """Return the bounds `low <= path < high` of all namespaces under `prefix`, itself included."""
    low = write_path(prefix)
    return low, low[:-1] + chr(ord(END) + 1)


def write_json(value: object) -> str:
    """Return a JSON value as text; a value that is not JSON raises TypeError or ValueError."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_as_dict)
    if _ODD_JSON.search(text):
        text = json.dumps(_map_strings(value, _escape), ensure_ascii=False, separators=(",", ":"), default=_as_dict)
    return _EXPONENT.sub(_plain_float, text) if "e+" in text else text


def _as_dict(value: object) -> dict[str, object]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a stored value is JSON, but this holds a {type(value).__name__}: {value!r}")


def read_json(text: str) -> Json:
    """Return the value that `text` encodes."""
    value = json.loads(text)
    return _map_strings(value, _unescape) if _MARK in text else value


def read_time(stored: int | datetime) -> datetime:
    """Return a stored time (microseconds since 1970, or the database's own) as aware UTC."""
    return stored.astimezone(UTC) if isinstance(stored, datetime) else _EPOCH + timedelta(microseconds=stored)


def write_time(moment: datetime) -> int:
    """Return `moment` in microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
