"""Operations as a model sees them: the schema of its answer, signatures in words, and validation."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from pydantic import JsonValue, ValidationError

from langgraph_learning.json_schema import (
    Schema,
    choices,
    from_wire,
    inline_schema,
    is_blank,
    object_fields,
    object_to_wire,
    required_names,
    to_wire,
)
from langgraph_learning.records import Refusal
from langgraph_learning.stores import LearningStore, Operation
from langgraph_learning.stores.maintenance_operations import MAINTENANCE

__all__ = ["Schema", "answer_schema", "read_operation", "signatures"]

_QUOTE: Schema = {
    "type": "string",
    "description": "The user's words that this rests on, copied exactly; blank if nobody said so",
}
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_TRUTH = {"true": True, "false": False}


def answer_schema(
    operations: Iterable[type[Operation]], says: str = "What this turn teaches", *, quoted: bool = True
) -> Schema:
    """Return the JSON schema of an answer: one object with a list of operations; `quoted` adds a quote to each."""
    items: list[JsonValue] = [operation_schema(kind, quoted) for kind in operations]
    return {
        "title": "learned",
        "description": f"{says}; an empty list if nothing.",
        "type": "object",
        "properties": {"operations": {"type": "array", "items": {"anyOf": items}}},
        "required": ["operations"],
        "additionalProperties": False,
    }


def operation_schema(kind: type[Operation], quoted: bool = True) -> Schema:
    """Return the schema of one operation of an answer: its name, its quote, then its fields.

    The quote comes before the statement: a model that has to find the words first invents less.
    """
    schema = inline_schema(kind)
    fields = object_to_wire(object_fields(schema), required_names(schema))
    name: Schema = {"type": "string", "enum": [kind.__name__]}
    inner = cast("Schema", fields["properties"])
    properties: Schema = {"operation": name, **({"quote": _QUOTE} if quoted else {}), **inner}
    return {
        "type": "object",
        "description": kind.__doc__ or "",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def signatures(operations: Iterable[type[Operation]]) -> str:
    """Return the operations with their fields in words: some servers use the schema and never show it to the model."""
    return "\n".join(line for kind in operations for line in _signature(kind))


def _signature(kind: type[Operation]) -> Iterator[str]:
    schema = inline_schema(kind)
    fields, required = object_fields(schema), required_names(schema)
    yield f"- {kind.__name__}({', '.join(fields)}): {' '.join((kind.__doc__ or '').split())}"
    for name, field in fields.items():
        wire = to_wire(field)
        blank = "" if name in required else ", may be blank"
        described = f": {wire['description']}" if "description" in wire else ""
        yield f"    {name} ({_describe_type(wire)}{blank}){described}"


def _describe_type(wire: Schema) -> str:
    if branches := cast("list[Schema]", wire.get("anyOf", [])):
        return " or ".join(map(_describe_type, branches))
    if "enum" in wire:
        return " | ".join(map(json.dumps, cast("list[JsonValue]", wire["enum"])))
    if wire["type"] == "array":
        return f"list of {_describe_type(cast('Schema', wire['items']))}"
    if wire["type"] == "object":
        fields = cast("dict[str, Schema]", wire["properties"])
        return "{" + ", ".join(f"{name}: {_describe_type(field)}" for name, field in fields.items()) + "}"
    return {"string": "text", "boolean": "true or false"}.get(str(wire["type"]), str(wire["type"]))


def read_operation(
    stores: Iterable[LearningStore],
    name: object,
    arguments: Mapping[str, JsonValue],
    *,
    searches: bool = False,
    maintenance: bool = False,
) -> tuple[LearningStore, Operation | None, list[Refusal]]:
    """Return the learning store, the valid operation, and what of it was refused.

    Args:
        stores: The learning stores to look in.
        name: The name of the operation.
        arguments: Its arguments.
        searches: Whether it is one of the searches.
        maintenance: Whether the operations of every learning store count too; no extraction and no tool offers those.

    Raises:
        LookupError: No learning store has this operation.
    """
    for store in stores:
        for kind in store.searches if searches else (*store.operations, *(MAINTENANCE if maintenance else ())):
            if kind.__name__ == name:
                return (store, *_validate(store, kind, _to_declared(kind, arguments)))
    raise LookupError(f"there is no operation {name!r}")


def _to_declared(kind: type[Operation], arguments: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the arguments in the shapes that the fields declare, without blank ones.

    Models send something for every key. Null, blank text and, for optional fields, empty lists and objects of blanks
    mean "not given".
    """
    schema = inline_schema(kind)
    fields, required = object_fields(schema), required_names(schema)
    given = {
        key: value
        for key, value in arguments.items()
        if not (is_blank(value) and (key not in required or not isinstance(value, list | dict)))
    }
    return {key: from_wire(value, fields.get(key, {})) for key, value in given.items()}


def _validate(
    store: LearningStore, kind: type[Operation], given: dict[str, JsonValue]
) -> tuple[Operation | None, list[Refusal]]:
    """Validate strictly; if the learning store asks for it, field by field, so that only wrong fields are refused.

    A number or boolean that is written as text is converted to the type that the field declares.
    """
    declared = object_fields(inline_schema(kind))
    separately = store.validate_fields_separately
    wrong = {key: "there is no such field" for key in given if separately and key not in declared}
    wrong |= {key: "not a finite number" for key, value in given.items() if not _is_finite(value)}
    fields = {key: value for key, value in given.items() if key not in wrong}
    operation, failed = _parse(kind, fields)
    if failed:
        fields |= {key: _retype(fields[key], declared.get(key, {})) for key in failed if key in fields}
        operation, failed = _parse(kind, fields)
    wrong |= failed
    right = {key: value for key, value in fields.items() if key not in wrong}
    if wrong:
        operation = _parse(kind, right)[0] if separately and right else None
    reasons = [f"{key}: {reason}" if key else reason for key, reason in wrong.items()]
    return operation, [Refusal(operation=kind.__name__, reason=reason) for reason in reasons]


def _parse(kind: type[Operation], fields: Mapping[str, JsonValue]) -> tuple[Operation | None, dict[str, str]]:
    try:
        return kind.model_validate_json(json.dumps(fields), strict=True, by_name=True), {}
    except ValidationError as error:
        return None, {str(detail["loc"][0]) if detail["loc"] else "": detail["msg"] for detail in error.errors()}


def _is_finite(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _retype(value: JsonValue, schema: Schema) -> JsonValue:
    """Return `value` with numbers and booleans converted from text where the schema takes no text."""
    kinds = {str(choice.get("type")) for choice in choices(schema)}
    if isinstance(value, dict):
        fields = [cast("dict[str, Schema]", choice.get("properties", {})) for choice in choices(schema)]
        free = [choice.get("additionalProperties") for choice in choices(schema)]
        inner = next((part for part in free if isinstance(part, dict)), {})
        declared = {name: field for options in fields for name, field in options.items()}
        return {key: _retype(part, declared.get(key, inner)) for key, part in value.items()}
    if isinstance(value, list):
        arrays = [choice for choice in choices(schema) if choice.get("type") == "array"]
        items = [cast("Schema", array.get("items") or {}) for array in arrays][:1] or [{}]
        positions = cast("list[Schema]", arrays[0].get("prefixItems", []) if arrays else [])
        parts = [*positions, *items * max(0, len(value) - len(positions))]
        return [_retype(item, part) for item, part in zip(value, parts, strict=False)]
    if not isinstance(value, str) or "string" in kinds:
        return value
    text = value.strip()
    if "boolean" in kinds and text.casefold() in _TRUTH:
        return _TRUTH[text.casefold()]
    if kinds & {"integer", "number"} and _NUMBER.fullmatch(text):
        number = float(text)
        return int(number) if number.is_integer() and abs(number) < 1e15 else number
    return value
