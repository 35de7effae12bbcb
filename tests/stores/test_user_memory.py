import pytest
from pydantic import JsonValue
from stores.plans import after, planned

from langgraph_learning import UserMemoryConfig
from langgraph_learning.records import Record
from langgraph_learning.stores import UserMemoryStore

STORE = UserMemoryStore()


def remembered(*contents: str) -> tuple[Record, ...]:
    """What is remembered after these were added one by one."""
    operations: list[tuple[str, dict[str, JsonValue]]] = [("add_memory", {"content": content}) for content in contents]
    return after(STORE, *operations)


def added(*contents: str) -> list[str]:
    return [record.text for record in remembered(*contents)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Likes tea", "Likes tea"),
        ("Likes tea", "likes TEA."),
        ("The user likes tea", "Likes tea"),
        ("Works in Zürich", "works in Zurich"),
        ("Has a café in Paris", "has a Café in Paris!"),
        ("User's cat is called Mia", "The user’s cat is called Mia"),
        ("喜欢喝茶", "喜欢喝茶。"),
        ("🎉", "🎉"),
    ],
)
def test_near_duplicates_are_stored_once(one: str, other: str) -> None:
    assert added(one, other) == [one]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Prefers Rust over Go", "Prefers Go over Rust"),
        ("Likes tea", "Does not like tea"),
        ("Likes tea", "Likes no tea"),
        ("Never drinks tea", "Drinks tea"),
        ("Has 2 cats", "Has 3 cats"),
        ("Is 41 years old", "Is 42 years old"),
        ("Flies from Paris to Rome", "Flies from Rome to Paris"),
        ("Anna introduced Ben", "Ben introduced Anna"),
        ("Drinks tea before coffee", "Drinks coffee before tea"),
        ("Will move to Berlin", "Did move to Berlin"),
        ("喜欢喝茶", "不喜欢喝茶"),
        ("🎉", "🚀"),
        ("Likes C", "Likes C++"),
    ],
)
def test_what_differs_in_order_negation_number_or_tense_is_kept_twice(one: str, other: str) -> None:
    assert added(one, other) == [one, other]


def test_an_update_replaces_the_statement_of_the_memory_that_is_named() -> None:
    records = remembered("Likes tea", "Likes cake", "Has a cat")
    for record in records:
        [change] = planned(STORE, records, "update_memory", id=record.id, content="Something else")
        assert (change.kind, change.id) == ("update", record.id)
        [change] = planned(STORE, records, "delete_memory", id=record.id)
        assert (change.kind, change.id, change.text) == ("remove", record.id, record.text)
        assert planned(STORE, records, "update_memory", id=record.id, content=record.text) == []


@pytest.mark.parametrize(
    ("option", "operation"),
    [("enable_add", "add_memory"), ("enable_update", "update_memory"), ("enable_delete", "delete_memory")],
)
def test_an_operation_that_is_not_enabled_is_not_offered(option: str, operation: str) -> None:
    def offered(config: UserMemoryConfig) -> set[str]:
        return {kind.__name__ for kind in UserMemoryStore(config).operations}

    everything = offered(UserMemoryConfig())
    assert everything == {"add_memory", "update_memory", "delete_memory"}
    options: dict[str, bool] = {option: False}
    assert offered(UserMemoryConfig(**options)) == everything - {operation}  # type: ignore[arg-type]
