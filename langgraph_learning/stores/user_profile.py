"""Who the user is: one record per field of a schema, types enforced, lists added to."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from pydantic import BaseModel, JsonValue

from langgraph_learning import prompts
from langgraph_learning.config import UserProfileConfig
from langgraph_learning.records import Add, Change, Curated, Record, Remove, Update
from langgraph_learning.schemas import UserProfile
from langgraph_learning.stores.base import LearningStore, Operation, Refused, operation, schema_fields
from langgraph_learning.stores.values import spell, union

UPDATE = "Store what the user said about themself in these fields; lists are added to, null leaves a field as it is."
CLEAR = "Empty one field of the user's profile, because it is no longer true or the user asks for it."


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
        self._update = operation("update_user_profile", UPDATE, self.schema, **fields)
        names = Literal[tuple(fields)]  # type: ignore[valid-type]
        self._clear = operation("clear_user_profile_field", CLEAR, field=(names, ...))
        self.operations = (self._update, self._clear)

    @property
    def instructions(self) -> str:
        """What to capture."""
        return prompts.load("user_profile")

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Set the fields that are given, or clear one."""
        known = {record.id: record for record in records}
        if isinstance(operation, self._clear):
            field = operation.model_dump()["field"]
            if (record := known.get(self.record_id(field))) is None:
                raise Refused(f"{field} is not set")
            return [Remove(store=self.name, id=record.id, text=record.text)]
        given = operation.model_dump(mode="json", exclude_none=True)
        changes = (self._set(field, value, known.get(self.record_id(field))) for field, value in given.items())
        return [change for change in changes if change is not None]

    def curate(self, records: Sequence[Record], at: datetime, max_age: timedelta | None = None) -> list[Curated]:
        """Nothing: a field is one record, and holds until the user says otherwise."""
        return []

    def _set(self, field: str, value: JsonValue, record: Record | None) -> Change | None:
        old = record.content.get(field) if record else None
        if isinstance(value, list) and isinstance(old, list):
            value = union(old, value)
        if record is not None and value == old:
            return None
        kind = Update if record is not None else Add
        return kind(store=self.name, id=self.record_id(field), content={field: value}, text=f"{field}: {spell(value)}")

    def record_id(self, field: str) -> str:
        """Return the id of the record that holds `field`."""
        return f"{self.name}:{field}"

    def profile(self, records: Sequence[Record]) -> BaseModel:
        """Return the records as one object of the schema; what is not known keeps its default, else None."""
        known = {field: value for record in records for field, value in record.content.items()}
        typed = self._update.model_validate(known, by_name=True)
        values = {field: getattr(typed, field) for field in known if field in self.schema.model_fields}
        missing = {name: None for name, field in self.schema.model_fields.items() if field.is_required()}
        return self.schema.model_construct(_fields_set=set(values), **{**missing, **values})
