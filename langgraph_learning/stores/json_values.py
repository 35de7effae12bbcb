"""JSON values of records: merge them, and write them as text."""

from collections.abc import Iterator
from typing import cast

from pydantic import JsonValue

from langgraph_learning.json_schema import Schema, choices, is_blank
from langgraph_learning.words import fold


def union(old: list[JsonValue], new: list[JsonValue]) -> list[JsonValue]:
    """Return `old`, followed by the items of `new` that it does not contain yet.

    Texts that differ only in case are the same item. So are two objects if one has all fields of the other.
    """
    merged: list[JsonValue] = []
    for value in [*old, *new]:
        place = next((index for index, item in enumerate(merged) if _is_same(item, value)), None)
        if place is None:
            merged.append(value)
        elif isinstance(value, dict):
            merged[place] = {**cast("dict[str, JsonValue]", merged[place]), **value}
    return merged


def _is_same(first: JsonValue, second: JsonValue) -> bool:
    """Return whether two items count as one: they are equal, or objects of which one has all fields of the other."""
    if isinstance(first, dict) and isinstance(second, dict):
        filled = ({key: part for key, part in item.items() if not is_blank(part)} for item in (first, second))
        smaller, larger = sorted(filled, key=len)
        return bool(smaller) and all(key in larger and _is_same(larger[key], value) for key, value in smaller.items())
    if isinstance(first, str) and isinstance(second, str):
        return fold(first).strip() == fold(second).strip()
    return type(first) is type(second) and first == second


def merge(old: JsonValue, new: JsonValue, schema: Schema) -> JsonValue:
    """Return `old` updated with `new`: objects are merged by key, lists are extended, everything else is replaced.

    A tuple and a list with a maximum length count as one value: they are replaced.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        changes = {key: value for key, value in new.items() if key not in old or not is_blank(value)}
        inner = {key: _schema_of_key(schema, key) for key in changes}
        return {**old, **{key: merge(old.get(key), value, inner[key]) for key, value in changes.items()}}
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
    """Return a JSON value as text for a reader."""
    if isinstance(value, list):
        return ", ".join(map(spell, value))
    if isinstance(value, dict):
        return "; ".join(f"{key}: {spell(part)}" for key, part in value.items() if part is not None)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def rest_of(content: dict[str, JsonValue], *excluded: str) -> list[str]:
    """Return a line for each field that has a value and is not in `excluded`."""
    values = {name: value for name, value in content.items() if name not in excluded and value not in (None, "", [])}
    return [f"{name}: {spell(value)}" for name, value in values.items()]


def as_list(value: JsonValue) -> list[JsonValue]:
    """Return `value` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def without_item(value: list[JsonValue] | dict[str, JsonValue], item: str) -> JsonValue:
    """Return a list without the items of that text, or an object without the key of that name."""
    folded = fold(item).strip()
    if isinstance(value, dict):
        return {key: part for key, part in value.items() if fold(key).strip() != folded}
    return [part for part in value if folded not in _spellings(part)]


def _spellings(value: JsonValue) -> Iterator[str]:
    """Yield the texts by which an item of a list can be named: its full text, and for an object its first value."""
    yield fold(spell(value)).strip()
    if isinstance(value, dict):
        yield from (fold(spell(part)).strip() for part in [next(iter(value.values()), "")])
