"""Decision log: what the agent decided, why, and the outcome. One record per decision, one log per user and agent."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field, JsonValue
from pydantic.json_schema import SkipJsonSchema

from langgraph_learning.config import DecisionLogConfig
from langgraph_learning.records import Add, Change, Identity, Record, Scope, Update
from langgraph_learning.schemas import Decision
from langgraph_learning.stores.base import ID, QUERY, Entry, LearningStore, Ranked
from langgraph_learning.stores.json_values import rest_of
from langgraph_learning.stores.operations import Operation, operation, schema_fields
from langgraph_learning.stores.record_changes import find_record
from langgraph_learning.words import same_statement

AGENT = "agent"
"""The name of an agent that has no name."""
LATEST = 3
"""How many of the newest decisions are always shown."""
OUTCOME = ("outcome", "outcome_quality")
"""The fields of the schema that only `record_outcome` sets."""

LOG = "Log a decision that you made, so that later conversations can build on it."
WHEN = "Log it when you chose between alternatives, recommended one, or settled how to do something; log each one once."
RECORD = "Record the outcome of an earlier decision as soon as you learn it; a later outcome replaces an earlier one."
SEARCH = (
    "Search your decisions from all conversations; without a query, list the newest. Search before you decide about"
    " the same question again."
)


class DecisionLogStore(LearningStore):
    """The decision log."""

    name: ClassVar[str] = "decision_log"
    about_user: ClassVar[bool] = False
    config_class = DecisionLogConfig
    config: DecisionLogConfig
    label: ClassVar[str] = "d"
    title: ClassVar[str] = "What you decided in earlier conversations, and what came of it:"

    def __init__(self, config: DecisionLogConfig | None = None) -> None:
        """Create the operations from the fields of the schema."""
        super().__init__(config)
        schema = self.config.schema or Decision
        fields = schema_fields(schema, optional=False)
        for name, (kind, info) in schema_fields(schema, optional=True).items():
            if name in OUTCOME:  # hidden from the model, but the validators of the schema need them
                fields[name] = (SkipJsonSchema[kind], info)  # type: ignore[misc, valid-type]
        self._log = operation("log_decision", f"{LOG}\n{self.configured_instructions(WHEN)}", schema, **fields)
        outcome, quality = (schema.model_fields[name].description for name in OUTCOME)
        self._record = operation(
            "record_outcome",
            RECORD,
            id=(str, ID),
            outcome=(str, Field(min_length=1, description=outcome)),
            outcome_quality=(Literal["good", "bad", "neutral"], Field(description=quality)),
        )
        self.operations = (self._log, self._record)
        days = (int | None, Field(default=None, ge=1, description="Only decisions of the last so many days"))
        self.searches = (operation("search_decisions", SEARCH, query=QUERY, days=days),)

    @property
    def extracts(self) -> bool:
        """False in every mode: the agent logs its decisions itself, by its tools."""
        return False

    @property
    def tools(self) -> tuple[type[Operation], ...]:
        """All operations and searches, in every mode. In PROPOSE mode a person has to approve what they ask for."""
        return (*self.operations, *self.searches)

    def scope(self, identity: Identity) -> Scope | None:
        """Return the scope of a user and an agent; None without a user."""
        if not identity.user_id:
            return None
        return Scope(user_id=identity.user_id, agent=identity.agent or self.config.agent or AGENT)

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Return the change that logs a decision or its outcome; none if it is logged already."""
        arguments = operation.model_dump(mode="json", exclude_none=True)
        if isinstance(operation, self._log):
            arguments = {name: value for name, value in arguments.items() if name not in OUTCOME}
            # A decision that has an outcome is closed: the same decision again is a new record.
            is_open = any(not record.content.get("outcome") and _same(record.content, arguments) for record in records)
            return [] if is_open else [Add(store=self.name, content=arguments, text=_text(arguments))]
        record = find_record(records, arguments.pop("id"), "decision")
        content = {**record.content, **arguments}
        if content == record.content:
            return []
        return [Update(store=self.name, id=record.id, content=content, text=_text(content))]

    def entries(self, ranked: Sequence[Ranked], query: str = "", *, complete: bool = True) -> list[Entry]:
        """Return one entry per decision; the newest ones are always shown, and each has a brief form."""
        by_age = sorted((item.record for item in ranked), key=lambda record: (record.created_at, record.id))
        newest = {record.id for record in by_age[-LATEST:]}
        entries = [replace(entry, brief=_brief(entry.ranked[0].record.content)) for entry in super().entries(ranked)]
        return [replace(entry, first=entry.ranked[0].record.id in newest) for entry in entries]


def _same(first: dict[str, JsonValue], second: dict[str, JsonValue]) -> bool:
    return all(same_statement(str(first.get(name)), str(second.get(name))) for name in ("decision", "reasoning"))


def _text(content: dict[str, JsonValue]) -> str:
    """Return the text of a decision: the decision, its other fields, and the outcome."""
    return "\n".join([str(content["decision"]), *rest_of(content, "decision", *OUTCOME), *_outcome(content)])


def _brief(content: dict[str, JsonValue]) -> str:
    return "\n".join([str(content["decision"]), *_outcome(content)])


def _outcome(content: dict[str, JsonValue]) -> list[str]:
    return [f"outcome ({content.get('outcome_quality')}): {content['outcome']}"] if content.get("outcome") else []
