"""A run that names no user says so on the custom stream, once: a chat window answers, and nothing would be learned."""

import logging
from typing import Any

import pytest
from graphs.world import ADA, COLOURS, Colour, by_hand, invoked, machine, said, streamed, thread
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, interrupt

from langgraph_learning import EntityMemoryConfig, LearningContext, LearningMachine
from langgraph_learning.testing import ScriptedChatModel


def reply(state: Any) -> dict[str, Any]:
    return {"messages": [AIMessage("Hello")]}


def nodes(learning: LearningMachine) -> Any:
    return by_hand(learning, reply).compile(store=InMemoryStore())


def into(learning: LearningMachine) -> Any:
    builder: Any = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("reply", reply).add_edge(START, "reply")
    return learning.into(builder, models=["reply"]).compile(store=InMemoryStore())


def middleware(learning: LearningMachine) -> Any:
    model = ScriptedChatModel(replies=["Hello"], repeat=True)
    return create_agent(model, middleware=[*learning.middleware()], store=InMemoryStore())


WAYS = {"nodes": nodes, "into": into, "middleware": middleware}


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("way", WAYS)
async def test_it_is_said_once_in_each_run_with_the_fix(
    way: str, colour: Colour, caplog: pytest.LogCaptureFixture
) -> None:
    learning, _ = machine(repeat=True, user_profile=True)
    graph = WAYS[way](learning)

    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            events = await streamed(graph, colour, said("I keep bees"), stream_mode="custom")
            [nobody] = [event for event in events if event["learning"] == "nobody"]
            assert nobody["stores"] == ["user_profile", "user_memory"]
            assert "user_id" in nobody["fix"]
            assert "assistant" in nobody["fix"], "what to do about a chat UI"

    assert sum("no user_id in this run" in record.message for record in caplog.records) == 1, "the log says it once"


@pytest.mark.parametrize("way", WAYS)
async def test_a_run_with_a_user_says_nothing_of_the_kind(way: str) -> None:
    learning, _ = machine([], repeat=True)

    events = await streamed(WAYS[way](learning), "sync", said("I keep bees"), stream_mode="custom", context=ADA)

    assert [event for event in events if event["learning"] == "nobody"] == []


async def test_what_is_shared_and_may_not_be_taught_by_nobody_is_named_too() -> None:
    learning, _ = machine(repeat=True, user_memory=False, entity_memory=EntityMemoryConfig(namespace="team"))

    events = await streamed(nodes(learning), "sync", said("Bob works at Acme"), stream_mode="custom")

    assert [event["stores"] for event in events if event["learning"] == "nobody"] == [["entity_memory"]]


async def test_a_resume_that_names_nobody_is_of_the_turns_user() -> None:
    def ask(state: Any) -> dict[str, Any]:
        return {"messages": [HumanMessage(interrupt("drink?"))]}

    learning, _ = machine([])
    graph = by_hand(learning, ask).compile(store=InMemoryStore(), checkpointer=InMemorySaver())
    await invoked(graph, "sync", said("I keep bees"), thread(), context=ADA)

    events = await streamed(graph, "sync", Command(resume="tea"), thread(), stream_mode="custom")

    assert "nobody" not in [event["learning"] for event in events]


async def test_in_the_functional_api_extraction_says_it() -> None:
    learning, _ = machine()
    learn = learning.extract_node()

    @entrypoint(store=InMemoryStore(), context_schema=LearningContext)
    def chat(given: Any) -> Any:
        learn.invoke({"messages": given})
        return "Hello"

    events = await streamed(chat, "sync", [HumanMessage("I keep bees")], stream_mode="custom")

    assert [event["learning"] for event in events].count("nobody") == 1
