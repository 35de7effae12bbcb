from typing import Any

import pytest
from pydantic import JsonValue, ValidationError, field_validator, model_validator
from stores.plans import ALICE, after, planned

from langgraph_learning import SessionContextConfig
from langgraph_learning._engine.learning.operation_schema import answer_schema
from langgraph_learning.records import Identity
from langgraph_learning.schemas import SessionContext
from langgraph_learning.stores import Operation, SessionContextStore

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


def answer_fields(kind: type[Operation]) -> dict[str, Any]:
    schema: Any = answer_schema([kind])
    [item] = schema["properties"]["operations"]["items"]["anyOf"]
    return dict(item["properties"])


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


def test_a_step_that_is_not_done_after_all_is_taken_back() -> None:
    both: dict[str, JsonValue] = {**START, "progress": ["Build", "Push"]}
    assert content(both, {"summary": "S", "withdrawn": ["build"]})["progress"] == ["Push"]
    again: dict[str, JsonValue] = {"summary": "S", "progress": ["Build", "Push"], "withdrawn": ["Push"]}
    assert content(both, again)["progress"] == ["Build"]


def test_a_goal_and_a_plan_that_are_named_as_withdrawn_are_emptied() -> None:
    left = content(START, {"summary": "S", "withdrawn": ["goal", "Plan"]})
    assert left == {"summary": "S", "progress": ["Build"]}


def test_a_new_goal_starts_anew_and_the_old_one_in_other_words_goes_on() -> None:
    assert content(START, {"summary": "S", "goal": "Learn Spanish"}) == {"summary": "S", "goal": "Learn Spanish"}
    fresh = content(
        START, {"summary": "S", "goal": "Learn Spanish", "plan": ["Book a course"], "progress": ["Book a course"]}
    )
    assert fresh["progress"] == ["Book a course"]
    reworded = content(START, {"summary": "S", "goal": "Deploy the service to AWS"})
    assert (reworded["plan"], reworded["progress"]) == (["Build", "Push"], ["Build"])
    carried = content(START, {"summary": "S", "goal": "Go live", "plan": ["Build", "Push", "Announce"]})
    assert carried["progress"] == ["Build"]


def test_the_plan_survives_a_switch_to_summary_mode_and_back() -> None:
    records = after(PLANNING, (UPDATE, START))
    [change] = planned(SUMMARY, records, UPDATE, summary="Only the summary", plan=["never"], progress=[])
    assert getattr(change, "content", None) == {**START, "summary": "Only the summary"}
    assert "Step 1 (done): Build" in SUMMARY.render(records[0])


def test_planning_is_offered_when_it_is_enabled_and_only_then() -> None:
    [summary], [planning] = SUMMARY.operations, PLANNING.operations
    assert set(answer_fields(summary)) == {"operation", "summary", "quote"}
    assert set(answer_fields(planning)) == {"operation", "summary", "goal", "plan", "progress", "withdrawn", "quote"}
    assert "goal of the conversation" not in SUMMARY.extraction_instructions
    assert "goal of the conversation" in PLANNING.extraction_instructions


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


class Strict(SessionContext):
    """Validators of the user's own, also of fields that are hidden without planning."""

    @field_validator("summary")
    @classmethod
    def no_secrets(cls, summary: str) -> str:
        if "password" in summary:
            raise ValueError("a summary holds no passwords")
        return summary.strip()

    @field_validator("goal")
    @classmethod
    def in_capitals(cls, goal: str | None) -> str | None:
        return goal.upper() if goal else goal

    @model_validator(mode="after")
    def brief(self) -> "Strict":
        if len(self.plan) > 2:
            raise ValueError("a plan has two steps")
        return self


@pytest.mark.parametrize("planning", [False, True])
def test_the_validators_of_a_schema_check_what_is_learned(planning: bool) -> None:
    store = SessionContextStore(SessionContextConfig(schema=Strict, enable_planning=planning))
    [record] = after(store, (UPDATE, {"summary": " Tea. ", "goal": "drink"}))
    assert record.content == {"summary": "Tea.", **({"goal": "DRINK"} if planning else {})}
    with pytest.raises(ValidationError, match="no passwords"):
        planned(store, (), UPDATE, summary="The password is tea")


def test_a_validator_of_the_whole_schema_sees_goal_and_plan() -> None:
    store = SessionContextStore(SessionContextConfig(schema=Strict, enable_planning=True))
    with pytest.raises(ValidationError, match="two steps"):
        planned(store, (), UPDATE, summary="S", goal="G", plan=["a", "b", "c"])


def test_a_default_of_a_schema_does_not_overwrite_what_is_known() -> None:
    class Support(SessionContext):
        urgency: str = "low"

    store = SessionContextStore(SessionContextConfig(schema=Support))
    [record] = after(store, (UPDATE, {"summary": "S", "urgency": "high"}), (UPDATE, {"summary": "T"}))
    assert record.content == {"summary": "T", "urgency": "high"}


def test_a_session_belongs_to_a_user_in_a_thread_and_to_nobody_else() -> None:
    assert SUMMARY.scope(ALICE) is not None
    assert SUMMARY.scope(Identity(user_id="alice")) is None
    assert SUMMARY.scope(Identity(thread_id="c1")) is None
    others = [Identity(user_id="ben", thread_id="c1"), Identity(user_id="alice", thread_id="c2")]
    assert SUMMARY.scope(ALICE) not in [SUMMARY.scope(other) for other in others]
