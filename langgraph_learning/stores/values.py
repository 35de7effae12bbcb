"""JSON values as learning stores keep them: merged, and spelled out for a reader."""

from typing import cast

from pydantic import JsonValue

from langgraph_learning.json_schema import Schema, choices, is_blank
from langgraph_learning.text import fold


def union(old: list[JsonValue], new: list[JsonValue]) -> list[JsonValue]:
    """Return `old` with what is new in `new` behind it.

    Texts that differ in case only are the same; an object that another one completes is that one.
    """
    merged: list[JsonValue] = []
    for value in [*old, *new]:
        place = next((place for place, known in enumerate(merged) if _is_same(known, value)), None)
        if place is None:
            merged.append(value)
        elif isinstance(value, dict):
            merged[place] = {**cast("dict[str, JsonValue]", merged[place]), **value}
    return merged


def _is_same(one: JsonValue, other: JsonValue) -> bool:
    """Return whether two items are one: equal, or objects of which one says all that the other does."""
    if isinstance(one, dict) and isinstance(other, dict):
        smaller, larger = sorted(({k: v for k, v in each.items() if not is_blank(v)} for each in (one, other)), key=len)
        return bool(smaller) and all(key in larger and _is_same(larger[key], value) for key, value in smaller.items())
    if isinstance(one, str) and isinstance(other, str):
        return fold(one).strip() == fold(other).strip()
    return type(one) is type(other) and one == other


def merge(old: JsonValue, new: JsonValue, schema: Schema) -> JsonValue:
    """Return `old` with what `new` says: objects are merged by key, lists added to, and everything else replaced.

    A tuple, and a list that may hold only so many, are one value each: they are replaced.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        given = {key: value for key, value in new.items() if key not in old or not is_blank(value)}
        inner = {key: _schema_of_key(schema, key) for key in given}
        return {**old, **{key: merge(old.get(key), value, inner[key]) for key, value in given.items()}}
    if isinstance(new, list):
        grows = any(_grows(choice) for choice in choices(schema))
        return union(old if isinstance(old, list) else [], new) if grows else new
    return new


def _grows(schema: Schema) -> bool:
    return schema.get("type") == "array" and not {"maxItems", "prefixItems"} & schema.keys()


def _schema_of_key(schema: Schema, key: str) -> Schema:
    for choice in choices(schema):
        fields = cast("dict[str, Schema]", choice.get("properties", {}))
        free = choice.get("additionalProperties")
        if key in fields or isinstance(free, dict):
            return fields[key] if key in fields else cast("Schema", free)
    return {}


def spell(value: JsonValue) -> str:
    """Return a JSON value as a person writes it."""
    if isinstance(value, list):
        return ", ".join(map(spell, value))
    if isinstance(value, dict):
        return "; ".join(f"{key}: {spell(part)}" for key, part in value.items() if part is not None)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def rest_of(content: dict[str, JsonValue], *shown: str) -> list[str]:
    """Return a line for each field that says something and is not `shown` already."""
    told = {name: value for name, value in content.items() if name not in shown and value not in (None, "", [])}
    return [f"{name}: {spell(value)}" for name, value in told.items()]


def as_list(value: JsonValue) -> list[JsonValue]:
    """Return `value` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []
