"""JSON values as learning stores keep them: merged, and spelled out for a reader."""

from pydantic import JsonValue

from langgraph_learning.text import fold


def union(old: list[JsonValue], new: list[JsonValue]) -> list[JsonValue]:
    """Return `old` with what is new in `new` behind it; texts that differ in case only are the same."""

    def same(value: JsonValue) -> JsonValue:
        return fold(value) if isinstance(value, str) else value

    merged = list(old)
    for value in new:
        if same(value) not in [same(known) for known in merged]:
            merged.append(value)
    return merged


def spell(value: JsonValue) -> str:
    """Return a JSON value as a person writes it."""
    if isinstance(value, list):
        return ", ".join(map(spell, value))
    if isinstance(value, dict):
        return "; ".join(f"{key}: {spell(part)}" for key, part in value.items())
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def as_list(value: JsonValue) -> list[JsonValue]:
    """Return `value` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []
