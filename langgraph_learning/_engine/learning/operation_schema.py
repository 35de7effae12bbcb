"""How operations look on the wire: one plain JSON schema out, one strictly read answer back.

The schema stays within what OpenAI's strict mode, Anthropic, Gemini and llama.cpp grammars share: an object at the
root, `anyOf` of inlined operations, every key required, optional means null, free dicts as `[{key, value}]`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias, cast

from pydantic import JsonValue, ValidationError

from langgraph_learning.records import Refusal
from langgraph_learning.stores import LearningStore, Operation
from langgraph_learning.stores.maintenance import MAINTENANCE

Schema: TypeAlias = dict[str, JsonValue]

_KEPT = ("type", "enum", "description")
_QUOTE: Schema = {
    "description": "The words of the conversation this rests on, copied exactly; null if nobody said so",
    "anyOf": [{"type": "string"}, {"type": "null"}],
}


class UnusableAnswer(Exception):
    """The answer as a whole cannot be read; the message tells the model what was wrong."""


def answer_schema(
    operations: Iterable[type[Operation]], says: str = "What this turn teaches", *, quoted: bool = True
) -> Schema:
    """Return the JSON schema of the one object of operations that a model answers with; `quoted` from the turn."""
    items: list[JsonValue] = [_operation_schema(kind, quoted) for kind in operations]
    return {
        "title": "learned",
        "description": f"{says}; an empty list if nothing.",
        "type": "object",
        "properties": {"operations": {"type": "array", "items": {"anyOf": items}}},
        "required": ["operations"],
        "additionalProperties": False,
    }


def tool_schema(kind: type[Operation]) -> Schema:
    """Return the JSON schema of an operation as an agent tool."""
    return {
        "title": kind.__name__,
        "description": kind.__doc__ or "",
        "type": "object",
        "properties": _fields(kind),
        "required": [name for name, field in kind.model_fields.items() if field.is_required()],
        "additionalProperties": False,
    }


def _operation_schema(kind: type[Operation], quoted: bool) -> Schema:
    name: Schema = {"type": "string", "enum": [kind.__name__]}
    properties: Schema = {"operation": name, **_fields(kind), **({"quote": _QUOTE} if quoted else {})}
    return {
        "type": "object",
        "description": kind.__doc__ or "",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _fields(kind: type[Operation]) -> Schema:
    schema = kind.model_json_schema(by_alias=False)
    fields = cast("dict[str, Schema]", _plain(schema, schema.get("$defs", {}))["properties"])
    required = {name for name, field in kind.model_fields.items() if field.is_required()}
    return {name: field if name in required else _nullable(field) for name, field in fields.items()}


def _nullable(schema: Schema) -> Schema:
    null: Schema = {"type": "null"}
    choices = cast("list[JsonValue]", schema.get("anyOf", [{k: v for k, v in schema.items() if k != "description"}]))
    described = {"description": schema["description"]} if "description" in schema else {}
    return {**described, "anyOf": [*choices, *([] if null in choices else [null])]}


def _plain(schema: Schema, definitions: Schema) -> Schema:
    """Inline references and keep only what every provider's grammar knows."""
    if reference := schema.get("$ref"):
        target = cast("Schema", definitions[str(reference).rsplit("/", 1)[-1]])
        return _plain({**target, **{k: v for k, v in schema.items() if k != "$ref"}}, definitions)
    if len(only := cast("list[Schema]", schema.get("allOf", []))) == 1:
        return _plain({**only[0], **{k: v for k, v in schema.items() if k != "allOf"}}, definitions)
    plain: Schema = {key: schema[key] for key in _KEPT if key in schema}
    if "const" in schema:
        plain["enum"] = [schema["const"]]
    if "enum" in plain and "type" not in plain:
        plain["type"] = "string"
    if choices := cast("list[Schema] | None", schema.get("anyOf") or schema.get("oneOf")):
        plain["anyOf"] = [_plain(choice, definitions) for choice in choices]
    if schema.get("type") == "array":
        plain["items"] = _plain(cast("Schema", schema.get("items") or {"type": "string"}), definitions)
    if schema.get("type") == "object":
        return _plain_object(schema, plain, definitions)
    return plain


def _plain_object(schema: Schema, plain: Schema, definitions: Schema) -> Schema:
    if (fields := cast("dict[str, Schema] | None", schema.get("properties"))) is None:
        value = schema.get("additionalProperties")
        value = value if isinstance(value, dict) and value else {"type": "string"}
        pair = cast("JsonValue", {"key": {"type": "string"}, "value": value})
        items = _plain({"type": "object", "properties": pair}, definitions)
        return {**{k: v for k, v in plain.items() if k == "description"}, "type": "array", "items": items}
    properties: Schema = {name: _plain(field, definitions) for name, field in fields.items()}
    return {**plain, "properties": properties, "required": list(properties), "additionalProperties": False}


def read_answer(text: str) -> list[JsonValue]:
    """Return the operations of an answer, read strictly: half an answer is no answer.

    Raises:
        UnusableAnswer: It is not the JSON object that was asked for.
    """
    fenced = re.search(r"```(?:json)?\s*(\{.*\})\s*```", text, flags=re.S)  # small models add a word and a fence
    try:
        answer = json.loads(fenced[1] if fenced else text)
        operations = answer.get("operations") if isinstance(answer, dict) else None
        operations = json.loads(operations) if isinstance(operations, str) else operations
    except ValueError as error:
        raise UnusableAnswer(f"the answer is not valid JSON: {error}") from error
    if isinstance(operations, dict):
        operations = [operations]
    if not isinstance(operations, list):
        raise UnusableAnswer('the answer is not an object {"operations": [...]}')
    return operations


def read_operation(
    stores: Iterable[LearningStore],
    name: object,
    arguments: Mapping[str, JsonValue],
    *,
    searches: bool = False,
    upkeep: bool = False,
) -> tuple[LearningStore, Operation | None, list[Refusal]]:
    """Return the learning store, the operation that stands, and what of it was refused.

    Args:
        stores: Where to look for the operation.
        name: What it is called.
        arguments: What it is given.
        searches: Whether it is one of the searches.
        upkeep: Whether it may be one that every learning store has: no extraction and no tool offers those.

    Raises:
        LookupError: No learning store has this operation.
    """
    for store in stores:
        for kind in store.searches if searches else (*store.operations, *(MAINTENANCE if upkeep else ())):
            if kind.__name__ == name:
                given = {key: value for key, value in arguments.items() if not _is_blank(value)}
                return (store, *_validate(store, kind, given))
    raise LookupError(f"there is no operation {name!r}")


def _validate(
    store: LearningStore, kind: type[Operation], given: dict[str, JsonValue]
) -> tuple[Operation | None, list[Refusal]]:
    unknown = [key for key in given if key not in kind.model_fields] if store.validate_fields_separately else []
    refused = [Refusal(operation=kind.__name__, reason=f"{key}: there is no such field") for key in unknown]
    fields = {key: _as_declared(kind, key, value) for key, value in given.items() if key not in unknown}
    try:
        return kind.model_validate_json(json.dumps(fields), strict=True, by_name=True), refused
    except ValidationError as error:
        wrong = {str(detail["loc"][0]) if detail["loc"] else "": detail["msg"] for detail in error.errors()}
    refused += [
        Refusal(operation=kind.__name__, reason=f"{key}: {reason}" if key else reason) for key, reason in wrong.items()
    ]
    rest = {key: value for key, value in given.items() if key not in wrong and key not in unknown}
    if not store.validate_fields_separately or not rest or len(rest) == len(fields):
        return None, refused
    operation, _ = _validate(store, kind, rest)
    return operation, refused


def _is_blank(value: JsonValue) -> bool:
    """Strict schemas make models send something for every key: null and blank mean "not given"."""
    return value is None or (isinstance(value, str) and not value.strip())


def _as_declared(kind: type[Operation], key: str, value: JsonValue) -> JsonValue:
    """Turn `[{key, value}]` back into the free dict that the field declares."""
    schema = kind.model_json_schema(by_alias=False)
    field = schema.get("properties", {}).get(key, {})
    choices = [field, *field.get("anyOf", [])]
    free = any(choice.get("type") == "object" and "properties" not in choice for choice in choices)
    if free and isinstance(value, list) and all(isinstance(pair, dict) and "key" in pair for pair in value):
        return {str(pair["key"]): pair.get("value") for pair in value if isinstance(pair, dict)}
    return value
