"""Knowledge under titles in a namespace: saved, searched for and deleted; the same title is the same record."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field, JsonValue

from langgraph_learning import prompts
from langgraph_learning.config import NamespaceConfig
from langgraph_learning.records import Add, Change, Identity, Record, Scope, Update
from langgraph_learning.stores.base import ID, LearningStore
from langgraph_learning.stores.changes import find_record, remove
from langgraph_learning.stores.operations import Operation, operation, schema_fields
from langgraph_learning.stores.values import as_list, spell, union
from langgraph_learning.text import fold, same_statement


class TitledStore(LearningStore):
    """A learning store of records that a title tells from each other.

    A subclass says in class variables what its records are called and how its tools are described, and in `text` how a
    record reads. Saving replaces what has the same title or says the same, but for the field that only ever grows.
    """

    about_user: ClassVar[bool] = False
    reflects: ClassVar[bool] = True
    config: NamespaceConfig

    prompt: ClassVar[str]
    """The file that says what to capture: a subclass under another name captures the same."""
    kind: ClassVar[str]
    """What one record is called, which also names the operations: `save_<kind>`, `delete_<kind>`, `search_<kind>s`."""
    body: ClassVar[str]
    """The field that says it: the same words under another title are no second record."""
    grows: ClassVar[str]
    """The field whose items are added up, so that none is lost when a record is saved again."""
    save: ClassVar[str]
    when: ClassVar[str]
    """When the agent should save, unless the configuration says otherwise."""
    delete: ClassVar[str]
    search: ClassVar[str]
    query: ClassVar[str]

    def __init__(self, config: NamespaceConfig | None = None) -> None:
        """Make the operations from the fields of the schema."""
        super().__init__(config)
        schema = self.config.schema or self.config.base
        described = f"{self.save}\n{self.configured_instructions(self.when)}"
        saved = operation(f"save_{self.kind}", described, schema, **schema_fields(schema, optional=False))
        self._delete = operation(f"delete_{self.kind}", self.delete, id=(str, ID))
        self.operations = (saved, self._delete)
        query = (str, Field(min_length=1, description=self.query))
        limit = (int, Field(default=5, ge=1, le=50, description="How many at most, from 1 to 50"))
        self.searches = (operation(f"search_{self.kind}s", self.search, query=query, limit=limit),)

    @property
    def instructions(self) -> str:
        """What to capture."""
        return prompts.load(self.prompt)

    def scope(self, identity: Identity) -> Scope | None:
        """A namespace: everybody's, a group's, or each user's own."""
        return Scope.in_namespace(self.config.namespace or "global", identity)

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Save or delete one record; the same title is the same record, and so is the same body."""
        given = operation.model_dump(mode="json", exclude_none=True)
        if isinstance(operation, self._delete):
            return [remove(find_record(records, given["id"], self.kind))]
        title, body = _fold_title(given["title"]), spell(given[self.body])
        same_title = (record for record in records if _fold_title(record.content.get("title")) == title)
        if (old := next(same_title, None)) is not None:
            return self._save_again(old, {**given, "title": old.content["title"]})
        same_body = (record for record in records if same_statement(spell(record.content.get(self.body)), body))
        if (old := next(same_body, None)) is not None:
            return self._save_again(old, self.join(old.content, given))
        return [Add(store=self.name, content=given, text=self.text(given))]

    def _save_again(self, old: Record, given: dict[str, JsonValue]) -> list[Change]:
        grown = union(as_list(old.content.get(self.grows)), as_list(given.get(self.grows)))
        content = {**old.content, **given, self.grows: grown}
        if content == {self.grows: [], **old.content}:
            return []
        return [Update(store=self.name, id=old.id, content=content, text=self.text(content))]

    def join(self, old: dict[str, JsonValue], given: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """Return what the same body under another title adds to a record: it stays under its first title."""
        return {**given, "title": old["title"]}

    @abstractmethod
    def text(self, content: dict[str, JsonValue]) -> str:
        """Return how a record reads, and what it is found by."""


def _fold_title(title: JsonValue) -> str:
    """Return a title as it is compared: case, accents, spaces and the last stop do not count."""
    folded = " ".join(fold(str(title)).split())
    return folded.strip("\"'“”.:!? ") or folded
