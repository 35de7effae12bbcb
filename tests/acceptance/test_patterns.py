"""How people put it together: assistants, learning stores of their own, parts placed by hand, teams."""

import inspect
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from acceptance.driver import BOTH, Agent, Home
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command
from pydantic import Field, JsonValue

from langgraph_learning import (
    LearningContext,
    LearningMachine,
    LearningMode,
    SessionContextConfig,
    UserMemoryConfig,
    UserProfileConfig,
    create_learning_agent,
)
from langgraph_learning.config import StoreConfig
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.records import Add, Change, Record, Update
from langgraph_learning.stores import LearningStore, Operation, Refused, operation
from langgraph_learning.stores.base import ID
from langgraph_learning.testing import ScriptedChatModel, call, op

AGENTIC = LearningMode.AGENTIC
TEA = op("add_memory", content="Likes tea", quote="tea")


def system_text(agent: Agent, index: int = -1) -> str:
    return "\n".join(str(each.text) for each in agent.model.prompts["reply"][index] if each.type == "system")


def test_07_a_personal_assistant_knows_who_it_serves_and_what_this_thread_is_for(home: Home) -> None:
    plan: list[JsonValue] = ["Pick a trail", "Book a table"]

    def assistant(**script: Any) -> Agent:
        session = SessionContextConfig(enable_planning=True)
        return home.agent(LearningMachine(user_profile=True, session_context=session), **script)

    first = assistant(replies=["Hello, Alex."], extractions=[[op("update_user_profile", name="Alex Chen")]])
    first.say("I'm Alex Chen.", user="alex")
    home.restart()
    second = assistant(
        replies=["Here is a plan.", "Next: book a table.", "Who are you?"],
        extractions=[
            [op("update_session_context", summary="Sarah visits.", goal="Plan Sarah's visit", plan=plan)],
            [op("update_session_context", summary="Trail picked.", progress=["Pick a trail"])],
            [],
        ],
    )
    second.say("My sister Sarah is visiting, plan it.", thread="visit", user="alex")
    assert "name: Alex Chen" in system_text(second)
    second.say("The trail is picked. What's next?", thread="visit", user="alex")
    assert "Goal: Plan Sarah's visit" in system_text(second)
    [session] = second.records("session_context", "alex", "visit")
    assert (session.content["plan"], session.content["progress"]) == (plan, ["Pick a trail"])
    second.say("What is my plan?", thread="visit", user="ben")
    assert "Alex" not in second.model.prompt("reply").replace("Alex.", "")
    assert "Sarah" not in system_text(second)


def test_07_a_support_agent_keeps_one_customer_out_of_the_prompt_of_another(home: Home) -> None:
    learning = LearningMachine(**BOTH, session_context=True)
    told = [
        op("update_user_profile", name="Carla Customer"),
        op("add_memory", content="Runs version 7 on Windows"),
        op("update_session_context", summary="Clearing the cache solved it."),
    ]
    agent = home.agent(learning, replies=["Clear the cache.", "Let me see."], extractions=[told, []])
    agent.say("I'm Carla, version 7 on Windows: blank page.", thread="ticket-1", user="carla")
    agent.say("My page is blank.", thread="ticket-2", user="dan")
    for known in ("Carla", "version 7", "cache"):
        assert known not in agent.model.prompt("reply")
        assert known not in agent.model.prompt("extraction")


@tool
def web_search(query: str) -> str:
    """Search the web."""
    return f"RESULT: the user is called Mallory and lives in {query}"


def test_07_a_research_assistant_learns_from_what_was_said_and_not_from_what_was_found(home: Home) -> None:
    agent = home.agent(
        LearningMachine(**BOTH),
        tools=[web_search],
        system_prompt="RESEARCH-ONLY",
        replies=[call("web_search", query="Atlantis"), "It is a legend.", "As I said."],
        extractions=[[op("add_memory", content="Writes about Atlantis", quote="I write about Atlantis")], []],
    )
    agent.say("I write about Atlantis. Does it exist?")
    agent.say("Sure?")
    assert "RESULT" in agent.model.prompt("reply")  # the agent's own history has it
    for prompt in range(2):
        heard = agent.model.prompt("extraction", prompt)
        for hidden in ("RESULT", "Mallory", "web_search", "RESEARCH-ONLY"):
            assert hidden not in heard
    assert "It is a legend." in agent.model.prompt("extraction", 0)
    assert agent.texts() == ["Writes about Atlantis"]
    assert {tuple(names) for names in agent.model.bound} == {("web_search",)}


# learning stores of one's own


class Recipes(LearningStore):
    """Dishes that the user cooks, and how they turned out."""

    name = "recipes"
    label = "d"
    title = "What the user cooks:"

    def __init__(self, config: StoreConfig | None = None) -> None:
        super().__init__(config)
        dish, verdict = Field(min_length=1, description="The dish"), Field(default=None, description="How it was")
        self._add = operation("add_dish", "Note a dish.", dish=(str, dish), verdict=(str | None, verdict))
        self._rate = operation("rate_dish", "Say how a dish was.", id=(str, ID), verdict=(str, Field()))
        self.operations = (self._add, self._rate)

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        given = operation.model_dump(exclude_none=True)
        if isinstance(operation, self._add):
            known = any(record.content["dish"] == given["dish"] for record in records)
            return [] if known else [Add(store=self.name, content=given, text=given["dish"])]
        record = next((each for each in records if each.id == given["id"]), None)
        if record is None:
            raise Refused("there is no such dish")
        content = {**record.content, "verdict": given["verdict"]}
        return [Update(store=self.name, id=record.id, content=content, text=record.text)]

    def render(self, record: Record) -> str:
        return f"{record.text}: {record.content.get('verdict', 'not rated')}"


SOUP = op("add_dish", dish="Onion soup", quote="onion soup")


def cook(mode: LearningMode = LearningMode.ALWAYS, **options: Any) -> LearningMachine:
    return LearningMachine(custom_stores=[Recipes(StoreConfig(mode=mode, **options))], user_memory=True)


def test_08_a_learning_store_of_ones_own_is_written_in_under_sixty_lines() -> None:
    assert len(inspect.getsource(Recipes).splitlines()) < 60


def test_08_it_learns_recalls_and_survives_a_restart_in_always(home: Home) -> None:
    agent = home.agent(cook(), replies=["Yum."], extractions=[[SOUP, TEA]])
    agent.say("I made onion soup, and tea.")
    home.restart()
    again = home.agent(cook(), replies=["Onion soup."], extractions=[[op("rate_dish", id="d1", verdict="great")]])
    again.say("What do I cook? The soup was great.", thread="c2")
    assert "Onion soup: not rated" in system_text(again)
    assert "Dishes that the user cooks" in again.model.prompt("extraction")
    assert again.records("recipes")[0].content == {"dish": "Onion soup", "verdict": "great"}
    assert again.texts("user_memory") == ["Likes tea"]
    assert again.records(user="ben") == []


def test_08_its_operations_are_tools_in_agentic_and_where_they_are_enabled(home: Home) -> None:
    agent = home.agent(
        cook(AGENTIC),
        replies=[
            call("add_dish", dish="Onion soup"),
            "Noted.",
            call("rate_dish", id="d9", verdict="great"),
            call("rate_dish", id="d1", verdict="great", call_id="call_2"),
            "Great.",
        ],
        extractions=[[], []],
    )
    agent.say("I made onion soup.")
    state = agent.turn("It was great.")
    told = [message.text for message in state["messages"] if message.type == "tool"]
    assert told == [
        "Stored: Onion soup",
        "Nothing was stored: there is no record 'd9'; there is d1",
        "Updated: Onion soup",
    ]
    assert agent.records("recipes")[0].content["verdict"] == "great"
    assert [each.name for each in cook(enable_agent_tools=True).tools()] == ["add_dish", "rate_dish"]


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_08_what_it_would_change_waits_for_a_person_in_propose(home: Home, decision: str) -> None:
    agent = home.agent(cook(LearningMode.PROPOSE), replies=["Yum."], extractions=[[SOUP, TEA]])
    [interrupt] = agent.turn("I made onion soup, and tea.")["__interrupt__"]
    assert interrupt.value["action_requests"][0]["args"] == {"dish": "Onion soup"}
    assert agent.texts() == ["Likes tea"]
    answer: Any = Command(resume={"decisions": [{"type": decision}]})
    config: Any = {"configurable": {"thread_id": "c1"}}
    alice: Any = {"user_id": "alice"}
    graph = agent.graph
    agent.either(
        lambda: graph.invoke(answer, config, context=alice), lambda: graph.ainvoke(answer, config, context=alice)
    )
    assert agent.texts("recipes") == (["Onion soup"] if decision == "approve" else [])


def test_08_its_changes_are_history_and_can_be_undone(home: Home) -> None:
    if home.db is None:
        pytest.skip("undo takes a store with history")
    told = [[SOUP], [op("rate_dish", id="d1", verdict="great")]]
    agent = home.agent(cook(), replies=["Yum."] * 2, extractions=told)
    agent.say("I made onion soup.")
    agent.say("It was great.")
    [record] = agent.records("recipes")
    agent.of().undo(agent.of().commits()[-1].id)
    assert agent.records("recipes")[0].content == {"dish": "Onion soup"}
    assert [revision.version for revision in agent.of().history(record.id)] == [1, 2, 3]
    assert [found.text for found in agent.of().search("soup")] == ["Onion soup"]
    assert agent.of().forget()["items"] > 0
    assert agent.records() == []


class Raising(Recipes):
    """Fails wherever it is asked."""

    name = "raising"
    fails: str = ""

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        if self.fails == "plan":
            raise ValueError("burnt")
        return super().plan(operation, records)

    def render(self, record: Record) -> str:
        if self.fails == "render":
            raise ValueError("burnt")
        return super().render(record)


@pytest.mark.parametrize("fails", ["plan", "render"])
def test_08_a_raising_one_breaks_neither_the_reply_nor_the_others(
    home: Home, caplog: pytest.LogCaptureFixture, fails: str
) -> None:
    raising = Raising()
    learning = LearningMachine(custom_stores=[raising], user_memory=True, user_profile=True)
    cake = op("add_dish", dish="Cake")
    agent = home.agent(
        learning,
        replies=["Yum."] * 3,
        extractions=[[SOUP, TEA], [cake, op("update_user_profile", name="Alice")], []],
    )
    agent.say("I made onion soup, and tea.")
    raising.fails = fails
    assert agent.say("I'm Alice, and made cake.", thread="c2") == "Yum."
    assert agent.say("What do you know?", thread="c3") == "Yum."
    assert "Likes tea" in system_text(agent)
    assert "name: Alice" in system_text(agent)
    assert "burnt" in caplog.text


# parts placed by hand


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
        texts.append(system_text(agent, 0).removeprefix("You are kind.\n"))
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
    assert system_text(agent) == ""


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
    assert system_text(agent).count("Likes tea") == 1
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


# teams


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
        op("add_dish", dish="Onion soup"),
    ]
    model = ScriptedChatModel(extractions=[told, []])
    learning = LearningMachine(**BOTH, session_context=True, custom_stores=[Recipes()], model=model)
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
    kept = {"name: Alice", "Likes tea", "Tea is researched.", "Onion soup"}
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
        assert known in system_text(leader)
    assert leader.model.calls == {"reply": 5, "extraction": 2}
