"""The real OpenAI client over a real socket: both ways of structured output, streams, answers that are cut off."""

import inspect
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from graphs.world import ADA, COLOURS, Colour, by_hand, invoked, memories, said, streamed, texts, thread
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from langgraph.graph import MessagesState
from langgraph.store.memory import InMemoryStore
from openai_stub import Answer, Stub, openai_stub, way, wire_schema
from pydantic import SecretStr

from langgraph_learning import (
    LearningMachine,
    LearningMode,
    SessionContextConfig,
    UserMemoryConfig,
    connect,
    create_learning_agent,
)
from langgraph_learning.errors import ExtractionError
from langgraph_learning.testing import op

TEA = op("add_memory", content="Drinks tea", quote="I drink tea")
CUT_OFF = Answer(json.dumps({"operations": [TEA]})[:60], finish_reason="length")


@pytest.fixture
def server() -> Iterator[Stub]:
    with openai_stub() as stub:
        yield stub


@pytest.fixture
async def model(server: Stub) -> AsyncIterator[ChatOpenAI]:
    """A client whose sockets are closed after the test."""
    # Without TLS nothing is to be verified, and no certificates have to be read for every test.
    with httpx.Client(verify=False) as client:
        async with httpx.AsyncClient(verify=False) as async_client:
            yield ChatOpenAI(
                model="gpt-test",
                base_url=server.url,
                api_key=SecretStr("dummy"),
                max_retries=0,
                http_client=client,
                http_async_client=async_client,
            )


def reply(state: Any) -> dict[str, Any]:
    return {"messages": [AIMessage("Hello")]}


async def learned(learning: LearningMachine, colour: Colour, text: str = "I drink tea") -> Any:
    """Learn from one turn through the data API."""
    scoped = learning.scoped(user_id="ada")
    return scoped.learn([("user", text)]) if colour == "sync" else await scoped.alearn([("user", text)])


def keywords(schema: Any) -> Iterator[str]:
    """Return every keyword of a JSON schema, at any depth; names of properties are no keywords."""
    if isinstance(schema, list):
        for part in schema:
            yield from keywords(part)
    elif isinstance(schema, dict):
        for key, value in schema.items():
            yield key
            yield from keywords(list(value.values()) if key == "properties" else value)


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Return every object schema, at any depth."""
    for part in schema if isinstance(schema, list) else schema.values() if isinstance(schema, dict) else ():
        yield from objects(part)
    if isinstance(schema, dict) and schema.get("type") == "object":
        yield schema


# one extraction


@pytest.mark.parametrize("colour", COLOURS)
async def test_an_extraction_is_asked_for_by_json_schema_with_strict(
    server: Stub, model: ChatOpenAI, colour: Colour
) -> None:
    server.extractions = [[TEA]]
    store = InMemoryStore()
    learning = LearningMachine(model=model, user_memory=True, store=store)

    commit = await learned(learning, colour)

    [request] = server.requests
    assert way(request) == "json_schema"
    assert request["response_format"]["json_schema"]["strict"] is True
    assert request["response_format"]["json_schema"]["name"] == "learned"
    assert not request.get("stream")
    assert memories(store) == ["Drinks tea"]
    assert commit.usage.model_dump() == {"calls": 1, "input_tokens": 11, "output_tokens": 7}


@pytest.mark.parametrize("refusing", [False, True])
async def test_the_schema_on_the_wire_is_in_the_subset_that_all_providers_share(
    server: Stub, model: ChatOpenAI, refusing: bool
) -> None:
    server.refused = ("json_schema",) if refusing else ()
    server.extractions = [[]]
    learning = LearningMachine(
        model=model,
        user_profile=True,
        user_memory=True,
        session_context=SessionContextConfig(enable_planning=True),
        store=InMemoryStore(),
    )
    scoped = learning.scoped(user_id="ada", thread_id="t1")

    scoped.learn([("user", "I drink tea")])

    schema = wire_schema(server.asked[-1])
    allowed = {"type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "description"}
    assert set(keywords(schema)) <= allowed | {"title"}
    assert not set(keywords(schema)) & {"oneOf", "$ref", "$defs", "const", "default", "format", "maxLength"}
    assert schema["type"] == "object"
    for each in objects(schema):
        assert each["additionalProperties"] is False
        assert list(each["properties"]) == each["required"], "strict: every key is required"
    operations = schema["properties"]["operations"]["items"]["anyOf"]
    assert all(next(iter(each["properties"])) == "operation" for each in operations)
    assert [each["properties"]["operation"]["enum"] for each in operations] == [
        ["update_user_profile"],
        ["add_memory"],
        ["update_session_context"],
    ]


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_server_that_refuses_json_schema_is_served_by_function_calling_and_that_is_remembered(
    server: Stub, model: ChatOpenAI, colour: Colour
) -> None:
    server.refused = ("json_schema",)
    server.extractions = [[TEA], [op("add_memory", content="Keeps bees")]]
    store = InMemoryStore()
    learning = LearningMachine(model=model, user_memory=True, store=store)

    first = await learned(learning, colour)
    await learned(learning, colour, "I keep bees")

    assert [way(request) for request in server.requests] == ["json_schema", "tools", "tools"]
    assert sorted(memories(store)) == ["Drinks tea", "Keeps bees"]
    assert first.usage.calls == 1, "a refused request is no model call"


async def test_a_server_that_knows_neither_way_is_asked_in_words_and_that_is_remembered(
    server: Stub, model: ChatOpenAI
) -> None:
    server.refused = ("json_schema", "tools")
    server.replies = [f"Here: {json.dumps({'operations': [TEA]})}", json.dumps({"operations": []})]
    store = InMemoryStore()
    learning = LearningMachine(model=model, user_memory=True, store=store)

    await learned(learning, "sync")
    await learned(learning, "sync", "Bye")

    assert [way(request) for request in server.requests] == ["json_schema", "tools", None, None]
    assert "add_memory" in server.requests[-1]["messages"][-1]["content"]
    assert memories(store) == ["Drinks tea"]


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_another_failure_is_not_taken_for_a_refusal(server: Stub, model: ChatOpenAI, status: int) -> None:
    server.extractions = [Answer("no", status=status), [TEA]]
    learning = LearningMachine(model=model, user_memory=True, store=InMemoryStore())

    with pytest.raises(Exception, match="no"):
        await learned(learning, "sync")
    await learned(learning, "sync")

    assert [way(request) for request in server.requests] == ["json_schema", "json_schema"]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("refused", [(), ("json_schema",)])
async def test_an_answer_that_is_cut_off_is_repaired_once(
    server: Stub, model: ChatOpenAI, refused: tuple[str, ...], colour: Colour
) -> None:
    server.refused = refused
    server.extractions = [CUT_OFF, [TEA]]
    store = InMemoryStore()

    commit = await learned(LearningMachine(model=model, user_memory=True, store=store), colour)

    assert memories(store) == ["Drinks tea"]
    repair = [request for request in server.asked if way(request) not in refused][1]
    assert "cut off" in repair["messages"][-1]["content"]
    assert commit.usage.calls == 2
    assert commit.usage.model_dump() == {"calls": 2, "input_tokens": 22, "output_tokens": 14}


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("refused", [(), ("json_schema",)])
@pytest.mark.parametrize(
    "spoilt",
    [
        CUT_OFF,
        Answer(json.dumps({"operations": [TEA]})[:60]),
        Answer("I learned that they drink tea."),
        Answer('{"operations": "none"}'),
        Answer(""),
    ],
    ids=["cut off", "half", "prose", "other shape", "empty"],
)
async def test_a_spoilt_answer_is_an_error_after_one_repair_and_never_half_stored(
    server: Stub, model: ChatOpenAI, spoilt: Answer, refused: tuple[str, ...], colour: Colour
) -> None:
    server.refused = refused
    server.extractions = [spoilt, spoilt, [TEA]]
    store = InMemoryStore()

    with pytest.raises(ExtractionError):
        await learned(LearningMachine(model=model, user_memory=True, store=store), colour)

    assert memories(store) == []
    assert len([request for request in server.asked if way(request) not in refused]) == 2


# in graphs


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("refused", [(), ("json_schema",)])
async def test_a_reply_streams_while_extraction_stays_silent(
    server: Stub, model: ChatOpenAI, refused: tuple[str, ...], colour: Colour
) -> None:
    server.refused = refused
    server.replies = ["Tea is nice"]
    server.extractions = [[TEA]]

    def agent(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    async def aagent(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    learning = LearningMachine(model=model, user_memory=True, on_error="raise")
    store = InMemoryStore()
    graph = by_hand(learning, learning.wrap(agent if colour == "sync" else aagent)).compile(store=store)

    events = await streamed(graph, colour, said("I drink tea"), thread(), context=ADA, stream_mode="messages")

    spoken = [chunk.text for chunk, where in events if chunk.text]
    assert "".join(spoken).split() == ["Tea", "is", "nice"]
    assert len(spoken) == 3, "a word each"
    assert {where["langgraph_node"] for _, where in events} == {"agent"}
    assert memories(store) == ["Drinks tea"]
    assert server.requests[0]["stream"] is True


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_learning_agent_end_to_end(server: Stub, model: ChatOpenAI, colour: Colour) -> None:
    server.replies = ["Hello Alex", "You drink tea"]
    server.extractions = [[op("update_user_profile", name="Alex", quote="I'm Alex"), TEA], []]

    with connect("sqlite:///:memory:") as db:
        agent = create_learning_agent(model, db=db, system_prompt="Be kind.")
        await invoked(agent, colour, said("I'm Alex and I drink tea"), thread("one"), context=ADA)
        result = await invoked(agent, colour, said("What do I drink?"), thread("two"), context=ADA)

    reply = server.requests[2]
    assert [message["role"] for message in reply["messages"]] == ["system", "user"]
    assert reply["messages"][0]["content"] == "Be kind."
    assert "name: Alex" in reply["messages"][1]["content"]
    assert "Drinks tea" in reply["messages"][1]["content"]
    assert texts(result["messages"]) == ["What do I drink?", "You drink tea"]
    assert [way(request) for request in server.requests] == [None, "json_schema", None, "json_schema"]


@pytest.mark.parametrize("colour", COLOURS)
async def test_an_agentic_agent_end_to_end(server: Stub, model: ChatOpenAI, colour: Colour) -> None:
    server.replies = [Answer(None, [("add_memory", {"content": "Drinks tea"})], "tool_calls"), "Noted"]
    learning = LearningMachine(user_memory=UserMemoryConfig(mode=LearningMode.AGENTIC))

    with connect("sqlite:///:memory:") as db:
        agent = create_learning_agent(model, db=db, learning=learning)
        result = await invoked(agent, colour, said("I drink tea"), thread(), context=ADA)
        assert memories(db.store) == ["Drinks tea"]

    offered = [each["function"] for each in server.requests[0]["tools"]]
    assert [each["name"] for each in offered] == ["add_memory", "update_memory", "delete_memory", "search_memories"]
    assert not any(word in json.dumps(offered) for word in ("user_id", "runtime", "namespace"))
    assert not set(keywords([each["parameters"] for each in offered])) & {"oneOf", "$ref", "$defs", "const", "default"}
    assert texts(result["messages"])[-2:] == ["Stored: Drinks tea", "Noted"]
    assert len(server.requests) == 2, "no extraction"


# other integrations


def test_what_we_pass_fits_the_signature_that_all_integrations_share() -> None:
    parameters = inspect.signature(BaseChatModel.with_structured_output).parameters

    assert "include_raw" in parameters
    assert parameters["kwargs"].kind is inspect.Parameter.VAR_KEYWORD, "strict and method pass through it"


class Lenient(ChatOpenAI):
    """An integration that knows no JSON schema: it says so with the error that `error` names."""

    error: type[Exception]
    given: list[dict[str, Any]]

    def with_structured_output(self, schema: Any = None, **kwargs: Any) -> Any:
        self.given.append(kwargs)
        if kwargs["method"] == "json_schema":
            raise self.error("json_schema is not known here")
        return super().with_structured_output(schema, **kwargs)


@pytest.mark.parametrize("error", [TypeError, ValueError, NotImplementedError])
@pytest.mark.parametrize("colour", COLOURS)
async def test_an_integration_that_knows_no_json_schema_is_asked_by_a_tool_and_that_is_remembered(
    server: Stub, model: ChatOpenAI, error: type[Exception], colour: Colour
) -> None:
    server.extractions = [[TEA], []]
    shared: dict[str, Any] = {"http_client": model.http_client, "http_async_client": model.http_async_client}
    shared |= {"base_url": server.url, "api_key": SecretStr("dummy")}
    lenient = Lenient(model="gpt-test", error=error, given=[], **shared)
    store = InMemoryStore()
    learning = LearningMachine(model=lenient, user_memory=True, store=store)

    await learned(learning, colour)
    await learned(learning, colour, "Something else")

    assert memories(store) == ["Drinks tea"]
    assert [given["method"] for given in lenient.given] == ["json_schema", "function_calling", "function_calling"]
    assert not any("strict" in given for given in lenient.given), "its signature does not name it"
    assert all(given["include_raw"] is True for given in lenient.given)
