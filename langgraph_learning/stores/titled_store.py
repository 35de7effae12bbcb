"""Base class of learning stores for titled records in a namespace: save, search, delete; one record per title."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field, JsonValue

from langgraph_learning import prompts
from langgraph_learning.config import NamespaceConfig
from langgraph_learning.records import Add, Change, Identity, Record, Scope, Update
from langgraph_learning.stores.base import ID, LearningStore
from langgraph_learning.stores.json_values import as_list, spell, union
from langgraph_learning.stores.operations import Operation, operation, schema_fields
from langgraph_learning.stores.record_changes import find_record, remove_record
from langgraph_learning.words import fold, same_statement


class TitledStore(LearningStore):
    """A learning store whose records have titles.

    A subclass sets the class variables (the word for a record, the descriptions of the tools) and implements `text`.
    Saving replaces the record with the same title or the same body. Only the items of the field `grows` are added.
    """

    about_user: ClassVar[bool] = False
    reflects: ClassVar[bool] = True
    config: NamespaceConfig

    prompt: ClassVar[str]
    """The name of the prompt file that says what to capture; a subclass with another store name uses the same file."""
    kind: ClassVar[str]
    """The word for one record; it also names the operations: `save_<kind>`, `delete_<kind>`, `search_<kind>s`."""
    body: ClassVar[str]
    """The main field: the same text under another title is the same record."""
    grows: ClassVar[str]
    """The list field that keeps its items and gets the new ones when a record is saved again."""
    save: ClassVar[str]
    """The description of the save operation, which `when` completes."""
    when: ClassVar[str]
    """The text for the model about when to save; the configuration can replace it."""
    delete: ClassVar[str]
    """The description of the delete operation."""
    search: ClassVar[str]
    """The description of the search tool."""
    query: ClassVar[str]
    """The description of the search tool's argument `query`."""

    def __init__(self, config: NamespaceConfig | None = None) -> None:
        """Create the operations from the fields of the schema."""
        super().__init__(config)
        schema = self.config.schema or self.config.base
        described = f"{self.save}\n{self.configured_instructions(self.when)}"
        saved = operation(f"save_{self.kind}", described, schema, **schema_fields(schema, optional=False))
        self._delete = operation(f"delete_{self.kind}", self.delete, id=(str, ID))
        self.operations = (saved, self._delete)
        query = (str, Field(min_length=1, description=self.query))
        limit = (int, Field(default=5, ge=1, le=50, description="The largest number of results, from 1 to 50"))
        self.searches = (operation(f"search_{self.kind}s", self.search, query=query, limit=limit),)

    @property
    def instructions(self) -> str:
        """The instructions for extraction: what to capture."""
        return prompts.load(self.prompt)

    def scope(self, identity: Identity) -> Scope | None:
        """Return the namespace of the records: for all users, for a group, or for this user alone."""
        return Scope.in_namespace(self.config.namespace or "global", identity)

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Return the changes that save or delete one record; a record with the same title or body is updated."""
        arguments = operation.model_dump(mode="json", exclude_none=True)
        if isinstance(operation, self._delete):
            return [remove_record(find_record(records, arguments["id"], self.kind))]
        title, body = _fold_title(arguments["title"]), spell(arguments[self.body])
        same_title = (record for record in records if _fold_title(record.content.get("title")) == title)
        if (old := next(same_title, None)) is not None:
            return self._save_again(old, {**arguments, "title": old.content["title"]})
        same_body = (record for record in records if same_statement(spell(record.content.get(self.body)), body))
        if (old := next(same_body, None)) is not None:
            return self._save_again(old, self.join(old.content, arguments))
        return [Add(store=self.name, content=arguments, text=self.text(arguments))]

    def _save_again(self, old: Record, new: dict[str, JsonValue]) -> list[Change]:
        grown = union(as_list(old.content.get(self.grows)), as_list(new.get(self.grows)))
        content = {**old.content, **new, self.grows: grown}
        if content == {self.grows: [], **old.content}:
            return []
        return [Update(store=self.name, id=old.id, content=content, text=self.text(content))]

    def join(self, old: dict[str, JsonValue], new: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """Return the content when the same body arrives under another title: the first title stays."""
        return {**new, "title": old["title"]}

    @abstractmethod
    def text(self, content: dict[str, JsonValue]) -> str:
        """Return the text of a record, which recall shows and search reads."""


def _fold_title(title: JsonValue) -> str:
    """Return a title for comparison, without case, accents, extra spaces, quotes and final punctuation."""
    folded = " ".join(fold(str(title)).split())
    return folded.strip("\"'“”.:!? ") or folded
