"""Parts placed by hand, wired twice, and in teams: the same text, each turn learned once."""

from itertools import pairwise
from typing import Any

import pytest
from acceptance.driver import BOTH, Agent, Home
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from examples.custom_store import Todos
from langgraph_learning import (
    LearningContext,
    LearningMachine,
    LearningMode,
    UserMemoryConfig,
    UserProfileConfig,
    create_learning_agent,
)
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.testing import ScriptedChatModel, call, op

AGENTIC = LearningMode.AGENTIC
TEA = op("add_memory", content="Likes tea", quote="tea")


def told_the_same(home: Home) -> None:
    taught = home.agent(
        LearningMachine(**BOTH), replies=["Ok."], extractions=[[TEA, op("update_user_profile", name="Al")]]
    )
    taught.say("I'm Al, I like tea.", thread="before")


def test_11_tools_context_and_extract_node_placed_by_hand_equal_the_middleware(home: Home) -> None:
    told_the_same(home)
    memory = UserMemoryConfig(enable_agent_tools=True)
    learned = [op("add_memory", content="Plays chess", quote="chess")]
    script: dict[str, Any] = {
        "replies": [call("add_memory", content="Likes cake"), "Tea."],
        "extractions": [learned],
    }
    own = ScriptedChatModel(**script)
    learning = LearningMachine(user_profile=True, user_memory=memory, model=own)

    def call_model(state: MessagesState) -> dict[str, Any]:
        prompt = SystemMessage(f"You are kind.\n{learning.context(state)}")
        return {"messages": [own.bind_tools(learning.tools()).invoke([prompt, *state["messages"]])]}

    async def acall_model(state: MessagesState) -> dict[str, Any]:
        prompt = SystemMessage(f"You are kind.\n{await learning.acontext(state)}")
        return {"messages": [await own.bind_tools(learning.tools()).ainvoke([prompt, *state["messages"]])]}

    builder = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("model", call_model if home.colour == "sync" else acall_model)
    builder.add_node("tools", ToolNode(learning.tools()))
    builder.add_node("learn", learning.extract_node())
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", tools_condition, {"tools": "tools", END: "learn"})
    builder.add_edge("tools", "model")
    builder.add_edge("learn", END)
    saver: Any = home.db.checkpointer if home.db else home.saver
    by_hand = Agent(builder.compile(store=home.store, checkpointer=saver), own, learning, home.store, home.colour)
    automatic = home.agent(LearningMachine(user_profile=True, user_memory=memory), **script)

    texts: list[str] = []
    for agent in (automatic, by_hand):
        agent.say("What do I drink over chess?", thread=f"by-{len(texts)}")
        texts.append(agent.shown(0).removeprefix("You are kind.\n"))
        assert sorted(agent.texts("user_memory")) == ["Likes cake", "Likes tea", "Plays chess"]
        assert agent.model.calls == {"reply": 2, "extraction": 1}
        agent.of().forget()
        told_the_same(home)
    assert texts[0] == texts[1]
    assert "[m1] Likes tea" in texts[0]
    assert own.bound[0] == automatic.model.bound[0]


def test_11_capture_without_tools_learns_and_shows_nothing(home: Home) -> None:
    model = ScriptedChatModel(replies=["Ok."], extractions=[[TEA]])
    learning = LearningMachine(user_memory=True, model=model)
    builder = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
    builder.add_node("learn", learning.extract_node())
    builder.add_edge(START, "model").add_edge("model", "learn")
    agent = Agent(builder.compile(store=home.store), model, learning, home.store, "sync")
    agent.say("I like tea.")
    assert agent.texts() == ["Likes tea"]
    assert learning.tools() == []
    assert agent.shown() == ""


def test_11_middleware_that_is_in_the_agent_already_is_refused() -> None:
    learning = LearningMachine(**BOTH)
    with pytest.raises(ConfigurationError, match=r"leave \*learning.middleware\(\) out"):
        create_learning_agent(ScriptedChatModel(), learning=learning, middleware=learning.middleware())
    with pytest.raises(AssertionError, match="duplicate middleware"):  # LangChain's own word
        create_agent(ScriptedChatModel(), middleware=[*learning.middleware(), *learning.middleware()])


def test_11_nodes_around_an_agent_with_the_same_middleware_are_said_once_and_cost_no_second_extraction(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    model = ScriptedChatModel(replies=["Ok."] * 3, extractions=[[TEA], [], []])
    learning = LearningMachine(user_memory=True, model=model)
    inner = create_learning_agent(model, learning=learning)
    saver: Any = home.db.checkpointer if home.db else home.saver
    graph = learning.around(inner).compile(store=home.store, checkpointer=saver)
    agent = Agent(graph, model, learning, home.store, home.colour)
    for turn, said in enumerate(("I like tea.", "What do I like?", "Sure?")):
        agent.say(said)
        assert model.calls == {"reply": turn + 1, "extraction": turn + 1}
    assert agent.texts() == ["Likes tea"]
    assert agent.shown().count("Likes tea") == 1
    assert [record.getMessage() for record in caplog.records if "wire it once" in record.getMessage()] == [
        "the machine 'learning' recalls in this graph and in one around it: wire it once, by its nodes around an agent"
        " without its middleware, or by its middleware in a graph without its nodes"
    ]


@pytest.mark.parametrize("wiring", ["nodes", "middleware"])
def test_11_one_wiring_is_not_called_two_also_when_a_turn_is_replayed(
    home: Home, caplog: pytest.LogCaptureFixture, wiring: str
) -> None:
    model = ScriptedChatModel(replies=["Ok."], extractions=[[]], repeat=True)
    learning = LearningMachine(user_memory=True, model=model)
    saver: Any = home.db.checkpointer if home.db else home.saver
    if wiring == "nodes":
        graph: Any = learning.around(create_agent(model)).compile(store=home.store, checkpointer=saver)
    else:
        builder = StateGraph(MessagesState, context_schema=LearningContext)
        builder.add_sequence([("agent", create_learning_agent(model, learning=learning))])
        builder.add_edge(START, "agent")
        graph = builder.compile(store=home.store, checkpointer=saver)
    agent = Agent(graph, model, learning, home.store, home.colour)
    agent.say("Hello.")
    config: Any = {"configurable": {"thread_id": "c1"}}
    start = list(graph.get_state_history(config))[-2].config
    alice: Any = {"user_id": "alice"}
    agent.either(lambda: graph.invoke(None, start, context=alice), lambda: graph.ainvoke(None, start, context=alice))
    assert "wire it once" not in caplog.text


def named(name: str, prompts: dict[str, list[BaseMessage]], reply: str) -> Any:
    """A member of the team who notes what it is shown."""

    def member(state: MessagesState) -> dict[str, Any]:
        prompts[name] = list(state["messages"])
        return {"messages": [AIMessage(reply, name=name)]}

    return member


def test_12_a_supervisor_with_two_agents_shows_what_is_known_to_its_leader_and_learns_each_turn_once(
    home: Home,
) -> None:
    prompts: dict[str, list[BaseMessage]] = {}
    told = [
        op("update_user_profile", name="Alice"),
        TEA,
        op("update_session_context", summary="Tea is researched."),
        op("add_todo", task="Make onion soup"),
    ]
    model = ScriptedChatModel(extractions=[told, []])
    learning = LearningMachine(**BOTH, session_context=True, custom_stores=[Todos()], model=model)
    researcher: Any = StateGraph(MessagesState)
    researcher.add_node("deep", learning.wrap(named("researcher", prompts, "Found tea.")))
    researcher.add_edge(START, "deep")
    builder = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("recall", learning.recall_node())
    builder.add_node("leader", learning.wrap(named("leader", prompts, "Researcher, then writer.")))
    builder.add_node("researcher", researcher.compile())
    builder.add_node("writer", create_agent(ScriptedChatModel(replies=["Written."], repeat=True)))
    builder.add_node("extract", learning.extract_node())
    steps = [START, "recall", "leader", "researcher", "writer", "extract", END]
    for start, end in pairwise(steps):
        builder.add_edge(start, end)
    saver: Any = home.db.checkpointer if home.db else home.saver
    team = Agent(builder.compile(store=home.store, checkpointer=saver), model, learning, home.store, home.colour)

    assert team.say("I'm Alice. Tea, and onion soup!") == "Written."
    heard = model.prompt("extraction")
    assert "Found tea." in heard
    assert "Written." in heard
    kept = {"name: Alice", "Likes tea", "Tea is researched.", "Make onion soup"}
    assert set(team.texts(thread="c1")) == kept
    team.say("And now?")
    for member in ("leader", "researcher"):
        first = prompts[member][0]
        assert first.type == "system"
        assert all(text in first.text for text in kept)
    assert set(team.texts(thread="c1")) == kept
    assert model.calls == {"extraction": 2}
    assert team.records(user="ben") == []


def test_12_a_leader_whose_agents_are_tools_decides_by_tools_of_its_own_what_is_remembered(home: Home) -> None:
    worker: Any = create_agent(ScriptedChatModel(replies=["Tea is healthy."], repeat=True))

    @tool
    def research(question: str) -> str:
        """Ask the researcher."""
        return str(worker.invoke({"messages": [("user", question)]})["messages"][-1].text)

    learning = LearningMachine(
        user_profile=UserProfileConfig(mode=AGENTIC), user_memory=UserMemoryConfig(mode=AGENTIC), session_context=True
    )
    leader = home.agent(
        learning,
        tools=[research],
        replies=[
            call("research", question="Is tea healthy?"),
            call("add_memory", content="Asks about tea", call_id="call_2"),
            call("update_user_profile", name="Alice", call_id="call_3"),
            "It is.",
            "Alice.",
        ],
        extractions=[[op("update_session_context", summary="Tea is healthy.")], []],
    )
    leader.say("I'm Alice. Is tea healthy?")
    leader.say("Who am I?")
    for known in ("name: Alice", "Asks about tea", "Tea is healthy."):
        assert known in leader.shown()
    assert leader.model.calls == {"reply": 5, "extraction": 2}
