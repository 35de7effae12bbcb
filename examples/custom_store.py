"""A learning store of your own: tasks that a user wants done, in a dozen lines of logic.

Nodes, tools, recall, records and undo work for it like for the others:
`LearningMachine(model=..., custom_stores=[Todos()])`.
"""

from collections.abc import Sequence

from pydantic import Field

from langgraph_learning.config import StoreConfig
from langgraph_learning.records import Add, Change, Record, Update
from langgraph_learning.stores import LearningStore, Operation, Refused, operation
from langgraph_learning.stores.base import ID

TASK = (str, Field(min_length=1, max_length=500, description="The task, as one imperative sentence"))
DUE = (str | None, Field(default=None, description="When it is due, as YYYY-MM-DD"))


class Todos(LearningStore):
    """Tasks that the user wants to get done, and when they are due. Not: what the assistant should do now."""

    name = "todos"
    label = "t"  # short ids t1, t2, ...
    title = "What the user wants to get done:"
    recalled = "always"

    def __init__(self, config: StoreConfig | None = None) -> None:
        """Say what a model may ask for."""
        super().__init__(config)
        self._add = operation("add_todo", "Note a task that the user wants to get done.", task=TASK, due=DUE)
        self._finish = operation("finish_todo", "Mark a task as done, because the user says so.", id=(str, ID))
        self.operations = (self._add, self._finish)

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Say what it changes: nothing here reads or writes."""
        arguments = operation.model_dump(mode="json", exclude_none=True)
        if isinstance(operation, self._add):
            if any(record.content["task"] == arguments["task"] for record in records):
                return []
            return [Add(store=self.name, content={**arguments, "done": False}, text=arguments["task"])]
        record = next((record for record in records if record.id == arguments["id"]), None)
        if record is None:
            raise Refused("there is no such task")
        content = {**record.content, "done": True}
        if content == record.content:
            return []
        return [Update(store=self.name, id=record.id, content=content, text=record.text)]

    def render(self, record: Record) -> str:
        """Say how it reads in a prompt."""
        due = f" (due {record.content['due']})" if "due" in record.content else ""
        return f"{record.text}{due}{', done' if record.content['done'] else ''}"
