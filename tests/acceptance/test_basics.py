"""The rows of the cookbook's first pages: the basics, one learning store at a time, ALWAYS and AGENTIC."""

import pytest
from acceptance.driver import Agent, Colour, Home
from langgraph.store.memory import InMemoryStore
from pydantic import JsonValue

from langgraph_learning import (
    LearningMachine,
    LearningMode,
    SessionContextConfig,
    UserMemoryConfig,
    UserProfileConfig,
    create_learning_agent,
)
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.schemas import UserProfile
from langgraph_learning.testing import ScriptedChatModel, call, op

AGENTIC = LearningMode.AGENTIC


def test_00_01_always_learns_profile_and_memories_and_the_next_conversation_knows_them(home: Home) -> None:
    agent = home.agent(
        replies=["Welcome, Alice.", "You are Alice, a research scientist who wants concise answers."],
        extractions=[
            [
                op("update_user_profile", name="Alice", quote="I'm Alice"),
                op("add_memory", content="Works as a research scientist", quote="a research scientist"),
                op("add_memory", content="Wants concise answers", quote="Keep your answers concise"),
            ],
            [],
        ],
    )
    agent.say("I'm Alice, a research scientist. Keep your answers concise, please.")
    assert agent.texts("user_profile") == ["name: Alice"]
    assert agent.texts("user_memory") == ["Works as a research scientist", "Wants concise answers"]
    agent.say("What do you know about me?", thread="c2")
    for known in ("name: Alice", "Works as a research scientist", "Wants concise answers"):
        assert known in agent.model.prompt("reply")
    assert agent.model.bound == []


def test_00_02_agentic_stores_only_what_a_tool_was_called_for(home: Home) -> None:
    learning = LearningMachine(user_profile=UserProfileConfig(mode=AGENTIC), user_memory=UserMemoryConfig(mode=AGENTIC))
    agent = home.agent(
        learning,
        replies=[
            "Hello.",
            call("update_user_profile", name="Alice"),
            call("add_memory", content="Wants concise answers"),
            "Noted.",
            "You are Alice and want concise answers.",
        ],
    )
    agent.say("I'm Alice and like concise answers.")
    assert agent.records() == []
    agent.say("Please remember that.")
    assert agent.texts() == ["name: Alice", "Wants concise answers"]
    agent.say("What do you know about me?", thread="c2")
    assert "name: Alice" in agent.model.prompt("reply")
    assert "Wants concise answers" in agent.model.prompt("reply")
    assert agent.model.calls == {"reply": 5}


def test_01_1a_profile_always_is_known_by_name_in_the_next_conversation(home: Home) -> None:
    agent = home.agent(
        LearningMachine(user_profile=True),
        replies=["Nice to meet you, Ali.", "Your name is Alice Chen; I call you Ali.", "I do not know."],
        extractions=[
            [
                op("update_user_profile", name="Alice Chen", quote="I'm Alice Chen"),
                op("update_user_profile", preferred_name="Ali", quote="call me Ali"),
            ],
            [],
            [],
        ],
    )
    agent.say("Hi! I'm Alice Chen, but please call me Ali.")
    learned = agent.records("user_profile")
    assert agent.of().profile() == UserProfile(name="Alice Chen", preferred_name="Ali")
    assert [record.source.quote for record in learned] == ["I'm Alice Chen", "call me Ali"]
    agent.say("What's my name again?", thread="c2")
    assert "name: Alice Chen" in agent.model.prompt("reply")
    assert "preferred_name: Ali" in agent.model.prompt("reply")
    assert agent.records("user_profile") == learned
    assert agent.model.bound == []
    agent.say("What's my name?", thread="c3", user="ben")
    assert "Alice" not in agent.model.prompt("reply")
    assert agent.records(user="ben") == []


def test_01_1b_profile_agentic_is_written_by_its_two_tools_only(home: Home) -> None:
    agent = home.agent(
        LearningMachine(user_profile=UserProfileConfig(mode=AGENTIC)),
        replies=[
            "Hello, Bob.",
            call("update_user_profile", name="Robert Johnson", preferred_name="Bob"),
            "Nice to meet you, Bob.",
            "You are Bob.",
        ],
    )
    agent.say("I'm Robert Johnson.", thread="c0")
    assert agent.records() == []
    agent.say("I'm Robert Johnson, but everyone calls me Bob.")
    assert agent.of().profile() == UserProfile(name="Robert Johnson", preferred_name="Bob")
    agent.say("What should you call me?", thread="c2")
    assert "preferred_name: Bob" in agent.model.prompt("reply")
    assert {tuple(names) for names in agent.model.bound} == {("update_user_profile", "clear_user_profile_field")}
    assert agent.model.calls["extraction"] == 0


def test_01_2a_memory_always_keeps_one_memory_for_each_thing_and_nothing_twice(home: Home) -> None:
    learned = ["Works at Anthropic", "Prefers a concise style", "Is writing a paper on transformers"]
    agent = home.agent(
        LearningMachine(user_memory=True),
        replies=["Good luck with the paper.", "Paris."],
        extractions=[[op("add_memory", content=content) for content in learned], []],
    )
    agent.say("I work at Anthropic, prefer a concise style and am writing a paper on transformers.")
    assert agent.texts("user_memory") == learned
    agent.say("What is the capital of France?", thread="c2")
    assert all(content in agent.model.prompt("reply") for content in learned)
    assert agent.texts("user_memory") == learned
    assert len(agent.of().commits()) == 1
    assert agent.model.bound == []


def test_01_2b_memory_agentic_updates_what_is_contradicted_and_keeps_both_in_the_commits(home: Home) -> None:
    agent = home.agent(
        LearningMachine(user_memory=UserMemoryConfig(mode=AGENTIC)),
        replies=[
            "Interesting.",
            call("add_memory", content="Is a backend engineer at Stripe, on distributed systems"),
            call("add_memory", content="Prefers Rust over Go"),
            "I will remember.",
            "Use Rust.",
            call("update_memory", id="m2", content="Prefers Go over Rust"),
            "Go, then.",
        ],
    )
    agent.say("I'm a backend engineer at Stripe, on distributed systems. Rust over Go.", thread="c0")
    assert agent.records() == []
    agent.say("Remember: backend engineer at Stripe, distributed systems, Rust over Go.")
    assert agent.texts() == ["Is a backend engineer at Stripe, on distributed systems", "Prefers Rust over Go"]
    agent.say("Which language for a new service?", thread="c2")
    assert "[m2] Prefers Rust over Go" in agent.model.prompt("reply")
    agent.say("I have changed my mind: Go over Rust.", thread="c3")
    assert agent.texts() == ["Is a backend engineer at Stripe, on distributed systems", "Prefers Go over Rust"]
    told = [[(change.kind, change.text) for change in commit.changes] for commit in agent.of().commits()]
    assert told[1:] == [[("add", "Prefers Rust over Go")], [("update", "Prefers Go over Rust")]]
    assert agent.model.calls["extraction"] == 0


def test_01_3a_session_summary_answers_the_third_turn_without_any_history(home: Home) -> None:
    summaries = [
        "Asked whether to use PUT or PATCH; the assistant advised PATCH for partial updates.",
        "The assistant advised PATCH for partial updates, then /users/{id}/orders for the URLs.",
        "PATCH and /users/{id}/orders were decided; the user asked for a recap.",
    ]
    agent = home.agent(
        LearningMachine(session_context=True),
        history=False,
        replies=["PATCH, for partial updates.", "/users/{id}/orders is clear.", "PATCH and /users/{id}/orders."],
        extractions=[[op("update_session_context", summary=summary)] for summary in summaries],
    )
    questions = ["REST: PUT or PATCH?", "And how do I design the URLs?", "What did we decide?"]
    for turn, question in enumerate(questions):
        agent.say(question)
        [record] = agent.records("session_context", thread="c1")
        assert (record.content, record.version) == ({"summary": summaries[turn]}, turn + 1)
    # the answer of the same turn is what there is to sum up
    assert "PATCH, for partial updates." in agent.model.prompt("extraction", 0)
    assert summaries[1] in agent.model.prompt("reply")
    assert questions[0] not in agent.model.prompt("reply")
    assert [len(commit.changes) for commit in agent.of().commits()] == [1, 1, 1]
    assert agent.records("session_context", thread="c2") == []


def test_01_3b_session_planning_goes_from_step_to_step_and_forgets_none(home: Home) -> None:
    plan: list[JsonValue] = ["Build the image", "Push it to the registry", "Roll it out"]
    agent = home.agent(
        LearningMachine(session_context=SessionContextConfig(enable_planning=True)),
        replies=["Here are three steps.", "Well done.", "What is left: roll it out."],
        extractions=[
            [op("update_session_context", summary="Planned.", goal="Deploy the service", plan=plan, progress=[])],
            [op("update_session_context", summary="Built.", goal=None, plan=None, progress=["Build the image"])],
            [op("update_session_context", summary="Pushed.", goal="", plan=[], progress=["push it to the REGISTRY"])],
        ],
    )

    def stands() -> dict[str, object]:
        [record] = agent.records("session_context", thread="c1")
        return {key: record.content.get(key) for key in ("goal", "plan", "progress")}

    agent.say("I want to deploy my service in three steps.")
    assert stands() == {"goal": "Deploy the service", "plan": plan, "progress": None}
    agent.say("Step 1 is done.")
    assert stands() == {"goal": "Deploy the service", "plan": plan, "progress": ["Build the image"]}
    agent.say("Step 2 is done, what is left?")
    assert stands()["plan"] == plan
    assert stands()["progress"] == ["Build the image", "push it to the REGISTRY"]
    text = agent.of(thread="c1").recall("what is left?").text
    assert "Step 1 (done): Build the image" in text
    assert "Step 2 (done): Push it to the registry" in text
    assert "Step 3: Roll it out" in text


class Detailed(UserProfile):
    """A profile with more fields than a turn may change."""

    company: str | None = None
    role: str | None = None
    city: str | None = None
    language: str | None = None
    team: str | None = None


def test_01_6_limits_cap_the_changes_of_each_learning_store_and_leave_the_reply_alone(home: Home) -> None:
    fields = ["name", "preferred_name", "company", "role", "city", "language", "team"]
    dense = [op("update_user_profile", **{field: f"any {field}"}) for field in fields]
    dense += [op("add_memory", content=f"Likes thing number {n}") for n in range(9)]
    agent = home.agent(
        LearningMachine(
            user_profile=UserProfileConfig(schema=Detailed),
            user_memory=UserMemoryConfig(max_updates_per_run=3),
            max_updates_per_run=5,
        ),
        replies=["That is a lot."],
        extractions=[dense],
    )
    assert agent.say("Everything about me: ...") == "That is a lot."
    assert agent.texts("user_profile") == [f"{field}: any {field}" for field in fields[:5]]
    assert agent.texts("user_memory") == [f"Likes thing number {n}" for n in range(3)]
    [commit] = agent.of().commits()
    assert len(commit.refused) == 8
    assert {refusal.reason for refusal in commit.refused} == {
        "over the limit of 5 changes a turn",
        "over the limit of 3 changes a turn",
    }
    assert agent.model.calls == {"reply": 1, "extraction": 1}


def test_06_02_shorthand_is_profile_and_memory_always(home: Home) -> None:
    agent = home.agent(
        learning=True,
        replies=["Hi."],
        extractions=[[op("update_user_profile", name="Alex"), op("add_memory", content="Prefers short answers")]],
    )
    agent.say("I'm Alex, be short.")
    [schema] = agent.model.schemas
    choices = schema["properties"]["operations"]["items"]["anyOf"]
    assert [choice["properties"]["operation"]["enum"] for choice in choices] == [
        ["update_user_profile"],  # what needs a record is offered once there is one
        ["add_memory"],
    ]
    assert {record.store for record in agent.records()} == {"user_profile", "user_memory"}
    assert agent.model.bound == []


def test_06_03_without_a_store_the_first_run_names_the_three_ways_to_give_one(colour: Colour) -> None:
    model = ScriptedChatModel(replies=["Hi."], extractions=[[]])
    agent = Agent(create_learning_agent(model), model, LearningMachine(), InMemoryStore(), colour)
    with pytest.raises(ConfigurationError) as told:
        agent.say("Hi")
    for way in ("db=connect(url)", "LearningMachine(store=...)", "compile(store=...)"):
        assert way in str(told.value)
    assert model.calls == {}
