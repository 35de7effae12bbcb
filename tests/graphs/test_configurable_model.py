"""Chat models that a run configures are shown what was recalled, and extract, as the model that they become."""

from typing import Any, TypeAlias

import pytest
from graphs.test_model import Answer, calling, shown
from graphs.world import ADA, COLOURS, FACT, Colour, invoked, known, machine, memories, said, streamed, thread
from langchain.agents import create_agent
from langchain.chat_models import base, init_chat_model
from langchain_core.messages import BaseMessage
from langchain_core.runnables import ConfigurableField
from langgraph.store.memory import InMemoryStore

from langgraph_learning import create_learning_agent
from langgraph_learning.testing import ScriptedChatModel, op

Named: TypeAlias = dict[str, ScriptedChatModel]
TEA = op("add_memory", content="Drinks tea", quote="I drink tea")


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Named:
    """The models that there are, by the name that a configuration gives them."""
    replies = ['{"city": "Oslo"}'] * 4
    named = {name: ScriptedChatModel(replies=replies, extractions=[[TEA]], repeat=True) for name in ("small", "large")}
    monkeypatch.setattr(base, "_init_chat_model_helper", lambda model, **params: named[model])
    return named


def configured(name: str) -> Any:
    return thread(model=name)


def test_the_private_class_is_still_there() -> None:
    assert isinstance(init_chat_model(), base._ConfigurableModel)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("before", [True, False], ids=["made before", "made after"])
@pytest.mark.parametrize(
    "make",
    [
        lambda model: model,
        lambda model: model.bind_tools([]),
        lambda model: model.with_structured_output(Answer),
        lambda model: model.with_config(tags=["mine"]),
        lambda model: model.with_config(tags=["mine"]).bind_tools([]),
        lambda model: model.with_retry(stop_after_attempt=2),
        lambda model: model.with_fallbacks([ScriptedChatModel(replies=["other"])]),
        lambda model: model.bind(stop=["x"]),
    ],
    ids=["itself", "bind_tools", "structured", "with_config", "both", "with_retry", "fallbacks", "bind"],
)
async def test_whatever_is_made_of_it_is_shown_the_text(make: Any, before: bool, colour: Colour, models: Named) -> None:
    learning, _ = machine()
    model: Any = init_chat_model()
    made = learning.model(make(model)) if before else make(learning.model(model))
    graph = calling(made, colour).compile(store=known())

    await invoked(graph, colour, said("Hi"), configured("large"), context=ADA)

    assert shown(models["large"]) == [("system", False), ("human", True)]
    assert not models["small"].calls
    assert isinstance(init_chat_model(), base._ConfigurableModel), "LangChain's own class is as it was"


def test_with_config_chooses_the_model_and_what_is_left_out_is_the_default(models: Named) -> None:
    learning, _ = machine()
    model: Any = learning.model(init_chat_model("small", configurable_fields=["model"]))
    store = known()

    calling(model).compile(store=store).invoke(said("Hi"), context=ADA)
    calling(model.with_config(configurable={"model": "large"})).compile(store=store).invoke(said("Hi"), context=ADA)

    assert shown(models["small"]) == shown(models["large"]) == [("system", False), ("human", True)]
    assert isinstance(model, base._ConfigurableModel)


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_fallback_of_a_configured_model_is_shown_the_text_too(colour: Colour, models: Named) -> None:
    models["small"].replies = [ValueError("down")]
    learning, _ = machine()
    first, second = (init_chat_model(name, configurable_fields=["temperature"]) for name in ("small", "large"))
    model = learning.model(first.with_fallbacks([second]))

    await invoked(calling(model, colour).compile(store=known()), colour, said("Hi"), context=ADA)

    assert shown(models["small"]) == shown(models["large"]) == [("system", False), ("human", True)]


@pytest.mark.parametrize("colour", COLOURS)
async def test_tokens_stream_as_before(colour: Colour, models: Named) -> None:
    models["large"].replies = ["One two three"]
    learning, _ = machine()
    graph = calling(learning.model(init_chat_model()), colour).compile(store=known())

    events = await streamed(graph, colour, said("Hi"), configured("large"), context=ADA, stream_mode="messages")

    assert [chunk.text for chunk, _ in events if chunk.text] == ["One ", "two ", "three"]
    assert shown(models["large"]) == [("system", False), ("human", True)]


@pytest.mark.parametrize("colour", COLOURS)
async def test_configurable_fields_and_alternatives_are_shown_the_text(colour: Colour) -> None:
    seen: list[list[BaseMessage]] = []

    def reply(messages: list[BaseMessage]) -> str:
        seen.append(messages)
        return "Hello"

    one = ScriptedChatModel(replies=[reply], repeat=True)
    fields: Any = one.configurable_fields(repeat=ConfigurableField(id="repeat"))
    either: Any = one.configurable_alternatives(
        ConfigurableField(id="which"), default_key="one", other=one.model_copy(), made=lambda: one.model_copy()
    )
    learning, _ = machine()
    store = known()

    choices: list[tuple[Any, dict[str, Any]]] = [
        (fields, {}),
        (fields, {"repeat": True}),
        (fields.bind_tools([]), {}),
        (either, {}),
        (either, {"which": "other"}),
        (either, {"which": "made"}),
    ]
    for model, options in choices:
        graph = calling(learning.model(model), colour).compile(store=store)
        await invoked(graph, colour, said("Hi"), thread(**options), context=ADA)

    assert [[FACT in str(message.text) for message in messages] for messages in seen] == [[False, True]] * 6


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("way", ["middleware", "create_learning_agent"])
async def test_an_agent_with_a_configurable_model_extracts_with_the_one_of_the_run(
    way: str, colour: Colour, models: Named
) -> None:
    learning, _ = machine(model=None)
    store = InMemoryStore()
    model: Any = init_chat_model()
    agent: Any = (
        create_agent(model, middleware=[*learning.middleware()], store=store)
        if way == "middleware"
        else create_learning_agent(model, learning=learning, store=store)
    )

    await invoked(agent, colour, said("I drink tea"), configured("small"), context=ADA)
    await invoked(agent, colour, said("Hi"), configured("large"), context=ADA)

    assert memories(store) == ["Drinks tea"]
    assert [models[name].calls["extraction"] for name in ("small", "large")] == [1, 1]
    assert "Drinks tea" in models["large"].prompt()
