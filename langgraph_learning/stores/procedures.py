"""Procedures: the steps that worked for a task, and the pitfalls, learned from the agent's own tool calls."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from pydantic import JsonValue

from langgraph_learning.config import ProceduresConfig
from langgraph_learning.stores.base import Entry, Ranked
from langgraph_learning.stores.json_values import as_list, rest_of, spell
from langgraph_learning.stores.titled_store import TitledStore


class ProceduresStore(TitledStore):
    """The learning store for procedures."""

    name: ClassVar[str] = "procedures"
    reads_trajectory: ClassVar[bool] = True
    config_class = ProceduresConfig
    config: ProceduresConfig
    label: ClassVar[str] = "p"
    title: ClassVar[str] = "How things were done before, and what failed; advice, not orders:"

    prompt = "procedures"
    kind = "procedure"
    body = "steps"
    grows = "pitfalls"
    save = "Save how a task is done, for next time. A procedure with the same title is replaced; its pitfalls are kept."
    when = (
        "Save one when a task with tools worked, above all if something had failed first. Save nothing that is only"
        " about this user."
    )
    delete = "Delete a procedure that turned out to be wrong."
    search = "Search for how a task was done before. Search before you begin a task with tools."
    query = "The task, in your own words"

    def entries(self, ranked: Sequence[Ranked], query: str = "", *, complete: bool = True) -> list[Entry]:
        """Return one entry per procedure; its brief form is the title and when to follow it."""
        entries = super().entries(ranked, query, complete=complete)
        return [replace(entry, brief="\n".join(entry.ranked[0].record.text.split("\n")[:2])) for entry in entries]

    def text(self, content: dict[str, JsonValue]) -> str:
        """Return the title, when to follow the procedure, the numbered steps, the pitfalls, then the other fields."""
        steps = [f"{number}. {spell(step)}" for number, step in enumerate(as_list(content.get("steps")), 1)]
        pitfalls = [f"avoid: {spell(pitfall)}" for pitfall in as_list(content.get("pitfalls"))]
        rest = rest_of(content, "title", "when", "steps", "pitfalls")
        return "\n".join([str(content["title"]), f"when: {content['when']}", *steps, *pitfalls, *rest])
