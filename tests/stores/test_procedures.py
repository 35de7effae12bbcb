"""How something is done, and the rules an agent works by: what operations make of them."""

import pytest
from pydantic import JsonValue
from stores.plans import ALICE, after, planned

from langgraph_learning import InstructionsConfig, LearningMachine, LearningMode, ProceduresConfig
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.records import Identity, Scope
from langgraph_learning.stores import InstructionsStore, ProceduresStore, Ranked, Refused

STORE = ProceduresStore()
RULES = InstructionsStore()
COUNT: dict[str, JsonValue] = {
    "title": "Count orders",
    "when": "Somebody asks how many orders there are",
    "steps": ["list the tables", "select count(*) from orders_v2"],
    "pitfalls": ["the table orders is gone"],
}


def test_a_procedure_reads_by_its_numbered_steps_and_then_what_to_avoid() -> None:
    [record] = after(STORE, ("save_procedure", COUNT))
    assert record.text.splitlines() == [
        "Count orders",
        "when: Somebody asks how many orders there are",
        "1. list the tables",
        "2. select count(*) from orders_v2",
        "avoid: the table orders is gone",
    ]


def test_the_same_title_corrects_the_steps_and_loses_no_pitfall() -> None:
    known = after(STORE, ("save_procedure", COUNT))
    better: dict[str, JsonValue] = {
        **COUNT,
        "title": "count  ORDERS.",
        "steps": ["count orders_v3"],
        "pitfalls": ["orders_v2 is gone"],
    }
    [change] = planned(STORE, known, "save_procedure", **better)
    assert (change.kind, change.id) == ("update", known[0].id)
    content = change.model_dump()["content"]
    assert content["title"] == "Count orders"
    assert content["steps"] == ["count orders_v3"]
    assert content["pitfalls"] == ["the table orders is gone", "orders_v2 is gone"]


def test_what_is_saved_already_changes_nothing_and_other_steps_are_another_procedure() -> None:
    known = after(STORE, ("save_procedure", COUNT))
    assert planned(STORE, known, "save_procedure", **COUNT) == []
    again: dict[str, JsonValue] = {**COUNT, "title": "Orders, counted", "pitfalls": ["orders_v1 is gone"]}
    assert planned(STORE, known, "save_procedure", **again)[0].kind == "update"
    other: dict[str, JsonValue] = {**COUNT, "title": "Sum orders", "steps": ["select sum(total) from orders_v2"]}
    assert planned(STORE, known, "save_procedure", **other)[0].kind == "add"


def test_a_procedure_is_deleted_by_its_id_and_not_by_another() -> None:
    known = after(STORE, ("save_procedure", COUNT))
    assert planned(STORE, known, "delete_procedure", id=known[0].id)[0].kind == "remove"
    with pytest.raises(Refused, match="no such procedure"):
        planned(STORE, known, "delete_procedure", id="other")


def test_a_rule_is_added_once_replaced_by_its_id_and_removed() -> None:
    known = after(RULES, ("add_instruction", {"rule": "Answer in one sentence.", "reason": "People are busy"}))
    assert known[0].text == "Answer in one sentence.\nreason: People are busy"
    assert planned(RULES, known, "add_instruction", rule="answer in one sentence") == []
    [change] = planned(RULES, known, "update_instruction", id=known[0].id, rule="Answer in two sentences.")
    assert change.text == "Answer in two sentences.\nreason: People are busy"
    assert planned(RULES, known, "remove_instruction", id=known[0].id)[0].kind == "remove"
    with pytest.raises(Refused, match="no such instruction"):
        planned(RULES, known, "update_instruction", id="other", rule="Anything")


def test_rules_open_the_prompt_the_most_helpful_first() -> None:
    rules: list[dict[str, JsonValue]] = [{"rule": f"Rule {name}."} for name in ("one", "two", "three")]
    known = after(RULES, *(("add_instruction", rule) for rule in rules))
    votes = {"Rule one.": (0, 1), "Rule three.": (3, 0)}
    entries = RULES.entries([Ranked(record, 0.0, votes=votes.get(record.text, (0, 0))) for record in known])
    assert [entry.text for entry in entries] == ["Rule three.", "Rule two.", "Rule one."]
    assert all(entry.first for entry in entries)


def test_rules_belong_to_one_agent_in_a_namespace() -> None:
    named = Identity(user_id="alice", agent="support")
    assert RULES.scope(ALICE) == Scope(namespace="global", agent="agent")
    assert RULES.scope(named) == Scope(namespace="global", agent="support")
    own = InstructionsStore(InstructionsConfig(namespace="user", agent="desk"))
    assert own.scope(ALICE) == Scope(user_id="alice", agent="desk")
    paths = {RULES.scope(each).path for each in (ALICE, named)}  # type: ignore[union-attr]
    assert len(paths | {Scope(namespace="global").path}) == 3


def test_both_ask_a_person_unless_they_are_told_otherwise() -> None:
    assert ProceduresConfig().mode is LearningMode.PROPOSE
    assert InstructionsConfig().mode is LearningMode.PROPOSE
    with pytest.raises(ConfigurationError, match="has no mode ALWAYS"):
        InstructionsConfig(mode=LearningMode.ALWAYS)
    names = [store.name for store in LearningMachine(procedures=True, instructions=True, user_memory=True).stores]
    assert names == ["instructions", "user_memory", "procedures"]
