"""Each shape once alone and once with learning: what the host does is the same, and the second conversation knows."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from graphs.world import ADA, BOB, COLOURS, Colour, invoked, memories, streamed, texts, thread
from hosts.shapes import BEES, SHAPES, Shape
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from langgraph_learning import LearningMachine
from langgraph_learning.testing import ScriptedChatModel, op

FACT = "Keeps bees on the roof"
Way = Callable[[Shape, ScriptedChatModel, LearningMachine], Any]


def by_into(shape: Shape, model: ScriptedChatModel, learning: LearningMachine) -> Any:
    return learning.into(shape.build(model), models=shape.models)


def by_model(shape: Shape, model: ScriptedChatModel, learning: LearningMachine) -> Any:
    return learning.into(shape.build(learning.model(model)))


WAYS: dict[str, Way] = {"into": by_into, "model": by_model}
CASES = [(shape, way) for shape in SHAPES for way in WAYS if shape.models or way == "model"]


def a_model(shape: Shape, conversations: int) -> ScriptedChatModel:
    return ScriptedChatModel(replies=[*shape.replies] * conversations * 3)


def a_machine(*learned: Any) -> LearningMachine:
    return LearningMachine(model=ScriptedChatModel(extractions=[*learned, []], repeat=True), user_memory=True)


def plain(value: Any) -> Any:
    """Return a value without the ids that are new in every run."""
    if isinstance(value, BaseMessage):
        return (value.type, value.text)
    if isinstance(value, dict):
        return {key: plain(held) for key, held in value.items() if key != "__interrupt__"}
    return [plain(held) for held in value] if isinstance(value, list | tuple) else value


async def talk(graph: Any, colour: Colour, inputs: Iterable[Any], name: str, user: dict[str, str]) -> list[Any]:
    return [plain(await invoked(graph, colour, given, thread(name), context=user)) for given in inputs]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(("shape", "way"), CASES, ids=str)
async def test_a_host_does_what_it_did_and_its_second_conversation_knows(
    shape: Shape, way: str, colour: Colour
) -> None:
    alone = shape.build(model_alone := a_model(shape, 3)).compile(checkpointer=InMemorySaver(), store=InMemoryStore())
    model, store = a_model(shape, 3), InMemoryStore()
    learning = a_machine([op("add_memory", content=FACT, quote=BEES)])
    if not shape.hears:  # its user speaks in no message: somebody else has taught it
        learning.scoped(user_id="ada", store=store).learn([("user", BEES)])
    graph = WAYS[way](shape, model, learning).compile(checkpointer=InMemorySaver(), store=store)

    for name, user, text in [("t1", ADA, BEES), ("t2", ADA, "Where are my bees?"), ("t3", BOB, "Where are bees?")]:
        calls, shown = model.calls["reply"], len(model.prompts["reply"])
        expected = await talk(alone, colour, shape.turns(text), name, user)

        assert await talk(graph, colour, shape.turns(text), name, user) == expected
        assert plain(graph.get_state(thread(name)).values) == plain(alone.get_state(thread(name)).values)
        assert graph.get_state(thread(name)).next == ()
        prompts = model.prompts["reply"][shown:]
        assert len(prompts) == model.calls["reply"] - calls > 0
        knows = [any(FACT in str(message.text) for message in prompt) for prompt in prompts]
        assert any(knows) == (user == ADA and (name == "t2" or not shape.hears)), (name, knows)

    assert model.calls["reply"] == model_alone.calls["reply"]
    assert memories(store) == [FACT]
    assert memories(store, "bob") == []


@pytest.mark.parametrize(("shape", "way"), CASES, ids=str)
async def test_a_second_turn_of_a_thread_finds_the_state_that_it_would_have_found(shape: Shape, way: str) -> None:
    alone = shape.build(model_alone := a_model(shape, 3)).compile(checkpointer=InMemorySaver(), store=InMemoryStore())
    model, store = a_model(shape, 3), InMemoryStore()
    graph = WAYS[way](shape, model, a_machine([op("add_memory", content=FACT, quote=BEES)])).compile(
        checkpointer=InMemorySaver(), store=store
    )

    for text in (BEES, "Where are my bees?", "Are they well?"):
        expected = await talk(alone, "sync", shape.turns(text), "t1", ADA)
        assert await talk(graph, "sync", shape.turns(text), "t1", ADA) == expected
        assert plain(graph.get_state(thread("t1")).values) == plain(alone.get_state(thread("t1")).values)
    assert model.calls["reply"] == model_alone.calls["reply"]


@pytest.mark.parametrize("mode", ["values", "updates", "messages", "debug", "tasks", "checkpoints"])
@pytest.mark.parametrize(("shape", "way"), CASES, ids=str)
async def test_no_stream_shows_what_was_recalled_and_the_hosts_own_events_are_the_same(
    shape: Shape, way: str, mode: Any
) -> None:
    store = InMemoryStore()
    learning = a_machine([op("add_memory", content=FACT)])
    learning.scoped(user_id="ada", store=store).learn([("user", BEES)])
    model = a_model(shape, 2)
    graph = WAYS[way](shape, model, learning).compile(checkpointer=InMemorySaver(), store=store)
    alone = shape.build(a_model(shape, 2)).compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    events, expected = [], []
    for given in shape.turns("Where?"):
        options = {"context": ADA, "stream_mode": mode, "subgraphs": True}
        events += await streamed(graph, "sync", given, thread(), **options)
        expected += await streamed(alone, "sync", given, thread(), **options)

    assert any(FACT in "\n".join(texts(prompt)) for prompt in model.prompts["reply"])
    assert FACT not in repr(events)
    if mode == "values":
        assert "learning_" not in repr(events)
        assert _changes(events) == _changes(expected)
    if mode == "updates":
        ours = set(graph.nodes) - set(alone.nodes)
        assert [event for event in _placed(events) if not event[1] or not set(event[1]) <= ours] == _placed(expected)
    if mode == "messages":
        said, as_expected = ([message.text for _, (message, _) in found] for found in (events, expected))
        assert sorted(said) == sorted(as_expected), "of parallel workers in any order"


def _placed(events: list[Any]) -> list[Any]:
    """Return the events with the names of the graphs they come from, without the ids of their runs."""
    return [([str(name).partition(":")[0] for name in place], state) for place, state in plain(events)]


def _changes(events: list[Any]) -> list[Any]:
    """Return the states that follow each other, in each graph: our steps show the host's state once more."""
    found: list[Any] = []
    for event in _placed(events):
        found += [event] if event not in found[-1:] else []
    return found
