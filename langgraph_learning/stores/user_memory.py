"""What to remember about the user: single statements, none of them twice."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from langgraph_learning import prompts
from langgraph_learning.config import UserMemoryConfig
from langgraph_learning.records import ARCHIVED, Add, Change, Record, Remove, Update
from langgraph_learning.schemas import UserMemory
from langgraph_learning.stores.base import ID, LearningStore
from langgraph_learning.stores.operations import Operation, Refused, operation, schema_fields
from langgraph_learning.text import same_statement

ADD = "Remember one thing about the user that will matter in later conversations."
UPDATE = "Replace a memory that has changed or is contradicted; give the whole new statement."
SEARCH = "Search everything that is remembered about the user."
DELETE = "Forget a memory that is no longer true or that the user wants forgotten."


class UserMemoryStore(LearningStore):
    """The user memory."""

    name: ClassVar[str] = "user_memory"
    config_class = UserMemoryConfig
    config: UserMemoryConfig
    label: ClassVar[str] = "m"
    title: ClassVar[str] = "What is remembered about the user:"

    def __init__(self, config: UserMemoryConfig | None = None) -> None:
        """Make the operations that are enabled from the fields of the schema."""
        super().__init__(config)
        schema = self.config.schema or UserMemory
        fields, given = schema_fields(schema, optional=False), schema_fields(schema, optional=True)
        self._add = operation("add_memory", ADD, schema, **fields)
        update = {"id": (str, ID), **given, "content": fields["content"]}
        self._update = operation("update_memory", UPDATE, schema, **update)
        self._delete = operation("delete_memory", DELETE, id=(str, ID))
        offered = {
            self._add: self.config.enable_add,
            self._update: self.config.enable_update,
            self._delete: self.config.enable_delete,
        }
        self.operations = tuple(kind for kind, enabled in offered.items() if enabled)
        query = (str, Field(description="What to look for"))
        limit = (int, Field(default=10, ge=1, le=50, description="How many at most"))
        self.searches = (operation("search_memories", SEARCH, query=query, limit=limit),)

    @property
    def instructions(self) -> str:
        """What to capture."""
        return prompts.load("user_memory")

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Add, replace or forget one memory; what is known already changes nothing."""
        given = operation.model_dump(mode="json", exclude_none=True)
        wanted = given.pop("id", None)
        record = next((record for record in records if record.id == wanted), None)
        if isinstance(operation, self._add):
            said = given["content"]
            alike = [record for record in records if same_statement(said, record.text)]
            if alike and all(record.status == ARCHIVED for record in alike):  # it was set aside, and is said again
                return [Update(store=self.name, id=alike[-1].id, content={**alike[-1].content, **given}, text=said)]
            return [] if alike else [Add(store=self.name, content=given, text=said)]
        if record is None:
            raise Refused("there is no such memory")
        if isinstance(operation, self._delete):
            return [Remove(store=self.name, id=record.id, text=record.text)]
        content = {**record.content, **given}
        if content == record.content:
            return []
        return [Update(store=self.name, id=record.id, content=content, text=given["content"])]
