"""An agent that calls SQL wrongly, reads the error and mends it, knows next time: scripted words, real tools."""

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import ToolException, tool

from langgraph_learning import (
    LearningDB,
    LearningMachine,
    LearningMode,
    ProceduresConfig,
    connect,
    create_learning_agent,
)
from langgraph_learning.evals import Task, evaluate
from langgraph_learning.testing import ScriptedChatModel, call, op

GONE, THERE = "select count(*) from orders", "select count(*) from orders_v2"
LESSON = op(
    "save_procedure",
    quote=THERE,
    title="Count orders",
    when="Somebody asks how many orders there are",
    steps=[f"run_sql: {THERE}"],
    pitfalls=["run_sql failed on the table orders"],
)


@tool
def run_sql(query: str) -> str:
    """Run a query."""
    if "orders_v2" not in query:
        raise ToolException("no such table: orders")
    return "12"


run_sql.handle_tool_error = True


def act(messages: list[BaseMessage]) -> Any:
    """Do what a model does: query what it was told to, else what it guesses; read an error, and try the other table."""
    shown = "\n".join(str(message.text) for message in messages if isinstance(message, HumanMessage))
    last = messages[-1]
    if isinstance(last, ToolMessage):
        if last.status == "error":
            return call("run_sql", call_id="c2", query=THERE)
        tried = sum(bool(message.tool_calls) for message in messages if isinstance(message, AIMessage))
        return f"There are {last.text}, found at call {tried}."
    return call("run_sql", call_id="c1", query=THERE if THERE in shown else GONE)


@pytest.fixture
def db() -> Iterator[LearningDB]:
    with connect("sqlite:///:memory:") as opened:
        yield opened


def world(db: LearningDB, mode: LearningMode) -> tuple[LearningMachine, Any]:
    extractor = ScriptedChatModel(extractions=[[LESSON]], repeat=True)
    learning = LearningMachine(model=extractor, procedures=ProceduresConfig(mode=mode), store=db.store)
    model = ScriptedChatModel(replies=[act], repeat=True)
    return learning, create_learning_agent(model, [run_sql], learning=learning, db=db)


def asked(agent: Any, user: str, thread: str) -> str:
    config = {"configurable": {"thread_id": thread}}
    message = {"messages": [HumanMessage("How many orders are there?")]}
    return str(agent.invoke(message, config, context={"user_id": user})["messages"][-1].text)


def test_what_failed_once_works_at_once_for_whoever_asks_next_and_costs_less(db: LearningDB) -> None:
    learning, agent = world(db, LearningMode.ALWAYS)
    assert asked(agent, "ada", "t1") == "There are 12, found at call 2."
    assert asked(agent, "bob", "t2") == "There are 12, found at call 1."

    task = Task("How many orders do we have?", "cy", lambda answer: "at call 1" in answer)
    curve = evaluate(agent, [task], learning=learning, at=(0, 1, 2))

    assert [(point.at, point.pass_rate, point.model_calls) for point in curve.points] == [
        (0, 0, 3),
        (1, 1, 2),
        (2, 1, 2),
    ]


def test_a_procedure_waits_for_a_person_and_undo_takes_it_back(db: LearningDB) -> None:
    learning, agent = world(db, LearningMode.PROPOSE)
    config = {"configurable": {"thread_id": "t1"}}
    agent.invoke({"messages": [HumanMessage("How many orders are there?")]}, config, context={"user_id": "ada"})
    ada = learning.scoped(user_id="ada")
    assert ada.records("procedures") == []
    [proposal] = ada.proposals()
    outcome = ada.decide(proposal.id, "approve")
    [record] = ada.records("procedures")
    assert record.source.actor == "agent"
    assert "orders_v2" in learning.scoped(user_id="bob").recall("How many orders are there?").text
    assert outcome.commit is not None
    ada.undo(outcome.commit)
    assert ada.records("procedures") == []
