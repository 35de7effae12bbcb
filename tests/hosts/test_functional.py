"""The functional API as a host: an entrypoint with a task, alone and learning."""

from typing import Any

import pytest
from graphs.world import ADA, BOB, COLOURS, Colour, invoked, memories, thread
from hosts.compare import FACT, MODES, a_machine, compare_streams, knows, plain, taught
from hosts.shapes import BEES
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph.message import add_messages
from langgraph.store.memory import InMemoryStore

from langgraph_learning import LearningContext, LearningMachine
from langgraph_learning.testing import ScriptedChatModel, op


def chat(model: Any, colour: Colour, store: InMemoryStore, learning: LearningMachine | None = None) -> Any:
    """Return a chat that keeps its messages from one run to the next, and ends in extraction if it learns."""
    shown = learning.model(model) if learning else model
    learn = learning.extract_node() if learning else None

    @task
    def reply(messages: Any) -> Any:
        return shown.invoke(messages)

    @task
    async def areply(messages: Any) -> Any:
        return await shown.ainvoke(messages)

    if colour == "sync":

        @entrypoint(checkpointer=InMemorySaver(), store=store, context_schema=LearningContext)
        def run(given: Any, *, previous: Any = None) -> Any:
            messages: Any = add_messages(previous or [], given)
            messages = add_messages(messages, [reply(messages).result()])
            if learn is not None:
                learn.invoke({"messages": messages})
            return entrypoint.final(value=messages[-1], save=messages)

    else:

        @entrypoint(checkpointer=InMemorySaver(), store=store, context_schema=LearningContext)
        async def run(given: Any, *, previous: Any = None) -> Any:
            messages: Any = add_messages(previous or [], given)
            messages = add_messages(messages, [await areply(messages)])
            if learn is not None:
                await learn.ainvoke({"messages": messages})
            return entrypoint.final(value=messages[-1], save=messages)

    return run


@pytest.mark.parametrize("colour", COLOURS)
async def test_it_does_what_it_did_and_its_second_conversation_knows(colour: Colour) -> None:
    learning, store = a_machine([op("add_memory", content=FACT, quote=BEES)]), InMemoryStore()
    model, model_alone = ScriptedChatModel(replies=["Well."] * 4), ScriptedChatModel(replies=["Well."] * 4)
    graph, alone = chat(model, colour, store, learning), chat(model_alone, colour, InMemoryStore())

    for name, user, text in [
        ("t1", ADA, BEES),
        ("t2", ADA, "Where are my bees?"),
        ("t3", BOB, "Where are bees?"),
        ("t1", ADA, "And how are they?"),
    ]:
        expected = plain(await invoked(alone, colour, [HumanMessage(text)], thread(name), context=user))
        assert plain(await invoked(graph, colour, [HumanMessage(text)], thread(name), context=user)) == expected
        assert plain(graph.get_state(thread(name)).values) == plain(alone.get_state(thread(name)).values)

    assert knows(model.prompts["reply"]) == [False, True, False, True]
    assert model.calls["reply"] == model_alone.calls["reply"]
    assert memories(store) == [FACT]
    assert memories(store, "bob") == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("colour", COLOURS)
async def test_its_streams_are_what_they_were(colour: Colour, mode: Any) -> None:
    store = InMemoryStore()
    taught(store, [op("add_memory", content=FACT)])
    model = ScriptedChatModel(replies=["Well."])
    graph = chat(model, colour, store, a_machine())
    alone = chat(ScriptedChatModel(replies=["Well."]), colour, InMemoryStore())

    await compare_streams(graph, alone, [[HumanMessage("Where?")]], mode, colour, ADA)

    assert knows(model.prompts["reply"]) == [True]
