"""JSON schemas of pydantic models in a form that models of every provider can fill, and reading their answers back.

The sent schema uses only what OpenAI's strict mode, Anthropic, Gemini and llama.cpp grammars share: objects whose keys
are all required, `anyOf`, no references and no limits. What such a schema cannot express is sent in another shape, and
`from_wire` converts it back: a free dict as `[{key, value}]`, a tuple as `{item_1, item_2}`, and a missing value as a
blank (`""` or `[]`), because several providers count or drop unions with null.
"""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeAlias, cast

from pydantic import BaseModel, JsonValue
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from langgraph_learning.errors import ConfigurationError

Schema: TypeAlias = dict[str, JsonValue]

NULL: Schema = {"type": "null"}
_FORMATS = {
    "date": "a date, as YYYY-MM-DD",
    "date-time": "a time, as YYYY-MM-DDTHH:MM:SS+00:00",
    "time": "a time of day, as HH:MM:SS",
    "duration": "a duration, as P1DT2H",
}
_TYPES: tuple[tuple[type, str], ...] = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"))


class _SchemaWithKeys(GenerateJsonSchema):
    """The schema generator of pydantic, which also describes the keys of every dict."""

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        generated = super().dict_schema(schema)
        if (keys := schema.get("keys_schema")) is not None:
            generated["propertyNames"] = self.generate_inner(keys)
        return generated


@lru_cache(maxsize=256)
def inline_schema(model: type[BaseModel]) -> Schema:
    """Return the JSON schema of `model` without references; treat it as read-only.

    Raises:
        ConfigurationError: The model refers to itself, or a field has a type that JSON cannot hold.
    """
    try:
        schema = model.model_json_schema(by_alias=False, schema_generator=_SchemaWithKeys)
    except PydanticUserError as error:
        raise ConfigurationError(f"{model.__name__} has a field that JSON cannot hold: {error.message}") from error
    return _inline(schema, schema.get("$defs", {}), (), model.__name__)


def _inline(schema: Schema, definitions: Schema, path: tuple[str, ...], owner: str) -> Schema:
    if reference := schema.get("$ref"):
        name = str(reference).rsplit("/", 1)[-1]
        if name in path:
            raise ConfigurationError(
                f"{owner} refers to itself ({name}): a model cannot fill a schema without an end; give the inner one"
                " a class of its own, without that field"
            )
        target = cast("Schema", definitions[name])
        own = {key: value for key, value in schema.items() if key not in ("$ref", "$defs")}
        return _inline({**target, **own}, definitions, (*path, name), owner)
    inlined: Schema = {}
    for key, value in schema.items():
        if key == "$defs":
            continue
        if key == "properties":
            fields = cast("dict[str, Schema]", value)
            inlined[key] = {name: _inline(field, definitions, path, owner) for name, field in fields.items()}
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            inlined[key] = [_inline(choice, definitions, path, owner) for choice in cast("list[Schema]", value)]
        elif key in ("items", "additionalProperties", "propertyNames") and isinstance(value, dict):
            inlined[key] = _inline(value, definitions, path, owner)
        else:
            inlined[key] = value
    if len(only := cast("list[Schema]", inlined.get("allOf", []))) == 1:
        return {**only[0], **{key: value for key, value in inlined.items() if key != "allOf"}}
    return inlined


def choices(schema: Schema) -> list[Schema]:
    """Return the alternatives of an inlined schema, without null; the schema itself if it has none."""
    branches = cast("list[Schema]", schema.get("anyOf") or schema.get("oneOf") or [])
    if not branches:
        return [] if schema.get("type") == "null" else [schema]
    flat = [inner for branch in branches for inner in choices(branch)]
    # Pydantic also accepts some numbers as text with a pattern; the model is asked for the number.
    return [branch for branch in flat if "pattern" not in branch] or flat


def to_wire(schema: Schema, *, blanks: bool = True) -> Schema:
    """Return an inlined schema in the form that is sent to a model.

    Args:
        schema: The schema, as `inline_schema` returns it, or a part of it.
        blanks: Whether every key is required, and blank means "not given"; otherwise optional keys may be left out.
    """
    wires = [_wire_of(choice, blanks) for choice in choices(schema)]
    wires = [inner for wire in wires for inner in cast("list[Schema]", wire.get("anyOf", [wire]))]
    distinct = [wire for index, wire in enumerate(wires) if wire not in wires[:index]]
    wire: Schema = distinct[0] if len(distinct) == 1 else {"anyOf": cast("list[JsonValue]", distinct)}
    described = "; ".join(str(text) for text in (schema.get("description"), *_hints(schema)) if text)
    others: Schema = {key: value for key, value in wire.items() if key != "description"}
    return {**others, "description": described} if described else wire if distinct else {"type": "string"}


def _hints(schema: Schema) -> list[str]:
    return [_FORMATS[name] for choice in choices(schema) if (name := str(choice.get("format"))) in _FORMATS]


def _wire_of(schema: Schema, blanks: bool) -> Schema:
    if "const" in schema or "enum" in schema:
        return _enum(cast("list[JsonValue]", schema.get("enum", [schema.get("const")])))
    kind = schema.get("type")
    if kind == "array":
        if (positions := cast("list[Schema] | None", schema.get("prefixItems"))) is not None:
            return _object({f"item_{number}": to_wire(item, blanks=blanks) for number, item in enumerate(positions, 1)})
        return {"type": "array", "items": to_wire(cast("Schema", schema.get("items") or {}), blanks=blanks)}
    if kind == "object":
        return _wire_of_object(schema, blanks)
    return {"type": str(kind)} if kind else {"type": "string"}


def _wire_of_object(schema: Schema, blanks: bool) -> Schema:
    fields = cast("dict[str, Schema] | None", schema.get("properties"))
    if fields is None and not schema.get("additionalProperties"):
        return _object({})
    if fields is None:
        values = schema.get("additionalProperties")
        value = to_wire(values if isinstance(values, dict) else {}, blanks=blanks)
        key = to_wire(cast("Schema", schema.get("propertyNames") or {}), blanks=blanks)
        return {"type": "array", "items": cast("JsonValue", _object({"key": key, "value": value}))}
    return object_to_wire(fields, cast("Sequence[str]", schema.get("required", ())), blanks=blanks)


def object_to_wire(fields: dict[str, Schema], required: Iterable[str], *, blanks: bool = True) -> Schema:
    """Return the schema of an object with these fields in the form that is sent to a model."""
    wires, needed = {name: to_wire(field, blanks=blanks) for name, field in fields.items()}, set(required)
    if not blanks:
        optional: Schema = {"required": [name for name in wires if name in needed]}
        return _object(wires) | optional
    return _object({name: wire if name in needed else _with_blank(wire) for name, wire in wires.items()})


def _object(fields: dict[str, Schema]) -> Schema:
    properties = cast("Schema", fields)
    return {"type": "object", "properties": properties, "required": list(fields), "additionalProperties": False}


def _enum(values: list[JsonValue]) -> Schema:
    """Return an enum whose values keep their types; texts and numbers become two enums."""
    by_type: dict[str, list[JsonValue]] = {}
    for value in values:
        if value is not None:
            by_type.setdefault(next(name for kind, name in _TYPES if isinstance(value, kind)), []).append(value)
    enums: list[Schema] = [{"type": name, "enum": members} for name, members in by_type.items()]
    return enums[0] if len(enums) == 1 else {"anyOf": cast("list[JsonValue]", enums)}


def _with_blank(wire: Schema) -> Schema:
    """Return a schema that also accepts "not given": a blank if it has one, else null."""
    if wire.get("type") == "string" and "enum" in wire:
        return {**wire, "enum": [*cast("list[JsonValue]", wire["enum"]), ""]}
    if _has_blank(wire):
        return wire
    bare = {key: value for key, value in wire.items() if key != "description"}
    branches = cast("list[JsonValue]", bare.get("anyOf", [bare]))
    described: Schema = {"description": wire["description"]} if "description" in wire else {}
    return {"anyOf": [*branches, NULL]} | described


def _has_blank(wire: Schema) -> bool:
    if branches := cast("list[Schema]", wire.get("anyOf", [])):
        return any(_has_blank(branch) for branch in branches)
    if wire.get("type") == "object":
        return all(map(_has_blank, cast("dict[str, Schema]", wire["properties"]).values()))
    if wire.get("type") == "string":
        return "enum" not in wire or "" in cast("list[JsonValue]", wire["enum"])
    return wire.get("type") == "array"


def unions(wire: Schema) -> int:
    """Return how many parameters of a sent schema are unions: Anthropic's strict mode takes 16."""
    inner = [
        *cast("dict[str, Schema]", wire.get("properties", {})).values(),
        *cast("list[Schema]", wire.get("anyOf", [])),
        *([cast("Schema", wire["items"])] if "items" in wire else []),
    ]
    return ("anyOf" in wire) + sum(map(unions, inner))


def is_blank(value: JsonValue) -> bool:
    """Return whether a value means "not given": null, blank text, or a list or object of nothing but blanks."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, dict):
        return all(map(is_blank, value.values()))
    return value is None or value == []


def from_wire(value: JsonValue, schema: Schema) -> JsonValue:
    """Return a model's answer in the shape that the inlined `schema` declares, without blank optional values."""
    if isinstance(value, dict):
        return _read_object(value, _best_object(value, choices(schema)))
    if not isinstance(value, list):
        return value
    arrays = [choice for choice in choices(schema) if choice.get("type") == "array"]
    free = [choice for choice in choices(schema) if _is_free_dict(choice)]
    pairs = all(isinstance(pair, dict) and {"key", "value"} >= pair.keys() >= {"key"} for pair in value)
    if free and pairs and (value or not arrays):
        return _read_pairs(cast("list[dict[str, JsonValue]]", value), free[0])
    if not arrays:
        return value
    positions = cast("list[Schema]", arrays[0].get("prefixItems") or [])
    items = cast("Schema", arrays[0].get("items") or {})
    inner = [*positions, *[items] * max(0, len(value) - len(positions))]
    return [from_wire(item, part) for item, part in zip(value, inner, strict=False)]


def _is_free_dict(schema: Schema) -> bool:
    return schema.get("type") == "object" and "properties" not in schema


def _best_object(value: dict[str, JsonValue], branches: Sequence[Schema]) -> Schema:
    """Return the branch that has the most keys of `value`."""

    def fitting(branch: Schema) -> int:
        if places := cast("list[Schema]", branch.get("prefixItems", [])):
            return sum(f"item_{number}" in value for number in range(1, len(places) + 1)) - 1
        fields = cast("dict[str, Schema]", branch.get("properties", {}))
        constants = [name for name, field in fields.items() if value.get(name) in _constants(field)]
        return sum(name in fields for name in value) + len(constants)

    fit = [branch for branch in branches if branch.get("type") == "object" or "prefixItems" in branch]
    return max(fit, key=fitting, default={})


def _constants(field: Schema) -> list[JsonValue]:
    return [field["const"]] if "const" in field else []


def _read_object(value: dict[str, JsonValue], schema: Schema) -> JsonValue:
    if positions := cast("list[Schema]", schema.get("prefixItems", [])):
        names = [f"item_{number}" for number in range(1, len(positions) + 1)]
        return [from_wire(value.get(name), item) for name, item in zip(names, positions, strict=True)]
    if _is_free_dict(schema):
        inner = schema.get("additionalProperties")
        return {key: from_wire(part, inner if isinstance(inner, dict) else {}) for key, part in value.items()}
    fields = cast("dict[str, Schema]", schema.get("properties", {}))
    required = cast("list[str]", schema.get("required", []))
    given = {key: part for key, part in value.items() if key in required or key not in fields or not is_blank(part)}
    return {key: from_wire(part, fields.get(key, {})) for key, part in given.items()}


def _read_pairs(pairs: Iterable[dict[str, JsonValue]], schema: Schema) -> JsonValue:
    inner = schema.get("additionalProperties")
    part = inner if isinstance(inner, dict) else {}
    return {_key(pair["key"]): from_wire(pair.get("value"), part) for pair in pairs}


def _key(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def object_fields(schema: Schema) -> dict[str, Schema]:
    """Return the fields of an object, with the id of a record first: the subject before the statement."""
    fields = cast("dict[str, Schema]", schema.get("properties", {}))
    return {name: fields[name] for name in sorted(fields, key=lambda name: name != "id")}


def required_names(schema: Schema) -> list[str]:
    """Return the names of the fields that an object must have."""
    return cast("list[str]", schema.get("required", []))
