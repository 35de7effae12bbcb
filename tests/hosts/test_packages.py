"""The packages of the ecosystem as they are installed: a supervisor, a swarm, a deep agent, each alone and learning."""

from collections.abc import Callable
from typing import Any

import pytest
from deepagents import create_deep_agent
from graphs.world import ADA, BOB, COLOURS, Colour, invoked, memories, said, thread
from hosts.compare import FACT, MODES, a_machine, compare_streams, knows, plain, taught
from hosts.shapes import BEES
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore
from langgraph_supervisor import create_supervisor
from langgraph_swarm import create_handoff_tool, create_swarm

from langgraph_learning import LearningMachine
from langgraph_learning.testing import ScriptedChatModel, call, op

# Each of these warns of something that its own next version will do otherwise.
pytestmark = pytest.mark.filterwarnings("default")
TRANSFER = call("transfer_to_writer", call_id="t1")
DELEGATE = call("task", description="subtask please", subagent_type="general-purpose", call_id="d1")


def supervisor(model: Any, learning: LearningMachine | None) -> Any:
    shown = learning.model(model) if learning else model
    writer = create_agent(shown, name="writer")
    builder = create_supervisor([writer], model=shown, prompt="You lead.")
    return learning.into(builder) if learning else builder


def swarm(model: Any, learning: LearningMachine | None) -> Any:
    shown = learning.model(model) if learning else model
    planner = create_agent(shown, tools=[create_handoff_tool(agent_name="writer")], name="planner")
    writer = create_agent(shown, name="writer")
    builder = create_swarm([planner, writer], default_active_agent="planner")
    return learning.into(builder) if learning else builder


class Deep:
    """`create_deep_agent` compiles what it builds."""

    def __init__(self, model: Any, learning: LearningMachine | None) -> None:
        self._model, self._middleware = model, learning.middleware() if learning else []

    def compile(self, **options: Any) -> Any:
        return create_deep_agent(self._model, middleware=self._middleware, **options)


HOSTS: list[tuple[Callable[[Any, LearningMachine | None], Any], list[Any]]] = [
    (supervisor, [TRANSFER, "Written.", "All done."]),
    (swarm, [TRANSFER, "Written."]),
    (Deep, [DELEGATE, "Subtask done.", "All done."]),
]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(("host", "replies"), HOSTS, ids=["supervisor", "swarm", "deepagents"])
async def test_it_does_what_it_did_and_its_second_conversation_knows(
    host: Callable[[Any, LearningMachine | None], Any], replies: list[Any], colour: Colour
) -> None:
    learning = a_machine([op("add_memory", content=FACT, quote=BEES)])
    model, store = ScriptedChatModel(replies=replies * 3), InMemoryStore()
    graph = host(model, learning).compile(checkpointer=InMemorySaver(), store=store)
    model_alone = ScriptedChatModel(replies=replies * 3)
    alone = host(model_alone, None).compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    for name, user, text in [("t1", ADA, BEES), ("t2", ADA, "Where are my bees?"), ("t3", BOB, "Where are bees?")]:
        shown = len(model.prompts["reply"])
        expected = await invoked(alone, colour, said(text, "h1"), thread(name), context=user)
        result = await invoked(graph, colour, said(text, "h1"), thread(name), context=user)

        assert plain(result) == plain(expected)
        assert plain(graph.get_state(thread(name)).values) == plain(alone.get_state(thread(name)).values)
        first, *others = knows(model.prompts["reply"][shown:])
        assert first == (name == "t2"), "the model that is asked first"
        assert name == "t2" or not any(others)

    assert model.calls["reply"] == model_alone.calls["reply"]
    assert memories(store) == [FACT]
    assert memories(store, "bob") == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("host", "replies"), HOSTS, ids=["supervisor", "swarm", "deepagents"])
async def test_its_streams_are_what_they_were(
    host: Callable[[Any, LearningMachine | None], Any], replies: list[Any], mode: Any
) -> None:
    store = InMemoryStore()
    taught(store, [op("add_memory", content=FACT)])
    model = ScriptedChatModel(replies=replies * 2)
    graph = host(model, a_machine()).compile(checkpointer=InMemorySaver(), store=store)
    alone = host(ScriptedChatModel(replies=replies * 2), None).compile(checkpointer=InMemorySaver())

    for colour in COLOURS:
        await compare_streams(graph, alone, [said("Where?", f"h{colour}")], mode, colour, ADA)

    assert any(knows(model.prompts["reply"]))
