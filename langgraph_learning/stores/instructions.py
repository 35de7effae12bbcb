"""The rules that one agent works by: shown in every turn, the most helpful first."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import JsonValue

from langgraph_learning import prompts
from langgraph_learning.config import InstructionsConfig
from langgraph_learning.records import ARCHIVED, Add, Change, Identity, Record, Remove, Scope, Update
from langgraph_learning.schemas import Instruction
from langgraph_learning.stores.base import ID, Entry, LearningStore, Ranked
from langgraph_learning.stores.decision_log import AGENT
from langgraph_learning.stores.operations import Operation, Refused, operation, schema_fields
from langgraph_learning.stores.values import spell
from langgraph_learning.text import same_statement

ADD = "Lay down a rule that you work by from now on, with everybody."
WHEN = "Do so only when you are told how to work in general, or when the same mistake was pointed out again."
UPDATE = "Replace a rule that no longer fits; give the whole new rule."
REMOVE = "Take out a rule that turned out to be wrong."


class InstructionsStore(LearningStore):
    """The instructions."""

    name: ClassVar[str] = "instructions"
    about_user: ClassVar[bool] = False
    reflects: ClassVar[bool] = True
    config_class = InstructionsConfig
    config: InstructionsConfig
    label: ClassVar[str] = "i"
    title: ClassVar[str] = "How you have learned to work; what you were told by your developer comes first:"

    def __init__(self, config: InstructionsConfig | None = None) -> None:
        """Make the operations from the fields of the schema."""
        super().__init__(config)
        schema = self.config.schema or Instruction
        fields, given = schema_fields(schema, optional=False), schema_fields(schema, optional=True)
        described = f"{ADD}\n{self.configured_instructions(WHEN)}"
        self._add = operation("add_instruction", described, schema, **fields)
        self._update = operation(
            "update_instruction", UPDATE, schema, id=(str, ID), **{**given, "rule": fields["rule"]}
        )
        self._remove = operation("remove_instruction", REMOVE, id=(str, ID))
        self.operations = (self._add, self._update, self._remove)

    @property
    def instructions(self) -> str:
        """What to capture."""
        return prompts.load("instructions")

    def scope(self, identity: Identity) -> Scope | None:
        """One agent in a namespace."""
        shared = Scope.in_namespace(self.config.namespace or "global", identity)
        agent = identity.agent or self.config.agent or AGENT
        return shared.model_copy(update={"agent": agent}) if shared else None

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Add, replace or take out one rule; what stands already changes nothing."""
        given = operation.model_dump(mode="json", exclude_none=True)
        wanted = given.pop("id", None)
        if isinstance(operation, self._add):
            alike = [each for each in records if same_statement(str(each.content["rule"]), given["rule"])]
            if alike and all(each.status == ARCHIVED for each in alike):
                return [self._update_of(alike[-1], given)]
            return [] if alike else [Add(store=self.name, content=given, text=_text(given))]
        record = next((record for record in records if record.id == wanted), None)
        if record is None:
            raise Refused("there is no such instruction")
        if isinstance(operation, self._remove):
            return [Remove(store=self.name, id=record.id, text=record.text)]
        return [] if {**record.content, **given} == record.content else [self._update_of(record, given)]

    def _update_of(self, record: Record, given: dict[str, JsonValue]) -> Update:
        content = {**record.content, **given}
        return Update(store=self.name, id=record.id, content=content, text=_text(content))

    def entries(self, ranked: Sequence[Ranked], query: str = "", *, complete: bool = True) -> list[Entry]:
        """Every rule, whatever the user asks: the most helpful first, the older first among equals."""
        by_age = sorted(ranked, key=lambda each: (each.record.created_at, each.record.id))
        best = sorted(by_age, key=lambda each: each.votes[1] - each.votes[0])
        return [
            Entry(self.render(each.record), (each,), brief=str(each.record.content["rule"]), first=True, place=place)
            for place, each in enumerate(best)
        ]


def _text(content: dict[str, JsonValue]) -> str:
    """How a rule reads: what to do, then why."""
    rest = {name: value for name, value in content.items() if name != "rule" and value not in (None, "", [])}
    return "\n".join([str(content["rule"]), *(f"{name}: {spell(value)}" for name, value in rest.items())])
