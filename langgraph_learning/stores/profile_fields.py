"""The fields of a user profile: merge them, read them with their types, and name further facts."""

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, cast

from pydantic import BaseModel, Field, JsonValue, ValidationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema

from langgraph_learning.json_schema import Schema, inline_schema
from langgraph_learning.records import Change, Record, Update
from langgraph_learning.schemas import UserProfile
from langgraph_learning.stores.json_values import merge, spell, without_item
from langgraph_learning.stores.operations import Operation, Refused
from langgraph_learning.stores.record_changes import remove_record
from langgraph_learning.words import fold

log = logging.getLogger("langgraph_learning.stores.user_profile")

DETAILS = "details"
"""The field for facts that have no field in the schema."""
LONGEST_NAME, LONGEST_DETAIL = 60, 500


@dataclass(frozen=True)
class ProfileFields:
    """The typed fields of a profile's schema."""

    schema: type[BaseModel]
    operation: type[Operation]
    """The operation that sets the fields: it has the fields of the schema, all optional."""
    declared: tuple[str, ...]
    """The names of the fields, without the field for further facts."""

    def fits(self, field: str, value: JsonValue) -> bool:
        """Return whether `value` has the type of `field`."""
        return self._parse(field, value)[0] is not None

    def merge(self, field: str, old: JsonValue, value: JsonValue) -> JsonValue:
        """Return `old` merged with `value`; `value` alone if the result is invalid, such as a list that is too long."""
        schemas = cast("dict[str, Schema]", inline_schema(self.operation)["properties"])
        merged = merge(old, value, schemas.get(field, {}))
        return merged if self.fits(field, merged) else value

    def read_profile(self, records: Sequence[Record]) -> BaseModel:
        """Return the records as one object of the schema; a field without a value has its default, or None.

        A value that no longer fits its field, because the schema has changed, is left out and logged.
        """
        stored: dict[str, JsonValue] = {}
        for record in records:
            for field, value in record.content.items():
                stored[field] = merge(stored.get(field), value, {}) if field == DETAILS else value
        values: dict[str, object] = {}
        for field in stored.keys() & self.schema.model_fields.keys():
            typed, misfits = self._parse(field, stored[field])
            if typed is None:
                log.warning("user_profile: %s no longer fits its field and is left out: %s", field, misfits)
            else:
                values[field] = getattr(typed, field)
        missing = {name: None for name, field in self.schema.model_fields.items() if field.is_required()}
        return self.schema.model_construct(_fields_set=set(values), **{**missing, **values})

    def _parse(self, field: str, value: JsonValue) -> tuple[Operation | None, dict[str, str]]:
        """Return the operation with the typed field; or None, and the error messages by field."""
        try:
            return self.operation.model_validate_json(json.dumps({field: value}), strict=True, by_name=True), {}
        except ValidationError as error:
            return None, {str(item["loc"][0]) if item["loc"] else "": item["msg"] for item in error.errors()}


def details_field(*, hidden: bool) -> tuple[object, FieldInfo]:
    """Return the argument for further facts; if `hidden`, models do not see it in the JSON schema."""
    kind = dict[str, Annotated[str, Field(max_length=LONGEST_DETAIL)]] | None
    info = FieldInfo.from_field(default=None, description=UserProfile.model_fields[DETAILS].description)
    return SkipJsonSchema[kind] if hidden else kind, info  # type: ignore[misc]


def normal_name(name: str) -> str:
    """Return the name of a fact in one spelling: "Job Title" and "job_title" are the same name."""
    return re.sub(r"[^\w]+", "_", fold(name)).strip("_")[:LONGEST_NAME]


def field_name(record: Record) -> str:
    """Return the name of the field or further fact that a record holds."""
    [field] = record.content
    inner = record.content[field]
    return next(iter(inner), field) if field == DETAILS and isinstance(inner, dict) else field


def clear_field(record: Record, field: str, item: str | None) -> Change:
    """Return the change that removes a field, or one item of it by its text or name.

    Raises:
        Refused: The field has no such item.
    """
    value = record.content.get(field)
    if item is None or not isinstance(value, list | dict):
        return remove_record(record)
    remaining = without_item(value, item)
    if remaining == value:
        raise Refused(f"{item!r} is not in {field}, which has {spell(value)}")
    if not remaining:
        return remove_record(record)
    return Update(store=record.store, id=record.id, content={field: remaining}, text=f"{field}: {spell(remaining)}")
