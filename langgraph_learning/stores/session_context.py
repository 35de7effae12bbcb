"""Session context: a summary of one conversation; with planning enabled, also its goal, plan and progress."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema

from langgraph_learning import prompts
from langgraph_learning.config import SessionContextConfig
from langgraph_learning.namespace_labels import SESSION_CONTEXT
from langgraph_learning.records import Change, Identity, Record, Scope
from langgraph_learning.schemas import SessionContext
from langgraph_learning.stores.base import LearningStore
from langgraph_learning.stores.json_values import as_list, spell, union
from langgraph_learning.stores.operations import Operation, check_fields, operation, schema_fields
from langgraph_learning.stores.record_changes import set_record
from langgraph_learning.stores.session_plan import is_new_goal, stands_in, without_withdrawn

UPDATE = "Write down where this conversation stands now; what is left blank stays as it is."
WITHDRAWN = "withdrawn"
WITHDRAW = (
    "What does not hold any more: steps that turned out not to be done, copied as they are shown; or the word goal,"
    " plan or progress to empty that"
)
PLANNING = frozenset({"goal", "plan", "progress", WITHDRAWN})
"""The fields that are hidden unless planning is enabled."""


class SessionContextStore(LearningStore):
    """The learning store for session context: one record per user and thread."""

    name: ClassVar[str] = SESSION_CONTEXT
    about_user: ClassVar[bool] = False
    config_class = SessionContextConfig
    config: SessionContextConfig
    label: ClassVar[str] = "s"
    title: ClassVar[str] = "Where this conversation stands:"
    recalled: ClassVar[Literal["always", "relevant"]] = "always"
    rejects_tool_claims: ClassVar[bool] = False  # a summary also has answers that come from tools

    def __init__(self, config: SessionContextConfig | None = None) -> None:
        """Create the one operation from the fields of the schema; those of planning are hidden unless it is enabled."""
        super().__init__(config)
        schema = self.config.schema or SessionContext
        check_fields(schema.__name__, schema.model_fields, frozenset({WITHDRAWN}))
        self._hidden = frozenset() if self.config.enable_planning else PLANNING
        self.guides_recall = self.config.enable_planning
        withdrawn = (list[str] | None, Field(default=None, max_length=200, description=WITHDRAW))
        corrections = {WITHDRAWN: withdrawn} if self.config.enable_planning else {}
        fields = {**self._fields(schema), **corrections}
        self.operations = (operation("update_session_context", UPDATE, schema, **fields),)

    def _fields(self, schema: type[BaseModel]) -> dict[str, tuple[object, FieldInfo]]:
        """Return the fields of the operation: only the summary is required, and those of planning may be hidden.

        A hidden field is still a field, because validators of the schema may read it. A field that the model leaves out
        has the default of the schema.
        """
        own, optional = schema_fields(schema, optional=False), schema_fields(schema, optional=True)
        fields: dict[str, tuple[object, FieldInfo]] = {"summary": own.pop("summary")}
        for name, (_, info) in own.items():
            kind, null = optional[name]
            field_type = SkipJsonSchema[kind] if name in self._hidden else kind  # type: ignore[misc, valid-type]
            fields[name] = (field_type, null if info.is_required() else info)
        return fields

    @property
    def instructions(self) -> str:
        """The instructions for extraction: what to capture, with or without planning."""
        planning = "\n" + prompts.load("session_planning") if self.config.enable_planning else ""
        return prompts.load("session_context") + planning

    def scope(self, identity: Identity) -> Scope | None:
        """Return the scope of a user's thread; None without a user or a thread."""
        if not identity.user_id or not identity.thread_id:
            return None
        return Scope(user_id=identity.user_id, thread_id=identity.thread_id)

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Return the change to the one record; none if nothing would change.

        A field that is left out keeps its value, and what is withdrawn is removed. A new goal drops the old plan and
        its progress.
        """
        old = records[0].content if records else {}
        arguments = operation.model_dump(mode="json", exclude=set(self._hidden), exclude_unset=True)
        changes = {name: value for name, value in arguments.items() if value not in (None, [])}
        withdrawn = [str(item) for item in as_list(changes.pop(WITHDRAWN, None))]
        remaining = without_withdrawn(old, withdrawn)
        if is_new_goal(old, changes):
            remaining = {name: value for name, value in remaining.items() if name not in ("plan", "progress")}
        if isinstance(progress := changes.get("progress"), list):
            done = [step for step in progress if not stands_in(step, withdrawn)]
            changes["progress"] = union(as_list(remaining.get("progress")), done)
        content = {**remaining, **changes}
        by_id = {record.id: record for record in records}
        return set_record(self.name, by_id, self.name, content, str(content["summary"]))

    def recall_hint(self, records: Sequence[Record]) -> str:
        """Return the goal: a short question is often about it."""
        return str(records[0].content.get("goal") or "") if records else ""

    def render(self, record: Record) -> str:
        """Return the summary, the goal, the numbered plan, the steps that are done, then the other fields."""
        content = dict(record.content)
        lines = [str(content.pop("summary", ""))]
        plan, progress = as_list(content.pop("plan", None)), as_list(content.pop("progress", None))
        if goal := content.pop("goal", None):
            lines.append(f"Goal: {goal}")
        done = [step for step in plan if stands_in(step, progress)]
        for number, step in enumerate(plan, 1):
            lines.append(f"Step {number}{' (done)' if step in done else ''}: {step}")
        if progress:
            lines.append(f"Done so far: {'; '.join(map(str, progress))}")
        lines += [f"{name}: {spell(value)}" for name, value in content.items()]
        return "\n".join(lines)
