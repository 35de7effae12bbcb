"""User memory: single statements about the user, each kept once."""

from typing import ClassVar

from pydantic import Field, JsonValue

from langgraph_learning.config import UserMemoryConfig
from langgraph_learning.records import VALIDITY, Change, Record
from langgraph_learning.stores.operations import operation
from langgraph_learning.stores.statement_store import StatementStore
from langgraph_learning.words import is_completed_by

ADD = "Remember one thing about the user that will matter in later conversations."
UPDATE = "Replace a memory that has changed or is contradicted; give the whole new statement."
DELETE = "Forget a memory that is no longer true or that the user wants forgotten."
SEARCH = "Search the memories about the user."


class UserMemoryStore(StatementStore):
    """The learning store for user memory."""

    name: ClassVar[str] = "user_memory"
    config_class = UserMemoryConfig
    config: UserMemoryConfig
    label: ClassVar[str] = "m"
    title: ClassVar[str] = "What is remembered about the user:"

    prompt = "user_memory"
    kind = "memory"
    statement = "content"

    def __init__(self, config: UserMemoryConfig | None = None) -> None:
        """Create the operations that the configuration enables."""
        super().__init__(config)
        operations = self.make_operations(("add_memory", ADD), ("update_memory", UPDATE), ("delete_memory", DELETE))
        enabled = (self.config.enable_add, self.config.enable_update, self.config.enable_delete)
        self.operations = tuple(kind for kind, is_enabled in zip(operations, enabled, strict=True) if is_enabled)
        query = (str, Field(description="What to look for"))
        limit = (int, Field(default=10, ge=1, le=50, description="The largest number of results"))
        self.searches = (operation("search_memories", SEARCH, query=query, limit=limit),)

    def plan_replacement(self, record: Record, content: dict[str, JsonValue]) -> list[Change]:
        """Return the update of a memory.

        If the new text only adds to the old one, the dates stay. Otherwise the new text holds from now on, and the old
        text held until now; the dates of the old text are not those of the new one.
        """
        if is_completed_by(record.text, self.text(content)):
            return [self.update(record, content)]
        old = record.content
        own = {name: part for name, part in content.items() if not self._is_old_date(name) or part != old.get(name)}
        return [self.update(record, own).model_copy(update={"valid_from": None, "from_now_on": True})]

    def _is_old_date(self, name: str) -> bool:
        """Return whether a field is a date that another statement may lack."""
        return name in VALIDITY and not (self.config.schema or self.config.base).model_fields[name].is_required()
