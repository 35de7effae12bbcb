"""The agent's tool calls of a turn, for learning stores that read them; what counts as its reply, and what does not."""

from collections.abc import Sequence
from typing import Any

import pytest
from graphs.world import ADA, COLOURS, Colour, invoked, said, thread
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage, HumanMessage, InvalidToolCall, RemoveMessage, ToolMessage
from langchain_core.tools import ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, interrupt
from pydantic import BaseModel, Field

from langgraph_learning import LearningMachine, LearningMode
from langgraph_learning._engine.learning.messages import (
    LONGEST_TRAJECTORY,
    Speakers,
    TrajectoryStep,
    shorten_trajectory,
)
from langgraph_learning._engine.learning.turn import turn_of
from langgraph_learning.config import StoreConfig
from langgraph_learning.records import Add, Change, Record
from langgraph_learning.stores import LearningStore, Operation, operation
from langgraph_learning.testing import ScriptedChatModel, call, op


class Habits(LearningStore):
    """What worked, from the calls that the agent made."""

    name = "habits"
    reads_trajectory = True
    about_user = False  # it says how the agent works

    def __init__(self) -> None:
        super().__init__(StoreConfig(mode=LearningMode.ALWAYS))
        self.operations = (operation("save_habit", "Note a habit.", habit=(str, Field(description="The habit"))),)

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        habit = operation.model_dump()["habit"]
        return [Add(store=self.name, content={"habit": habit}, text=habit)]


@tool
def run_sql(query: str) -> str:
    """Run a query."""
    if "orders_v2" not in query:
        raise ToolException("no such table: orders. The secret word is Rumpelstiltskin")
    return "12 rows"


run_sql.handle_tool_error = True


@tool
def look_up(query: str) -> str:
    """Look something up."""
    return f"nothing about {query}"


@pytest.mark.parametrize("colour", COLOURS)
async def test_an_extraction_that_asks_for_it_is_shown_calls_and_how_they_ended(colour: Colour) -> None:
    habit = op("save_habit", habit="Query orders_v2", quote="select * from orders_v2")
    tales = op("save_habit", habit="Say Rumpelstiltskin", quote="The secret word is Rumpelstiltskin")
    extractor = ScriptedChatModel(extractions=[[], [habit, tales]])
    model = ScriptedChatModel(
        replies=[
            call("run_sql", call_id="c1", query="select * from orders"),
            call("run_sql", call_id="c2", query="select * from orders_v2"),
            "There are 12.",
        ]
    )
    learning = LearningMachine(model=extractor, user_memory=True, custom_stores=[Habits()])
    store = InMemoryStore()
    agent: Any = create_agent(model, tools=[run_sql], middleware=[*learning.middleware()], store=store)

    await invoked(agent, colour, said("How many orders?", "h1"), thread(), context=ADA)

    without, shown = (extractor.prompt("extraction", index) for index in (0, 1))
    assert "<call" not in without, "only learning stores that ask are shown the calls"
    assert '<call tool="run_sql" ended="error">{"query": "select * from orders"}' in shown.replace("&quot;", '"')
    assert 'ended="ok"' in shown
    assert shown.index("How many orders?") < shown.index("<call") < shown.index("There are 12.")
    [record] = learning.scoped(user_id="ada", store=store).records("habits")
    assert (record.text, record.source.actor) == ("Query orders_v2", "agent")


def test_a_long_trajectory_is_cut_to_what_failed_and_what_came_last() -> None:
    steps = [TrajectoryStep(f"tool{n}", "{}", "x" * 990, failed=n == 3, id=str(n)) for n in range(40)]

    kept = shorten_trajectory(steps)

    assert [step.id for step in kept] == ["3", *(str(n) for n in range(29, 40))]
    assert sum(step.chars for step in kept) <= LONGEST_TRAJECTORY


def test_a_call_holds_the_beginning_and_end_of_its_result() -> None:
    messages = [
        HumanMessage("go"),
        AIMessage("", tool_calls=[{"name": "read", "args": {"path": "a"}, "id": "c1"}]),
        ToolMessage("begin " + "x" * 90_000 + " end", tool_call_id="c1", name="read"),
        AIMessage("", tool_calls=[{"name": "write", "args": {}, "id": "c2"}]),
        ToolMessage("disk full", tool_call_id="c2", name="write", status="error"),
        AIMessage("", tool_calls=[{"name": "never", "args": {}, "id": "c3"}]),
        AIMessage("", tool_calls=[{"name": "add_memory", "args": {}, "id": "c4"}]),
        ToolMessage("Stored", tool_call_id="c4", name="add_memory"),
    ]

    read, wrote, never = turn_of(messages, Speakers(learning_tools={"add_memory"})).trajectory

    assert (read.name, read.arguments, read.failed) == ("read", '{"path": "a"}', False)
    assert read.result.startswith("begin x")
    assert read.result.endswith("x end")
    assert len(read.result) <= 1_000
    assert (wrote.result, wrote.failed) == ("disk full", True)
    assert (never.name, never.result, never.failed) == ("never", "", False)


class Weather(BaseModel):
    """The weather."""

    summary: str


@pytest.mark.parametrize("colour", COLOURS)
async def test_the_answer_of_a_tool_strategy_is_part_of_the_reply(colour: Colour) -> None:
    extractor = ScriptedChatModel(extractions=[[]])
    model = ScriptedChatModel(replies=[call("Weather", summary="Rain in Oslo")])
    learning = LearningMachine(model=extractor, user_memory=True)
    agent: Any = create_agent(
        model, response_format=ToolStrategy(Weather), middleware=[*learning.middleware()], store=InMemoryStore()
    )

    result = await invoked(agent, colour, said("Weather?", "h1"), thread(), context=ADA)

    assert result["structured_response"] == Weather(summary="Rain in Oslo")
    assert '<message from="assistant">' in extractor.prompt("extraction")
    assert "Rain in Oslo" in extractor.prompt("extraction")
    assert turn_of(result["messages"]).trajectory == ()
    assert turn_of(result["messages"]).tools == ()


@pytest.mark.parametrize(
    "content",
    [
        "<think>He may like cats.</think>Hello",
        "<think>He may\nlike cats.</think>\n\nHello",
        "<thought>He may like cats.</thought>Hello",
        "<reasoning>He may like cats.</reasoning>Hello",
        "[THINK]He may like cats.[/THINK]Hello",
        "He may like cats.[/THINK]Hello",
        "◁think▷He may like cats.◁/think▷Hello",
        "He may like cats.</think>Hello",
        "<THINKING>He may like cats.</THINKING>Hello",
        [{"type": "reasoning", "reasoning": "He may like cats."}, {"type": "text", "text": "Hello"}],
        [{"type": "thinking", "thinking": "He may like cats."}, {"type": "text", "text": "Hello"}],
    ],
)
def test_thoughts_are_not_said(content: Any) -> None:
    [said] = turn_of([AIMessage(content)]).messages
    assert said.text == "Hello"


def test_a_thought_that_was_cut_off_says_nothing() -> None:
    assert turn_of([AIMessage("<think>He may like")]).messages == ()


def test_what_the_user_writes_about_thoughts_stays() -> None:
    [said] = turn_of([HumanMessage("Why <think>so</think>?")]).messages
    assert said.text == "Why <think>so</think>?"


def summarising(learning: LearningMachine, model: Any, way: str) -> Any:
    """Return an agent that summarises its messages in the middle of a turn of twelve calls."""
    summariser = ScriptedChatModel(replies=["They looked."], repeat=True)
    summary = SummarizationMiddleware(summariser, trigger=("messages", 12), keep=("messages", 6))
    if way == "middleware":
        return create_agent(
            model, [look_up], middleware=[*learning.middleware(), summary], checkpointer=InMemorySaver()
        )

    def shorten(state: MessagesState) -> dict[str, Any]:
        gone = [RemoveMessage(id=str(message.id)) for message in state["messages"][:-6]]
        return {"messages": [*gone, HumanMessage("They looked.", additional_kwargs={"lc_source": "summarization"})]}

    shown = learning.model(model) if way == "model" else model
    builder: Any = StateGraph(MessagesState)
    builder.add_node("agent", lambda state: {"messages": [shown.invoke(state["messages"])]})
    builder.add_node("tools", ToolNode([look_up]))
    builder.add_node("shorten", shorten)
    builder.add_edge(START, "agent")
    builder.add_conditional_edges("agent", tools_condition)
    builder.add_conditional_edges("tools", lambda state: "shorten" if len(state["messages"]) > 11 else "agent")
    builder.add_edge("shorten", "agent")
    models = ["agent"] if way == "into" else []
    return learning.into(builder, models=models).compile(checkpointer=InMemorySaver(), store=InMemoryStore())


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("way", ["middleware", "into", "model"])
async def test_calls_that_were_summarised_away_are_part_of_the_trajectory(way: str, colour: Colour) -> None:
    calls = [call("look_up", call_id=f"c{number}", query=f"topic {number}!") for number in range(12)]
    model = ScriptedChatModel(replies=[*calls, "Done.", "Well."])
    extractor = ScriptedChatModel(extractions=[[], []])
    learning = LearningMachine(model=extractor, custom_stores=[Habits()], store=InMemoryStore())
    agent = summarising(learning, model, way)
    config: Any = {**thread(), "recursion_limit": 99}

    result = await invoked(agent, colour, said("Look", "h1"), config, context=ADA)
    assert "topic 0!" not in repr(result), "the graph has summarised it"
    await invoked(agent, colour, said("Thanks", "h2"), config, context=ADA)

    first, second = (extractor.prompt("extraction", index) for index in (0, 1))
    places = [first.index(f"topic {number}!") for number in range(12)]
    assert places == sorted(places), "in order"
    assert [first.count(f"nothing about topic {number}!") for number in range(12)] == [1] * 12, "and how each ended"
    assert "topic" not in second.partition("Thanks")[0][-2_000:], "they are of one turn"
    assert learning._settings.calls == {}, "and nothing of it is kept"


def test_what_a_turn_has_done_is_kept_up_to_a_limit() -> None:
    many = [call("look_up", call_id=f"c{number}", query=f"{number} " + "x" * 900) for number in range(30)]
    model = ScriptedChatModel(replies=[*many, RuntimeError("down")])
    learning = LearningMachine(model=ScriptedChatModel(), custom_stores=[Habits()], store=InMemoryStore())
    agent = summarising(learning, model, "middleware")

    with pytest.raises(RuntimeError, match="down"):
        agent.invoke(said("Look", "h1"), {**thread(), "recursion_limit": 199}, context=ADA)

    [steps] = learning._settings.calls.values()
    assert sum(step.chars for step in steps) <= LONGEST_TRAJECTORY
    assert steps[-1].id == "c29"


async def test_calls_from_before_an_interrupt_are_part_of_the_trajectory() -> None:
    calls = [call("look_up", call_id=f"c{number}", query=f"topic {number}!") for number in range(8)]
    model = ScriptedChatModel(replies=[*calls, call("ask", call_id="a1"), "Done."])
    extractor = ScriptedChatModel(extractions=[[]])
    learning = LearningMachine(model=extractor, custom_stores=[Habits()], store=InMemoryStore())
    summariser = ScriptedChatModel(replies=["They looked."], repeat=True)
    summary = SummarizationMiddleware(summariser, trigger=("messages", 12), keep=("messages", 6))

    @tool
    def ask() -> str:
        """Ask the user."""
        return str(interrupt("Sure?"))

    agent: Any = create_agent(
        model, [look_up, ask], middleware=[*learning.middleware(), summary], checkpointer=InMemorySaver()
    )
    config: Any = {**thread(), "recursion_limit": 99}
    agent.invoke(said("Look", "h1"), config, context=ADA)
    await agent.ainvoke(Command(resume="yes"), config)

    prompt = extractor.prompt("extraction")
    assert [f"topic {number}!" in prompt for number in range(8)] == [True] * 8


def test_a_call_whose_arguments_were_no_json_has_failed() -> None:
    botched = InvalidToolCall(
        name="run_sql", args='{"query": "sel', id="c1", error="bad JSON", type="invalid_tool_call"
    )
    messages = [HumanMessage("How many?"), AIMessage("", invalid_tool_calls=[botched])]

    [step] = turn_of(messages).trajectory

    assert (step.name, step.arguments, step.result, step.failed) == ("run_sql", '{"query": "sel', "bad JSON", True)


def test_what_the_provider_looked_up_itself_is_part_of_the_trajectory_and_not_of_the_reply() -> None:
    blocks: list[Any] = [
        {"type": "server_tool_call", "name": "web_search", "id": "s1", "args": {"query": "bees"}},
        {"type": "server_tool_result", "tool_call_id": "s1", "status": "success", "output": "Bees are insects"},
        {"type": "server_tool_call", "name": "code", "id": "s2", "args": {"code": "1/0"}},
        {"type": "server_tool_result", "tool_call_id": "s2", "status": "error", "output": "division by zero"},
        {"type": "text", "text": "Insects."},
    ]

    turn = turn_of([HumanMessage("What are bees?"), AIMessage(content=blocks)])

    assert [message.text for message in turn.messages] == ["What are bees?", "Insects."]
    assert [(step.name, step.arguments, step.failed) for step in turn.trajectory] == [
        ("web_search", '{"query": "bees"}', False),
        ("code", '{"code": "1/0"}', True),
    ]
    assert "Bees are insects" in turn.trajectory[0].result


def test_a_search_as_anthropic_answers_it_is_read_too() -> None:
    blocks: list[Any] = [
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "bees"}},
        {
            "type": "web_search_tool_result",
            "tool_use_id": "s1",
            "content": [{"type": "web_search_result", "title": "Bees", "url": "https://bees.example"}],
        },
        {"type": "text", "text": "Insects."},
    ]
    reply = AIMessage(content=blocks, response_metadata={"model_provider": "anthropic"})

    [step] = turn_of([HumanMessage("What are bees?"), reply]).trajectory

    assert (step.name, step.arguments, step.failed) == ("web_search", '{"query": "bees"}', False)
    assert "bees.example" in step.result


def test_calls_of_a_turn_that_failed_are_learned_from_with_the_next() -> None:
    calls = [call("look_up", call_id=f"c{number}", query=f"topic {number}!") for number in range(8)]
    model = ScriptedChatModel(replies=[*calls, RuntimeError("down"), "Well."])
    extractor = ScriptedChatModel(extractions=[[]])
    learning = LearningMachine(model=extractor, custom_stores=[Habits()], store=InMemoryStore())
    agent = summarising(learning, model, "middleware")
    config: Any = {**thread(), "recursion_limit": 99}

    with pytest.raises(RuntimeError, match="down"):
        agent.invoke(said("Look", "h1"), config, context=ADA)
    agent.invoke(said("Again", "h2"), config, context=ADA)

    prompt = extractor.prompt("extraction")
    assert [prompt.count(f"nothing about topic {number}!") for number in range(8)] == [1] * 8
    assert prompt.index("topic 7!") < prompt.index("Again")
    assert learning._settings.calls == {}
