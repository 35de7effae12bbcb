"""Learning in agents: middleware and tools in `create_agent`, `create_learning_agent`, tools in graphs by hand."""

from typing import Any

import pytest
from graphs.world import (
    ADA,
    BOB,
    COLOURS,
    FACT,
    Colour,
    FailingStore,
    by_hand,
    invoked,
    kept,
    known,
    memories,
    said,
    streamed,
    texts,
    thread,
)
from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    AgentState,
    HumanInTheLoopMiddleware,
    after_agent,
    before_agent,
    dynamic_prompt,
)
from langchain.tools import tool
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.runtime import Runtime
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command

from langgraph_learning import (
    LearningContext,
    LearningMachine,
    LearningMode,
    UserMemoryConfig,
    connect,
    create_learning_agent,
)
from langgraph_learning.errors import ConfigurationError, StoreError
from langgraph_learning.testing import ScriptedChatModel, call, op

TEA = op("add_memory", content="Drinks tea", quote="I drink tea")
AGENTIC = UserMemoryConfig(mode=LearningMode.AGENTIC)


def agentic(**options: Any) -> LearningMachine:
    return LearningMachine(user_memory=AGENTIC, **options)


def an_agent(
    model: ScriptedChatModel, learning: LearningMachine, *more: AgentMiddleware[Any, Any], **options: Any
) -> Any:
    """Return the agent of the documentation: our tools among the tools, our middleware first."""
    return create_agent(
        model,
        tools=learning.tools(),
        middleware=[*learning.middleware(), *more],
        context_schema=LearningContext,
        **options,
    )


def told(result: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what the tools answered, with their status."""
    return [(message.status, str(message.text)) for message in result["messages"] if isinstance(message, ToolMessage)]


# middleware


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("saving", [True, False])
async def test_an_agent_with_the_middleware_learns_with_its_own_model_and_recalls(colour: Colour, saving: bool) -> None:
    model = ScriptedChatModel(replies=["Noted.", "Tea."], extractions=[[TEA], []])
    saver = InMemorySaver() if saving else None
    agent = an_agent(
        model, LearningMachine(user_memory=True), system_prompt="Be kind.", store=InMemoryStore(), checkpointer=saver
    )

    first = await invoked(agent, colour, said("I drink tea"), thread("monday"), context=ADA)
    second = await invoked(agent, colour, said("What do I drink?"), thread("tuesday"), context=ADA)

    assert texts(first["messages"]) == ["I drink tea", "Noted."]
    assert set(first) == {"messages"}
    assert texts(model.prompts["reply"][0]) == ["Be kind.", "I drink tea"]
    assert [message.type for message in model.prompts["reply"][1]] == ["system", "human"]
    assert "Drinks tea" in texts(model.prompts["reply"][1])[1]
    assert texts(second["messages"]) == ["What do I drink?", "Tea."]
    assert model.calls == {"reply": 2, "extraction": 2}
    if saver:
        shown = texts(model.prompts["reply"][1])[1]
        assert shown.splitlines()[1] not in kept(saver)


def test_the_middleware_changes_neither_input_nor_output_schema() -> None:
    model = ScriptedChatModel()
    ours = an_agent(model, LearningMachine(user_memory=True))
    theirs = create_agent(model, context_schema=LearningContext)

    assert ours.get_input_jsonschema() == theirs.get_input_jsonschema()
    assert ours.get_output_jsonschema() == theirs.get_output_jsonschema()
    assert ours.get_context_jsonschema() == theirs.get_context_jsonschema()


@pytest.mark.parametrize("colour", COLOURS)
async def test_in_a_loop_of_tools_the_text_is_recalled_once_and_shown_every_time(colour: Colour) -> None:
    @tool
    def clock() -> str:
        """Tell the time."""
        return "noon"

    model = ScriptedChatModel(replies=[call("clock"), "It is noon."], extractions=[[]])
    learning = LearningMachine(user_memory=True)
    agent = create_agent(model, tools=[clock], middleware=[*learning.middleware()], store=known())

    events = await streamed(agent, colour, said("Time?"), context=ADA, stream_mode="custom")

    assert all(FACT in model.prompt(index=index) for index in (0, 1))
    assert [event["learning"] for event in events] == ["recalled", "learned"]
    assert model.calls == {"reply": 2, "extraction": 1}
    assert "noon" in model.prompt("extraction")
    assert 'from="tool"' not in model.prompt("extraction")


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_dynamic_prompt_further_in_does_not_erase_the_text(colour: Colour) -> None:
    @dynamic_prompt
    def prompt(request: Any) -> str:
        return "You are a waiter."

    @dynamic_prompt
    async def aprompt(request: Any) -> str:
        return "You are a waiter."

    model = ScriptedChatModel(replies=["Hello"], extractions=[[]])
    agent = an_agent(model, LearningMachine(user_memory=True), prompt if colour == "sync" else aprompt, store=known())

    await invoked(agent, colour, said("Hi"), context=ADA)

    assert "You are a waiter." in model.prompt()
    assert FACT in model.prompt()


def test_extraction_runs_after_the_users_own_after_agent_hooks() -> None:
    @after_agent
    def redact(state: AgentState[Any], runtime: Runtime[Any]) -> dict[str, Any]:
        return {"messages": [AIMessage("[redacted]", id=state["messages"][-1].id)]}

    model = ScriptedChatModel(replies=["The code is 1234"], extractions=[[]])
    agent = an_agent(model, LearningMachine(user_memory=True), redact, store=InMemoryStore())

    agent.invoke(said("Hi"), context=ADA)

    assert "[redacted]" in model.prompt("extraction")
    assert "1234" not in model.prompt("extraction")


@pytest.mark.parametrize("colour", COLOURS)
async def test_two_machines_in_one_agent_both_show_their_text_and_both_learn(colour: Colour) -> None:
    fast = ScriptedChatModel(extractions=[[op("add_memory", content="learned by one")]])
    slow = ScriptedChatModel(extractions=[[op("add_memory", content="learned by two")]])
    one = LearningMachine(model=fast, user_memory=True, store=known("known to one"))
    two = LearningMachine(model=slow, user_memory=True, store=known("known to two"), name="second")
    model = ScriptedChatModel(replies=["Hello"])
    agent = create_agent(model, middleware=[*one.middleware(), *two.middleware()], context_schema=LearningContext)

    await invoked(agent, colour, said("Hi"), thread(), context=ADA)

    assert "known to one" in model.prompt()
    assert "known to two" in model.prompt()
    assert [record.text for record in one.scoped(user_id="ada").records()] == ["known to one", "learned by one"]
    assert [record.text for record in two.scoped(user_id="ada").records()] == ["known to two", "learned by two"]


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_guard_that_ends_the_turn_before_recall_stores_nothing_under_the_user_before(colour: Colour) -> None:
    @before_agent(can_jump_to=["end"])
    def guard(state: AgentState[Any], runtime: Runtime[Any]) -> dict[str, Any] | None:
        if "forbidden" in str(state["messages"][-1].text):
            return {"jump_to": "end", "messages": [AIMessage("I cannot talk about that.")]}
        return None

    model = ScriptedChatModel(replies=["Hello Ada"], extractions=[[], [op("add_memory", content="a secret of Bob")]])
    store, saver = known(), InMemorySaver()
    learning = LearningMachine(user_memory=True)
    agent = create_agent(
        model,
        middleware=[guard, *learning.middleware(model)],
        context_schema=LearningContext,
        store=store,
        checkpointer=saver,
    )

    await invoked(agent, colour, said("I am Ada"), thread(), context=ADA)
    await invoked(agent, colour, said("something forbidden of Bob"), thread(), context=BOB)

    assert memories(store, "ada") == [FACT]
    assert memories(store, "bob") == ["a secret of Bob"]
    assert FACT not in model.prompt("extraction"), "extraction is shown the notes of Bob, not of Ada"
    assert "I am Ada" not in model.prompt("extraction")


@pytest.mark.parametrize("colour", COLOURS)
async def test_tools_and_extraction_know_the_user_after_a_resume_without_context(colour: Colour) -> None:
    model = ScriptedChatModel(
        replies=[call("add_memory", content="Drinks tea"), "Remembered."],
        extractions=[[op("add_memory", content="Is polite")]],
    )
    learning = LearningMachine(user_memory=UserMemoryConfig(enable_agent_tools=True))
    store = known()
    hitl = HumanInTheLoopMiddleware(interrupt_on={"add_memory": True})
    agent = an_agent(model, learning, hitl, store=store, checkpointer=InMemorySaver())

    paused = await invoked(agent, colour, said("Remember that I drink tea"), thread(), context=ADA)
    assert "__interrupt__" in paused
    result = await invoked(agent, colour, Command(resume={"decisions": [{"type": "approve"}]}), thread())

    assert told(result) == [("success", "Stored: Drinks tea")]
    assert FACT in model.prompt(), "recalled again"
    assert memories(store) == [FACT, "Drinks tea", "Is polite"]


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_store_that_fails_ends_neither_the_run_nor_the_reply(colour: Colour) -> None:
    model = ScriptedChatModel(replies=["Hello"], extractions=[[TEA]])
    store = FailingStore()
    store.failing = "write"
    agent = an_agent(model, LearningMachine(user_memory=True), store=store)

    events = await streamed(agent, colour, said("I drink tea"), context=ADA, stream_mode=["custom", "values"])

    assert texts([values for mode, values in events if mode == "values"][-1]["messages"])[-1] == "Hello"
    assert [event["learning"] for mode, event in events if mode == "custom"] == ["recalled", "failed"]


# create_learning_agent


@pytest.mark.parametrize("colour", COLOURS)
async def test_level_one_is_one_line_and_a_database(colour: Colour) -> None:
    profile = op("update_user_profile", name="Alex")
    model = ScriptedChatModel(replies=["Hello Alex", "Alex"], extractions=[[profile, TEA], []])

    with connect("sqlite:///:memory:") as db:
        agent = create_learning_agent(model, db=db, system_prompt="Be kind.")
        await invoked(agent, colour, said("I'm Alex, I drink tea"), thread("session_1"), context={"user_id": "a@b.c"})
        await invoked(agent, colour, said("Who am I?"), thread("session_2"), context={"user_id": "a@b.c"})

        assert "Alex" in model.prompt()
        assert "Drinks tea" in model.prompt()
        assert texts((await agent.aget_state(thread("session_2"))).values["messages"]) == ["Who am I?", "Alex"]


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_learning_agent_without_any_store_names_the_three_ways_at_its_first_run(colour: Colour) -> None:
    agent = create_learning_agent(ScriptedChatModel(replies=["Hello"]))

    with pytest.raises(
        ConfigurationError, match=r"create_learning_agent\(\.\.\., db=.*LearningMachine\(store=.*compile"
    ):
        await invoked(agent, colour, said("Hi"), context=ADA)


def test_a_learning_agent_compiles_in_no_store_or_checkpointer_unasked() -> None:
    agent = create_learning_agent(ScriptedChatModel())

    assert agent.store is None
    assert agent.checkpointer is None


def test_a_learning_agent_keeps_the_users_middleware_inside_and_other_options() -> None:
    @dynamic_prompt
    def prompt(request: Any) -> str:
        return "You are a waiter."

    model = ScriptedChatModel(replies=["Hello"], extractions=[[]])
    agent = create_learning_agent(
        model, learning=LearningMachine(user_memory=True), store=known(), middleware=[prompt], name="waiter"
    )

    agent.invoke(said("Hi"), context=ADA)

    assert agent.name == "waiter"
    assert "You are a waiter." in model.prompt()
    assert FACT in model.prompt()


def test_a_tool_of_the_users_with_the_name_of_a_learning_tool_is_refused() -> None:
    @tool
    def add_memory(content: str) -> str:
        """Do something else."""
        return content

    with pytest.raises(ConfigurationError, match="'add_memory' is the name of a learning tool"):
        create_learning_agent(ScriptedChatModel(), [add_memory], learning=agentic())


def test_learning_false_is_a_plain_agent() -> None:
    model = ScriptedChatModel(replies=["Hello"])

    assert texts(create_learning_agent(model, learning=False).invoke(said("Hi"))["messages"]) == ["Hi", "Hello"]


# tools


@pytest.mark.parametrize("colour", COLOURS)
async def test_in_agentic_mode_the_agent_decides_and_no_extraction_is_called(colour: Colour) -> None:
    model = ScriptedChatModel(
        replies=[
            call("add_memory", content="Drinks tea"),
            call("update_memory", id="m1", content="Kept bees"),
            call("delete_memory", id="m1"),
            "Done.",
        ]
    )
    store = known()
    agent = an_agent(model, agentic(), store=store, checkpointer=InMemorySaver())

    result = await invoked(agent, colour, said("I drink tea"), thread(), context=ADA)

    assert told(result) == [
        ("success", "Stored: Drinks tea"),
        ("success", "Updated: Kept bees"),
        ("success", "Removed: Kept bees"),
    ]
    assert memories(store) == ["Drinks tea"]
    assert model.calls == {"reply": 4}
    assert "[m1] " + FACT in model.prompt(index=0), "records are shown under the ids that the tools take"


@pytest.mark.parametrize("colour", COLOURS)
async def test_what_a_tool_cannot_do_is_an_error_the_model_can_act_on(colour: Colour) -> None:
    model = ScriptedChatModel(
        replies=[
            call("update_memory", id="m7", content="No such"),
            call("add_memory", content="x" * 3_000),
            call("add_memory", content=FACT),
            "Sorry.",
        ]
    )
    store = known()
    agent = an_agent(model, agentic(), store=store)

    answers = told(await invoked(agent, colour, said("Hi"), context=ADA))

    assert [status for status, _ in answers] == ["error", "error", "success"]
    assert "there is no record 'm7'; there is m1" in answers[0][1]
    assert "content" in answers[1][1]
    assert answers[2][1] == "Nothing changed: that is stored already."
    assert memories(store) == [FACT]


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_tool_never_claims_success_for_a_user_nobody_knows_or_a_store_that_fails(colour: Colour) -> None:
    model = ScriptedChatModel(replies=[call("add_memory", content="Drinks tea"), "Sorry."], repeat=False)
    agent = an_agent(model, agentic(), store=InMemoryStore())
    [(status, text)] = told(await invoked(agent, colour, said("Hi")))
    assert (status, "not known who the user is" in text) == ("error", True)

    model = ScriptedChatModel(replies=[call("add_memory", content="Drinks tea"), "Sorry."])
    store = FailingStore()
    store.failing = "write"
    agent = an_agent(model, agentic(), store=store)
    [(status, text)] = told(await invoked(agent, colour, said("Hi"), context=ADA))
    assert (status, text.startswith("Nothing was stored: ")) == ("error", True)
    assert memories(store) == []

    model = ScriptedChatModel(replies=[call("add_memory", content="Drinks tea"), "Sorry."])
    agent = an_agent(model, agentic(on_error="raise"), store=store)
    with pytest.raises(StoreError):
        await invoked(agent, colour, said("Hi"), context=ADA)


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_tool_call_id_that_comes_again_in_a_later_turn_is_another_call(colour: Colour) -> None:
    same = call("add_memory", call_id="call_0", content="Drinks tea")
    model = ScriptedChatModel(replies=[same, "ok", call("delete_memory", id="m1"), "ok", same, "ok"])
    store = InMemoryStore()
    agent = an_agent(model, agentic(), store=store, checkpointer=InMemorySaver())

    for text in ("I drink tea", "Forget it", "I drink tea again"):
        result = await invoked(agent, colour, said(text), thread(), context=ADA)

    assert told(result)[-1] == ("success", "Stored: Drinks tea")
    assert memories(store) == ["Drinks tea"]


@pytest.mark.parametrize("colour", COLOURS)
async def test_several_calls_in_one_reply_are_all_carried_out(colour: Colour) -> None:
    facts = [f"fact number {number}" for number in range(5)]
    calls = [call("add_memory", call_id=fact, content=fact).tool_calls[0] for fact in facts]
    model = ScriptedChatModel(replies=[AIMessage("", tool_calls=calls), "ok"])
    with connect("sqlite:///:memory:") as db:
        agent = an_agent(model, agentic(), store=db.store, checkpointer=db.checkpointer)
        result = await invoked(agent, colour, said("Five facts"), thread(), context=ADA)

        assert [status for status, _ in told(result)] == ["success"] * 5
        assert sorted(memories(db.store)) == facts


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_replayed_tool_step_stores_nothing_twice(colour: Colour) -> None:
    model = ScriptedChatModel(replies=[call("add_memory", content="Drinks tea"), "ok", "ok"])
    store = InMemoryStore()
    agent = an_agent(model, agentic(), store=store, checkpointer=InMemorySaver())
    await invoked(agent, colour, said("I drink tea"), thread(), context=ADA)
    before_tools = next(state.config for state in agent.get_state_history(thread()) if state.next == ("tools",))

    result = await invoked(agent, colour, None, before_tools, context=ADA)

    assert told(result) == [("success", "Stored: Drinks tea")]
    assert len(memories(store)) == 1


def graph_with_tools(model: ScriptedChatModel, learning: LearningMachine, *, recalling: bool = True) -> Any:
    """Return a graph made by hand: the loop of model and tools that LangGraph's documentation shows."""
    tools = learning.tools()

    def agent(state: MessagesState) -> dict[str, list[BaseMessage]]:
        return {"messages": [model.bind_tools(tools).invoke(state["messages"])]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("agent", learning.wrap(agent)).add_node("tools", ToolNode(tools))
    builder.add_conditional_edges("agent", tools_condition).add_edge("tools", "agent")
    if recalling:
        builder.add_node("recall", learning.recall_node()).add_edge("recall", "agent")
    return builder.add_edge(START, "recall" if recalling else "agent")


@pytest.mark.parametrize("recalling", [True, False])
@pytest.mark.parametrize("saving", [True, False])
@pytest.mark.parametrize("colour", COLOURS)
async def test_the_tools_work_in_a_tool_node_of_a_graph_made_by_hand(
    colour: Colour, saving: bool, recalling: bool
) -> None:
    model = ScriptedChatModel(
        replies=[call("add_memory", content="Drinks tea"), call("delete_memory", id="m9"), "Noted."]
    )
    store = known()
    builder = graph_with_tools(model, agentic(), recalling=recalling)
    graph = builder.compile(store=store, checkpointer=InMemorySaver() if saving else None)

    result = await invoked(graph, colour, said("I drink tea"), thread(), context=ADA)

    assert [status for status, _ in told(result)] == ["success", "error"]
    assert told(result)[0][1] == "Stored: Drinks tea"
    assert memories(store) == [FACT, "Drinks tea"]
    assert model.bound[0] == ["add_memory", "update_memory", "delete_memory", "search_memories"]


def test_short_ids_mean_what_the_model_was_shown_also_when_records_were_removed_meanwhile() -> None:
    model = ScriptedChatModel(
        replies=[call("delete_memory", id="m1"), call("delete_memory", id="m2"), "Both are gone."]
    )
    store = known("first", "second", "third")
    graph = graph_with_tools(model, agentic()).compile(store=store)

    result: dict[str, Any] = graph.invoke(said("Forget the first and the second"), context=ADA)

    assert told(result) == [("success", "Removed: first"), ("success", "Removed: second")]
    assert memories(store) == ["third"]


def test_the_agent_is_told_once_when_the_tools_are_missing(caplog: pytest.LogCaptureFixture) -> None:
    model = ScriptedChatModel(replies=["one", "two"])
    agent: Any = create_agent(model, middleware=[*agentic().middleware()], store=InMemoryStore())

    for text in ("Hi", "Hi again"):
        agent.invoke(said(text), context=ADA)

    assert caplog.text.count("learning.tools()") == 1


def test_a_tool_and_the_extraction_of_one_turn_store_one_thing_once() -> None:
    model = ScriptedChatModel(replies=[call("add_memory", content="Drinks tea"), "Noted."], extractions=[[TEA]])
    learning = LearningMachine(model=model, user_memory=UserMemoryConfig(enable_agent_tools=True))
    store = InMemoryStore()
    graph = by_hand(learning, graph_with_tools(model, learning, recalling=False).compile()).compile(store=store)

    graph.invoke(said("I drink tea"), context=ADA)

    assert memories(store) == ["Drinks tea"]
