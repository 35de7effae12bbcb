"""Planning `remember_about`: from its arguments to the entity, the statements, and the facts they make outdated."""

import json
from collections.abc import Sequence

from pydantic import BaseModel, JsonValue, ValidationError

from langgraph_learning.records import Change, Record
from langgraph_learning.stores.entities.entity_records import Content, about
from langgraph_learning.stores.entities.names import normal_type, one_line
from langgraph_learning.stores.entities.remember import EntityUpdate, outdated_facts, remember
from langgraph_learning.stores.entities.remember_arguments import OWN, Given, texts
from langgraph_learning.stores.entities.resolution import Named, resolve_told
from langgraph_learning.stores.json_values import as_list
from langgraph_learning.stores.operations import Operation, Refused


def plan_remember(records: Sequence[Record], operation: Operation, schema: type[BaseModel]) -> list[Change]:
    """Return the changes of `remember_about`.

    Args:
        records: All stored records.
        operation: The operation.
        schema: The schema of entities; all its fields are optional.

    Raises:
        Refused: The content does not fit the schema, or an outdated fact is not stored.
    """
    arguments = operation.model_dump(mode="json", exclude_none=True)
    kind = normal_type(str(arguments["entity_type"]))
    entity = resolve_told(records, str(arguments["entity"]), kind, texts(arguments.get("aliases")))
    live = about(records, entity.record.id, "fact") if entity.record else []
    outdated, lost = outdated_facts(live, texts(arguments.get("outdated")))
    if lost:
        listed = "; ".join(repr(str(record.content["content"])) for record in live[-50:]) or "none"
        wrong = " and ".join(map(repr, lost))
        reason = f"outdated: {wrong} is not one of the known facts, and none was changed by it; there are {listed}"
        raise Refused(reason, _without_lost(operation, arguments, lost))
    update = _read_update(arguments, entity, [name for name in schema.model_fields if name not in OWN])
    return remember(records, update, outdated, lambda content: _check_entity(schema, content, arguments["entity_type"]))


def _without_lost(operation: Operation, arguments: Given, lost: Sequence[str]) -> Operation | None:
    """Return `operation` without outdated facts that match nothing; None if then nothing is left to remember."""
    remaining = [text for text in texts(arguments.get("outdated")) if text not in lost]
    says_more = set(arguments) - {"entity", "entity_type", "outdated"}
    return operation.model_copy(update={"outdated": remaining or None}) if remaining or says_more else None


def _read_update(arguments: Given, entity: Named, own_fields: Sequence[str]) -> EntityUpdate:
    """Return the statements about an entity, without blanks."""
    events = [
        (one_line(str(event["content"])), str(event.get("date") or "")) for event in _objects(arguments.get("events"))
    ]
    properties = arguments.get("properties")
    return EntityUpdate(
        named=entity,
        fields={name: arguments[name] for name in ("description", *own_fields) if name in arguments},
        aliases=texts(arguments.get("aliases")),
        properties=properties if isinstance(properties, dict) else {},
        facts=texts(arguments.get("facts")),
        events=[(what, day) for what, day in events if what],
    )


def _objects(value: JsonValue) -> list[dict[str, JsonValue]]:
    return [item for item in as_list(value) if isinstance(item, dict)]


def _check_entity(schema: type[BaseModel], content: Content, kind: JsonValue) -> Content:
    """Return the content of an entity as the schema has it, for an entity of type `kind`.

    Raises:
        Refused: It does not fit the schema.
    """
    values = {name: content[name] for name in schema.model_fields if content.get(name) is not None}
    values["type"] = kind
    try:
        typed = schema.model_validate_json(json.dumps(values), strict=True, by_name=True)
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors())
        raise Refused("; ".join(wrong)) from error
    typed_content: Content = typed.model_dump(mode="json", exclude_none=True, include=set(values) - {"type"})
    return typed_content
