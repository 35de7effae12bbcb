"""Instructions: the rules that an agent has learned to work by. Every turn shows them, the most helpful first."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import JsonValue

from langgraph_learning.config import InstructionsConfig
from langgraph_learning.records import Identity, Scope
from langgraph_learning.stores.base import Entry, Ranked
from langgraph_learning.stores.decision_log import AGENT
from langgraph_learning.stores.json_values import rest_of
from langgraph_learning.stores.statement_store import StatementStore

ADD = "Add a rule that you follow from now on, with every user."
WHEN = "Add one only when you are told how to work in general, or when the same mistake was pointed out again."
UPDATE = "Replace a rule that no longer fits; give the whole new rule."
REMOVE = "Remove a rule that turned out to be wrong."


class InstructionsStore(StatementStore):
    """The learning store for instructions."""

    name: ClassVar[str] = "instructions"
    about_user: ClassVar[bool] = False
    reflects: ClassVar[bool] = True
    config_class = InstructionsConfig
    config: InstructionsConfig
    label: ClassVar[str] = "i"
    title: ClassVar[str] = "How you have learned to work; what you were told by your developer comes first:"

    prompt = "instructions"
    kind = "instruction"
    statement = "rule"

    def __init__(self, config: InstructionsConfig | None = None) -> None:
        """Create the operations; the instructions of the configuration replace `WHEN`."""
        super().__init__(config)
        self.operations = self.make_operations(
            ("add_instruction", f"{ADD}\n{self.configured_instructions(WHEN)}"),
            ("update_instruction", UPDATE),
            ("remove_instruction", REMOVE),
        )

    def scope(self, identity: Identity) -> Scope | None:
        """Return the scope of one agent in a namespace; None if the namespace needs a user and there is none."""
        shared = Scope.in_namespace(self.config.namespace or "global", identity)
        agent = identity.agent or self.config.agent or AGENT
        return shared.model_copy(update={"agent": agent}) if shared else None

    def entries(self, ranked: Sequence[Ranked], query: str = "", *, complete: bool = True) -> list[Entry]:
        """Return all rules, whatever the user asks: the most helpful first; with equal votes, the oldest first."""
        by_age = sorted(ranked, key=lambda item: (item.record.created_at, item.record.id))
        best = sorted(by_age, key=lambda item: item.votes[1] - item.votes[0])
        return [
            Entry(self.render(item.record), (item,), brief=str(item.record.content["rule"]), first=True, place=place)
            for place, item in enumerate(best)
        ]

    def text(self, content: dict[str, JsonValue]) -> str:
        """Return the rule, then the other fields."""
        return "\n".join([str(content["rule"]), *rest_of(content, "rule")])
