"""What goes over the wire is in the subset that every provider's grammar knows."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from langgraph_learning import SessionContextConfig, UserProfileConfig
from langgraph_learning._engine.learning.operation_schema import answer_schema
from langgraph_learning.json_schema import unions
from langgraph_learning.schemas import UserProfile
from langgraph_learning.stores import (
    EntityMemoryStore,
    LearnedKnowledgeStore,
    SessionContextStore,
    UserMemoryStore,
    UserProfileStore,
)
from langgraph_learning.stores.operations import tool_schema


class Level(Enum):
    """How well."""

    LOW = "low"
    HIGH = "high"


class Address(BaseModel):
    """A nested object."""

    city: str = Field("Berlin", max_length=50, description="Where")
    zip: str | None = Field(None, pattern=r"^\d+$")


@dataclass
class Pet:
    """A schema of the standard library."""

    kind: str = field(metadata={"description": "Dog, cat, ..."})
    age: int | None = None


class Everything(UserProfile):
    """A profile with all that pydantic writes into a schema."""

    email: str | None = Field(None, description="Their e-mail", json_schema_extra={"format": "email"})
    age: Annotated[int, Field(ge=0, le=150, multiple_of=1)] | None = None
    level: Level | None = None
    level_twice: Level = Level.LOW
    mood: Literal["good", "bad"] = "good"
    only: Literal["one"] | None = None
    address: Address | None = None
    addresses: list[Address] = Field(default=[], min_length=0, max_length=9)
    scores: dict[str, float] = Field(default={})
    anything: dict[str, Any] = Field(default={})
    pair: str | int | None = None
    born: date | None = None
    seen: datetime | None = None
    home: tuple[float, float] | None = None
    mixed: Literal[1, "b"] | None = None
    by_level: dict[Level, int] = Field(default={})
    pets: list[Pet] = Field(default=[])


STORES = (
    UserProfileStore(UserProfileConfig(schema=Everything)),
    UserMemoryStore(),
    SessionContextStore(SessionContextConfig(enable_planning=True)),
    EntityMemoryStore(),
)
OPERATIONS = [kind for store in STORES for kind in store.operations]
TOOLS = [*OPERATIONS, *(kind for store in STORES for kind in store.searches)]
SCHEMA: dict[str, Any] = answer_schema(OPERATIONS)
KNOWN = {"type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "description", "title"}


def schemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every schema inside a schema; the names of properties are no keywords."""
    yield schema
    for inner in schema.get("properties", {}).values():
        yield from schemas(inner)
    for choice in schema.get("anyOf", []):
        yield from schemas(choice)
    if "items" in schema:
        yield from schemas(schema["items"])


def test_it_holds_only_the_keywords_that_every_provider_knows() -> None:
    found = {key for schema in schemas(SCHEMA) for key in schema}
    assert found <= KNOWN
    assert not found & {"oneOf", "allOf", "$ref", "$defs", "const", "default", "format", "pattern", "maxLength"}
    assert not found & {"minimum", "maximum", "exclusiveMinimum", "multipleOf", "maxItems", "minItems", "minLength"}


def test_every_object_is_closed_and_requires_every_key() -> None:
    objects = [schema for schema in schemas(SCHEMA) if schema.get("type") == "object"]
    assert len(objects) > len(OPERATIONS)
    for schema in objects:
        assert schema["required"] == list(schema["properties"])
        assert schema["additionalProperties"] is False


def test_every_schema_has_a_type_or_choices_that_do() -> None:
    for schema in schemas(SCHEMA):
        assert schema.get("type") or schema.get("anyOf")
        if schema.get("type") == "array":
            assert schema["items"]


def test_the_operation_comes_first_as_an_enum_of_its_own_name_then_the_quote_then_the_claim() -> None:
    items = SCHEMA["properties"]["operations"]["items"]["anyOf"]
    for kind, schema in zip(OPERATIONS, items, strict=True):
        names = list(schema["properties"])
        assert names[:2] == ["operation", "quote"]
        assert len(names) > 2
        assert schema["properties"]["operation"] == {"type": "string", "enum": [kind.__name__]}
        assert schema["description"]


def profile_field(name: str) -> dict[str, Any]:
    """A field of the profile as an agent's tool takes it."""
    [found] = [kind for kind in OPERATIONS if kind.__name__ == "update_user_profile"]
    field = tool_schema(found)["properties"]
    assert isinstance(field, dict)
    return dict(field[name])  # type: ignore[arg-type, call-overload, unused-ignore]


def profile_wire(name: str) -> dict[str, Any]:
    """A field of the profile as an extraction is asked for it: every key required, blank if not given."""
    kinds = SCHEMA["properties"]["operations"]["items"]["anyOf"]
    [asked] = [kind for kind in kinds if kind["properties"]["operation"]["enum"] == ["update_user_profile"]]
    return dict(asked["properties"][name])


def test_what_is_optional_may_be_left_out_of_a_tool_call_and_is_never_null_there() -> None:
    [update] = [kind for kind in OPERATIONS if kind.__name__ == "update_user_profile"]
    assert tool_schema(update)["required"] == []
    for name in Everything.model_fields:
        assert {"type": "null"} not in profile_field(name).get("anyOf", []), name


def test_an_answer_has_a_blank_for_all_that_is_text_a_list_or_made_of_them() -> None:
    for name in ("name", "email", "addresses", "scores", "address", "born"):
        assert "anyOf" not in profile_wire(name), name
    assert profile_wire("level")["enum"] == ["low", "high", ""]
    assert profile_wire("age")["anyOf"] == [{"type": "integer"}, {"type": "null"}]


def test_all_learning_stores_together_have_no_parameter_of_union_type() -> None:
    stores = (
        UserProfileStore(),
        UserMemoryStore(),
        SessionContextStore(SessionContextConfig(enable_planning=True)),
        EntityMemoryStore(),
        LearnedKnowledgeStore(),
    )
    asked: Any = answer_schema(kind for store in stores for kind in store.operations)
    assert not any(unions(kind) for kind in asked["properties"]["operations"]["items"]["anyOf"])


def test_a_free_dict_is_a_list_of_keys_and_values() -> None:
    def pairs(value: dict[str, Any], key: dict[str, Any]) -> dict[str, Any]:
        both = {"key": key, "value": value}
        inner = {"type": "object", "properties": both, "required": ["key", "value"], "additionalProperties": False}
        return {"type": "array", "items": inner}

    text = {"type": "string"}
    assert profile_field("scores") == pairs({"type": "number"}, text)
    assert profile_field("anything") == pairs(text, text)
    assert profile_field("by_level") == pairs(
        {"type": "integer"}, {"type": "string", "enum": ["low", "high"], "description": "How well."}
    )


def test_descriptions_and_enums_survive_with_their_types() -> None:
    assert profile_field("email") == {"type": "string", "description": "Their e-mail"}
    assert profile_field("only") == {"type": "string", "enum": ["one"]}
    assert profile_field("mixed")["anyOf"] == [{"type": "integer", "enum": [1]}, {"type": "string", "enum": ["b"]}]
    assert profile_field("level")["enum"] == ["low", "high"]
    assert profile_field("address")["properties"]["city"] == {"type": "string", "description": "Where"}
    assert profile_field("pets")["items"]["properties"]["kind"]["description"] == "Dog, cat, ..."
    assert profile_field("born")["description"] == "a date, as YYYY-MM-DD"


def test_a_tuple_is_an_object_of_its_places() -> None:
    places = profile_field("home")["properties"]
    assert places == {"item_1": {"type": "number"}, "item_2": {"type": "number"}}


@pytest.mark.parametrize("kind", TOOLS, ids=lambda kind: kind.__name__)
def test_no_tool_takes_a_scope(kind: Any) -> None:
    assert not set(tool_schema(kind)["properties"]) & {"user_id", "thread_id", "namespace", "scope", "agent"}  # type: ignore[arg-type]
