"""An agent that calls SQL wrongly, reads the error and mends it, knows next time: scripted words, real tools."""

import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import StructuredTool, ToolException, tool

from langgraph_learning import (
    LearningDB,
    LearningMachine,
    LearningMode,
    ProceduresConfig,
    connect,
    create_learning_agent,
)
from langgraph_learning.evals import Task, contains, evaluate
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


COUNT = "select count(*) from "
FAMILY = "orders invoices customers suppliers shipments returns refunds payments products reviews".split()


class Warehouse:
    """A database whose tables are not called what one would guess, and an agent that finds out by its tools."""

    def __init__(self, db: LearningDB) -> None:
        self.rows = sqlite3.connect(":memory:", check_same_thread=False)
        for number, thing in enumerate(FAMILY):
            table = f"{thing}_v{number + 2}"
            self.rows.execute(f"create table {table} (id integer)")
            self.rows.executemany(" ".join(("insert into", table, "values (?)")), [(id,) for id in range(number + 5)])
        tools = [
            StructuredTool.from_function(each, handle_tool_error=True) for each in (self.run_sql, self.list_tables)
        ]
        extractor = ScriptedChatModel(extractions=[self.note], repeat=True)
        procedures = ProceduresConfig(mode=LearningMode.ALWAYS)
        self.learning = LearningMachine(model=extractor, procedures=procedures, store=db.store)
        model = ScriptedChatModel(replies=[self.act], repeat=True)
        self.agent: Any = create_learning_agent(model, tools, learning=self.learning, db=db)

    def run_sql(self, query: str) -> str:
        """Run a query."""
        try:
            return str(self.rows.execute(query).fetchone()[0])
        except sqlite3.OperationalError as error:
            raise ToolException(str(error)) from error

    def list_tables(self) -> str:
        """List the tables."""
        return ", ".join(row[0] for row in self.rows.execute("select name from sqlite_master"))

    def act(self, messages: list[BaseMessage]) -> Any:
        """Do what a model does: query what it was told to, else what it guesses; after an error, look and try again."""
        told = "\n".join(str(message.text) for message in messages if isinstance(message, HumanMessage))
        thing = next(each for each in FAMILY if each in str(told).splitlines()[-1])
        calls = sum(len(message.tool_calls) for message in messages if isinstance(message, AIMessage))
        last = messages[-1]
        if not isinstance(last, ToolMessage):
            known = re.search(re.escape(COUNT) + rf"({thing}_\w+)", told)
            table = known[1] if known else thing
        elif last.status == "error":
            return call("list_tables", call_id="c2")
        elif last.name == "list_tables":
            table = next(each for each in str(last.text).split(", ") if each.startswith(thing))
        else:
            return f"There are {last.text}, found in {calls} calls."
        return call("run_sql", call_id=f"c{calls + 1}", query=COUNT + table)

    def note(self, messages: list[BaseMessage]) -> Any:
        """Note down the query that worked, as a model would."""
        shown = re.findall(r'ended="ok">.*?(select count\(\*\) from (\w+?)_v\d+)', str(messages[-1].text))
        query, thing = shown[-1]
        when = f"Somebody asks how many {thing} there are"
        return [op("save_procedure", quote=query, title=f"Count {thing}", when=when, steps=[f"run_sql: {query}"])]

    def ask(self, question: str, user: str) -> str:
        config = {"configurable": {"thread_id": user}}
        state = self.agent.invoke({"messages": [HumanMessage(question)]}, config, context={"user_id": user})
        return str(state["messages"][-1].text)


def test_a_family_of_tasks_is_done_at_the_first_try_as_far_as_it_was_experienced(db: LearningDB) -> None:
    warehouse = Warehouse(db)
    answers = [warehouse.ask(f"How many {thing} are there?", f"user-{thing}") for thing in FAMILY]
    assert answers[:2] == ["There are 5, found in 3 calls.", "There are 6, found in 3 calls."]
    tasks = [
        Task(f"Please tell me the number of {thing}", "somebody else", contains(f"are {number + 5}, found in 1 calls"))
        for number, thing in enumerate(FAMILY)
    ]

    curve = evaluate(warehouse.agent, tasks, learning=warehouse.learning, at=(0, 1, 10))

    assert [(point.at, round(point.pass_rate, 2), point.model_calls) for point in curve.points] == [
        (0, 0, 40),
        (1, 0.1, 38),
        (10, 1, 20),
    ]
    assert not any(point.errors for point in curve.points)
    assert len(warehouse.learning.scoped(user_id="anybody").records("procedures")) == 10
