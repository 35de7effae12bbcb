"""What goes over the wire is in the subset that every provider's grammar knows."""

from collections.abc import Iterator
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from langgraph_learning import SessionContextConfig, UserProfileConfig
from langgraph_learning._engine.learning.operation_schema import answer_schema, tool_schema
from langgraph_learning.schemas import UserProfile
from langgraph_learning.stores import EntityMemoryStore, SessionContextStore, UserMemoryStore, UserProfileStore


class Level(Enum):
    """How well."""

    LOW = "low"
    HIGH = "high"


class Address(BaseModel):
    """A nested object."""

    city: str = Field("Berlin", max_length=50, description="Where")
    zip: str | None = Field(None, pattern=r"^\d+$")


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


def test_the_operation_comes_first_as_an_enum_of_its_own_name_and_the_quote_last() -> None:
    items = SCHEMA["properties"]["operations"]["items"]["anyOf"]
    for kind, schema in zip(OPERATIONS, items, strict=True):
        names = list(schema["properties"])
        assert (names[0], names[-1]) == ("operation", "quote")
        assert schema["properties"]["operation"] == {"type": "string", "enum": [kind.__name__]}
        assert schema["description"]


def profile_field(name: str) -> dict[str, Any]:
    [found] = [kind for kind in OPERATIONS if kind.__name__ == "update_user_profile"]
    field = tool_schema(found)["properties"]
    assert isinstance(field, dict)
    return dict(field[name])  # type: ignore[arg-type, call-overload, unused-ignore]


def test_what_is_optional_can_be_null() -> None:
    for name in Everything.model_fields:
        assert {"type": "null"} in profile_field(name)["anyOf"], name


def test_a_free_dict_is_a_list_of_keys_and_values() -> None:
    def pairs(value: dict[str, Any]) -> dict[str, Any]:
        both = {"key": {"type": "string"}, "value": value}
        inner = {"type": "object", "properties": both, "required": ["key", "value"], "additionalProperties": False}
        return {"type": "array", "items": inner}

    assert profile_field("scores")["anyOf"][0] == pairs({"type": "number"})
    assert profile_field("anything")["anyOf"][0] == pairs({"type": "string"})


def test_descriptions_and_one_value_enums_survive() -> None:
    assert profile_field("email")["description"] == "Their e-mail"
    assert {"type": "string", "enum": ["one"]} in profile_field("only")["anyOf"]
    assert {"type": "string", "enum": ["low", "high"]} in [
        {key: choice[key] for key in ("type", "enum") if key in choice} for choice in profile_field("level")["anyOf"]
    ]
    [address, _] = profile_field("address")["anyOf"]
    assert address["properties"]["city"] == {"type": "string", "description": "Where"}


@pytest.mark.parametrize("kind", TOOLS, ids=lambda kind: kind.__name__)
def test_no_tool_takes_a_scope(kind: Any) -> None:
    assert not set(tool_schema(kind)["properties"]) & {"user_id", "thread_id", "namespace", "scope", "agent"}  # type: ignore[arg-type]
