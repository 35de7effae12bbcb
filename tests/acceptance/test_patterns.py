"""What people build: assistants of several kinds, and learning stores of their own."""

import inspect
from collections.abc import Sequence
from typing import Any

import pytest
from acceptance.driver import BOTH, Agent, Home
from langchain_core.tools import tool
from langgraph.types import Command
from pydantic import Field, JsonValue

from langgraph_learning import (
    LearningMachine,
    LearningMode,
    SessionContextConfig,
)
from langgraph_learning.config import StoreConfig
from langgraph_learning.records import Add, Change, Record, Update
from langgraph_learning.stores import LearningStore, Operation, Refused, operation
from langgraph_learning.stores.base import ID
from langgraph_learning.testing import call, op

AGENTIC = LearningMode.AGENTIC
TEA = op("add_memory", content="Likes tea", quote="tea")


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
    assert "name: Alex Chen" in second.shown()
    second.say("The trail is picked. What's next?", thread="visit", user="alex")
    assert "Goal: Plan Sarah's visit" in second.shown()
    [session] = second.records("session_context", "alex", "visit")
    assert (session.content["plan"], session.content["progress"]) == (plan, ["Pick a trail"])
    second.say("What is my plan?", thread="visit", user="ben")
    assert "Alex" not in second.model.prompt("reply").replace("Alex.", "")
    assert "Sarah" not in second.shown()


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
    assert "Onion soup: not rated" in again.shown()
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
    assert "Likes tea" in agent.shown()
    assert "name: Alice" in agent.shown()
    assert "burnt" in caplog.text
