"""Operations as HTML forms: one form field per argument, and the values typed in as arguments again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from starlette.datastructures import FormData

from langgraph_learning.json_schema import Schema, choices, object_fields, required_names
from langgraph_learning.records import Record
from langgraph_learning.stores import LearningStore, Operation
from langgraph_learning.stores.operations import tool_schema

Kind = Literal["text", "number", "choice", "yes", "lines", "json"]
REMOVING = ("delete_", "clear_", "forget")
"""How the names of operations begin that take something away."""


@dataclass(frozen=True)
class Field:
    """One form field: the name of the argument, the kind of input, and the present value."""

    name: str
    kind: Kind
    value: str = ""
    about: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    whole: bool = False
    """Whether a number must be an integer."""

    def read(self, typed: str) -> object:
        """Return the value of the text that was typed in; None if it is empty.

        Raises:
            ValueError: The text is not a number, or not JSON, as the field requires.
        """
        text = typed.replace("\r\n", "\n").strip()
        if not text:
            return None
        if self.kind == "number":
            return int(text) if self.whole else float(text)
        if self.kind == "yes":
            return text == "true"
        if self.kind == "lines":
            return [line.strip() for line in text.split("\n") if line.strip()]
        return json.loads(text) if self.kind == "json" else text


def find_operation(stores: tuple[LearningStore, ...], name: str) -> type[Operation] | None:
    """Return the operation with this name; None if there is none."""
    return next((kind for store in stores for kind in store.operations if kind.__name__ == name), None)


def fields_of(operation: type[Operation], values: Mapping[str, object]) -> list[Field]:
    """Return the form fields for `operation`, filled with `values`; there is none for `id`, which the page knows."""
    schema = tool_schema(operation)
    required = required_names(schema)
    return [
        _field(name, part, values.get(name), required=name in required)
        for name, part in object_fields(schema).items()
        if name != "id"
    ]


def read_form(operation: type[Operation], form: FormData) -> dict[str, object]:
    """Return the arguments that a form contains, without the fields that were left empty.

    Raises:
        ValueError: The text of a field is invalid; the message names the field.
    """
    arguments: dict[str, object] = {}
    for field in fields_of(operation, {}):
        try:
            value = field.read(str(form.get(field.name, "")))
        except ValueError as error:
            raise ValueError(f"{field.name}: {error}") from error
        if value is not None:
            arguments[field.name] = value
    return arguments


def operations_on(store: LearningStore, record: Record) -> list[tuple[str, bool]]:
    """Return the names of the operations that can change `record`, each with whether it removes something."""
    by_id = [operation for operation in store.operations if "id" in operation.model_fields]
    fitting = by_id or [operation for operation in store.operations if values_of(operation, record)]
    return [(operation.__name__, operation.__name__.startswith(REMOVING)) for operation in fitting]


def values_of(operation: type[Operation], record: Record) -> dict[str, object]:
    """Return the arguments of an operation that `record` already has values for."""
    fields, content = operation.model_fields, record.content
    values: dict[str, object] = {name: content[name] for name in fields if name in content}
    if "field" in fields and len(content) == 1:  # a user profile has one record per field
        values["field"] = next(iter(content))
    if "entity" in fields and "name" in content:
        values |= {"entity": content["name"], "entity_type": content.get("type")}
    if "details" in fields and len(content) == 1 and not values:
        values["details"] = [{"key": key, "value": value} for key, value in content.items()]
    return {name: value for name, value in values.items() if name in fields}


def _field(name: str, schema: Schema, value: object, *, required: bool) -> Field:
    plain = next(iter(choices(schema)), schema)
    about = str(schema.get("description") or plain.get("description") or "")
    kind, allowed = _kind(plain), plain.get("enum")
    return Field(
        name,
        kind,
        _write_field(value, kind),
        about,
        required,
        choices=tuple(map(str, allowed)) if isinstance(allowed, list) else (),
        whole=plain.get("type") == "integer",
    )


_KINDS: Mapping[object, Kind] = {"integer": "number", "number": "number", "boolean": "yes", "string": "text"}


def _kind(schema: Schema) -> Kind:
    if "enum" in schema:
        return "choice"
    if schema.get("type") == "array":
        items = schema.get("items")
        return "lines" if isinstance(items, dict) and items.get("type") == "string" else "json"
    return _KINDS.get(schema.get("type"), "json")


def _write_field(value: object, kind: Kind) -> str:
    if value is None:
        return ""
    if kind == "lines" and isinstance(value, list):
        return "\n".join(map(str, value))
    if kind in ("json", "yes"):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
