"""What a host does with learning beside what it does alone: its results, its states, its streams."""

from collections.abc import Iterable
from typing import Any

from graphs.world import Colour, invoked, streamed, thread
from hosts.shapes import BEES
from langchain_core.messages import AIMessage, BaseMessage
from langgraph.types import Interrupt
from pydantic import BaseModel

from langgraph_learning import LearningMachine
from langgraph_learning.testing import ScriptedChatModel

FACT = "Keeps bees on the roof"
MODES = ("values", "updates", "messages")
"""The streams that people read; `debug`, `tasks` and `checkpoints` show the steps of a graph, of which we add some."""


def a_machine(*learned: Any) -> LearningMachine:
    return LearningMachine(model=ScriptedChatModel(extractions=[*learned, []], repeat=True), user_memory=True)


def taught(store: Any, *learned: Any) -> None:
    """Let `ada` have said before what is known of her."""
    a_machine(*learned).scoped(user_id="ada", store=store).learn([("user", BEES)])


def plain(value: Any) -> Any:
    """Return a value without the ids that are new in every run."""
    if isinstance(value, BaseMessage):
        calls = value.tool_calls if isinstance(value, AIMessage) else []
        return (value.type, value.name, value.content, [(call["name"], call["args"]) for call in calls])
    if isinstance(value, Interrupt):
        return ("interrupt", value.value)
    if isinstance(value, dict):
        return {key: plain(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [plain(held) for held in value]
    # A middleware may keep something live in its state, such as the session of a shell.
    return value if isinstance(value, str | int | float | BaseModel | None) else type(value).__name__


async def talk(graph: Any, colour: Colour, inputs: Iterable[Any], name: str, user: dict[str, str]) -> list[Any]:
    return [plain(await invoked(graph, colour, given, thread(name), context=user)) for given in inputs]


def knows(prompts: Iterable[Any]) -> list[bool]:
    """Return of each prompt whether it holds what is known."""
    return [any(FACT in str(message.text) for message in prompt) for prompt in prompts]


async def compare_streams(
    graph: Any, alone: Any, inputs: Iterable[Any], mode: Any, colour: Colour, user: dict[str, str]
) -> None:
    """Check that a stream of a graph that learns is the one of the graph alone, but for updates of nodes of ours."""
    events, expected = [], []
    for given in inputs:
        options = {"context": user, "stream_mode": mode, "subgraphs": True}
        events += await streamed(graph, colour, given, thread(), **options)
        expected += await streamed(alone, colour, given, thread(), **options)

    assert expected
    assert FACT not in repr(events)
    if mode == "values":
        assert "learning_" not in repr(events)
        assert _changes(events) == _changes(expected)
    if mode == "updates":
        ours = set(graph.nodes) - set(alone.nodes)
        assert [event for event in _placed(events) if not event[1] or not set(event[1]) <= ours] == _placed(expected)
    if mode == "messages":  # of parallel workers in any order
        assert sorted(map(_chunk, events)) == sorted(map(_chunk, expected))


def _chunk(event: Any) -> tuple[str, str]:
    _, (message, metadata) = event
    return str(metadata["langgraph_node"]), repr(plain(message))


def _placed(events: list[Any]) -> list[Any]:
    """Return the events with the names of the graphs they come from, without the ids of their runs."""
    return [([str(name).partition(":")[0] for name in place], state) for place, state in plain(events)]


def _changes(events: list[Any]) -> list[Any]:
    """Return the states that follow each other, in each graph: our steps show the host's state once more."""
    found: list[Any] = []
    for event in _placed(events):
        found += [event] if event not in found[-1:] else []
    return found
