"""`learn --threads`: what the checkpointer keeps from the time before the learning machine."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cli.world import Run
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.graph import START, MessagesState, StateGraph

from langgraph_learning import LearningMachine, connect
from langgraph_learning.testing import UnscriptedCall

MACHINE = """
from langgraph_learning import LearningMachine
from langgraph_learning.testing import ScriptedChatModel, op

answers = [[op("add_memory", content=content, quote=quote)] for content, quote in {script}]
learning = LearningMachine(model=ScriptedChatModel(extractions=answers), user_memory=True)
"""


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, empty: str) -> str:
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else empty


def converse(url: str, thread: str, *texts: str, user: str | None = None) -> None:
    """Talk to a graph that learns nothing, as it ran before there was a learning machine."""
    builder = StateGraph(MessagesState)
    builder.add_node("reply", lambda state: {"messages": [AIMessage(f"You said: {state['messages'][-1].text}")]})
    builder.add_edge(START, "reply")
    asked = {"thread_id": thread, **({"user_id": user} if user else {})}
    with connect(url) as db:
        graph = builder.compile(checkpointer=db.checkpointer.saver)
        for text in texts:
            graph.invoke({"messages": [HumanMessage(text)]}, {"configurable": asked})


def change(url: str, thread: str, update: list[Any]) -> None:
    builder = StateGraph(MessagesState)
    builder.add_node("reply", lambda state: {})
    builder.add_edge(START, "reply")
    with connect(url) as db:
        graph = builder.compile(checkpointer=db.checkpointer.saver)
        graph.update_state({"configurable": {"thread_id": thread}}, {"messages": update}, as_node="reply")


def kept(url: str, user: str) -> list[str]:
    with connect(url) as db:
        scoped = LearningMachine(conversations=True, store=db.store).scoped(user_id=user)
        return [str(record.content["text"]) for record in scoped.records("conversations")]


def test_old_threads_are_kept_for_their_users_and_once_however_often_they_are_learned(run: Run, database: str) -> None:
    converse(database, "monday", "I keep bees", "I hike", user="alex")
    converse(database, "tuesday", "My boat leaks", user="bo")
    converse(database, "nobody", "Who am I?")
    first = run("learn", "--threads", "-d", database, "--json")
    assert first.json == {
        "turns": 3,
        "commits": 3,
        "changes": 6,
        "left_out": {"nobody": "its runs named no user: give --user"},
    }
    assert kept(database, "alex") == ["I keep bees", "You said: I keep bees", "I hike", "You said: I hike"]
    assert kept(database, "bo") == ["My boat leaks", "You said: My boat leaks"]
    again = run("learn", "--threads", "-d", database, "-u", "alex", "--json").json
    assert (again["turns"], again["commits"]) == (3, 1)  # what was learned teaches nothing; `nobody` is Alex's now
    assert again["left_out"] == {"tuesday": "it belongs to another user than alex"}
    assert kept(database, "alex")[-2:] == ["Who am I?", "You said: Who am I?"]


def test_what_stopped_half_way_goes_on_with_the_turns_that_are_left(
    run: Run, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = {"first": [("Keeps bees", "I keep bees"), ("Hikes", "I hike")], "second": [("Sings", "I sing")]}
    for name, script in scripts.items():
        (tmp_path / f"{name}_{tmp_path.name}.py").write_text(MACHINE.format(script=script))
    monkeypatch.chdir(tmp_path)
    converse(database, "monday", "I keep bees", "I hike", "I sing", user="alex")
    at = ("learn", "--threads", "-d", database, "--json", "--machine")
    with pytest.raises(UnscriptedCall):  # of the third turn
        run(*at, f"first_{tmp_path.name}:learning")
    assert memories(run, database) == ["Keeps bees", "Hikes"]
    assert run(*at, f"second_{tmp_path.name}:learning").json == {"turns": 3, "commits": 1, "changes": 1}
    assert memories(run, database) == ["Keeps bees", "Hikes", "Sings"]


def memories(run: Run, url: str) -> list[str]:
    found = run("records", "-d", url, "-u", "alex", "-s", "user_memory", "--json").lines
    return [row["text"] for row in found]


def test_what_was_trimmed_away_is_learned_and_what_was_taken_out_is_not(run: Run, database: str) -> None:
    converse(database, "long", "First", "Second", "Third", user="alex")
    with connect(database) as db:
        [newest, *_] = db.checkpointer.list({"configurable": {"thread_id": "long", "checkpoint_ns": ""}}, limit=1)
    messages = newest.checkpoint["channel_values"]["messages"]
    trimmed, taken_out = messages[:2], messages[4:]
    change(database, "long", [RemoveMessage(id=message.id) for message in (*trimmed, *taken_out)])
    assert run("learn", "--threads", "-d", database, "--json").json["turns"] == 2
    assert kept(database, "alex") == ["First", "You said: First", "Second", "You said: Second"]


def test_a_message_is_dated_by_the_oldest_checkpoint_that_holds_it(run: Run, empty: str) -> None:
    before = datetime.now(UTC)
    converse(empty, "monday", "I keep bees", user="alex")
    after = datetime.now(UTC)
    converse(empty, "monday", "I hike", user="alex")
    run("learn", "--threads", "-d", empty)
    with connect(empty) as db:
        scoped = LearningMachine(conversations=True, store=db.store).scoped(user_id="alex")
        said = [datetime.fromisoformat(str(each.content["said_at"])) for each in scoped.records("conversations")]
    assert before <= said[0] <= after
    assert said[-1] >= after


def test_a_file_and_the_threads_are_two_ways(run: Run, empty: str) -> None:
    assert run("learn", "-d", empty).code == 2
    assert run("learn", "threads.json", "--threads", "-d", empty).code == 2
