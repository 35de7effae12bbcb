"""User profile: one record per field of a schema, with enforced types, and one per further fact with its own name."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import ClassVar, Literal, cast

from pydantic import BaseModel, Field, JsonValue

from langgraph_learning import prompts
from langgraph_learning.config import UserProfileConfig
from langgraph_learning.json_schema import is_blank
from langgraph_learning.records import Change, Record
from langgraph_learning.reports import Curated
from langgraph_learning.schemas import UserProfile
from langgraph_learning.stores.base import LearningStore
from langgraph_learning.stores.json_values import spell
from langgraph_learning.stores.operations import Operation, Refused, operation, schema_fields
from langgraph_learning.stores.profile_fields import (
    DETAILS,
    ProfileFields,
    clear_field,
    details_field,
    field_name,
    normal_name,
)
from langgraph_learning.stores.record_changes import set_record

UPDATE = (
    "Store what the user said about themself in these fields; lists are added to, what is left blank stays as it is."
)
CLEAR = (
    "Empty one field of the user's profile, or take one item out of a list, because it is no longer true or the user"
    " asks for it."
)


class UserProfileStore(LearningStore):
    """The learning store for the user profile."""

    name: ClassVar[str] = "user_profile"
    config_class = UserProfileConfig
    config: UserProfileConfig
    label: ClassVar[str] = "p"
    title: ClassVar[str] = "Who the user is:"
    recalled: ClassVar[Literal["always", "relevant"]] = "always"
    validate_fields_separately: ClassVar[bool] = True

    def __init__(self, config: UserProfileConfig | None = None) -> None:
        """Create the operations from the fields of the schema."""
        super().__init__(config)
        self.schema: type[BaseModel] = self.config.schema or UserProfile
        fields = schema_fields(self.schema, optional=True)
        # If a schema declares `details` with another type, it is a field like any other.
        inherited = self.schema.model_fields[DETAILS].annotation == UserProfile.model_fields[DETAILS].annotation
        self.open_fields = self.config.open_fields and inherited
        declared = tuple(name for name in fields if name != DETAILS or not inherited)
        if inherited:
            fields[DETAILS] = details_field(hidden=not self.open_fields)
        self._update = operation("update_user_profile", UPDATE, self.schema, **fields)
        self._fields = ProfileFields(self.schema, self._update, declared)
        names = str if self.open_fields else Literal[declared]
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
        """The instructions for extraction: what to capture."""
        return prompts.load("user_profile_open" if self.open_fields else "user_profile")

    def offered_operations(self, records: Sequence[Record]) -> tuple[type[Operation], ...]:
        """Return the operations; without records there is nothing to clear."""
        return self.operations if records else (self._update,)

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Return the changes that set the given fields, or clear a field or one item of it."""
        by_id = {record.id: record for record in records}
        if isinstance(operation, self._clear):
            arguments = operation.model_dump()
            return [self._plan_clear(str(arguments["field"]), arguments["item"], by_id)]
        fields = operation.model_dump(mode="json", exclude_none=True, exclude_unset=True)
        details = cast("Mapping[str, JsonValue]", fields.pop(DETAILS, {})) if self.open_fields else {}
        changes = [self._set(field, value, by_id) for field, value in fields.items()]
        changes += [self._set_detail(normal_name(name), value, by_id) for name, value in details.items()]
        return list(chain.from_iterable(changes))

    def curate(self, records: Sequence[Record], at: datetime, max_age: timedelta | None = None) -> list[Curated]:
        """Return nothing: each field is one record, and its value holds until the user changes it."""
        return []

    def _set(self, field: str, value: JsonValue, by_id: Mapping[str, Record]) -> list[Change]:
        record = by_id.get(self.record_id(field))
        merged = self._fields.merge(field, record.content.get(field) if record else None, value)
        return set_record(self.name, by_id, self.record_id(field), {field: merged}, f"{field}: {spell(merged)}")

    def _set_detail(self, name: str, value: JsonValue, by_id: Mapping[str, Record]) -> list[Change]:
        """Return the change that sets a further fact.

        A fact with the name of a declared field sets that field if the value has its type; otherwise it is ignored.
        """
        if not name or is_blank(value):
            return []
        if name in self._fields.declared:
            return self._set(name, value, by_id) if self._fields.fits(name, value) else []
        key, text = self.record_id(f"{DETAILS}.{name}"), f"{name.replace('_', ' ')}: {value}"
        return set_record(self.name, by_id, key, {DETAILS: {name: value}}, text)

    def _plan_clear(self, field: str, item: str | None, by_id: Mapping[str, Record]) -> Change:
        name = field if field in self._fields.declared else normal_name(field)
        if name == DETAILS and item:
            name, item = normal_name(item), None
        record = by_id.get(self.record_id(name)) or by_id.get(self.record_id(f"{DETAILS}.{name}"))
        if record is None:
            there = ", ".join(sorted(field_name(record) for record in by_id.values())) or "nothing"
            raise Refused(f"{field} is not set; set is {there}")
        return clear_field(record, name, item)

    def record_id(self, field: str) -> str:
        """Return the id of the record that holds `field`."""
        return f"{self.name}:{field}"

    def profile(self, records: Sequence[Record]) -> BaseModel:
        """Return the records as one object of the schema; a field without a value has its default, or None."""
        return self._fields.read_profile(records)
