from datetime import timedelta

import pytest
from pydantic import JsonValue, ValidationError, field_validator
from stores.plans import ALICE, AT, after, planned

from langgraph_learning import DecisionLogConfig, LearningMachine, LearningMode
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.records import Identity, Record, Scope
from langgraph_learning.schemas import Decision
from langgraph_learning.stores import DecisionLogStore, Ranked
from langgraph_learning.stores.operations import tool_schema
from langgraph_learning.testing import ScriptedChatModel

STORE = DecisionLogStore()
PYTHON: dict[str, JsonValue] = {
    "decision": "Use Python for the scraper",
    "reasoning": "The libraries are mature",
    "alternatives": ["JavaScript", "Go"],
    "confidence": 0.8,
}


def logged(*decisions: dict[str, JsonValue]) -> tuple[Record, ...]:
    """What is known after these were logged one by one."""
    return after(STORE, *(("log_decision", decision) for decision in decisions))


def test_a_decision_reads_with_its_reasons_and_then_its_outcome() -> None:
    [record] = logged(PYTHON)
    assert record.text == (
        "Use Python for the scraper\nreasoning: The libraries are mature\nalternatives: JavaScript, Go\nconfidence: 0.8"
    )
    [change] = planned(STORE, [record], "record_outcome", id=record.id, outcome="It runs daily", outcome_quality="good")
    assert (change.kind, change.id) == ("update", record.id)
    assert change.text == f"{record.text}\noutcome (good): It runs daily"
    assert change.model_dump()["content"] == {**PYTHON, "outcome": "It runs daily", "outcome_quality": "good"}


def test_an_outcome_replaces_another_and_the_same_one_changes_nothing() -> None:
    [record] = after(
        STORE,
        ("log_decision", PYTHON),
        ("record_outcome", {"id": logged(PYTHON)[0].id, "outcome": "It runs", "outcome_quality": "good"}),
    )
    again = planned(STORE, [record], "record_outcome", id=record.id, outcome="It runs", outcome_quality="good")
    assert again == []
    [change] = planned(STORE, [record], "record_outcome", id=record.id, outcome="It broke", outcome_quality="bad")
    assert change.kind == "update"
    assert change.text.endswith("outcome (bad): It broke")


def test_an_outcome_belongs_to_the_decision_that_is_named() -> None:
    records = logged(*({**PYTHON, "decision": f"Decision number {n}"} for n in range(3)))
    for record in records:
        [change] = planned(STORE, records, "record_outcome", id=record.id, outcome="Fine", outcome_quality="good")
        assert (change.id, change.text.splitlines()[0]) == (record.id, record.text.splitlines()[0])


def test_an_open_decision_is_logged_once_and_again_after_an_outcome() -> None:
    same: dict[str, JsonValue] = {**PYTHON, "decision": "use Python for the scraper."}
    assert len(logged(PYTHON, same)) == 1
    assert len(logged(PYTHON, {**PYTHON, "reasoning": "The team knows it"})) == 2
    [record] = logged(PYTHON)
    decided = record.model_copy(update={"content": {**PYTHON, "outcome": "It broke", "outcome_quality": "bad"}})
    assert len(planned(STORE, [decided], "log_decision", **same)) == 1


@pytest.mark.parametrize("confidence", [-0.1, 1.1])
def test_confidence_is_a_share(confidence: float) -> None:
    with pytest.raises(ValidationError):
        planned(STORE, [], "log_decision", **{**PYTHON, "confidence": confidence})


def test_an_outcome_is_good_bad_or_neutral_and_never_part_of_logging() -> None:
    with pytest.raises(ValidationError):
        planned(STORE, logged(PYTHON), "record_outcome", id="x", outcome="Fine", outcome_quality="great")
    [change] = planned(STORE, [], "log_decision", **{**PYTHON, "outcome": "Guessed", "outcome_quality": "good"})
    assert change.model_dump()["content"] == PYTHON
    asked = tool_schema(STORE.operations[0])["properties"]
    assert isinstance(asked, dict)
    assert list(asked) == ["decision", "reasoning", "alternatives", "confidence"]


@pytest.mark.parametrize(
    ("config", "identity", "agent"),
    [
        (None, Identity(user_id="alice"), "agent"),
        (DecisionLogConfig(agent="ops"), Identity(user_id="alice"), "ops"),
        (DecisionLogConfig(agent="ops"), Identity(user_id="alice", agent="coder"), "coder"),
    ],
)
def test_a_log_belongs_to_a_user_and_an_agent(config: DecisionLogConfig | None, identity: Identity, agent: str) -> None:
    assert DecisionLogStore(config).scope(identity) == Scope(user_id="alice", agent=agent)
    assert DecisionLogStore(config).scope(Identity(agent=agent)) is None


@pytest.mark.parametrize("mode", [LearningMode.AGENTIC, LearningMode.PROPOSE])
def test_the_agent_logs_by_its_tools_in_every_mode_and_nothing_is_extracted(mode: LearningMode) -> None:
    store = DecisionLogStore(DecisionLogConfig(mode=mode))
    assert [tool.__name__ for tool in store.tools] == ["log_decision", "record_outcome", "search_decisions"]
    assert not store.extracts
    assert store.proposes is (mode is LearningMode.PROPOSE)
    LearningMachine(decision_log=DecisionLogConfig(mode=mode)).extract_node()  # no model is needed


def test_always_and_a_model_of_its_own_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"it offers LearningMode\.AGENTIC, LearningMode\.PROPOSE"):
        DecisionLogConfig(mode=LearningMode.ALWAYS)
    with pytest.raises(ConfigurationError, match="leave it out"):
        DecisionLogConfig(model=ScriptedChatModel())
    with pytest.raises(ConfigurationError, match="agent"):
        DecisionLogConfig(agent=" ")


def test_instructions_tell_the_agent_what_to_log() -> None:
    config = DecisionLogConfig(instructions="ONLY-MONEY", additional_instructions="NO-SMALL-SUMS")
    told = DecisionLogStore(config).operations[0].__doc__ or ""
    assert told.endswith("ONLY-MONEY\nNO-SMALL-SUMS")
    assert told.splitlines()[0] == (STORE.operations[0].__doc__ or "").splitlines()[0]


class Costed(Decision):
    """A field of one's own, and a check of the schema's."""

    cost: int = 0

    @field_validator("decision")
    @classmethod
    def _short(cls, value: str) -> str:
        return value.upper()


def test_the_schema_asks_for_its_fields_and_checks_them() -> None:
    store = DecisionLogStore(DecisionLogConfig(schema=Costed))
    [record] = after(store, ("log_decision", {**PYTHON, "cost": 7}))
    assert (record.content["cost"], record.content["decision"]) == (7, "USE PYTHON FOR THE SCRAPER")
    asked = tool_schema(store.operations[0])["properties"]
    assert isinstance(asked, dict)
    assert "cost" in asked


def test_the_newest_come_first_of_all_and_in_few_words_where_room_is_short() -> None:
    records = logged(*({**PYTHON, "decision": f"Decision number {n}"} for n in range(6)))
    entries = STORE.entries([Ranked(record, 0.0) for record in records])
    assert [entry.ranked[0].record.text.splitlines()[0] for entry in entries if entry.first] == [
        "Decision number 3",
        "Decision number 4",
        "Decision number 5",
    ]
    assert entries[0].brief == "Decision number 0"


def test_a_search_by_days_leaves_out_what_is_older() -> None:
    old, new = logged({**PYTHON, "decision": "Old"}, {**PYTHON, "decision": "New"})
    old = old.model_copy(update={"created_at": AT - timedelta(days=8)})
    [search] = STORE.searches

    def found(**asked: JsonValue) -> list[str]:
        ranked = [Ranked(old, 0.0), Ranked(new, 0.0)]
        return [
            str(each.record.content["decision"])
            for each in STORE.filter_search(search.model_validate(asked), ranked, AT)
        ]

    assert found() == ["Old", "New"]
    assert found(days=7) == ["New"]
    assert found(days=9) == ["Old", "New"]
    with pytest.raises(ValidationError):
        search.model_validate({"days": 0})


def test_a_decision_is_nobodys_without_a_user() -> None:
    assert STORE.scope(ALICE) == Scope(user_id="alice", agent="agent")
    assert STORE.scope(Identity()) is None
