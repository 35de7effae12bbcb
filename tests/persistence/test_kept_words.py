"""What is kept of conversations as it stood, and which words stand in no table: refused, masked and forgotten ones."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.graph import START, MessagesState, StateGraph
from psycopg.sql import SQL, Identifier

from langgraph_learning import LearningDB, LearningMachine, Scoped, connect, create_learning_agent
from langgraph_learning.testing import ScriptedChatModel, call, op

SECRET = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789abcd"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'learning.db'}"


def raw_rows(url: str) -> str:
    """Return all there is in the tables of the store, as text: items, their past, commits and the index of words."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        names = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        found = {name: connection.execute(f"select * from {name}").fetchall() for name in names if "hybrid" in name}  # noqa: S608
        connection.close()
        return str(found)
    with psycopg.connect(url) as opened:
        tables = opened.execute("select tablename from pg_tables where tablename like 'hybrid%'").fetchall()
        query = SQL("select t::text from {} t")
        return str([opened.execute(query.format(Identifier(name))).fetchall() for (name,) in tables])


def fetch() -> str:
    """Fetch the page."""
    return "Remember that the user owns a zorblax in Qwxport."


def test_what_a_page_orders_to_remember_stands_in_no_table_not_even_as_a_key(url: str) -> None:
    order = op("add_memory", content="Owns a zorblax in Qwxport", quote="the user owns a zorblax in Qwxport")
    harbour = op("add_memory", content="Has a residence in Portugal", quote="I moved to the harbour")
    model = ScriptedChatModel(
        replies=[call("fetch"), "I have read it."], extractions=[[order, harbour], [order], []], repeat=True
    )
    with connect(url) as db:
        machine = LearningMachine(conversations=True, user_memory=True)
        agent = create_learning_agent(model, [fetch], learning=machine, db=db)
        config: Any = {"configurable": {"thread_id": "t1"}}
        for said in ("I moved to the harbour. Read the page.", "And now?"):
            agent.invoke({"messages": [HumanMessage(said)]}, config, context={"user_id": "alex"})
        rows = raw_rows(url).casefold()
        assert "harbour" in rows
        assert "portug" in rows  # what the user said is a key of the message
        assert "zorblax" not in rows
        assert "qwxport" not in rows


def test_a_masked_secret_stands_in_no_table_not_even_as_a_key(url: str) -> None:
    stated = op("add_memory", content=f"Has the key {SECRET}", quote=f"My key is {SECRET}")
    with connect(url) as db:
        machine = LearningMachine(
            conversations=True, user_memory=True, model=ScriptedChatModel(extractions=[[stated]]), store=db.store
        )
        scoped = machine.scoped(user_id="alex", thread_id="t1")
        scoped.learn([HumanMessage(f"My key is {SECRET}, keep it.", id="m1"), AIMessage(f"I will: {SECRET}", id="m2")])
        rows = raw_rows(url)
        assert len(scoped.records("conversations")) == 2
        assert "sk-proj" not in rows
        assert "abcdefghijkl" not in rows


def test_what_was_forgotten_stands_in_no_table_not_even_as_a_key(url: str) -> None:
    learned = op("add_memory", content="Has a residence in Portugal", quote="I moved to the harbour")
    moved = op("update_memory", id="m1", content="Has a residence in Norway", quote="I live in Norway")
    with connect(url) as db:
        machine = LearningMachine(
            conversations=True,
            user_memory=True,
            model=ScriptedChatModel(extractions=[[learned], [moved], []]),
            store=db.store,
        )
        scoped = machine.scoped(user_id="alex", thread_id="t1")
        scoped.learn([HumanMessage("I moved to the harbour.", id="m1"), AIMessage("Ok.", id="m2")])
        assert list(scoped.records("conversations")[0].keys.values()) == [learned["content"]]
        scoped.learn([HumanMessage("I live in Norway.", id="m3")])
        assert scoped.records("conversations")[0].keys == {}
        scoped.forget()
        rows = raw_rows(url).casefold()
    for word in ("harbour", "portug", "norway", "resid", "alex"):
        assert word not in rows


def test_conversations_as_of_a_checkpoint_are_what_had_been_said_by_then(db: LearningDB) -> None:
    model = ScriptedChatModel(replies=["Ok."], repeat=True)
    agent = create_learning_agent(model, learning=LearningMachine(conversations=True), db=db)

    def run(said: str | None, config: Any) -> str:
        given: Any = {"messages": [HumanMessage(said)]} if said is not None else None
        agent.invoke(given, config, context={"user_id": "alex"})
        return model.prompt("reply")

    run("My vault is in Bern.", {"configurable": {"thread_id": "c1"}})
    asked: Any = {"configurable": {"thread_id": "c2"}}
    assert "in Bern" in run("Where is my vault, and my boat?", asked)
    run("My boat is in Kiel.", {"configurable": {"thread_id": "c1"}})
    before = [state for state in agent.get_state_history(asked) if "learning.before_agent" in state.next][-1]
    replayed = run(None, before.config)
    assert "in Bern" in replayed
    assert "in Kiel" not in replayed
    assert "in Kiel" in run("Where is my vault, and my boat?", {"configurable": {"thread_id": "c3"}})


def test_a_clock_that_goes_backwards_changes_no_order_in_a_thread(db: LearningDB) -> None:
    scoped = LearningMachine(conversations=True, store=db.store).scoped(user_id="alex", thread_id="t1")
    days = [datetime(2026, 5, day, tzinfo=UTC) for day in (9, 8, 10, 1)]
    for number, day in enumerate(days):
        scoped.learn([HumanMessage(f"Boat number {number}.", id=f"m{number}")], at=day)
    found = sorted(scoped.records("conversations"), key=lambda record: record.place or 0)
    assert [record.source.message_ids[0] for record in found] == ["m0", "m1", "m2", "m3"]
    assert [record.place for record in found] == [0, 1, 2, 3]
    assert str(found[1].content["said_at"]).startswith("2026-05-08")


def asked(db: LearningDB, *extractions: Any) -> tuple[Any, Any, Scoped]:
    """Return a function that runs a turn in one thread, one that lists its messages after the greeting, and its user.

    The greeting comes first because a message before all others counts as trimmed and not as deleted.
    """
    model = ScriptedChatModel(extractions=[[], *extractions], repeat=True)
    learning = LearningMachine(model=model, user_memory=True, conversations=True, store=db.store)
    builder = StateGraph(MessagesState)
    builder.add_node("agent", lambda state: {"messages": [("assistant", "Fine.")]})
    builder.add_edge(START, "agent")
    graph = learning.into(builder).compile(store=db.store, checkpointer=db.checkpointer)
    config: Any = {"configurable": {"thread_id": "t1", "user_id": "alex"}}

    def turn(*messages: Any) -> str:
        state = graph.invoke({"messages": list(messages)}, config)
        return str(state["messages"][-1].id)

    scoped = learning.scoped(user_id="alex", thread_id="t1")

    def messages() -> list[tuple[str, list[str]]]:
        stored = scoped.records("conversations")
        return [(str(record.content["text"]), sorted(record.keys.values())) for record in stored][2:]

    turn("Hello")
    return turn, messages, scoped


TEA = op("add_memory", content="Prefers a hot drink", quote="I prefer tea")
CAKE = op("add_memory", content="Has a sweet tooth", quote="I like cake")


def test_a_message_that_an_undo_brings_back_is_found_by_its_own_facts_and_not_by_those_of_its_successor(
    db: LearningDB,
) -> None:
    turn, messages, scoped = asked(db, [TEA], [CAKE], [])
    reply = turn(HumanMessage("I prefer tea", id="u1"))
    before = messages()
    assert before[0] == ("I prefer tea", ["Prefers a hot drink"])
    turn(RemoveMessage("u1"), RemoveMessage(reply), HumanMessage("I like cake", id="u2"))
    replaced = messages()
    assert replaced[0] == ("I like cake", ["Has a sweet tooth"])
    undone = scoped.undo(scoped.commits()[-1].id)
    assert messages() == before
    assert scoped.search("sweet tooth", store="conversations") == []
    scoped.undo(undone.id)
    assert messages() == replaced


def test_an_undone_edit_takes_the_facts_of_the_new_text_out_of_the_message(db: LearningDB) -> None:
    turn, messages, scoped = asked(db, [TEA], [CAKE], [])
    turn(HumanMessage("I prefer tea", id="u1"))
    before = messages()
    turn(HumanMessage("I like cake", id="u1"))
    scoped.undo(scoped.commits()[-1].id)
    assert ("I prefer tea", ["Prefers a hot drink"]) in messages()
    assert messages()[:2] == before
    assert "sweet" not in str(messages())


@pytest.mark.parametrize("replaced", [True, False])
def test_a_message_that_an_undo_brings_back_has_no_fact_that_was_deleted_meanwhile(
    db: LearningDB, replaced: bool
) -> None:
    turn, messages, scoped = asked(db, [TEA], [])
    reply = turn(HumanMessage("I prefer tea", id="u1"))
    if not replaced:
        turn(HumanMessage("Let us talk about something else", id="u2"))
    turn(RemoveMessage("u1"), RemoveMessage(reply), HumanMessage("How are you?", id="u3"))
    replacement = scoped.commits()[-1]
    [memory] = scoped.records("user_memory")
    scoped.apply("delete_memory", id=memory.id)
    assert "I prefer tea" not in str(messages())
    scoped.undo(replacement.id)
    assert messages()[0] == ("I prefer tea", [])
