from typing import Any

from pydantic import JsonValue
from stores.plans import ALICE, after, planned

from langgraph_learning import SessionContextConfig
from langgraph_learning.records import Identity
from langgraph_learning.schemas import SessionContext
from langgraph_learning.stores import SessionContextStore

UPDATE = "update_session_context"
SUMMARY = SessionContextStore()
PLANNING = SessionContextStore(SessionContextConfig(enable_planning=True))
START: dict[str, JsonValue] = {
    "summary": "Planned.",
    "goal": "Deploy",
    "plan": ["Build", "Push"],
    "progress": ["Build"],
}


def content(*turns: dict[str, JsonValue]) -> dict[str, JsonValue]:
    [record] = after(PLANNING, *((UPDATE, turn) for turn in turns))
    return record.content


def test_progress_grows_and_never_shrinks_by_omission() -> None:
    assert content(START, {"summary": "S", "progress": []})["progress"] == ["Build"]
    assert content(START, {"summary": "S", "progress": None})["progress"] == ["Build"]
    assert content(START, {"summary": "S"})["progress"] == ["Build"]
    assert content(START, {"summary": "S", "progress": ["Push"]})["progress"] == ["Build", "Push"]
    assert content(START, {"summary": "S", "progress": ["build", "Push"]})["progress"] == ["Build", "Push"]


def test_goal_and_plan_survive_omission_and_give_way_to_new_ones() -> None:
    kept = content(START, {"summary": "S", "goal": None, "plan": []})
    assert (kept["goal"], kept["plan"]) == ("Deploy", ["Build", "Push"])
    assert content(START, {"summary": "S", "plan": ["Start anew"]})["plan"] == ["Start anew"]


def test_the_plan_survives_a_switch_to_summary_mode_and_back() -> None:
    records = after(PLANNING, (UPDATE, START))
    [change] = planned(SUMMARY, records, UPDATE, summary="Only the summary", plan=["never"], progress=[])
    assert getattr(change, "content", None) == {**START, "summary": "Only the summary"}
    assert "Step 1 (done): Build" in SUMMARY.render(records[0])


def test_planning_is_offered_when_it_is_enabled_and_only_then() -> None:
    [summary], [planning] = SUMMARY.operations, PLANNING.operations
    assert set(summary.model_fields) == {"summary"}
    assert set(planning.model_fields) == {"summary", "goal", "plan", "progress"}
    assert "goal of the conversation" not in SUMMARY.capture
    assert "goal of the conversation" in PLANNING.capture


def test_the_summary_is_all_there_is_without_planning() -> None:
    [record] = after(SUMMARY, (UPDATE, {"summary": "Tea.", "goal": "ignored"}))
    assert record.content == {"summary": "Tea."}


def test_a_field_of_ones_own_is_kept_and_shown() -> None:
    class Support(SessionContext):
        ticket: str | None = None

    store = SessionContextStore(SessionContextConfig(schema=Support))
    turns: list[tuple[str, dict[str, Any]]] = [
        (UPDATE, {"summary": "Broken.", "ticket": "T-7"}),
        (UPDATE, {"summary": "Mended."}),
    ]
    [record] = after(store, *turns)
    assert record.content == {"summary": "Mended.", "ticket": "T-7"}
    assert "ticket: T-7" in store.render(record)


def test_a_session_belongs_to_a_user_in_a_thread_and_to_nobody_else() -> None:
    assert SUMMARY.scope(ALICE) is not None
    assert SUMMARY.scope(Identity(user_id="alice")) is None
    assert SUMMARY.scope(Identity(thread_id="c1")) is None
    others = [Identity(user_id="ben", thread_id="c1"), Identity(user_id="alice", thread_id="c2")]
    assert SUMMARY.scope(ALICE) not in [SUMMARY.scope(other) for other in others]
