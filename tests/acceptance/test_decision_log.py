"""The rows about decisions: taken in one conversation, weighed in a later one, by the same agent for the same user."""

from typing import Any

import pytest
from acceptance.driver import Agent, Colour, Home
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from langgraph.graph import MessagesState

from langgraph_learning import DecisionLogConfig, LearningMachine, LearningMode
from langgraph_learning.testing import ScriptedChatModel, call

PYTHON: dict[str, Any] = {
    "decision": "Use Python for scraping",
    "reasoning": "Its libraries are mature",
    "alternatives": ["JavaScript"],
    "confidence": 0.8,
}
POSTGRES: dict[str, Any] = {
    "decision": "Use Postgres",
    "reasoning": "The data is relational",
    "alternatives": ["DynamoDB"],
}
Turn = dict[str, Any]


def answers(turn: Turn, name: str) -> list[str]:
    """What the tool of this name answered in the turn."""
    return [str(each.text) for each in turn["messages"] if isinstance(each, ToolMessage) and each.name == name]


def test_09_01_a_decision_is_kept_with_reasons_and_alternatives_and_known_in_other_threads(home: Home) -> None:
    agent = home.agent(
        LearningMachine(decision_log=True),
        replies=[call("log_decision", **PYTHON), "Python.", "As decided: Python.", "I decided nothing for you."],
    )
    told = answers(agent.turn("Python or JavaScript for scraping?"), "log_decision")
    assert told[0].startswith("Stored: Use Python for scraping")
    [record] = agent.records("decision_log")
    assert record.content == PYTHON
    assert record.source.actor == "agent"
    agent.say("What about the scraper?", thread="c2")
    shown = agent.model.prompt("reply")
    for part in ("[d1] Use Python for scraping", "Its libraries are mature", "JavaScript"):
        assert part in shown
    agent.say("What did you decide?", thread="c3", user="ben")
    assert "Python" not in agent.model.prompt("reply")
    assert agent.model.calls["extraction"] == 0


def test_09_02_a_later_thread_finds_the_decision_and_records_its_outcome(home: Home) -> None:
    agent = home.agent(
        LearningMachine(decision_log=True),
        replies=[
            call("log_decision", call_id="l1", **POSTGRES),
            call("log_decision", call_id="l2", **PYTHON),
            "Decided.",
            call("search_decisions", query="Postgres or DynamoDB", days=7),
            call("record_outcome", id="d1", outcome="It scaled well", outcome_quality="good", call_id="o1"),
            "Good.",
            call("record_outcome", id="d1", outcome="It became slow", outcome_quality="bad", call_id="o2"),
            call("record_outcome", id="d9", outcome="Lost", outcome_quality="bad", call_id="o3"),
            "I see.",
        ],
    )
    agent.say("Postgres or DynamoDB? And Python or JavaScript?")
    second = agent.turn("How did the database do? Well, it scaled.", thread="c2")
    assert answers(second, "search_decisions")[0].startswith("- [d1] Use Postgres\n")
    assert "Python" not in answers(second, "search_decisions")[0]
    third = agent.turn("It became slow, though.", thread="c3")
    assert "there is no record 'd9'" in answers(third, "record_outcome")[1]
    [postgres, python] = agent.records("decision_log")
    assert postgres.content == {**POSTGRES, "outcome": "It became slow", "outcome_quality": "bad"}
    assert python.content == PYTHON
    if home.db:
        outcomes = [each.record.content.get("outcome") for each in agent.of().history(postgres.id) if each.record]
        assert outcomes == [None, "It scaled well", "It became slow"]


def logged(agent: Agent, name: str | None = None) -> list[str]:
    """The decisions of one agent, read in the colour of the row."""
    scoped = agent.learning.scoped(user_id="alice", store=agent.store, agent=name)
    return [str(r.content["decision"]) for r in agent.either(lambda: scoped.records(), lambda: scoped.arecords())]


@pytest.mark.parametrize("config", [True, DecisionLogConfig(agent="ops")])
def test_every_agent_has_a_log_of_its_own_by_name_by_configuration_or_by_default(
    home: Home, config: bool | DecisionLogConfig
) -> None:
    learning = LearningMachine(decision_log=config)
    script = [call("log_decision", **PYTHON), "Python.", "As decided."]
    coder = home.agent(learning, replies=script, name="coder")
    coder.say("Python or JavaScript?")
    assert logged(coder, "coder") == ["Use Python for scraping"]
    assert logged(coder) == []
    unnamed = home.agent(learning, replies=[call("log_decision", **POSTGRES), "Postgres.", "As decided."])
    unnamed.say("Postgres or DynamoDB?", thread="c2")
    default = "agent" if config is True else "ops"
    assert logged(unnamed) == logged(unnamed, default) == ["Use Postgres"]
    for agent, own, other in ((coder, "Use Python", "Use Postgres"), (unnamed, "Use Postgres", "Use Python")):
        agent.say("What did you decide?", thread="c3")
        assert own in agent.model.prompt("reply")
        assert other not in agent.model.prompt("reply")


def test_what_an_agent_decided_is_undone_and_redone_whoever_asks(home: Home) -> None:
    if not home.db:
        pytest.skip("undo takes a store with history")
    agent = home.agent(LearningMachine(decision_log=True), replies=[call("log_decision", **PYTHON), "P."], name="coder")
    agent.say("Python or JavaScript?")
    alice = agent.of()  # names no agent
    [commit] = alice.commits()
    undone = alice.undo(commit.id)
    assert logged(agent, "coder") == []
    alice.undo(undone.id)
    assert logged(agent, "coder") == ["Use Python for scraping"]


def test_in_propose_the_tools_are_there_and_what_they_ask_for_waits_for_a_person(home: Home) -> None:
    agent = home.agent(
        LearningMachine(decision_log=DecisionLogConfig(mode=LearningMode.PROPOSE)),
        replies=[call("log_decision", **PYTHON), "Proposed."],
        history=False,
    )
    told = answers(agent.turn("Python or JavaScript?"), "log_decision")
    assert told[0].startswith("Not stored yet")
    assert agent.records("decision_log") == []
    assert agent.model.bound[0] == ["log_decision", "record_outcome", "search_decisions"]


def test_a_graph_around_an_agent_recalls_the_log_of_that_agent(home: Home, colour: Colour) -> None:
    from langchain.agents import create_agent

    learning = LearningMachine(decision_log=True)
    model = ScriptedChatModel(replies=[call("log_decision", **PYTHON), "Python.", "As decided."])
    inner = create_agent(model, learning.tools(), name="coder")
    graph = learning.around(inner).compile(store=home.store)
    agent = Agent(graph, model, learning, home.store, colour)
    agent.say("Python or JavaScript?")
    assert logged(agent, "coder") == ["Use Python for scraping"]
    agent.say("And now?", thread="c2")
    assert "Use Python for scraping" in model.prompt("reply")


def test_two_agents_in_one_run_keep_two_logs(home: Home, colour: Colour) -> None:
    from langchain.agents import create_agent
    from langgraph.graph import START, StateGraph

    learning = LearningMachine(decision_log=True)
    models = [
        ScriptedChatModel(replies=[call("log_decision", **decision), "Done.", "Known."])
        for decision in (PYTHON, POSTGRES)
    ]
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("recall", learning.recall_node())
    for name, model in zip(("coder", "dba"), models, strict=True):
        middleware: Any = learning.middleware()
        builder.add_node(name, create_agent(model, learning.tools(), middleware=middleware, name=name))
    for start, end in ((START, "recall"), ("recall", "coder"), ("coder", "dba")):
        builder.add_edge(start, end)
    agent = Agent(builder.compile(store=home.store), models[1], learning, home.store, colour)
    agent.say("Decide.")
    assert logged(agent, "coder") == ["Use Python for scraping"]
    assert logged(agent, "dba") == ["Use Postgres"]
    agent.say("And?", thread="c2")
    for model, own, other in zip(models, ("Use Python", "Use Postgres"), ("Use Postgres", "Use Python"), strict=True):
        assert own in model.prompt("reply")
        assert other not in model.prompt("reply")


@tool
def look_up() -> str:
    """Look something up."""
    return "Scrapy is what everybody should choose."


@pytest.mark.parametrize("taken", [False, True])
def test_what_only_a_tool_has_said_is_no_decision_unless_configured(home: Home, taken: bool) -> None:
    log = call("log_decision", decision="Choose Scrapy", reasoning="Everybody should", call_id="l1")
    agent = home.agent(
        LearningMachine(decision_log=DecisionLogConfig(learn_from_tools=taken)),
        replies=[call("look_up", call_id="t1"), log, "Done."],
        tools=[look_up],
    )
    agent.say("Which library for scraping?")
    assert logged(agent) == (["Choose Scrapy"] if taken else [])


def test_the_limit_of_a_turn_is_its_own(home: Home) -> None:
    both = [call("log_decision", call_id="l1", **PYTHON), call("log_decision", call_id="l2", **POSTGRES)]
    agent = home.agent(LearningMachine(decision_log=DecisionLogConfig(max_updates_per_run=1)), replies=[*both, "Done."])
    told = answers(agent.turn("Decide twice."), "log_decision")
    assert "1 changes a turn are the limit" in told[1]
    assert logged(agent) == ["Use Python for scraping"]


def test_the_newest_decisions_open_the_recalled_text_in_one_order(home: Home) -> None:
    names = ["tabs", "pytest", "ruff", "mypy", "hatch"]
    calls = [call("log_decision", decision=f"Chose {name}", reasoning="Taste", call_id=name) for name in names]
    agent = home.agent(LearningMachine(decision_log=True), replies=[*calls, "Done."])
    agent.say("Choose the tools.")
    for query in ("tabs", "mypy", "nothing"):
        lines = [line for line in agent.of().recall(query).text.splitlines() if "Chose" in line]
        assert lines == [f"- [d{place}] Chose {names[place - 1]}" for place in (3, 4, 5, 1, 2)]


def test_a_resolver_may_name_the_agent(home: Home) -> None:
    learning = LearningMachine(decision_log=True, scope=lambda: {"user_id": "alice", "agent": "mine"})
    agent = home.agent(learning, replies=[call("log_decision", **PYTHON), "Python.", "As decided."], name="coder")
    agent.say("Python or JavaScript?")
    assert (logged(agent, "mine"), logged(agent, "coder")) == (["Use Python for scraping"], [])
    agent.say("And now?", thread="c2")
    assert "Use Python for scraping" in agent.model.prompt("reply")
