"""How things are done: the steps that worked and the pitfalls, learned from the agent's own tool calls."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field, JsonValue

from langgraph_learning import prompts
from langgraph_learning.config import ProceduresConfig
from langgraph_learning.records import Add, Change, Identity, Record, Remove, Scope, Update
from langgraph_learning.schemas import Procedure
from langgraph_learning.stores.base import ID, Entry, LearningStore, Ranked
from langgraph_learning.stores.operations import Operation, Refused, operation, schema_fields
from langgraph_learning.stores.values import as_list, spell, union
from langgraph_learning.text import fold, same_statement

SAVE = "Keep how something is done, for the next time. What has the same title is replaced; its pitfalls are added up."
WHEN = "Do so when a task with tools worked, best after something had failed first. Nothing about this user alone."
DELETE = "Take out a procedure that turned out to be wrong."
SEARCH = "Search for how something was done before. Do so before you begin a task with tools."


class ProceduresStore(LearningStore):
    """The procedures."""

    name: ClassVar[str] = "procedures"
    about_user: ClassVar[bool] = False
    reflects: ClassVar[bool] = True
    reads_trajectory: ClassVar[bool] = True
    config_class = ProceduresConfig
    config: ProceduresConfig
    label: ClassVar[str] = "p"
    title: ClassVar[str] = "How things were done before, and what failed; advice, not orders:"

    def __init__(self, config: ProceduresConfig | None = None) -> None:
        """Make the operations from the fields of the schema."""
        super().__init__(config)
        schema = self.config.schema or Procedure
        described = f"{SAVE}\n{self.configured_instructions(WHEN)}"
        self._save = operation("save_procedure", described, schema, **schema_fields(schema, optional=False))
        self._delete = operation("delete_procedure", DELETE, id=(str, ID))
        self.operations = (self._save, self._delete)
        query = (str, Field(min_length=1, description="The task, in your own words"))
        limit = (int, Field(default=5, ge=1, le=50, description="How many at most, from 1 to 50"))
        self.searches = (operation("search_procedures", SEARCH, query=query, limit=limit),)

    @property
    def instructions(self) -> str:
        """What to capture."""
        return prompts.load("procedures")

    def scope(self, identity: Identity) -> Scope | None:
        """A namespace: everybody's, a group's, or each user's own."""
        return Scope.in_namespace(self.config.namespace or "global", identity)

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Save or delete one procedure; the same title is the same procedure, and so are the same steps."""
        given = operation.model_dump(mode="json", exclude_none=True)
        if isinstance(operation, self._delete):
            record = next((record for record in records if record.id == given["id"]), None)
            if record is None:
                raise Refused("there is no such procedure")
            return [Remove(store=self.name, id=record.id, text=record.text)]
        title, steps = _name(given["title"]), spell(given["steps"])
        same_title = (record for record in records if _name(record.content["title"]) == title)
        same_steps = (record for record in records if same_statement(spell(record.content["steps"]), steps))
        old = next(same_title, None) or next(same_steps, None)
        if old is None:
            return [Add(store=self.name, content=given, text=_text(given))]
        pitfalls = union(as_list(old.content.get("pitfalls")), as_list(given.get("pitfalls")))
        content = {**old.content, **given, "title": old.content["title"], "pitfalls": pitfalls}
        if content == {"pitfalls": [], **old.content}:
            return []
        return [Update(store=self.name, id=old.id, content=content, text=_text(content))]

    def entries(self, ranked: Sequence[Ranked], query: str = "", *, complete: bool = True) -> list[Entry]:
        """Every procedure by itself; where room is short, by its title and when to follow it."""
        return [
            Entry(self.render(each.record), (each,), brief="\n".join(each.record.text.split("\n")[:2]))
            for each in ranked
        ]


def _name(title: JsonValue) -> str:
    """The title as it is compared: case, accents, spaces and the last stop do not count."""
    return " ".join(fold(str(title)).split()).strip("\"'“”.:!? ")


def _text(content: dict[str, JsonValue]) -> str:
    """How a procedure reads: its title, when to follow it, the numbered steps, and then the pitfalls."""
    steps = [f"{number}. {spell(step)}" for number, step in enumerate(as_list(content.get("steps")), 1)]
    known = ("title", "when", "steps", "pitfalls")
    rest = [f"{name}: {spell(value)}" for name, value in content.items() if name not in known and value not in ([], "")]
    pitfalls = [f"avoid: {spell(pitfall)}" for pitfall in as_list(content.get("pitfalls"))]
    return "\n".join([str(content["title"]), f"when: {content['when']}", *steps, *pitfalls, *rest])
