"""Who the user is: one record per field of a schema, types enforced, and further facts under names of their own."""

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import BaseModel, Field, JsonValue, ValidationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema

from langgraph_learning import prompts
from langgraph_learning.config import UserProfileConfig
from langgraph_learning.json_schema import Schema, inline_schema, is_blank
from langgraph_learning.records import Add, Change, Curated, Record, Remove, Update
from langgraph_learning.schemas import UserProfile
from langgraph_learning.stores.base import LearningStore
from langgraph_learning.stores.operations import Operation, Refused, operation, schema_fields
from langgraph_learning.stores.values import merge, spell
from langgraph_learning.text import fold

log = logging.getLogger(__name__)

UPDATE = (
    "Store what the user said about themself in these fields; lists are added to, what is left blank stays as it is."
)
CLEAR = (
    "Empty one field of the user's profile, or take one item out of a list, because it is no longer true or the user"
    " asks for it."
)
DETAILS = "details"
"""The field of facts that the schema declares no field for."""
LONGEST_NAME, LONGEST_DETAIL = 60, 500


class UserProfileStore(LearningStore):
    """The user profile."""

    name: ClassVar[str] = "user_profile"
    config_class = UserProfileConfig
    config: UserProfileConfig
    label: ClassVar[str] = "p"
    title: ClassVar[str] = "Who the user is:"
    recalled: ClassVar[Literal["always", "relevant"]] = "always"
    validate_fields_separately: ClassVar[bool] = True

    def __init__(self, config: UserProfileConfig | None = None) -> None:
        """Make the operations from the fields of the schema."""
        super().__init__(config)
        self.schema: type[BaseModel] = self.config.schema or UserProfile
        fields = schema_fields(self.schema, optional=True)
        # A schema may declare a `details` of its own, of another type: that is a field like any other.
        inherited = self.schema.model_fields[DETAILS].annotation == UserProfile.model_fields[DETAILS].annotation
        self.open_fields = self.config.open_fields and inherited
        self._fields = tuple(name for name in fields if name != DETAILS or not inherited)
        if inherited:
            fields[DETAILS] = _details_field(hidden=not self.open_fields)
        self._update = operation("update_user_profile", UPDATE, self.schema, **fields)
        names = str if self.open_fields else Literal[self._fields]
        described = "The field" + (", or the name of a further fact" if self.open_fields else "")
        item = "One item of a list to take out, as it is shown; left out, the whole field is emptied"
        self._clear = operation(
            "clear_user_profile_field",
            CLEAR,
            field=(names, Field(description=described)),
            item=(str | None, Field(default=None, description=item)),
        )
        self.operations = (self._update, self._clear)

    @property
    def instructions(self) -> str:
        """What to capture."""
        return prompts.load("user_profile_open" if self.open_fields else "user_profile")

    def offered_operations(self, records: Sequence[Record]) -> tuple[type[Operation], ...]:
        """Return the operations; where nothing is known there is nothing to clear."""
        return self.operations if records else (self._update,)

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Set the fields that are given, or clear one of them or an item of it."""
        known = {record.id: record for record in records}
        if isinstance(operation, self._clear):
            given = operation.model_dump()
            return [self._plan_clear(str(given["field"]), given["item"], known)]
        told = operation.model_dump(mode="json", exclude_none=True, exclude_unset=True)
        details = cast("Mapping[str, JsonValue]", told.pop(DETAILS, {})) if self.open_fields else {}
        changes = [self._set(field, value, known) for field, value in told.items()]
        changes += [self._set_detail(_normal_name(name), value, known) for name, value in details.items()]
        return [change for change in changes if change is not None]

    def curate(self, records: Sequence[Record], at: datetime, max_age: timedelta | None = None) -> list[Curated]:
        """Return nothing: a field is one record, and holds until the user says otherwise."""
        return []

    def _set(self, field: str, value: JsonValue, known: Mapping[str, Record]) -> Change | None:
        key = self.record_id(field)
        record = known.get(key)
        old = record.content.get(field) if record else None
        merged = merge(old, value, self._schema_of(field))
        if self._parse({field: merged})[1]:
            merged = value  # together they do not fit the schema, as with a list of at most two
        if record is not None and merged == old:
            return None
        return self._change(key, {field: merged}, f"{field}: {spell(merged)}", record)

    def _set_detail(self, name: str, value: JsonValue, known: Mapping[str, Record]) -> Change | None:
        """Set a further fact; one that is called like a declared field is that field, if it fits there."""
        if not name or is_blank(value):
            return None
        if name in self._fields:
            typed, misfits = self._parse({name: value})
            return None if misfits or typed is None else self._set(name, value, known)
        key = self.record_id(f"{DETAILS}.{name}")
        record = known.get(key)
        content: dict[str, JsonValue] = {DETAILS: {name: value}}
        if record is not None and record.content == content:
            return None
        return self._change(key, content, f"{name.replace('_', ' ')}: {value}", record)

    def _change(self, key: str, content: dict[str, JsonValue], text: str, record: Record | None) -> Change:
        kind = Update if record is not None else Add
        return kind(store=self.name, id=key, content=content, text=text)

    def _plan_clear(self, field: str, item: str | None, known: Mapping[str, Record]) -> Change:
        name = field if field in self._fields else _normal_name(field)
        if name == DETAILS and item:
            name, item = _normal_name(item), None
        record = known.get(self.record_id(name)) or known.get(self.record_id(f"{DETAILS}.{name}"))
        if record is None:
            there = ", ".join(sorted(_field_name(record) for record in known.values())) or "nothing"
            raise Refused(f"{field} is not set; set is {there}")
        value = record.content.get(name)
        if item is None or not isinstance(value, list | dict):
            return Remove(store=self.name, id=record.id, text=record.text)
        left = _without_item(value, item)
        if len(left) == len(value):
            raise Refused(f"{item!r} is not in {name}; there is {spell(value)}")
        if not left:
            return Remove(store=self.name, id=record.id, text=record.text)
        return Update(store=self.name, id=record.id, content={name: left}, text=f"{name}: {spell(left)}")

    def record_id(self, field: str) -> str:
        """Return the id of the record that holds `field`."""
        return f"{self.name}:{field}"

    def profile(self, records: Sequence[Record]) -> BaseModel:
        """Return the records as one object of the schema; what is not known keeps its default, else None.

        A value that no longer fits its field, because the schema has changed, is left out and logged.
        """
        known: dict[str, JsonValue] = {}
        for record in records:
            for field, value in record.content.items():
                joined = merge(known.get(field), value, {}) if field == DETAILS else value
                known[field] = joined
        values: dict[str, Any] = {}
        for field in known.keys() & self.schema.model_fields.keys():
            typed, misfits = self._parse({field: known[field]})
            if typed is None:
                log.warning("user_profile: %s no longer fits its field and is left out: %s", field, misfits)
            else:
                values[field] = getattr(typed, field)
        missing = {name: None for name, field in self.schema.model_fields.items() if field.is_required()}
        return self.schema.model_construct(_fields_set=set(values), **{**missing, **values})

    def _parse(self, fields: dict[str, JsonValue]) -> tuple[Operation | None, dict[str, str]]:
        """Return the typed fields, or what is wrong with them."""
        try:
            return self._update.model_validate_json(json.dumps(fields), strict=True, by_name=True), {}
        except ValidationError as error:
            return None, {str(each["loc"][0]) if each["loc"] else "": each["msg"] for each in error.errors()}

    def _schema_of(self, field: str) -> Schema:
        return cast("dict[str, Schema]", inline_schema(self._update)["properties"]).get(field, {})


def _details_field(*, hidden: bool) -> tuple[object, FieldInfo]:
    kind = dict[str, Annotated[str, Field(max_length=LONGEST_DETAIL)]] | None
    info = FieldInfo.from_field(default=None, description=UserProfile.model_fields[DETAILS].description)
    return SkipJsonSchema[kind] if hidden else kind, info  # type: ignore[misc]


def _normal_name(name: str) -> str:
    """Return the name of a fact in one spelling: "Job Title" and "job_title" are one."""
    return re.sub(r"[^\w]+", "_", fold(name)).strip("_")[:LONGEST_NAME]


def _field_name(record: Record) -> str:
    [field] = record.content
    inner = record.content[field]
    return next(iter(inner), field) if field == DETAILS and isinstance(inner, dict) else field


def _without_item(value: list[JsonValue] | dict[str, JsonValue], item: str) -> list[JsonValue] | dict[str, JsonValue]:
    wanted = fold(item).strip()
    if isinstance(value, dict):
        return {key: part for key, part in value.items() if fold(key).strip() != wanted}
    return [part for part in value if wanted not in _spellings(part)]


def _spellings(value: JsonValue) -> Iterator[str]:
    """Return what an item of a list may be called: as it is shown, or by its name."""
    yield fold(spell(value)).strip()
    if isinstance(value, dict):
        yield from (fold(spell(part)).strip() for part in [next(iter(value.values()), "")])
