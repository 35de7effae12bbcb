"""What `scoped()` is given, and the profile in the types of its schema."""

from datetime import UTC, datetime
from typing import Any, assert_type

import pytest
from langgraph.store.memory import InMemoryStore
from pydantic import Field

from langgraph_learning import EntityMemoryConfig, LearningMachine, SessionContextConfig, UserProfileConfig
from langgraph_learning.errors import ConfigurationError, ScopeError
from langgraph_learning.schemas import UserProfile
from langgraph_learning.testing import ScriptedChatModel, op


class DeveloperProfile(UserProfile):
    """Fields of one's own."""

    languages: list[str] = Field(default=[])


def test_a_thread_is_named_by_a_number_or_a_text() -> None:
    model = ScriptedChatModel(extractions=[[op("update_session_context", summary="Tea.")]])
    machine = LearningMachine(model=model, session_context=SessionContextConfig(), store=InMemoryStore())
    machine.scoped(user_id="ada", thread_id=7).learn([("user", "Tea, please")])
    assert [record.text for record in machine.scoped(user_id="ada", thread_id="7").records()] == ["Tea."]


@pytest.mark.parametrize("thread", [True, 1.5, ["c1"], object()])
def test_what_names_no_thread_is_refused(thread: object) -> None:
    with pytest.raises(ScopeError, match="thread_id is a str or an int"):
        LearningMachine(store=InMemoryStore()).scoped(user_id="ada", thread_id=thread)  # type: ignore[arg-type]


def test_no_time_zone_is_utc_and_a_wrong_one_is_refused() -> None:
    machine = LearningMachine(store=InMemoryStore())
    assert machine.scoped(timezone=None).identity.timezone == "UTC"
    assert machine.scoped(timezone="Europe/Berlin").identity.timezone == "Europe/Berlin"
    for wrong in ("Mars/Olympus", "", 5):
        with pytest.raises(ConfigurationError, match="no IANA time zone"):
            machine.scoped(timezone=wrong)  # type: ignore[arg-type]


async def test_a_profile_has_the_type_of_the_schema_that_is_asked_for() -> None:
    model = ScriptedChatModel(extractions=[[op("update_user_profile", name="Ada", languages=["Rust"])]])
    config = UserProfileConfig(schema=DeveloperProfile)
    ada = LearningMachine(model=model, user_profile=config, store=InMemoryStore()).scoped(user_id="ada")
    ada.learn([("user", "I'm Ada, I write Rust")])
    assert_type(ada.profile(), UserProfile)
    assert_type(ada.profile(DeveloperProfile), DeveloperProfile)
    assert ada.profile(DeveloperProfile).languages == ["Rust"]
    assert (await ada.aprofile(DeveloperProfile)).languages == ["Rust"]
    assert ada.profile() == await ada.aprofile() == ada.profile(DeveloperProfile)


async def test_a_profile_of_another_schema_is_refused() -> None:
    ada = LearningMachine(user_profile=True, store=InMemoryStore()).scoped(user_id="ada")
    with pytest.raises(ConfigurationError, match=r"UserProfileConfig\(schema=DeveloperProfile\)"):
        ada.profile(DeveloperProfile)
    with pytest.raises(ConfigurationError, match="the configured schema is UserProfile"):
        await ada.aprofile(DeveloperProfile)


def test_what_messages_without_ids_teach_is_dated_by_when_they_were_said() -> None:
    facts = [
        op("add_memory", content="Lives in Rome", quote="I live in Rome"),
        op("remember_about", entity="Mo", entity_type="person", events=[{"content": "Visited", "date": "yesterday"}]),
    ]
    moved = [op("update_memory", id="m1", content="Lives in Oslo", quote="I live in Oslo now")]
    machine = LearningMachine(
        model=ScriptedChatModel(extractions=[facts, moved]),
        user_memory=True,
        entity_memory=EntityMemoryConfig(namespace="user"),
        store=InMemoryStore(),
    )
    ada = machine.scoped(user_id="ada")
    ada.learn([("user", "I live in Rome. Mo visited yesterday.")], at=datetime(2026, 1, 10, tzinfo=UTC))
    ada.learn([("user", "I live in Oslo now.")], at=datetime(2026, 3, 10, tzinfo=UTC))
    assert "2026-01-09" in " ".join(record.text for record in ada.records("entity_memory"))
    [memory] = ada.records("user_memory")
    assert memory.valid_from == datetime(2026, 3, 10, tzinfo=UTC)
    assert "Rome" in ada.recall("Where do I live?", at=datetime(2026, 2, 1, tzinfo=UTC)).text


@pytest.mark.parametrize("call", ["recall", "search"])
def test_a_time_that_is_none_is_refused_with_what_to_give(call: str) -> None:
    ada: Any = LearningMachine(user_memory=True, store=InMemoryStore()).scoped(user_id="ada")
    with pytest.raises(ConfigurationError, match="give a datetime"):
        getattr(ada, call)("tea", at="2026-01-01")
