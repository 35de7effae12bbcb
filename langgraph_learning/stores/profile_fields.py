"""The fields of a user profile: merged and read back under their types, and further facts under names of their own."""

import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast

from pydantic import BaseModel, Field, JsonValue, ValidationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema

from langgraph_learning.json_schema import Schema, inline_schema
from langgraph_learning.records import Change, Record, Update
from langgraph_learning.schemas import UserProfile
from langgraph_learning.stores.changes import remove
from langgraph_learning.stores.operations import Operation, Refused
from langgraph_learning.stores.values import merge, spell
from langgraph_learning.text import fold

log = logging.getLogger("langgraph_learning.stores.user_profile")

DETAILS = "details"
"""The field of facts that the schema declares no field for."""
LONGEST_NAME, LONGEST_DETAIL = 60, 500


@dataclass(frozen=True)
class ProfileFields:
    """The typed fields of a profile's schema."""

    schema: type[BaseModel]
    operation: type[Operation]
    """What sets them: its fields are those of the schema, each of which may be left out."""
    declared: tuple[str, ...]
    """Their names, without the field of further facts."""

    def fits(self, field: str, value: JsonValue) -> bool:
        """Return whether a value has the type of its field."""
        return self._parse(field, value)[0] is not None

    def merge(self, field: str, old: JsonValue, value: JsonValue) -> JsonValue:
        """Return `old` with what `value` says, or `value` alone where both do not fit: a list of at most two."""
        schemas = cast("dict[str, Schema]", inline_schema(self.operation)["properties"])
        merged = merge(old, value, schemas.get(field, {}))
        return merged if self.fits(field, merged) else value

    def read_profile(self, records: Sequence[Record]) -> BaseModel:
        """Return the records as one object of the schema; what is not known keeps its default, else None.

        A value that no longer fits its field, because the schema has changed, is left out and logged.
        """
        known: dict[str, JsonValue] = {}
        for record in records:
            for field, value in record.content.items():
                known[field] = merge(known.get(field), value, {}) if field == DETAILS else value
        values: dict[str, Any] = {}
        for field in known.keys() & self.schema.model_fields.keys():
            typed, misfits = self._parse(field, known[field])
            if typed is None:
                log.warning("user_profile: %s no longer fits its field and is left out: %s", field, misfits)
            else:
                values[field] = getattr(typed, field)
        missing = {name: None for name, field in self.schema.model_fields.items() if field.is_required()}
        return self.schema.model_construct(_fields_set=set(values), **{**missing, **values})

    def _parse(self, field: str, value: JsonValue) -> tuple[Operation | None, dict[str, str]]:
        """Return the typed field, or what is wrong with it."""
        try:
            return self.operation.model_validate_json(json.dumps({field: value}), strict=True, by_name=True), {}
        except ValidationError as error:
            return None, {str(each["loc"][0]) if each["loc"] else "": each["msg"] for each in error.errors()}


def details_field(*, hidden: bool) -> tuple[object, FieldInfo]:
    """Return the argument for further facts; where it is hidden only the schema's validators see it."""
    kind = dict[str, Annotated[str, Field(max_length=LONGEST_DETAIL)]] | None
    info = FieldInfo.from_field(default=None, description=UserProfile.model_fields[DETAILS].description)
    return SkipJsonSchema[kind] if hidden else kind, info  # type: ignore[misc]


def normal_name(name: str) -> str:
    """Return the name of a fact in one spelling: "Job Title" and "job_title" are one."""
    return re.sub(r"[^\w]+", "_", fold(name)).strip("_")[:LONGEST_NAME]


def field_name(record: Record) -> str:
    """Return the name of the field, or of the further fact, that a record holds."""
    [field] = record.content
    inner = record.content[field]
    return next(iter(inner), field) if field == DETAILS and isinstance(inner, dict) else field


def clear_field(record: Record, field: str, item: str | None) -> Change:
    """Return what empties the field that a record holds, or takes one item out of it, by its text or its name.

    Raises:
        Refused: There is no such item.
    """
    value = record.content.get(field)
    if item is None or not isinstance(value, list | dict):
        return remove(record)
    wanted = fold(item).strip()
    left: JsonValue
    if isinstance(value, dict):
        left = {key: part for key, part in value.items() if fold(key).strip() != wanted}
    else:
        left = [part for part in value if wanted not in _spellings(part)]
    if left == value:
        raise Refused(f"{item!r} is not in {field}; there is {spell(value)}")
    if not left:
        return remove(record)
    return Update(store=record.store, id=record.id, content={field: left}, text=f"{field}: {spell(left)}")


def _spellings(value: JsonValue) -> Iterator[str]:
    """Return what an item of a list may be called: as it is shown, or by its name."""
    yield fold(spell(value)).strip()
    if isinstance(value, dict):
        yield from (fold(spell(part)).strip() for part in [next(iter(value.values()), "")])
