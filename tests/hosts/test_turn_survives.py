"""A turn is learned, once, whatever becomes of its messages and of the run that it was said in."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from graphs.world import (
    ADA,
    BOB,
    COLOURS,
    Colour,
    by_hand,
    invoked,
    machine,
    memories,
    private,
    said,
    streamed,
    thread,
)
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, StreamMode, interrupt
from pydantic import JsonValue

from langgraph_learning import EntityMemoryConfig, LearningContext, LearningMachine, LearningMode
from langgraph_learning._engine.learning.turn import TurnInput
from langgraph_learning.testing import ScriptedChatModel, call, op

BEES = op("add_memory", content="Keeps bees", quote="I keep bees")
TEA = op("add_memory", content="Drinks tea", quote="I drink tea")


def reply(state: Any) -> dict[str, Any]:
    return {"messages": [AIMessage("Hello")]}


@tool
def look_up(query: str) -> str:
    """Look something up."""
    return f"nothing about {query}"


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_turn_whose_message_was_summarised_away_is_learned(colour: Colour) -> None:
    calls = [call("look_up", call_id=f"c{number}", query=str(number)) for number in range(12)]
    model = ScriptedChatModel(replies=[*calls, "Done."], extractions=[[BEES], []])
    summariser = ScriptedChatModel(replies=["They talked."], repeat=True)
    learning = LearningMachine(model=model, user_memory=True)
    store = InMemoryStore()
    agent: Any = create_agent(
        model,
        tools=[look_up],
        middleware=[
            *learning.middleware(),
            SummarizationMiddleware(summariser, trigger=("messages", 22), keep=("messages", 20)),
        ],
        store=store,
        checkpointer=InMemorySaver(),
    )

    result = await invoked(agent, colour, said("I keep bees", "h1"), {**thread(), "recursion_limit": 99}, context=ADA)

    assert "h1" not in [message.id for message in result["messages"]], "the middleware has summarised it"
    assert memories(store) == ["Keeps bees"]
    assert "They talked" not in model.prompt("extraction"), "a summary is nobody's words"


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_turn_whose_messages_a_node_deletes_is_learned(colour: Colour) -> None:
    def forgetful(state: Any) -> dict[str, Any]:
        return {
            "messages": [RemoveMessage(REMOVE_ALL_MESSAGES), HumanMessage("Summary: small talk"), AIMessage("Hello")]
        }

    learning, model = machine([BEES])
    store = InMemoryStore()
    graph = by_hand(learning, forgetful).compile(store=store, checkpointer=InMemorySaver())

    await invoked(graph, colour, said("I keep bees", "h1"), thread(), context=ADA)

    assert memories(store) == ["Keeps bees"]
    assert "small talk" not in model.prompt("extraction")


@pytest.mark.parametrize("colour", COLOURS)
async def test_what_was_said_before_a_question_of_the_graph_is_learned_without_context_too(colour: Colour) -> None:
    def ask(state: Any) -> dict[str, Any]:
        return {"messages": [AIMessage("And what do you drink?"), HumanMessage(interrupt("drink?"))]}

    learning, model = machine([BEES, TEA])
    store = InMemoryStore()
    graph = by_hand(learning, ask, reply).compile(store=store, checkpointer=InMemorySaver())

    await invoked(graph, colour, said("I keep bees", "h1"), thread(), context=ADA)
    await invoked(graph, colour, Command(resume="I drink tea"), thread())

    assert memories(store) == ["Keeps bees", "Drinks tea"]
    assert model.calls["extraction"] == 1


@pytest.mark.parametrize("colour", COLOURS)
async def test_the_next_turn_after_such_a_question_is_another_users_if_it_names_one(colour: Colour) -> None:
    def ask(state: Any) -> dict[str, Any]:
        if "bees" in str(state["messages"][-1].text):
            return {"messages": [AIMessage("Why?"), HumanMessage(interrupt("why?"))]}
        return {}

    learning, _ = machine([BEES], [TEA])
    store = InMemoryStore()
    graph = by_hand(learning, ask, reply).compile(store=store, checkpointer=InMemorySaver())
    await invoked(graph, colour, said("I keep bees", "h1"), thread(), context=ADA)
    await invoked(graph, colour, Command(resume="For honey"), thread())

    await invoked(graph, colour, said("I drink tea", "h2"), thread(), context=BOB)

    assert memories(store, "ada") == ["Keeps bees"]
    assert memories(store, "bob") == ["Drinks tea"]


class HungUp(BaseException):
    """The client is gone, or the process: nothing catches that."""


def dying(learning: LearningMachine, *, committed: bool) -> Any:
    """Return a graph whose process dies in its extract node: before anything is learned, or after the commit."""
    extract: Any = learning.extract_node()

    class Dies(type(extract)):  # type: ignore[misc]
        def invoke(self, *arguments: Any, **options: Any) -> Any:
            if committed:
                super().invoke(*arguments, **options)
            raise HungUp

        async def ainvoke(self, *arguments: Any, **options: Any) -> Any:
            if committed:
                await super().ainvoke(*arguments, **options)
            raise HungUp

    extract.__class__ = Dies
    builder: Any = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("recall", learning.recall_node()).add_node("agent", reply).add_node("extract", extract)
    builder.add_edge(START, "recall").add_edge("recall", "agent").add_edge("agent", "extract").add_edge("extract", END)
    return builder


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_first_turn_whose_extraction_was_cut_off_is_learned_with_the_next(colour: Colour) -> None:
    learning, _ = machine([BEES, TEA])
    store, saver = InMemoryStore(), InMemorySaver()
    cut_off = dying(learning, committed=False).compile(store=store, checkpointer=saver)
    with pytest.raises(HungUp):
        await invoked(cut_off, colour, said("I keep bees", "h1"), thread(), context=ADA)

    graph = by_hand(learning, reply).compile(store=store, checkpointer=saver)
    await invoked(graph, colour, said("I drink tea", "h2"), thread(), context=ADA)

    assert memories(store, "ada") == ["Keeps bees", "Drinks tea"]
    assert private(graph, "learning_kept") == [], "nothing waits any more"


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_turn_that_was_cut_off_waits_for_its_own_user_when_another_goes_on(colour: Colour) -> None:
    learning, _ = machine([TEA], [BEES])
    store, saver = InMemoryStore(), InMemorySaver()
    cut_off = dying(learning, committed=False).compile(store=store, checkpointer=saver)
    with pytest.raises(HungUp):
        await invoked(cut_off, colour, said("I keep bees", "h1"), thread(), context=ADA)

    graph = by_hand(learning, reply).compile(store=store, checkpointer=saver)
    await invoked(graph, colour, said("I drink tea", "h2"), thread(), context=BOB)

    assert memories(store, "ada") == [], "a run of Bob's writes nothing of Ada's"
    assert memories(store, "bob") == ["Drinks tea"]

    await invoked(graph, colour, said("Thanks", "h3"), thread(), context=ADA)

    assert memories(store, "ada") == ["Keeps bees"]
    assert memories(store, "bob") == ["Drinks tea"]
    assert private(graph, "learning_kept") == [], "nothing waits any more"


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_turn_that_was_committed_before_the_process_died_is_not_learned_again(colour: Colour) -> None:
    learning, model = machine([BEES], [TEA])
    store, saver = InMemoryStore(), InMemorySaver()
    died = dying(learning, committed=True).compile(store=store, checkpointer=saver)
    with pytest.raises(HungUp):
        await invoked(died, colour, said("I keep bees", "h1"), thread(), context=ADA)
    assert memories(store) == ["Keeps bees"]

    graph = by_hand(learning, reply).compile(store=store, checkpointer=saver)
    await invoked(graph, colour, said("I drink tea", "h2"), thread(), context=ADA)

    assert memories(store) == ["Keeps bees", "Drinks tea"]
    assert "I keep bees" not in model.prompts["extraction"][1][-1].text


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_node_that_goes_to_the_end_leaves_its_turn_to_the_next(colour: Colour) -> None:
    def leave(state: Any) -> Command[Any]:
        return Command(update=reply(state), goto=END if len(state["messages"]) == 1 else "extract")

    learning, model = machine([BEES, TEA])
    store = InMemoryStore()
    builder: Any = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("recall", learning.recall_node())
    builder.add_node("agent", leave, destinations=("extract", END))
    builder.add_node("extract", learning.extract_node())
    builder.add_edge(START, "recall").add_edge("recall", "agent").add_edge("extract", END)
    graph = builder.compile(store=store, checkpointer=InMemorySaver())

    await invoked(graph, colour, said("I keep bees", "h1"), thread(), context=ADA)
    assert model.calls["extraction"] == 0
    await invoked(graph, colour, said("I drink tea", "h2"), thread(), context=ADA)

    assert memories(store) == ["Keeps bees", "Drinks tea"]
    assert model.prompt("extraction").count("I keep bees") == 1


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_redacted_message_is_learned_as_it_was_redacted(colour: Colour) -> None:
    def redact(state: Any) -> dict[str, Any]:
        return {"messages": [HumanMessage("I keep bees at [address]", id="h1"), AIMessage("Nice")]}

    learning, model = machine([BEES])
    graph = by_hand(learning, redact).compile(store=InMemoryStore(), checkpointer=InMemorySaver())

    await invoked(graph, colour, said("I keep bees at 7 Elm Street", "h1"), thread(), context=ADA)

    assert "[address]" in model.prompt("extraction")
    assert "Elm Street" not in model.prompt("extraction")


# what is kept


MODES: list[StreamMode] = ["values", "updates", "messages", "checkpoints", "tasks", "debug"]


@pytest.mark.parametrize("colour", COLOURS)
async def test_no_stream_shows_our_keys_but_for_ids_in_our_nodes_own_updates(colour: Colour) -> None:
    secret = "I keep bees in the attic"
    learning, _ = machine([BEES])
    store = InMemoryStore()
    graph = by_hand(learning, reply).compile(store=store, checkpointer=InMemorySaver())

    events = await streamed(graph, colour, said(secret, "h1"), thread(), context=ADA, stream_mode=MODES)

    for mode, event in events:
        if mode == "values":
            assert set(event) == {"messages"}
        ours = event.get("recall") or event.get("extract") if mode == "updates" else None
        assert secret not in repr(ours)
        if mode in ("tasks", "debug"):
            result = (event.get("payload") or event).get("result") or {}
            kept = result.get("learning_kept")
            assert kept in (None, {"ids": ["h1"]}, {"ids": []}), kept
    assert set(graph.get_state(thread()).values) == {"messages"}


@pytest.mark.parametrize("colour", COLOURS)
async def test_what_is_kept_of_a_turn_is_json_and_small(colour: Colour) -> None:
    def stop(state: Any) -> dict[str, Any]:
        return {"messages": [AIMessage(interrupt("go on?"))]}

    learning, _ = machine([])
    graph = by_hand(learning, stop).compile(store=InMemoryStore(), checkpointer=InMemorySaver())

    await invoked(graph, colour, said("I keep bees. " * 50_000, "h1"), thread(), context=ADA)

    [row] = private(graph, "learning_kept")
    assert TurnInput.from_json(row).to_json() == row
    assert len(repr(row)) < 20_000


@pytest.mark.parametrize("colour", COLOURS)
async def test_words_of_nobody_known_are_not_kept(colour: Colour) -> None:
    learning, _ = machine([])
    graph = by_hand(learning, reply).compile(store=InMemoryStore(), checkpointer=InMemorySaver())

    await invoked(graph, colour, said("I keep bees", "h1"), thread())

    assert private(graph, "learning_kept") == []


def test_extraction_that_fails_for_long_keeps_the_newest_turns() -> None:
    learning, _ = machine(*[RuntimeError("the model is down")] * 9)
    graph = by_hand(learning, reply).compile(store=InMemoryStore(), checkpointer=InMemorySaver())

    for number in range(9):
        graph.invoke(said(f"{number} " + "words " * 3_000, f"h{number}"), thread(), context=ADA)

    kept = [TurnInput.from_json(row) for row in private(graph, "learning_kept")]
    assert [turn.provenance.turn_id for turn in kept] == ["h5", "h6", "h7", "h8"]
    assert sum(len(message.text) for turn in kept for message in turn.turn.messages) <= 64_000


def test_a_day_later_a_turn_still_says_when_it_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from langgraph_learning.nodes import kept_turns, steps

    class Clock(datetime):
        moment = datetime(2026, 3, 10, 12, tzinfo=UTC)

        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return cls.moment

    for module in (steps, kept_turns):
        monkeypatch.setattr(module, "datetime", Clock)
    learning, model = machine(RuntimeError("down"), [])
    graph = by_hand(learning, reply).compile(store=InMemoryStore(), checkpointer=InMemorySaver())
    graph.invoke(said("I met Ben yesterday", "h1"), thread(), context=ADA)
    Clock.moment += timedelta(days=10)

    graph.invoke(said("Hello", "h2"), thread(), context=ADA)

    prompt = model.prompt("extraction")
    assert "Today is Friday, 20 March 2026" in prompt
    assert 'said="Tuesday, 10 March 2026"' in prompt


@pytest.mark.parametrize("edited", [False, True])
def test_a_date_that_a_person_approves_later_counts_from_when_it_was_said(
    edited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from langgraph_learning import scoped
    from langgraph_learning.nodes import kept_turns, steps

    class Clock(datetime):
        moment = datetime(2026, 3, 10, 12, tzinfo=UTC)

        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return cls.moment

    for module in (steps, kept_turns, scoped):
        monkeypatch.setattr(module, "datetime", Clock)
    met: list[JsonValue] = [{"content": "Met Ben", "date": "yesterday"}]
    asked = op("remember_about", entity="Ada", entity_type="person", events=met, quote="I met Ben yesterday")
    config = EntityMemoryConfig(mode=LearningMode.PROPOSE, namespace="user")
    model = ScriptedChatModel(extractions=[[asked]])
    learning = LearningMachine(model=model, entity_memory=config)
    store = InMemoryStore()
    graph = by_hand(learning, reply).compile(store=store)
    graph.invoke(said("I met Ben yesterday", "h1"), thread(), context=ADA)
    Clock.moment += timedelta(days=10)

    ada = learning.scoped(user_id="ada", thread_id="t1", store=store)
    [proposal] = ada.proposals()
    edit = {**proposal.args, "events": [{"content": "Met Ben and Eve", "date": "yesterday"}]} if edited else None
    ada.decide(proposal.id, "approve", edit=edit)

    [event] = [record for record in ada.records("entity_memory") if "Met Ben" in record.text]
    assert event.content["date"] == "2026-03-09"
