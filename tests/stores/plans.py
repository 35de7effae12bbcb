"""What a learning store makes of operations, without an engine."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import JsonValue

from langgraph_learning._engine.repository import ScopeSnapshot
from langgraph_learning.records import Change, Identity, Record, Scope
from langgraph_learning.stores import LearningStore

AT = datetime(2026, 3, 1, tzinfo=UTC)
ALICE = Identity(user_id="alice", thread_id="c1")


def planned(store: LearningStore, records: Sequence[Record], operation: str, /, **arguments: JsonValue) -> list[Change]:
    """Return what one operation changes; each new record gets its text as id."""
    [kind] = [kind for kind in store.operations if kind.__name__ == operation]
    changes = store.plan(kind.model_validate(arguments), records)
    return [change if change.id else change.model_copy(update={"id": change.text}) for change in changes]


def after(store: LearningStore, *operations: tuple[str, dict[str, JsonValue]]) -> tuple[Record, ...]:
    """Return the records that `operations` leave, one after the other."""
    scope = store.scope(ALICE)
    assert isinstance(scope, Scope)
    known = ScopeSnapshot(store, scope)
    for name, arguments in operations:
        known = known.with_changes(planned(store, known.records, name, **arguments), AT)
    return known.records
