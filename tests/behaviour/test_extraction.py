"""What learning from a turn costs, sees and writes."""

from collections.abc import Callable
from typing import Any

import pytest
from acceptance.driver import BOTH, Home
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.graph import MessagesState
from pydantic import Field

from langgraph_learning import (
    LearningMachine,
    LearningMode,
    SessionContextConfig,
    UserMemoryConfig,
    UserProfileConfig,
)
from langgraph_learning.schemas import SessionContext, UserProfile
from langgraph_learning.testing import ScriptedChatModel, call, op

MEMORY: dict[str, Any] = {"user_memory": True}
TEA = op("add_memory", content="Likes tea", quote="I like tea")


def noting(order: list[str], purpose: str, answer: object) -> Callable[[list[BaseMessage]], object]:
    """A script that notes when it was asked."""

    def script(_: list[BaseMessage]) -> object:
        order.append(purpose)
        return answer

    return script


def test_extraction_sees_the_question_and_the_answer_of_the_very_turn(home: Home) -> None:
    agent = home.agent(LearningMachine(**MEMORY), replies=["Then green tea it is."], extractions=[[]])
    agent.say("Which tea fits cake?")
    heard = agent.model.prompts["extraction"][0][-1].text
    assert '<message from="user">Which tea fits cake?</message>' in heard
    assert '<message from="assistant">Then green tea it is.</message>' in heard


def test_three_learning_stores_cost_no_call_before_the_reply_and_one_after_it(home: Home) -> None:
    order: list[str] = []
    learned = [op("update_user_profile", name="Alice"), TEA, op("update_session_context", summary="Tea.")]
    agent = home.agent(
        LearningMachine(**BOTH, session_context=True),
        replies=[noting(order, "reply", "Yes.")],
        extractions=[noting(order, "extraction", learned)],
        repeat=True,
    )
    agent.say("I'm Alice, I like tea.")
    agent.say("And now?")
    assert order == ["reply", "extraction"] * 2
    assert {record.store for record in agent.records(thread="c1")} == {"user_profile", "user_memory", "session_context"}


def test_whoever_streams_has_the_reply_before_extraction_begins(home: Home) -> None:
    agent = home.agent(LearningMachine(**MEMORY), replies=["Yes."], extractions=[[TEA]])
    asked = []
    given: Any = {"messages": [("user", "I like tea.")]}
    context: Any = {"user_id": "alice"}
    for part in agent.graph.stream(
        given, {"configurable": {"thread_id": "c1"}}, context=context, stream_mode="updates"
    ):
        if "model" in part:
            asked.append(agent.model.calls["extraction"])
    assert asked == [0]
    assert agent.texts() == ["Likes tea"]


def test_three_additions_of_one_extraction_are_all_kept_beside_what_was_there(home: Home) -> None:
    three = [op("add_memory", content=f"Likes {what}") for what in ("cake", "bees", "chess")]
    agent = home.agent(LearningMachine(**MEMORY), replies=["Ok."] * 2, extractions=[[TEA], three])
    agent.say("I like tea.")
    agent.say("And cake, bees and chess.")
    assert sorted(agent.texts()) == ["Likes bees", "Likes cake", "Likes chess", "Likes tea"]


def test_the_cap_holds_for_the_changes_and_asks_no_model_again(home: Home) -> None:
    many = [op("add_memory", content=f"Owns item {number}") for number in range(41)]
    learning = LearningMachine(**MEMORY, max_updates_per_run=2)
    agent = home.agent(learning, replies=["Ok."], extractions=[many])
    assert agent.say("I own 41 items.") == "Ok."
    assert agent.texts() == ["Owns item 0", "Owns item 1"]
    assert agent.model.calls == {"reply": 1, "extraction": 1}
    [commit] = agent.of().commits()
    assert len(commit.refused) == 19  # of ten times as many as may be kept, and one refusal for the rest


def test_a_run_that_failed_teaches_nothing_and_its_retry_teaches_once(home: Home) -> None:
    agent = home.agent(
        LearningMachine(**MEMORY), replies=[RuntimeError("overloaded"), "Yes.", "Yes."], extractions=[[TEA], [TEA]]
    )
    said: list[BaseMessage] = [HumanMessage("I like tea.", id="h1")]
    with pytest.raises(RuntimeError, match="overloaded"):
        agent.turn(said)
    assert (agent.records(), agent.of().commits()) == ([], [])
    agent.turn(said)
    before = agent.records()
    agent.turn(said)
    assert agent.texts() == ["Likes tea"]
    assert agent.records() == before
    assert agent.model.calls["extraction"] == 1


def test_a_graph_that_fails_after_it_has_learned_learns_nothing_twice_when_it_goes_on(home: Home) -> None:
    model = ScriptedChatModel(extractions=[[TEA]])
    learning = LearningMachine(**MEMORY, model=model)
    broken = [True]

    def deliver(state: MessagesState) -> dict[str, Any]:
        if broken:
            raise OSError("no way out")
        return {}

    builder = learning.around(lambda state: {"messages": [AIMessage("Yes.")]}, state_schema=MessagesState)
    builder.add_node("deliver", deliver).add_edge("review", "deliver")
    saver = home.db.checkpointer if home.db else home.saver
    graph = builder.compile(store=home.store, checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "c1"}}
    given: Any = {"messages": [HumanMessage("I like tea.", id="h1")]}
    alice: Any = {"user_id": "alice"}
    with pytest.raises(OSError, match="no way out"):
        graph.invoke(given, config, context=alice)
    broken.clear()
    graph.invoke(None, config, context=alice)
    start = list(graph.get_state_history(config))[-2].config
    graph.invoke(None, start, context=alice)  # the whole turn, replayed
    scoped = learning.scoped(user_id="alice", store=home.store)
    assert [(record.text, record.version) for record in scoped.records()] == [("Likes tea", 1)]
    assert len(scoped.commits()) == 1
    assert model.calls == {"extraction": 1}


class Ticket(SessionContext):
    """A session with a field of one's own."""

    ticket: str | None = Field(default=None, description="The number of the ticket")


def test_a_switch_from_planning_to_summary_keeps_the_plan_and_fields_of_ones_own(home: Home) -> None:
    told = op("update_session_context", summary="Begun.", goal="Ship", plan=["Build", "Push"], ticket="T-7")
    planning = SessionContextConfig(enable_planning=True, schema=Ticket)
    agent = home.agent(LearningMachine(session_context=planning), replies=["Ok."], extractions=[[told]])
    agent.say("Ticket T-7: ship it by building and pushing.")
    later = home.agent(
        LearningMachine(session_context=SessionContextConfig(schema=Ticket)),
        replies=["Ok."],
        extractions=[[op("update_session_context", summary="Built.")]],
    )
    later.say("Built.")
    [record] = later.records("session_context", thread="c1")
    kept = {"summary": "Built.", "goal": "Ship", "plan": ["Build", "Push"], "ticket": "T-7"}
    assert record.content == kept


class Developer(UserProfile):
    """A profile with types."""

    years: int | None = None
    languages: list[str] = []  # noqa: RUF012 - pydantic copies it


def test_typed_fields_keep_their_types_or_are_refused_and_can_be_cleared(home: Home) -> None:
    agent = home.agent(
        LearningMachine(user_profile=UserProfileConfig(schema=Developer)),
        replies=["Ok."] * 3,
        extractions=[
            [op("update_user_profile", years=12, languages=["Rust", "Go"])],
            [op("update_user_profile", years="seven", languages=["Zig"])],
            [op("clear_user_profile_field", field="years")],
        ],
    )
    agent.say("12 years, Rust and Go.")
    assert [each.content for each in agent.records()] == [{"years": 12}, {"languages": ["Rust", "Go"]}]
    agent.say("Seven years, and Zig.")
    profile = agent.of().profile(Developer)
    assert (profile.years, profile.languages) == (12, ["Rust", "Go", "Zig"])
    assert any("years" in refusal.reason for refusal in agent.of().commits()[-1].refused)
    agent.say("Forget about the years.")
    assert agent.of().profile(Developer).years is None


def test_instructions_of_ones_own_take_neither_the_turn_nor_what_is_stored_out_of_the_prompt(home: Home) -> None:
    learning = LearningMachine(
        user_memory=UserMemoryConfig(instructions="ONLY-DRINKS"),
        session_context=SessionContextConfig(instructions="ONLY-DECISIONS"),
        user_profile=UserProfileConfig(instructions="ONLY-NAMES"),
    )
    told = [TEA, op("update_session_context", summary="Tea was chosen."), op("update_user_profile", name="Alice")]
    agent = home.agent(learning, replies=["Ok.", "Green."], extractions=[told, []])
    agent.say("I'm Alice, I like tea.")
    agent.say("Which one?")
    prompt = agent.model.prompt("extraction")
    for own in ("ONLY-DRINKS", "ONLY-DECISIONS", "ONLY-NAMES"):
        assert own in prompt
    for there in ("Likes tea", "Tea was chosen.", "name: Alice", "Which one?", "Green."):
        assert there in prompt


def test_extraction_is_sent_each_turn_once_and_a_fact_of_an_old_turn_is_not_learned_again(home: Home) -> None:
    agent = home.agent(LearningMachine(**MEMORY), replies=["Noted.", "Sure.", "Bye."], extractions=[[TEA], [], []])
    for said in ("I like tea.", "Which tea?", "Thanks."):
        agent.say(said)
    turns = [messages[-1].text for messages in agent.model.prompts["extraction"]]
    assert ["I like tea." in turn for turn in turns] == [True, False, False]
    assert ["Which tea?" in turn for turn in turns] == [False, True, False]
    assert agent.texts() == ["Likes tea"]
    # the replies were given with the whole history
    assert "I like tea." in agent.model.prompt("reply")


def test_a_memory_tool_writes_by_itself_without_a_model_of_its_own(home: Home) -> None:
    idle = ScriptedChatModel()
    learning = LearningMachine(user_memory=UserMemoryConfig(mode=LearningMode.AGENTIC), model=idle)
    agent = home.agent(
        learning,
        replies=[
            call("add_memory", content="Likes tea"),
            call("update_memory", id="m1", content="Likes coffee", call_id="call_2"),
            call("delete_memory", id="m1", call_id="call_3"),
            call("add_memory", content="Likes cocoa", call_id="call_4"),
            "Cocoa.",
        ],
    )
    agent.say("Tea. No, coffee. Forget it: cocoa.")
    assert agent.texts() == ["Likes cocoa"]
    assert (agent.model.calls, idle.calls) == ({"reply": 5}, {})
