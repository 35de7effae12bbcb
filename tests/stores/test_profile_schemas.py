"""For any schema that a profile's configuration takes: what fits the wire is taken, and a profile can be read."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, JsonValue, create_model
from stores.plans import ALICE, AT, after

from langgraph_learning import LearningMachine, UserProfileConfig
from langgraph_learning._engine.learning.operation_schema import operation_schema, read_operation
from langgraph_learning._engine.repository import ScopeSnapshot
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.json_schema import Schema
from langgraph_learning.records import Record, Scope
from langgraph_learning.schemas import UserProfile
from langgraph_learning.stores import UserProfileStore

UPDATE, CLEAR = "update_user_profile", "clear_user_profile_field"


class Level(Enum):
    """How well."""

    LOW = "low"
    HIGH = "high"


class Size(Enum):
    """How much."""

    SMALL = 1
    LARGE = 2


class Address(BaseModel):
    """Where."""

    city: str
    zip: str | None = None
    floor: int = 0
    tags: list[str] = Field(default=[])


@dataclass
class Pet:
    """A schema of the standard library."""

    name: str
    age: int | None = None


LEAVES: list[Any] = [str, int, float, bool, Level, Size, Literal["a", "b"], Literal[1, "b"], Address, Pet]
KEYS: list[Any] = [str, int, Level, Literal["x", "y"]]


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        inner.map(lambda kind: list[kind]),  # type: ignore[valid-type]
        st.tuples(st.sampled_from(KEYS), inner).map(lambda pair: dict[pair[0], pair[1]]),  # type: ignore[valid-type]
        st.tuples(inner, inner).map(lambda pair: tuple[pair[0], pair[1]]),  # type: ignore[valid-type]
        inner.map(lambda kind: tuple[kind, ...]),  # type: ignore[valid-type]
        inner.map(lambda kind: kind | None),
        st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1]),
        inner.map(lambda kind: Annotated[list[kind], Field(max_length=2)]),  # type: ignore[valid-type]
    )


TYPES = st.recursive(st.sampled_from(LEAVES), containers, max_leaves=4)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@st.composite
def answers(draw: st.DrawFn, wire: Schema) -> JsonValue:
    """A value that fits a schema as it is sent, and nothing else about it."""
    if choices := cast("list[Schema]", wire.get("anyOf", [])):
        return draw(answers(draw(st.sampled_from(choices))))
    if "enum" in wire:
        return draw(st.sampled_from(cast("list[JsonValue]", wire["enum"])))
    kind = wire["type"]
    if kind == "array":
        return [draw(answers(cast("Schema", wire["items"]))) for _ in range(draw(st.integers(0, 2)))]
    if kind == "object":
        return {name: draw(answers(part)) for name, part in cast("dict[str, Schema]", wire["properties"]).items()}
    simple: dict[JsonValue, st.SearchStrategy[JsonValue]] = {
        "string": TEXT,
        "integer": st.integers(-(2**53), 2**53),
        "number": st.floats(allow_nan=False, allow_infinity=False, width=32),
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return draw(simple[kind])


def applied(store: UserProfileStore, records: tuple[Record, ...], told: dict[str, JsonValue]) -> tuple[Record, ...]:
    """The records after an answer that has to be taken as a whole."""
    _, operation, refused = read_operation([store], UPDATE, json.loads(json.dumps(told)))
    assert refused == [], refused
    if operation is None:  # all of it was blank
        return records
    scope = store.scope(ALICE)
    assert isinstance(scope, Scope)
    return ScopeSnapshot(store, scope, records).with_changes(store.plan(operation, records), AT).records


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_fits_the_wire_is_taken_and_the_profile_is_read_after_any_two_updates(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(TYPES, min_size=1, max_size=3))
    fields: dict[str, Any] = {f"field_{place}": (kind | None, None) for place, kind in enumerate(kinds)}
    schema = create_model("Mine", __base__=UserProfile, **fields)
    store = UserProfileStore(UserProfileConfig(schema=schema))
    wire = operation_schema(store.operations[0], quoted=False)
    records: tuple[Record, ...] = ()
    for _ in range(2):
        told = cast("dict[str, JsonValue]", data.draw(answers(wire)))
        told.pop("operation")
        records = applied(store, records, told)
        profile = store.profile(records)
        assert isinstance(profile, schema)
        known = {name for record in records for name in record.content}
        assert all(getattr(profile, name) is not None for name in known)


class Typed(UserProfile):
    """Fields of every kind."""

    years: int | None = None
    height: float | None = None
    home: tuple[float, float] | None = None
    top: Annotated[list[str], Field(max_length=2)] = Field(default=[])
    languages: list[str] = Field(default=[])
    address: Address | None = None
    scores: dict[str, int] = Field(default={})
    pets: list[Pet] = Field(default=[])
    choice: Literal[1, "b"] | None = None


STORE = UserProfileStore(UserProfileConfig(schema=Typed))


def profile(*updates: dict[str, JsonValue]) -> Typed:
    records: tuple[Record, ...] = ()
    for update in updates:
        records = applied(STORE, records, update)
    return cast("Typed", STORE.profile(records))


def test_a_number_that_is_given_as_text_is_a_number() -> None:
    known = profile({"years": "7", "height": " 1.8 ", "home": {"item_1": "52.5", "item_2": 13}})
    assert (known.years, known.height, known.home) == (7, 1.8, (52.5, 13.0))


def test_tuples_and_bounded_lists_are_replaced_and_other_lists_added_to() -> None:
    known = profile(
        {"home": [52.5, 13.4], "top": ["tea", "cake"], "languages": ["Go"]},
        {"home": [41.9, 12.5], "top": ["pizza"], "languages": ["go", "Rust"]},
    )
    assert (known.home, known.top, known.languages) == ((41.9, 12.5), ["pizza"], ["Go", "Rust"])


def test_nested_models_and_dicts_are_merged_by_key() -> None:
    known = profile(
        {"address": {"city": "Berlin", "zip": "10115", "floor": 3}, "scores": {"chess": 1, "go": 2}},
        {"address": {"city": "", "zip": "", "floor": 4, "tags": []}, "scores": [{"key": "go", "value": 5}]},
    )
    assert known.address == Address(city="Berlin", zip="10115", floor=4)
    assert known.scores == {"chess": 1, "go": 5}


def test_a_list_of_models_holds_nothing_twice() -> None:
    known = profile({"pets": [{"name": "Rex", "age": None}]}, {"pets": [{"name": "rex", "age": 3}, {"name": "Tom"}]})
    assert known.pets == [Pet("rex", 3), Pet("Tom")]


def test_a_literal_keeps_its_types() -> None:
    assert profile({"choice": 1}).choice == 1
    assert profile({"choice": "b"}).choice == "b"


def test_a_number_that_is_none_costs_its_field_alone() -> None:
    _, operation, refused = read_operation([STORE], UPDATE, {"height": math.nan, "years": 7, "scores": {"a": math.inf}})
    assert operation is not None
    assert operation.model_dump(exclude_unset=True) == {"years": 7}
    assert [refusal.reason for refusal in refused] == ["height: not a finite number", "scores: not a finite number"]


def test_a_model_that_refers_to_itself_is_refused_when_it_is_configured() -> None:
    class Person(UserProfile):
        children: "list[Person]" = Field(default=[])

    with pytest.raises(ConfigurationError, match="refers to itself"):
        UserProfileConfig(schema=Person)

    class Odd(UserProfile):
        callback: Callable[[], int] | None = None

    with pytest.raises(ConfigurationError, match="JSON cannot hold"):
        UserProfileConfig(schema=Odd)


def test_a_schema_that_is_decorated_as_a_dataclass_keeps_its_descriptions_and_works() -> None:
    @dataclass
    class Developer(UserProfile):
        company: str | None = field(default=None, metadata={"description": "Where they work"})

    store = UserProfileStore(UserProfileConfig(schema=Developer))
    wire = cast("dict[str, Schema]", operation_schema(store.operations[0])["properties"])
    assert wire["company"] == {"type": "string", "description": "Where they work"}
    known = store.profile(applied(store, (), {"company": "Acme", "name": "Ada"}))
    assert (getattr(known, "company", None), getattr(known, "name", None)) == ("Acme", "Ada")


def test_what_no_longer_fits_its_schema_is_left_out_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    class Before(UserProfile):
        years: str | None = None

    class After(UserProfile):
        years: int | None = None

    old = UserProfileStore(UserProfileConfig(schema=Before))
    records = applied(old, (), {"years": "many", "name": "Ada"})
    new = UserProfileStore(UserProfileConfig(schema=After))
    assert new.profile(records) == After(name="Ada")
    assert "years no longer fits its field" in caplog.text


def test_further_facts_are_a_record_each_under_one_spelling_of_their_name() -> None:
    store = UserProfileStore()
    records = applied(store, (), {"name": "Alice", "details": [{"key": "Employer", "value": "Netflix"}]})
    records = applied(store, records, {"details": {"employer": "Disney", "city": "Rome", "note": " "}})
    assert [(record.id, record.text) for record in records] == [
        ("user_profile:name", "name: Alice"),
        ("user_profile:details.employer", "employer: Disney"),
        ("user_profile:details.city", "city: Rome"),
    ]
    assert store.profile(records) == UserProfile(name="Alice", details={"employer": "Disney", "city": "Rome"})
    cleared = after(store, (UPDATE, {"details": {"employer": "Disney"}}), (CLEAR, {"field": "Employer"}))
    assert cleared == ()


def test_a_further_fact_that_is_called_like_a_field_is_that_field() -> None:
    store = UserProfileStore()
    records = applied(store, (), {"details": {"preferred name": "Ali"}})
    assert [record.id for record in records] == ["user_profile:preferred_name"]


def test_without_open_fields_there_are_no_further_facts() -> None:
    store = UserProfileStore(UserProfileConfig(open_fields=False))
    assert "details" not in cast("Schema", operation_schema(store.operations[0])["properties"])
    _, operation, refused = read_operation([store], UPDATE, {"name": "Ada", "details": {"employer": "Netflix"}})
    assert operation is not None
    assert [change.text for change in store.plan(operation, ())] == ["name: Ada"]
    assert [refusal.reason for refusal in refused] == ["details: there is no such field"]
    assert LearningMachine(user_profile=UserProfileConfig(open_fields=False)).stores[0].extraction_instructions


def test_one_item_of_a_list_can_be_taken_out() -> None:
    told: tuple[str, dict[str, JsonValue]] = (
        UPDATE,
        {"languages": ["Go", "Rust"], "pets": [{"name": "Rex", "age": 3}]},
    )
    [languages, pets] = after(STORE, told, (CLEAR, {"field": "languages", "item": "go"}))
    assert languages.content == {"languages": ["Rust"]}
    assert pets.content["pets"]
    [left] = after(STORE, told, (CLEAR, {"field": "pets", "item": "Rex"}))
    assert left.content == {"languages": ["Go", "Rust"]}
