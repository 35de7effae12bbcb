"""Each shape once alone and once with learning: what the host does is the same, and the second conversation knows."""

from collections.abc import Callable
from typing import Any

import pytest
from graphs.world import ADA, BOB, COLOURS, Colour, memories, thread
from hosts.compare import FACT, MODES, a_machine, compare_streams, knows, plain, talk, taught
from hosts.shapes import ALONE, BEES, SHAPES, Ends, Shape
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START
from langgraph.store.memory import InMemoryStore

from langgraph_learning import LearningMachine
from langgraph_learning.testing import ScriptedChatModel, op

Way = Callable[[Shape, ScriptedChatModel, LearningMachine], Any]


def by_into(shape: Shape, model: ScriptedChatModel, learning: LearningMachine) -> Any:
    return learning.into(shape.build(model, ALONE), models=shape.models)


def by_model(shape: Shape, model: ScriptedChatModel, learning: LearningMachine) -> Any:
    return learning.into(shape.build(learning.model(model), ALONE))


def by_hand(shape: Shape, model: ScriptedChatModel, learning: LearningMachine) -> Any:
    """The nodes of learning in the host's own builder: its nodes wrapped, or its model where they cannot be."""
    wraps = shape.wraps and shape.models
    ends = Ends("recall", "learn", learning.wrap) if wraps else Ends("recall", "learn")
    builder = shape.build(model if wraps else learning.model(model), ends)
    builder.add_node("recall", learning.recall_node())
    builder.add_node("learn", learning.extract_node())  # the host may have a "review" of its own
    builder.add_node("decide", learning.review_node())
    builder.add_edge(START, "recall").add_edge("learn", "decide").add_edge("decide", END)
    return builder


WAYS: dict[str, Way] = {"into": by_into, "model": by_model, "by hand": by_hand}
CASES = [(shape, way) for shape in SHAPES for way in WAYS if shape.models or way != "into"]


def a_model(shape: Shape, conversations: int) -> ScriptedChatModel:
    return ScriptedChatModel(replies=[*shape.replies] * conversations * 3)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(("shape", "way"), CASES, ids=str)
async def test_a_host_does_what_it_did_and_its_second_conversation_knows(
    shape: Shape, way: str, colour: Colour
) -> None:
    alone = shape.build(model_alone := a_model(shape, 3), ALONE).compile(
        checkpointer=InMemorySaver(), store=InMemoryStore()
    )
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
        assert any(knows(prompts)) == (user == ADA and (name == "t2" or not shape.hears)), name

    assert model.calls["reply"] == model_alone.calls["reply"]
    assert memories(store) == [FACT]
    assert memories(store, "bob") == []


@pytest.mark.parametrize(("shape", "way"), CASES, ids=str)
async def test_a_second_turn_of_a_thread_finds_the_state_that_it_would_have_found(shape: Shape, way: str) -> None:
    alone = shape.build(model_alone := a_model(shape, 3), ALONE).compile(
        checkpointer=InMemorySaver(), store=InMemoryStore()
    )
    model, store = a_model(shape, 3), InMemoryStore()
    graph = WAYS[way](shape, model, a_machine([op("add_memory", content=FACT, quote=BEES)])).compile(
        checkpointer=InMemorySaver(), store=store
    )

    for text in (BEES, "Where are my bees?", "Are they well?"):
        expected = await talk(alone, "sync", shape.turns(text), "t1", ADA)
        assert await talk(graph, "sync", shape.turns(text), "t1", ADA) == expected
        assert plain(graph.get_state(thread("t1")).values) == plain(alone.get_state(thread("t1")).values)
    assert model.calls["reply"] == model_alone.calls["reply"]


@pytest.mark.parametrize("mode", [*MODES, "debug", "tasks", "checkpoints"])
@pytest.mark.parametrize(("shape", "way"), CASES, ids=str)
async def test_no_stream_shows_what_was_recalled_and_the_hosts_own_events_are_the_same(
    shape: Shape, way: str, mode: Any
) -> None:
    store = InMemoryStore()
    taught(store, [op("add_memory", content=FACT)])
    model = a_model(shape, 4)
    graph = WAYS[way](shape, model, a_machine()).compile(checkpointer=InMemorySaver(), store=store)
    alone = shape.build(a_model(shape, 4), ALONE).compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    for colour in COLOURS:
        await compare_streams(graph, alone, shape.turns("Where?"), mode, colour, ADA)

    assert any(knows(model.prompts["reply"]))
