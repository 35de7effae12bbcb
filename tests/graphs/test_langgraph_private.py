"""Private LangGraph names: each is still there, and the day one ends, what rests on it goes on without it."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from graphs.world import ADA, COLOURS, FACT, Colour, by_hand, invoked, known, machine, memories, said, texts, thread
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

import langgraph_learning
from langgraph_learning import LearningContext, langgraph_private
from langgraph_learning.testing import op

TEA = op("add_memory", content="Drinks tea", quote="I drink tea")


def configuration(*, saving: bool) -> RunnableConfig:
    """Return the configuration that LangGraph gives a node."""
    found: list[RunnableConfig] = []

    def node(state: MessagesState, config: RunnableConfig) -> dict[str, Any]:
        found.append(config)
        return {"messages": [AIMessage(str(langgraph_private.read_channel(config, "messages")[0].text))]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    graph = builder.add_node("node", node).add_edge(START, "node")
    saver = InMemorySaver() if saving else None
    assert texts(graph.compile(checkpointer=saver).invoke(said("Hi"), thread())["messages"]) == ["Hi", "Hi"]
    return found[0]


def test_the_names_are_those_of_the_installed_langgraph() -> None:
    from langgraph._internal import _constants, _runnable

    assert langgraph_private.READ == _constants.CONFIG_KEY_READ
    assert langgraph_private.CHECKPOINTER == _constants.CONFIG_KEY_CHECKPOINTER
    assert langgraph_private.CHECKPOINT_MAP == _constants.CONFIG_KEY_CHECKPOINT_MAP
    assert langgraph_private.DURABILITY == _constants.CONFIG_KEY_DURABILITY
    assert callable(_runnable.coerce_to_runnable)


def test_a_node_of_the_installed_langgraph_is_given_what_the_names_stand_for() -> None:
    given = configuration(saving=True)["configurable"]

    assert callable(given[langgraph_private.READ])
    assert isinstance(given[langgraph_private.CHECKPOINTER], InMemorySaver)


def test_a_running_node_knows_its_checkpoint_and_how_the_run_is_saved() -> None:
    config = configuration(saving=True)

    assert langgraph_private.checkpoint_of(config) == config["configurable"]["checkpoint_map"][""]
    assert langgraph_private.checkpoint_of({}) is None
    assert not langgraph_private.saves_at_exit(config)
    assert not langgraph_private.saves_at_exit({})


def test_a_checkpoint_is_unfinished_while_a_step_is_due() -> None:
    saver = InMemorySaver()
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    graph = builder.add_node("node", lambda _: {}).add_edge(START, "node").compile(checkpointer=saver)
    graph.invoke(said("Hi"), thread(), interrupt_before=["node"])
    found = saver.get_tuple(thread())
    assert found
    assert langgraph_private.is_unfinished(found)
    graph.invoke(None, thread())
    found = saver.get_tuple(thread())
    assert found
    assert not langgraph_private.is_unfinished(found)


def test_a_channel_that_is_not_there_reads_as_none() -> None:
    config = configuration(saving=False)

    assert langgraph_private.read_channel(config, "nowhere") is None
    assert langgraph_private.read_channel({}, "messages") is None
    assert langgraph_private.read_channel(None, "messages") is None


def test_a_run_with_a_checkpointer_is_told_from_one_without() -> None:
    assert langgraph_private.checkpointer(configuration(saving=True)) is not None
    assert langgraph_private.checkpointer(configuration(saving=False)) is None
    assert langgraph_private.checkpointer(None) is None


def test_no_other_module_uses_private_names_of_langgraph() -> None:
    package = Path(langgraph_learning.__file__).parent
    private = re.compile(r"__pregel_|langgraph(?:\.\w+)*\._|langchain(?:_core)?(?:\.\w+)*\._|CONFIG_KEY_")

    using = {path.name for path in package.rglob("*.py") if private.search(path.read_text(encoding="utf-8"))}

    assert using == {"langgraph_private.py"}


@pytest.mark.parametrize("colour", COLOURS)
async def test_without_reading_channels_the_text_is_recalled_on_the_spot_and_the_loop_goes_on(
    colour: Colour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(langgraph_private, "READ", "__ended")
    learning, extractor = machine([TEA])
    shown: list[list[str]] = []

    def wrapped(state: MessagesState) -> dict[str, Any]:
        shown.append(texts(state["messages"]))
        interrupt("Sure?")
        return {"messages": [AIMessage("Hello")]}

    def unwrapped(state: MessagesState) -> dict[str, Any]:
        shown.append([learning.context(state)])
        return {}

    store = known()
    builder = by_hand(learning, unwrapped, learning.wrap(wrapped))
    graph = builder.compile(store=store, checkpointer=InMemorySaver())

    await invoked(graph, colour, said("I drink tea"), thread(), context=ADA)
    result = await invoked(graph, colour, Command(resume="yes"), thread(), context=ADA)

    assert all(FACT in texts_shown[0] for texts_shown in shown)
    assert len(shown) == 3
    assert texts(result["messages"]) == ["I drink tea", "Hello"]
    assert memories(store) == [FACT, "Drinks tea"]
    assert extractor.calls["extraction"] == 1


def test_without_the_checkpointers_name_no_run_counts_as_resumable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langgraph_private, "CHECKPOINTER", "__ended")

    assert langgraph_private.checkpointer(configuration(saving=True)) is None


class Reply:
    """A node that is an object."""

    def __call__(self, state: MessagesState) -> dict[str, Any]:
        return reply(state)


def reply(state: MessagesState) -> dict[str, Any]:
    assert FACT in str(state["messages"][0].text)
    return {"messages": [AIMessage("Hello")]}


async def areply(state: MessagesState) -> dict[str, Any]:
    return reply(state)


def with_config(state: MessagesState, config: RunnableConfig) -> dict[str, Any]:
    assert config["configurable"]["thread_id"] == "t1"
    return reply(state)


@pytest.mark.parametrize(
    "node", [reply, areply, with_config, lambda state: reply(state), Reply(), RunnableLambda(reply)]
)
async def test_without_coerce_to_runnable_every_node_still_runs(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    learning, _ = machine([])
    monkeypatch.setitem(sys.modules, "langgraph._internal._runnable", None)
    wrapped: Runnable[Any, Any] = learning.wrap(node)
    monkeypatch.undo()
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState, context_schema=LearningContext)
    graph = builder.add_node("agent", wrapped).add_edge(START, "agent").compile(store=known())

    result = await graph.ainvoke(said("Hi"), thread(), context={"user_id": "ada"})

    assert texts(result["messages"]) == ["Hi", "Hello"]
