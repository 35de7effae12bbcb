"""A turn that an agent inside another graph hands over, or never ends, is learned: in whatever process comes next."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from graphs.world import ADA, BOB, COLOURS, Colour, by_hand, invoked, memories, said, thread
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, Send, interrupt

from langgraph_learning import Background, LearningContext, LearningMachine, connect
from langgraph_learning._engine.background.learner import BackgroundLearner
from langgraph_learning._engine.background.pending import pending_namespace
from langgraph_learning.records import ROOT, Identity
from langgraph_learning.testing import ScriptedChatModel, call, op

BEES = op("add_memory", content="Keeps bees", quote="I keep bees")
TEA = op("add_memory", content="Drinks tea", quote="I drink tea")
WAYS = ["middleware", "nodes", "into"]


def hand_over_to(name: str) -> Any:
    @tool(f"to_{name}")
    def hand_over() -> Command[Any]:
        """Hand the conversation over."""
        return Command(goto=name, graph=Command.PARENT)

    return hand_over


def alice(learning: LearningMachine, model: Any, way: str) -> Any:
    """Return an agent that hands the first turn of a thread over to Ben, and answers the others."""
    if way == "middleware":
        return create_agent(model, [hand_over_to("ben")], middleware=[*learning.middleware()], name="alice")

    def answer(state: MessagesState) -> Any:
        if model.invoke(state["messages"]).tool_calls:
            return Command(goto="ben", graph=Command.PARENT)
        return {"messages": [AIMessage("Hello again.")]}

    if way == "nodes":
        return by_hand(learning, answer).compile()
    builder: Any = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    return learning.into(builder).compile()


def alice_and_ben(learning: LearningMachine, model: Any, way: str) -> Any:
    """Return a graph of two agents, of whom only Alice learns."""
    builder: Any = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("alice", alice(learning, model, way), destinations=("ben", END))
    builder.add_node("ben", lambda state: {"messages": [AIMessage("I am Ben.")]})
    return builder.add_edge(START, "alice").add_edge("ben", END)


def process(way: str, replies: list[Any], *extractions: Any) -> tuple[Any, ScriptedChatModel]:
    """Return the graph as one process has it, and its model."""
    model = ScriptedChatModel(replies=replies, extractions=extractions)
    return alice_and_ben(LearningMachine(model=model, user_memory=True), model, way), model


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("way", WAYS)
async def test_it_is_learned_at_the_agents_next_turn_also_in_another_process(way: str, colour: Colour) -> None:
    store, saver = InMemoryStore(), InMemorySaver()
    first, model = process(way, [call("to_ben")])
    graph = first.compile(store=store, checkpointer=saver)
    await invoked(graph, colour, said("I keep bees", "h1"), thread(), context=ADA)
    assert not model.calls["extraction"]

    second, model = process(way, ["Hello again.", "And again."], [BEES, TEA], [])
    graph = second.compile(store=store, checkpointer=saver)
    await invoked(graph, colour, said("I drink tea", "h2"), thread(), context=ADA)
    await invoked(graph, colour, said("Hello", "h3"), thread(), context=ADA)

    assert memories(store) == ["Keeps bees", "Drinks tea"]
    assert "I keep bees" in model.prompt("extraction", 0)
    assert "I am Ben" in model.prompt("extraction", 0), "to the end of the turn, whoever spoke it"
    assert "I keep bees" not in model.prompts["extraction"][1][-1].text, "once"


@pytest.mark.parametrize("colour", COLOURS)
async def test_what_was_said_in_one_thread_is_not_learned_in_another_or_for_another(colour: Colour) -> None:
    store, saver = InMemoryStore(), InMemorySaver()
    builder, model = process("middleware", [call("to_ben"), "Hi.", "Hi.", "Hi."], [], [], [BEES])
    graph = builder.compile(store=store, checkpointer=saver)
    await invoked(graph, colour, said("I keep bees", "h1"), thread(), context=ADA)

    await invoked(graph, colour, said("Hello", "h2"), thread("t2"), context=ADA)
    await invoked(graph, colour, said("Hello", "h3"), thread(), context=BOB)
    assert all("I keep bees" not in prompt[-1].text for prompt in model.prompts["extraction"])
    await invoked(graph, colour, said("Hello", "h4"), thread(), context=ADA)

    assert memories(store) == ["Keeps bees"]
    assert memories(store, "bob") == []


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_turn_that_two_agents_hear_is_learned_by_whoever_ends_it(colour: Colour) -> None:
    model = ScriptedChatModel(replies=[call("to_ben"), "I am Ben.", "Hello."], extractions=[[BEES], []])
    learning = LearningMachine(model=model, user_memory=True)
    store = InMemoryStore()
    builder: Any = StateGraph(MessagesState, context_schema=LearningContext)
    for name, tools in (("alice", [hand_over_to("ben")]), ("ben", [])):
        agent = create_agent(model, tools=tools, middleware=[*learning.middleware()], name=name)
        builder.add_node(name, agent, destinations=("ben", END))
    builder.add_edge(START, "alice").add_edge("ben", END)
    graph = builder.compile(store=store, checkpointer=InMemorySaver())

    await invoked(graph, colour, said("I keep bees", "h1"), thread(), context=ADA)

    assert memories(store) == ["Keeps bees"]
    assert model.calls["extraction"] == 1
    assert learning.scoped(user_id="ada", store=store).pending() == []


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_turn_whose_run_fails_inside_the_agent_is_learned_at_the_next(colour: Colour) -> None:
    store, saver = InMemoryStore(), InMemorySaver()
    builder, _ = process("middleware", [RuntimeError("the model is down")])
    broken = builder.compile(store=store, checkpointer=saver)
    with pytest.raises(RuntimeError, match="down"):
        await invoked(broken, colour, said("I keep bees", "h1"), thread(), context=ADA)

    builder, _ = process("middleware", ["Hello."], [BEES, TEA])
    graph = builder.compile(store=store, checkpointer=saver)
    await invoked(graph, colour, said("I drink tea", "h2"), thread(), context=ADA)

    assert memories(store) == ["Keeps bees", "Drinks tea"]


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
def test_what_waits_is_shown_masked_and_forgotten_with_its_user(backend: str, tmp_path: Path) -> None:
    with connect(f"sqlite:///{tmp_path}/a.db") as db:
        store: BaseStore = db.store if backend == "sqlite" else InMemoryStore()
        builder, model = process("middleware", [call("to_ben"), "Hello."], [TEA])
        graph = builder.compile(store=store, checkpointer=InMemorySaver())
        graph.invoke(said("I keep bees, my password: hunter2secret", "h1"), thread(), context=ADA)

        ada = LearningMachine(user_memory=True).scoped(user_id="ada", store=store)
        [turn] = ada.pending()
        assert turn.status == "begun"
        assert "I keep bees" in turn.text
        assert "hunter2secret" not in str(turn.model_dump())

        ada.forget()
        graph.invoke(said("I drink tea", "h2"), thread(), context=ADA)

        assert memories(store) == ["Drinks tea"]
        assert "I keep bees" not in model.prompts["extraction"][0][-1].text
        assert ada.pending() == []


def test_who_learns_behind_the_reply_leaves_a_turn_alone_that_has_only_begun() -> None:
    store = InMemoryStore()
    model = ScriptedChatModel(replies=[call("to_ben"), "Hello."], extractions=[[BEES, TEA]])
    learning = LearningMachine(model=model, user_memory=True, store=store, background=Background(delay=0.0))
    graph = alice_and_ben(learning, model, "middleware").compile(store=store, checkpointer=InMemorySaver())

    graph.invoke(said("I keep bees", "h1"), thread(), context=ADA)
    assert learning.drain(timeout=10)
    assert not model.calls["extraction"]
    graph.invoke(said("I drink tea", "h2"), thread(), context=ADA)
    assert learning.drain(timeout=10)

    assert memories(store) == ["Keeps bees", "Drinks tea"]
    assert learning.scoped(user_id="ada").pending() == []


def test_what_was_learned_stays_in_no_history(tmp_path: Path) -> None:
    with connect(f"sqlite:///{tmp_path}/a.db") as db:
        builder, _ = process("middleware", [call("to_ben"), "Hello."], [BEES, TEA])
        graph = builder.compile(store=db.store, checkpointer=db.checkpointer)
        store: Any = db.store
        begun = ((ROOT,), {"status": "begun"})

        graph.invoke(said("I keep bees", "h1"), thread(), context=ADA)
        assert len(store.all_addresses(*begun)) == 1
        graph.invoke(said("I drink tea", "h2"), thread(), context=ADA)

        assert memories(db.store) == ["Keeps bees", "Drinks tea"]
        assert store.all_addresses(*begun) == []


def gated(learning: LearningMachine, **steps: Any) -> Any:
    """Return an agent by hand, with a step before it recalls, one as its answer, and one after it has learned."""
    builder: Any = StateGraph(MessagesState, context_schema=LearningContext)
    order = ["before", "recall", "answer", "extract", "after"]
    nodes = {"recall": learning.recall_node(), "extract": learning.extract_node(), **steps}
    for name in order:
        builder.add_node(name, nodes[name])
    for one, other in pairwise([START, *order, END]):
        builder.add_edge(one, other)
    return builder.compile()


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_turn_that_is_under_way_beside_another_is_learned_by_its_own_agent_alone(colour: Colour) -> None:
    begun, learned = threading.Event(), threading.Event()

    def before(state: MessagesState) -> Any:
        assert "tea" in str(state) or begun.wait(20)
        return {}

    def answer(state: MessagesState) -> Any:
        if "tea" in str(state):
            begun.set()
            assert learned.wait(20)
        return {"messages": [AIMessage("I see.")]}

    def after(state: MessagesState) -> Any:
        learned.set()
        return {}

    def extracted(messages: Any) -> Any:
        return [TEA] if "I drink tea" in messages[-1].text else [BEES]

    model = ScriptedChatModel(extractions=[extracted, extracted])
    learning, store = LearningMachine(model=model, user_memory=True), InMemoryStore()
    builder: Any = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("worker", gated(learning, before=before, answer=answer, after=after))
    sends = [Send("worker", said("I keep bees", "p1")), Send("worker", said("I drink tea", "p2"))]
    builder.add_conditional_edges(START, lambda _: sends, ["worker"])
    graph = builder.compile(store=store, checkpointer=InMemorySaver())

    await invoked(graph, colour, said("Do both", "h1"), thread(), context=ADA)

    said_by_turn = [prompt[-1].text for prompt in model.prompts["extraction"]]
    assert [("I keep bees" in text, "I drink tea" in text) for text in said_by_turn] == [(True, False), (False, True)]
    assert sorted(memories(store)) == ["Drinks tea", "Keeps bees"]
    assert learning.scoped(user_id="ada", store=store).pending() == []


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("backend", ["memory", "sqlite"])
@pytest.mark.parametrize("meanwhile", ["while it answers", "while it learns"])
async def test_a_turn_that_another_run_of_the_thread_has_learned_meanwhile_is_learned_once(
    backend: str, meanwhile: str, colour: Colour, tmp_path: Path
) -> None:
    with connect(f"sqlite:///{tmp_path}/a.db") as db:
        store: BaseStore = db.store if backend == "sqlite" else InMemoryStore()
        second, _ = process("middleware", ["Hello."], [BEES, TEA])
        other = second.compile(store=store, checkpointer=InMemorySaver())

        def overtaken(_: Any) -> Any:
            with ThreadPoolExecutor(1) as aside:  # as in another process: nothing of the run around it
                aside.submit(lambda: other.invoke(said("I drink tea", "h2"), thread(), context=ADA)).result()
            return "Hi." if meanwhile == "while it answers" else [{**BEES, "content": "Has long kept bees"}]

        answers = meanwhile == "while it answers"
        first, model = process("middleware", [overtaken if answers else "Hi."], *([] if answers else [overtaken]))
        graph = first.compile(store=store, checkpointer=InMemorySaver())
        await invoked(graph, colour, said("I keep bees", "h1"), thread(), context=ADA)

        assert memories(store) == ["Keeps bees", "Drinks tea"]
        assert model.calls["extraction"] == (0 if answers else 1)
        assert LearningMachine(user_memory=True).scoped(user_id="ada", store=store).pending() == []


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("other_learns", ["at once", "behind the reply"])
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_a_turn_that_another_run_learns_while_this_one_schedules_it_is_learned_once(
    database: str,
    other_learns: str,
    colour: Colour,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    url = request.getfixturevalue("postgres_url") if database == "postgres" else f"sqlite:///{tmp_path}/a.db"
    with connect(url) as db:
        store: Any = db.store
        later = Background(delay=0.0)
        model = ScriptedChatModel(
            extractions=[[BEES, TEA], [{**BEES, "content": "Has long kept bees"}]], replies=["Hi."]
        )
        behind = LearningMachine(model=model, user_memory=True, background=Background(delay=3_600))
        other_model = ScriptedChatModel(extractions=[[BEES, TEA]], replies=["Hello."])
        at_once = other_learns == "at once"
        second = LearningMachine(model=other_model, user_memory=True, background=False if at_once else later)
        other = alice_and_ben(second, other_model, "middleware").compile(store=store, checkpointer=InMemorySaver())
        transact, raced = type(store).transact, threading.Event()

        def overtaken(self: Any, puts: Any, **options: Any) -> Any:
            if not raced.is_set() and any((put.value or {}).get("status") == "waiting" for put in puts):
                raced.set()
                with ThreadPoolExecutor(1) as aside:
                    aside.submit(lambda: other.invoke(said("I drink tea", "h2"), thread(), context=ADA)).result()
                    aside.submit(lambda: second.drain(20)).result()
            return transact(self, puts, **options)

        monkeypatch.setattr(type(store), "transact", overtaken)
        graph = alice_and_ben(behind, model, "middleware").compile(store=store, checkpointer=InMemorySaver())
        await invoked(graph, colour, said("I keep bees", "h1"), thread(), context=ADA)
        assert raced.is_set()
        assert behind.drain(20)

        assert memories(store) == ["Keeps bees", "Drinks tea"]
        assert other_model.calls["extraction"] == 1
        assert model.calls["extraction"] == 0
        assert behind.scoped(user_id="ada", store=store).pending() == []


class Killed(BaseException):
    """The process dies."""


def die(*_: Any, **__: Any) -> Any:
    raise Killed


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("background", [False, Background(delay=86_400)])
@pytest.mark.parametrize("words", ["I keep bees", "I keep bees, my password: hunter2secret"])
async def test_a_process_that_dies_after_it_has_learned_has_learned_once(
    words: str, background: bool | Background, colour: Colour, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, saver = InMemoryStore(), InMemorySaver()
    model = ScriptedChatModel(replies=["Hi.", "Hello."], extractions=[[BEES], [], []])
    learning = LearningMachine(model=model, user_memory=True, background=background)
    graph = alice_and_ben(learning, model, "middleware").compile(store=store, checkpointer=saver)

    with monkeypatch.context() as dying:
        dying.setattr("langgraph_learning.nodes.begun_turns.erase_items", die)
        with pytest.raises(Killed):
            await invoked(graph, colour, said(words, "h1"), thread(), context=ADA)
    assert learning.drain(timeout=20)
    await invoked(graph, colour, said("Hello", "h2"), thread(), context=ADA)
    assert learning.drain(timeout=20)

    assert memories(store) == ["Keeps bees"]
    turns = [prompt[-1].text.partition("<turn>")[2] for prompt in model.prompts["extraction"]]
    assert ["I keep bees" in turn for turn in turns] == [True, False]
    assert learning.scoped(user_id="ada", store=store).pending() == []


@pytest.mark.parametrize("colour", COLOURS)
async def test_of_two_agents_that_hear_a_turn_and_do_not_end_it_each_finds_its_own(colour: Colour) -> None:
    model = ScriptedChatModel(replies=[call("to_ben"), RuntimeError("down"), "Hello."], extractions=[[BEES]])
    learning, store = LearningMachine(model=model, user_memory=True), InMemoryStore()
    builder: Any = StateGraph(MessagesState, context_schema=LearningContext)
    for name, tools in (("alice", [hand_over_to("ben")]), ("ben", [])):
        agent = create_agent(model, tools=tools, middleware=[*learning.middleware()], name=name)
        builder.add_node(name, agent, destinations=("ben", END))
    builder.add_edge(START, "alice").add_edge("ben", END)
    graph = builder.compile(store=store, checkpointer=InMemorySaver())

    with pytest.raises(RuntimeError, match="down"):
        await invoked(graph, colour, said("I keep bees", "h1"), thread(), context=ADA)
    assert len(learning.scoped(user_id="ada", store=store).pending()) == 2
    await invoked(graph, colour, said("Hello", "h2"), thread(), context=ADA)

    assert memories(store) == ["Keeps bees"]
    assert learning.scoped(user_id="ada", store=store).pending() == []


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("words", ["I drink tea", ""])
@pytest.mark.parametrize("goes_on", ["behind the reply", "at once"])
async def test_what_is_said_after_a_turn_was_interrupted_for_days_is_learned_and_nothing_twice(
    goes_on: str, words: str, colour: Colour
) -> None:
    store, saver = InMemoryStore(), InMemorySaver()
    model = ScriptedChatModel(extractions=[[BEES], [TEA]])

    def ask(state: MessagesState) -> Any:
        answer = interrupt("What else?")
        return {"messages": [*([HumanMessage(answer, id="h2")] if answer else []), AIMessage("I see.", id="a1")]}

    def graph_of(background: Any) -> tuple[LearningMachine, Any]:
        learning = LearningMachine(model=model, user_memory=True, conversations=True, background=background)
        builder: Any = StateGraph(MessagesState, context_schema=LearningContext)
        builder.add_node("worker", by_hand(learning, ask).compile())
        return learning, builder.add_edge(START, "worker").compile(store=store, checkpointer=saver)

    learning, graph = graph_of(Background(delay=0.0))
    await invoked(graph, colour, said("I keep bees", "h1"), thread(), context=ADA)
    ada = Identity(user_id="ada", thread_id="t1")
    later = BackgroundLearner(learning._settings, store, threads=0, clock=lambda: datetime.now(UTC) + timedelta(days=2))
    assert later.learn(pending_namespace(ada)).learned == 1
    assert memories(store) == ["Keeps bees"]

    learning, graph = graph_of(Background(delay=0.0) if goes_on == "behind the reply" else False)
    await invoked(graph, colour, Command(resume=words), thread(), context=ADA)
    assert learning.drain(20)

    assert sorted(memories(store)) == [*(["Drinks tea"] if words else []), "Keeps bees"]
    assert model.calls["extraction"] == (2 if words else 1)
    kept = learning.scoped(user_id="ada", store=store).records("conversations")
    assert [record.source.message_ids[0] for record in kept] == ["h1", *(["h2"] if words else []), "a1"]
    assert learning.scoped(user_id="ada", store=store).pending() == []
