"""The arguments of `remember_about`: built from a schema, with dates resolved and texts checked."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, Field, JsonValue
from pydantic.fields import FieldInfo

from langgraph_learning.schemas import Event, Fact
from langgraph_learning.stores.entities.names import one_line
from langgraph_learning.stores.entities.relative_dates import mark_as_said, read_day
from langgraph_learning.stores.json_values import as_list
from langgraph_learning.stores.operations import Operation, Refused, schema_fields

NAME = Field(min_length=1, max_length=200, description="Its name, or type/name")
OWN = frozenset({"name", "type", "description", "aliases", "properties"})
TAKEN = frozenset({"entity", "entity_type", "facts", "events", "outdated", "kind"})
"""Names that a field of a schema must not have, because an argument or the record uses them."""
WORDS = {
    "entity": ("name", "type"),
    "fact": ("entity", "content"),
    "event": ("entity", "content", "date"),
    "relationship": ("source", "relation", "target"),
}
"""The texts in each kind of record."""
Given: TypeAlias = Mapping[str, JsonValue]


def build_fields(schema: type[BaseModel]) -> dict[str, tuple[object, FieldInfo]]:
    """Return the arguments of `remember_about`: the fields of the schema, and the statements about an entity."""
    own, fields = schema_fields(schema, optional=False), schema_fields(schema, optional=True)
    fact = Annotated[str, Fact.model_fields["content"]]
    outdated_description = (
        "Known facts that are no longer true because of this, copied as they are shown; the new facts replace them"
    )
    return {
        "entity": own["name"],
        "entity_type": own["type"],
        "description": fields["description"],
        "facts": _optional(list[fact], "What is true of it, one statement each"),
        "events": _optional(list[Event], "What happened, or will, on a day"),
        "aliases": fields["aliases"],
        "properties": fields["properties"],
        "outdated": _optional(list[str], outdated_description),
        **{name: field for name, field in fields.items() if name not in OWN},
    }


def _optional(kind: Any, description: str) -> tuple[object, FieldInfo]:
    return kind | None, FieldInfo.from_field(default=None, description=description)


def resolve_event_dates(operation: Operation, today: date) -> Operation:
    """Return the operation with days instead of phrases; a phrase that cannot be read is kept and marked."""
    raw_events = operation.model_dump()["events"] or []
    events = [_resolve_event_date(Event.model_validate(event), today) for event in raw_events]
    return operation.model_copy(update={"events": events or None})


def _resolve_event_date(event: Event, today: date) -> Event:
    phrase = one_line(event.date or "")
    day = read_day(phrase, today) if phrase else today
    written = mark_as_said(phrase, today) if day is None else day.isoformat()
    return Event.model_construct(content=one_line(event.content), date=written)


def texts(value: JsonValue) -> list[str]:
    """Return the texts of a list, each on one line, without blanks."""
    return [text for text in (one_line(str(item)) for item in as_list(value)) if text]


def check_texts(content: Given) -> None:
    """Raise unless `content` is an entity, fact, event or relationship with all its texts."""
    if content.get("kind") not in WORDS:
        raise Refused(f"kind: {content.get('kind')!r} is none of {', '.join(WORDS)}")
    for name in WORDS[str(content["kind"])]:
        if not isinstance(content.get(name), str):
            raise Refused(f"{name}: Input should be a valid string")
