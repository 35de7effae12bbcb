"""Reading a model's answer as a list of operations, whatever text stands around the JSON.

Prose, a greeting, a code fence or thoughts before the object do not matter. From an answer that is cut off, or broken
in the middle, the complete operations are used, because each one is validated alone anyway.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

LONGEST_ANSWER = 1_000_000
"""The number of characters of an answer that are read."""
MOST_OPERATIONS = 1_000
"""The number of operations of an answer that are read; a model in a loop repeats itself."""
_TRIES = 50
"""The number of positions at which the JSON may begin, after prose."""

MOST_LEVELS = 50
"""The greatest depth of a value that is read; operations have less than half of it."""
_OPENING = re.compile(r"<(think|thinking|reasoning)>", flags=re.I)
_CLOSING = {name: re.compile(f"</{name}>", flags=re.I) for name in ("think", "thinking", "reasoning")}
_THOUGHTS_END = re.compile(r"^.*</(think|thinking|reasoning)>", flags=re.S | re.I)
_LIST = re.compile(r'"operations"\s*:\s*\[')
_OPERATION = re.compile(r'\{\s*"operation"\s*:')
_DECODER = json.JSONDecoder()


class UnusableAnswer(Exception):
    """An answer that cannot be read as a whole; the message tells the model what was wrong."""


@dataclass(frozen=True)
class OperationList:
    """The operations of an answer, and whether it ended before it was complete."""

    operations: list[JsonValue]
    cut_off: bool = False


def read_answer(text: str) -> OperationList:
    """Return the operations in `text`.

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
    if operations_read := list(_complete_operations(text)):
        return OperationList(operations_read, cut_off=True)
    problem = "is not valid JSON" if "{" in text else "cannot be read"
    raise UnusableAnswer(f"the answer {problem}: {error}")


def _without_thoughts(text: str) -> str:
    """Return `text` without the model's thoughts; some servers remove only the opening tag."""
    parts, end, unclosed = [], 0, set[str]()
    for opening in _OPENING.finditer(text):
        # Search once for a closing tag that is missing: a model in a loop may open the tag ten thousand times.
        if opening.start() < end or (name := opening[1].lower()) in unclosed:
            continue
        if (closing := _CLOSING[name].search(text, opening.end())) is None:
            unclosed.add(name)
            continue
        parts.append(text[end : opening.start()])
        end = closing.end()
    text = "".join([*parts, text[end:]])
    return text if text.lstrip().startswith("{") else _THOUGHTS_END.sub("", text)


def _starts(text: str) -> Iterator[int]:
    """Yield the first positions at which an object or a list may begin."""
    positions = (match.start() for match in re.finditer(r"[{\[]", text))
    yield from (start for start, _ in zip(positions, range(_TRIES), strict=False))


def _decode(text: str, start: int) -> Any:
    try:
        return _DECODER.raw_decode(text, start)[0]
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _operations_of(value: object, listed: bool) -> list[object] | None:
    """Return the operations of a decoded value; None if it is something else.

    A single operation, or a list of some, counts as the answer if the text has no list of its own (`listed`).
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
    """Yield the complete operations of a broken answer, in order."""
    position, count = 0, 0
    while count < MOST_OPERATIONS and (match := _OPERATION.search(text, position)):
        try:
            value, position = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            position = match.end()
            continue
        count += 1
        yield _clean(value)


def _clean(value: Any, levels: int = MOST_LEVELS) -> JsonValue:
    """Return a value without what cannot be stored: half surrogate pairs, NUL, and parts that are nested too deeply."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
    if isinstance(value, dict | list) and not levels:
        return None
    if isinstance(value, dict):
        return {str(_clean(key)): _clean(part, levels - 1) for key, part in value.items()}
    return [_clean(part, levels - 1) for part in value] if isinstance(value, list) else value
