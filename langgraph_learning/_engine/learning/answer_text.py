"""What a model answered, as a list of operations: read at the first call, whatever stands around the JSON.

Prose, a greeting, a code fence or thoughts before the object do not matter. Of an answer that is cut off, or spoilt in
the middle, the complete operations stand, because each is validated by itself anyway.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

LONGEST_ANSWER = 1_000_000
"""How much of an answer is read, in characters."""
MOST_OPERATIONS = 1_000
"""How many operations of an answer are read; a model that runs away repeats itself."""
_TRIES = 50
"""At how many places the answer may begin, after prose."""

_THOUGHTS = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", flags=re.S | re.I)
_THOUGHTS_END = re.compile(r"^.*</(think|thinking|reasoning)>", flags=re.S | re.I)
_LIST = re.compile(r'"operations"\s*:\s*\[')
_OPERATION = re.compile(r'\{\s*"operation"\s*:')
_DECODER = json.JSONDecoder()


class UnusableAnswer(Exception):
    """The answer as a whole cannot be read; the message tells the model what was wrong."""


@dataclass(frozen=True)
class OperationList:
    """The operations of an answer, and whether it ended before it was complete."""

    operations: list[JsonValue]
    cut_off: bool = False


def read_answer(text: str) -> OperationList:
    """Return the operations that stand in `text`.

    Raises:
        UnusableAnswer: It holds no object of operations, and no complete operation.
    """
    text = _without_thoughts(text[:LONGEST_ANSWER])
    listed = _LIST.search(text) is not None
    error = "there is no JSON object in it"
    for start in _starts(text):
        try:
            value = _decode(text, start)
        except ValueError as failure:
            error = str(failure)
            continue
        if (operations := _operations_of(value, listed)) is not None:
            read = operations[:MOST_OPERATIONS]
            return OperationList([_clean(operation) for operation in read], cut_off=len(read) < len(operations))
        error = 'it is not an object {"operations": [...]}'
    if found := list(_complete_operations(text)):
        return OperationList(found, cut_off=True)
    problem = "is not valid JSON" if "{" in text else "cannot be read"
    raise UnusableAnswer(f"the answer {problem}: {error}")


def _without_thoughts(text: str) -> str:
    """Return `text` without what a model thought aloud; some servers take only the opening mark away."""
    text = _THOUGHTS.sub("", text)
    return text if text.lstrip().startswith("{") else _THOUGHTS_END.sub("", text)


def _starts(text: str) -> Iterator[int]:
    """Return where an object or a list of objects may begin: the first places, and not those inside of strings."""
    found = (match.start() for match in re.finditer(r"[{\[]", text))
    yield from (start for start, _ in zip(found, range(_TRIES), strict=False))


def _decode(text: str, start: int) -> Any:
    try:
        return _DECODER.raw_decode(text, start)[0]
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _operations_of(value: object, listed: bool) -> list[Any] | None:
    """Return the operations of a decoded value; None if it is something else.

    One operation, or a list of some, is taken for the whole where the answer has no list of its own (`listed`).
    """
    if not listed:
        bare = value if isinstance(value, list) else [value]
        if bare and all(isinstance(item, dict) and isinstance(item.get("operation"), str) for item in bare):
            return bare
    operations = value.get("operations") if isinstance(value, dict) else None
    if isinstance(operations, str):
        try:
            operations = _decode(operations.strip(), 0)
        except ValueError:
            return None
    return [operations] if isinstance(operations, dict) else operations if isinstance(operations, list) else None


def _complete_operations(text: str) -> Iterator[JsonValue]:
    """Return the operations of a spoilt answer that are complete, in order."""
    place, found = 0, 0
    while found < MOST_OPERATIONS and (match := _OPERATION.search(text, place)):
        try:
            value, place = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            place = match.end()
            continue
        found += 1
        yield _clean(value)


def _clean(value: Any) -> JsonValue:
    """Return a value without what cannot be stored: half a surrogate pair, and the character zero."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
    if isinstance(value, dict):
        return {_clean_key(key): _clean(part) for key, part in value.items()}
    return [_clean(part) for part in value] if isinstance(value, list) else value


def _clean_key(key: str) -> str:
    return str(_clean(key))
