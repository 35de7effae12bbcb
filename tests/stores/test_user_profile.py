from datetime import date

import pytest
from pydantic import Field, JsonValue
from stores.plans import after, planned

from langgraph_learning import UserProfileConfig
from langgraph_learning.records import Update
from langgraph_learning.schemas import UserProfile
from langgraph_learning.stores import Refused, UserProfileStore

UPDATE, CLEAR = "update_user_profile", "clear_user_profile_field"


class Developer(UserProfile):
    """Fields of many types."""

    languages: list[str] = Field(default=[])
    years: int | None = None
    remote: bool | None = None
    links: dict[str, str] = Field(default={})
    born: date | None = None


STORE = UserProfileStore(UserProfileConfig(schema=Developer))


def texts(*operations: tuple[str, dict[str, JsonValue]]) -> list[str]:
    return [record.text for record in after(STORE, *operations)]


def test_each_field_is_a_record_of_its_own() -> None:
    records = after(STORE, (UPDATE, {"name": "Alice", "years": 12, "remote": True}))
    assert [(record.id, record.text) for record in records] == [
        ("user_profile:name", "name: Alice"),
        ("user_profile:years", "years: 12"),
        ("user_profile:remote", "remote: yes"),
    ]


def test_a_field_that_is_told_again_is_updated_and_others_are_left() -> None:
    records = after(STORE, (UPDATE, {"name": "Alice", "years": 12}), (UPDATE, {"years": 13}))
    assert [(record.text, record.version) for record in records] == [("name: Alice", 1), ("years: 13", 2)]


def test_the_same_value_again_changes_nothing() -> None:
    records = after(STORE, (UPDATE, {"name": "Alice", "languages": ["Go"]}))
    assert planned(STORE, records, UPDATE, name="Alice", languages=["go"]) == []


def test_a_field_that_was_set_aside_counts_again_when_it_is_told_again() -> None:
    [record] = after(STORE, (UPDATE, {"name": "Alice"}))
    [change] = planned(STORE, [record.model_copy(update={"status": "archived"})], UPDATE, name="Alice")
    assert isinstance(change, Update)
    assert (change.text, change.status) == ("name: Alice", "active")


def test_lists_merge_and_hold_nothing_twice() -> None:
    assert texts((UPDATE, {"languages": ["Python", "Go"]}), (UPDATE, {"languages": ["python", "Rust", "Rust"]})) == [
        "languages: Python, Go, Rust"
    ]


def test_null_leaves_a_field_and_clear_alone_empties_it() -> None:
    told: tuple[str, dict[str, JsonValue]] = (UPDATE, {"name": "Alice", "languages": ["Go"]})
    assert texts(told, (UPDATE, {"name": None, "languages": None})) == ["name: Alice", "languages: Go"]
    assert texts(told, (CLEAR, {"field": "languages"})) == ["name: Alice"]
    # what is told after it was cleared does not meet the old list again
    assert texts(told, (CLEAR, {"field": "languages"}), (UPDATE, {"languages": ["Rust"]})) == [
        "name: Alice",
        "languages: Rust",
    ]


def test_clearing_what_is_not_set_or_does_not_exist_is_refused() -> None:
    with pytest.raises(Refused, match="years is not set"):
        planned(STORE, (), CLEAR, field="years")
    with pytest.raises(Refused, match="hobby is not set"):
        planned(STORE, (), CLEAR, field="hobby")
    closed = UserProfileStore(UserProfileConfig(schema=Developer, open_fields=False))
    with pytest.raises(ValueError, match="Input should be"):
        planned(closed, (), CLEAR, field="hobby")


def test_a_profile_is_an_object_of_its_schema_with_its_types() -> None:
    fields: dict[str, JsonValue] = {
        "name": "Alice",
        "years": 12,
        "links": {"web": "example.com"},
        "born": "1990-05-17",
    }
    profile = STORE.profile(after(STORE, (UPDATE, fields)))
    assert isinstance(profile, Developer)
    assert (profile.name, profile.years, profile.born) == ("Alice", 12, date(1990, 5, 17))
    assert profile.links == {"web": "example.com"}
    assert (profile.preferred_name, profile.languages, profile.remote) == (None, [], None)
    assert STORE.profile(()) == Developer()


def test_a_required_field_that_is_not_known_yet_is_none() -> None:
    class Strict(UserProfile):
        badge: int

    store = UserProfileStore(UserProfileConfig(schema=Strict))
    profile = store.profile(after(store, (UPDATE, {"name": "Alice"})))
    assert isinstance(profile, Strict)
    assert profile.name == "Alice"
    assert vars(profile)["badge"] is None
