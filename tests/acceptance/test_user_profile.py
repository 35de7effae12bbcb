"""The rows of the cookbook's user profile pages."""

from acceptance.driver import Home
from pydantic import Field

from langgraph_learning import LearningMachine, LearningMode, UserProfileConfig
from langgraph_learning.schemas import UserProfile
from langgraph_learning.testing import call, op


def test_02_01_always_accumulates_fields_over_four_conversations_and_loses_none(home: Home) -> None:
    agent = home.agent(
        LearningMachine(user_profile=True),
        replies=["Hi Marcus.", "Good to know.", "Code it is.", "Sure, Marc."],
        extractions=[
            [op("update_user_profile", name="Marcus", quote="I'm Marcus")],
            [op("update_user_profile", role="senior engineer", quote="a senior engineer")],
            [op("update_user_profile", name=None, preferred_name=None, style="code over prose")],
            [op("update_user_profile", name=None, preferred_name="Marc", quote="call me Marc")],
        ],
    )
    said = ["I'm Marcus.", "I'm a senior engineer.", "I prefer code over prose.", "Please call me Marc."]
    for number, text in enumerate(said):
        agent.say(text, thread=f"c{number}")
    assert agent.of().profile() == UserProfile(name="Marcus", preferred_name="Marc")
    # what the schema has no field for is nowhere in the profile
    assert [record.content for record in agent.records()] == [{"name": "Marcus"}, {"preferred_name": "Marc"}]
    assert "name: Marcus" in agent.model.prompt("reply")


def test_02_02_agentic_takes_the_newer_name_and_the_commits_tell_both_with_their_sources(home: Home) -> None:
    agent = home.agent(
        LearningMachine(user_profile=UserProfileConfig(mode=LearningMode.AGENTIC)),
        replies=[
            call("update_user_profile", name="Jordan Chen", preferred_name="JC"),
            "Hello, JC.",
            "You are Jordan Chen, and go by JC.",
            call("update_user_profile", preferred_name="Jordan"),
            "Hello, Jordan.",
        ],
    )
    agent.say("I'm Jordan Chen, people call me JC.", thread="c1")
    assert agent.of().profile() == UserProfile(name="Jordan Chen", preferred_name="JC")
    agent.say("Who am I?", thread="c2")
    assert "preferred_name: JC" in agent.model.prompt("reply")
    state = agent.turn("Call me Jordan, actually.", thread="c3")
    assert agent.of().profile() == UserProfile(name="Jordan Chen", preferred_name="Jordan")
    first, second = agent.of().commits()
    assert [change.text for change in first.changes] == ["name: Jordan Chen", "preferred_name: JC"]
    assert [(change.kind, change.text) for change in second.changes] == [("update", "preferred_name: Jordan")]
    assert [change.source.thread_id for commit in (first, second) for change in commit.changes] == ["c1", "c1", "c3"]
    assert second.changes[0].source.message_ids == (state["messages"][0].id,)
    assert agent.model.calls["extraction"] == 0


class DeveloperProfile(UserProfile):
    """What there is to know about a developer."""

    company: str | None = Field(None, description="The employer's legal name")
    role: str | None = None
    primary_language: str | None = None
    languages: list[str] = Field(default=[], description="Every programming language they use")
    frameworks: list[str] = Field(default=[])
    experience_years: int | None = None


def test_02_03_a_custom_schema_keeps_its_types_and_merges_its_lists(home: Home) -> None:
    agent = home.agent(
        LearningMachine(user_profile=UserProfileConfig(schema=DeveloperProfile)),
        replies=["Impressive.", "Noted.", "You use Rust, too."],
        extractions=[
            [
                op(
                    "update_user_profile",
                    company="Stripe",
                    languages=["Python", "Go"],
                    frameworks=["FastAPI"],
                    experience_years=12,
                    hobby="chess",
                )
            ],
            [op("update_user_profile", languages=["Rust", "python"], experience_years="thirteen")],
            [],
        ],
    )
    agent.say("12 years, at Stripe, Python and Go with FastAPI; I play chess.")
    agent.say("And Rust.", thread="c2")
    profile = agent.of().profile()
    assert isinstance(profile, DeveloperProfile)
    assert profile.experience_years == 12
    assert profile.languages == ["Python", "Go", "Rust"]
    assert profile.frameworks == ["FastAPI"]
    assert profile.company == "Stripe"
    schema = str(agent.model.schemas[0])
    assert "The employer's legal name" in schema
    assert "Every programming language they use" in schema
    refused = [refusal.reason for commit in agent.of().commits() for refusal in commit.refused]
    assert [reason.partition(":")[0] for reason in refused] == ["hobby", "experience_years"]
    agent.say("What do I work with?", thread="c3")
    assert "languages: Python, Go, Rust" in agent.model.prompt("reply")
