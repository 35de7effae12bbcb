"""Base class of learning stores for single statements: add, replace and remove by short id, and no duplicates."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import JsonValue

from langgraph_learning import prompts
from langgraph_learning.records import ARCHIVED, Add, Change, Record, Update
from langgraph_learning.stores.base import ID, LearningStore
from langgraph_learning.stores.operations import Operation, operation, schema_fields
from langgraph_learning.stores.record_changes import find_record, remove_record
from langgraph_learning.words import same_statement


class StatementStore(LearningStore):
    """A learning store whose records are statements of one sentence, in one field of the schema.

    A subclass names the field, creates its operations with `make_operations`, and may override `text`.
    """

    prompt: ClassVar[str]
    """The name of the prompt file that says what to capture; a subclass with another store name uses the same file."""
    kind: ClassVar[str]
    """The word for one record in messages to the model."""
    statement: ClassVar[str]
    """The field that holds the statement."""

    def make_operations(
        self, add: tuple[str, str], replace: tuple[str, str], remove: tuple[str, str]
    ) -> tuple[type[Operation], type[Operation], type[Operation]]:
        """Create the three operations from the fields of the schema; each argument is a name and a description."""
        schema = self.config.schema or self.config.base
        fields, optional = schema_fields(schema, optional=False), schema_fields(schema, optional=True)
        self._add = operation(*add, schema, **fields)
        replaced = {"id": (str, ID), **optional, self.statement: fields[self.statement]}
        self._replace = operation(*replace, schema, **replaced)
        self._remove = operation(*remove, id=(str, ID))
        return self._add, self._replace, self._remove

    @property
    def instructions(self) -> str:
        """The instructions for extraction: what to capture."""
        return prompts.load(self.prompt)

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Return the changes that add, replace or remove one statement; none if nothing would change."""
        arguments = operation.model_dump(mode="json", exclude_none=True)
        if isinstance(operation, self._add):
            return self._plan_add(arguments, records)
        record = find_record(records, arguments.pop("id"), self.kind)
        if isinstance(operation, self._remove):
            return [remove_record(record)]
        content = {**record.content, **arguments}
        return [] if content == record.content else self.plan_replacement(record, content)

    def _plan_add(self, content: dict[str, JsonValue], records: Sequence[Record]) -> list[Change]:
        statement = str(content[self.statement])
        alike = [record for record in records if same_statement(statement, str(record.content.get(self.statement)))]
        # Archived before, and now said again: it is recalled again.
        if alike and all(record.status == ARCHIVED for record in alike):
            return [self.update(alike[-1], {**alike[-1].content, **content})]
        return [] if alike else [Add(store=self.name, content=content, text=self.text(content))]

    def plan_replacement(self, record: Record, content: dict[str, JsonValue]) -> list[Change]:
        """Return the changes that replace the content of `record` by `content`."""
        return [self.update(record, content)]

    def update(self, record: Record, content: dict[str, JsonValue]) -> Update:
        """Return the change that gives `record` new content, and makes it active again if it was archived."""
        text, begun = self.text(content), None if "valid_from" in content else record.valid_from
        return Update(store=self.name, id=record.id, content=content, text=text, valid_from=begun)

    def text(self, content: dict[str, JsonValue]) -> str:
        """Return the text of a record, which recall shows and search reads."""
        return str(content[self.statement])
