"""A history that was learned before: its messages are kept once, as they are now, and what is new is learned."""

import asyncio
from typing import Any

import pytest
from acceptance.driver import Home
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.base import SearchOp

from langgraph_learning import LearningMachine
from langgraph_learning._engine import snapshots
from langgraph_learning._engine.learning import chunks
from langgraph_learning.scoped import Scoped
from langgraph_learning.testing import ScriptedChatModel, op

TEA = op("add_memory", content="Prefers tea", quote="I prefer tea")
CONFIG: dict[str, Any] = {"configurable": {"thread_id": "c1", "user_id": "alice"}}


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ten questions and answers a long session and a history of several parts."""
    monkeypatch.setattr(snapshots, "SESSION_TAIL", 4)
    monkeypatch.setattr(chunks, "MOST_MESSAGES", 6)


def history(turns: int, **replies: str) -> list[BaseMessage]:
    """Return questions and answers; one named in `replies` has another text and id."""
    messages: list[BaseMessage] = []
    for number in range(turns):
        anew = replies.get(f"a{number}")
        messages.append(HumanMessage(f"Question {number}", id=f"q{number}"))
        messages.append(AIMessage(anew or f"Answer {number}", id=f"a{number} anew" if anew else f"a{number}"))
    return messages


def texts(messages: list[BaseMessage]) -> list[str]:
    return [str(message.text) for message in messages]


def in_order(scoped: Scoped) -> list[str]:
    """Return the texts of the kept messages by place."""
    records = sorted(scoped.records("conversations"), key=lambda record: record.place or 0)
    assert [record.place for record in records] == list(range(len(records)))
    return [str(record.content["text"]) for record in records]


def ask(graph: Any, home: Home, *messages: BaseMessage) -> None:
    given = {"messages": [*messages]}
    graph.invoke(given, CONFIG) if home.colour == "sync" else asyncio.run(graph.ainvoke(given, CONFIG))


def graph_of(machine: LearningMachine, home: Home) -> Any:
    answers = iter(range(100))
    builder = StateGraph(MessagesState)
    builder.add_node("agent", lambda state: {"messages": [AIMessage(f"Said {(n := next(answers))}", id=f"s{n}")]})
    builder.add_edge(START, "agent")
    return machine.into(builder, models=["agent"]).compile(store=home.store, checkpointer=InMemorySaver())


def test_a_long_history_is_kept_once_however_often_it_is_learned(home: Home) -> None:
    machine = LearningMachine(conversations=True)
    scoped = machine.scoped(user_id="alice", thread_id="c1", store=home.store)
    scoped.learn(history(10))
    commits = len(scoped.commits())
    for _ in range(2):
        scoped.learn(history(10))
        assert in_order(scoped) == texts(history(10))
    assert len(scoped.commits()) == commits


def test_a_history_that_other_learning_stores_learn_from_is_not_kept_again(home: Home) -> None:
    LearningMachine(conversations=True).scoped(user_id="alice", thread_id="c1", store=home.store).learn(history(10))
    model = ScriptedChatModel(extractions=[[]], repeat=True)
    machine = LearningMachine(conversations=True, user_memory=True, model=model)
    scoped = machine.scoped(user_id="alice", thread_id="c1", store=home.store)
    scoped.learn(history(10))
    assert model.calls["extraction"] == 4
    assert in_order(scoped) == texts(history(10))


@pytest.mark.parametrize("turn", [0, 4, 9])
def test_a_reply_of_a_history_that_is_given_anew_takes_the_place_of_the_old_one(home: Home, turn: int) -> None:
    machine = LearningMachine(conversations=True)
    scoped = machine.scoped(user_id="alice", thread_id="c1", store=home.store)
    scoped.learn(history(10))
    changed = history(10, **{f"a{turn}": "Another answer"})
    for _ in range(2):
        scoped.learn(changed)
        assert in_order(scoped) == texts(changed)


def test_of_a_history_that_has_grown_only_the_new_turns_are_learned(home: Home) -> None:
    model = ScriptedChatModel(extractions=[[]], repeat=True)
    machine = LearningMachine(conversations=True, user_memory=True, model=model)
    scoped = machine.scoped(user_id="alice", thread_id="c1", store=home.store)
    for turns in (1, 2, 3):
        scoped.learn(history(turns))
        assert in_order(scoped) == texts(history(turns))
    assert model.calls["extraction"] == 3
    assert "Question 2" in model.prompt("extraction")
    assert "Question 1" not in model.prompt("extraction")


def test_turns_that_a_graph_has_learned_are_not_learned_again_with_the_whole_thread(home: Home) -> None:
    model = ScriptedChatModel(extractions=[[]], repeat=True)
    machine = LearningMachine(conversations=True, user_memory=True, model=model)
    graph = graph_of(machine, home)
    for number in range(5):
        ask(graph, home, HumanMessage(f"Question {number}", id=f"q{number}"))
    thread = graph.get_state(CONFIG).values["messages"]
    scoped = machine.scoped(user_id="alice", thread_id="c1", store=home.store)
    scoped.learn(thread)
    assert model.calls["extraction"] == 5
    assert in_order(scoped) == texts(thread)


def test_what_was_undone_stays_undone_when_the_history_has_grown(keeping: Home) -> None:
    model = ScriptedChatModel(extractions=[[TEA], [], []])
    machine = LearningMachine(conversations=True, user_memory=True, model=model)
    scoped = machine.scoped(user_id="alice", thread_id="c1", store=keeping.store)
    first = [HumanMessage("I prefer tea", id="u1"), AIMessage("Noted.", id="r1")]
    commit = scoped.learn(first)
    assert commit is not None
    scoped.undo(commit.id)
    for _ in range(2):
        scoped.learn([*first, *history(3)])
        assert in_order(scoped) == texts(history(3))
    assert scoped.records("user_memory") == []
    assert "I prefer tea" not in model.prompt("extraction")


def test_a_thread_that_forks_far_back_leaves_nothing_of_the_part_it_abandons(home: Home) -> None:
    machine = LearningMachine(conversations=True)
    scoped = machine.scoped(user_id="alice", thread_id="c1", store=home.store)
    scoped.learn(history(10))
    graph = graph_of(machine, home)
    ask(graph, home, *history(2), HumanMessage("Another question", id="h1"))
    assert in_order(scoped) == [*texts(history(2)), "Another question", "Said 0"]


@pytest.mark.parametrize("way", ["goes on", "alone"])
def test_a_new_turn_of_a_long_session_reads_only_its_newest_messages(
    keeping: Home, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    machine = LearningMachine(conversations=True)
    scoped = machine.scoped(user_id="alice", thread_id="c1", store=keeping.store)
    graph = graph_of(machine, keeping)
    for number in range(5):
        ask(graph, keeping, HumanMessage(f"Question {number}", id=f"q{number}"))
    read = list[SearchOp]()
    batch = keeping.store.batch

    def noted(ops: Any) -> Any:
        read.extend(one for one in ops if isinstance(one, SearchOp) and "session" in (one.filter or {}))
        return batch(ops)

    monkeypatch.setattr(keeping.store, "batch", noted)
    if way == "goes on":
        ask(graph, keeping, HumanMessage("One more", id="more"))
    else:  # nothing that came before is given
        scoped.learn([HumanMessage("One more", id="more"), AIMessage("Yes", id="yes")])
    of_session = [one.limit for one in read if isinstance((one.filter or {})["session"], str)]
    assert of_session
    assert max(of_session) == 4
    assert len(scoped.records()) == 12
