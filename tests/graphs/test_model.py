"""`learning.model`: the same chat model, shown what was recalled in the run that it is called in."""

from itertools import pairwise
from typing import Any, cast

import pytest
from graphs.world import ADA, BOB, COLOURS, FACT, Colour, invoked, known, machine, said, streamed, thread
from langchain.agents import create_agent
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableConfig, RunnableLambda, RunnableParallel
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from langgraph.store.memory import InMemoryStore
from langgraph.types import CachePolicy
from pydantic import BaseModel

from langgraph_learning import LearningContext, LearningMachine
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.testing import ScriptedChatModel, op

Graph = StateGraph[Any, Any, Any, Any]
TEA = op("add_memory", content="Drinks tea", quote="I drink tea")


class Answer(BaseModel):
    city: str


def calling(model: Any, colour: Colour = "sync") -> Graph:
    """Return a graph of one node that calls `model` with a prompt of its own and the messages."""

    def node(state: MessagesState) -> dict[str, Any]:
        found = model.invoke([SystemMessage("Be kind."), *state["messages"]])
        return {"messages": [found if isinstance(found, AIMessage) else AIMessage(str(found))]}

    async def anode(state: MessagesState) -> dict[str, Any]:
        found = await model.ainvoke([SystemMessage("Be kind."), *state["messages"]])
        return {"messages": [found if isinstance(found, AIMessage) else AIMessage(str(found))]}

    builder: Graph = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("node", node if colour == "sync" else anode)
    return builder.add_edge(START, "node")


def shown(model: ScriptedChatModel, index: int = -1) -> list[tuple[str, bool]]:
    """Return of each message of a prompt who says it, and whether it holds what is known."""
    return [(message.type, FACT in str(message.text)) for message in model.prompts["reply"][index]]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(("placement", "where"), [("turn", 1), ("system", 0)])
async def test_the_text_stands_where_the_machine_places_it_and_the_state_is_not_touched(
    placement: Any, where: int, colour: Colour
) -> None:
    model = ScriptedChatModel(replies=["Hello"])
    learning, _ = machine(placement=placement)
    graph = calling(learning.model(model), colour).compile(store=known())

    result = await invoked(graph, colour, said("Hi"), context=ADA)

    assert [place for place, (_, holds) in enumerate(shown(model)) if holds] == [where]
    assert [message.type for message in model.prompts["reply"][0]] == ["system", "human"]
    assert FACT not in repr(result)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(
    "make",
    [
        lambda model: model.bind_tools([]),
        lambda model: model.with_config(tags=["mine"]),
        lambda model: model.with_retry(stop_after_attempt=2),
        lambda model: model.with_structured_output(Answer),
        lambda model: model.with_fallbacks([ScriptedChatModel(replies=["other"])]),
        lambda model: model.bind(stop=["x"]).with_config(run_name="mine"),
        lambda model: model.with_structured_output(Answer, include_raw=True),
        lambda model: RunnableParallel(answer=model, question=RunnableLambda(str)),
        lambda model: (
            ChatPromptTemplate.from_messages([("placeholder", "{messages}")])
            | model
            | RunnableLambda(lambda reply: reply)
        ),
    ],
    ids=["bind_tools", "config", "retry", "structured", "fallbacks", "bind", "raw", "parallel", "sequence"],
)
@pytest.mark.parametrize("before", [True, False], ids=["made before", "made after"])
async def test_whatever_is_made_of_the_model_is_shown_the_text(make: Any, before: bool, colour: Colour) -> None:
    model = ScriptedChatModel(replies=['{"city": "Oslo"}'])
    learning, _ = machine()
    made = learning.model(make(model)) if before else make(learning.model(model))
    prompt = isinstance(made.steps[0], ChatPromptTemplate) if hasattr(made, "steps") else False

    class Called:
        def invoke(self, messages: Any) -> Any:
            return made.invoke({"messages": messages} if prompt else messages)

        async def ainvoke(self, messages: Any) -> Any:
            return await made.ainvoke({"messages": messages} if prompt else messages)

    await invoked(calling(Called(), colour).compile(store=known()), colour, said("Hi"), context=ADA)

    assert shown(model) == [("system", False), ("human", True)]


def test_a_fallback_is_shown_the_text_as_well() -> None:
    broken, other = ScriptedChatModel(replies=[ValueError("down")]), ScriptedChatModel(replies=["Hello"])
    learning, _ = machine()
    graph = calling(learning.model(broken.with_fallbacks([other]))).compile(store=known())

    graph.invoke(said("Hi"), context=ADA)

    assert shown(broken) == shown(other) == [("system", False), ("human", True)]


@pytest.mark.parametrize("colour", COLOURS)
async def test_tokens_stream_as_before(colour: Colour) -> None:
    model = ScriptedChatModel(replies=["On the roof of course"])
    learning, _ = machine()
    graph = calling(learning.model(model), colour).compile(store=known())

    chunks = await streamed(graph, colour, said("Where?"), context=ADA, stream_mode="messages")

    assert len(chunks) > 3
    assert "".join(chunk.text for chunk, _ in chunks) == "On the roof of course"
    assert shown(model)[1] == ("human", True)


async def test_stream_and_batch_of_the_model_itself_are_shown_the_text() -> None:
    model = ScriptedChatModel(replies=["one", "two", "three", "four"])
    learning, _ = machine()
    mine = learning.model(model)

    async def node(state: MessagesState) -> dict[str, Any]:
        list(mine.stream("Hi"))
        [chunk async for chunk in mine.astream("Hi")]
        mine.batch(["Hi"])
        await mine.abatch(["Hi"])
        return {}

    builder: Graph = StateGraph(MessagesState)
    await builder.add_node("node", node).add_edge(START, "node").compile(store=known()).ainvoke(said("Hi"), context=ADA)

    assert [shown(model, index) for index in range(4)] == [[("human", True)]] * 4


def test_it_stays_what_it_was_for_everybody_who_looks() -> None:
    model = ScriptedChatModel(replies=["Hello"])
    learning, _ = machine()
    mine = learning.model(model)

    assert isinstance(mine, ScriptedChatModel)
    assert (type(mine).__name__, mine.get_name(), mine.lc_id()) == (
        type(model).__name__,
        model.get_name(),
        model.lc_id(),
    )
    assert mine.model_copy(update={"repeat": True}).repeat
    assert type(model) is ScriptedChatModel, "the one that was given is not changed"
    assert mine.invoke("Hi").text == "Hello", "outside of a graph it is the model as it was"
    assert learning.model(mine).invoke is not None


def test_one_turn_is_recalled_once_in_all_graphs_tasks_and_tools_of_a_run() -> None:
    model = ScriptedChatModel(replies=["a"] * 4)
    learning, _ = machine([])
    mine = learning.model(model)

    @tool
    def ask(question: str) -> str:
        """Ask a model."""
        return str(mine.invoke(question).text)

    def node(state: MessagesState) -> dict[str, Any]:
        ask.invoke({"question": "deep?"})
        return {"messages": [mine.invoke(state["messages"])]}

    inner: Graph = StateGraph(MessagesState)
    inner.add_node("node", node).add_edge(START, "node")
    builder: Graph = StateGraph(MessagesState)
    builder.add_node("inner", inner.compile()).add_edge(START, "inner")
    builder.add_node("last", node).add_edge("inner", "last")
    graph = learning.into(builder).compile(store=known())

    events: Any = list(graph.stream(said("Bees?"), context=ADA, stream_mode="custom", subgraphs=True))

    assert sum(event.get("learning") == "recalled" for _, event in events) == 1
    assert all(FACT in model.prompt(index=index) for index in range(4))


def test_two_runs_of_one_thread_each_recall_what_is_known_then() -> None:
    model = ScriptedChatModel(replies=["a"] * 2)
    learning, _ = machine()
    store = InMemoryStore()
    graph = calling(learning.model(model)).compile(store=store, checkpointer=InMemorySaver())

    graph.invoke(said("Bees?", "h1"), thread(), context=ADA)
    known(store=store)
    graph.invoke(said("Bees?", "h1"), thread(), context=ADA)

    assert [any(holds for _, holds in shown(model, index)) for index in range(2)] == [False, True]


def test_a_cache_of_answers_keeps_users_apart() -> None:
    model = ScriptedChatModel(replies=["for ada", "for bob"], cache=InMemoryCache())
    learning, _ = machine()
    graph = calling(learning.model(model)).compile(store=known())

    answers = [graph.invoke(said("Hi", "h1"), context=user)["messages"][-1].text for user in (ADA, BOB, ADA)]

    assert answers == ["for ada", "for bob", "for ada"]


def test_a_cached_node_that_calls_it_is_refused() -> None:
    model = ScriptedChatModel(replies=["Hello"])
    learning, _ = machine()
    mine = learning.model(model)
    builder: Graph = StateGraph(MessagesState)
    builder.add_node("node", lambda state: {"messages": [mine.invoke(state["messages"])]}, cache_policy=CachePolicy())
    graph = builder.add_edge(START, "node").compile(store=known(), cache=cast("Any", _cache()))

    with pytest.raises(ConfigurationError, match="CachePolicy"):
        graph.invoke(said("Hi"), context=ADA)


def _cache() -> object:
    from langgraph.cache.memory import InMemoryCache as NodeCache

    return NodeCache()


def test_what_extracts_is_not_shown_what_was_recalled() -> None:
    model = ScriptedChatModel(replies=["Hello"], extractions=[[TEA]])
    plain = LearningMachine(user_memory=True)
    learning = LearningMachine(user_memory=True, model=plain.model(model))
    graph = learning.into(calling(learning.model(model))).compile(store=known())

    graph.invoke(said("I drink tea"), context=ADA)

    assert "<learning_context>" in model.prompt()
    assert "<learning_context>" not in model.prompt("extraction")


@pytest.mark.parametrize("given", [RunnableLambda(lambda text: text), None, 7])
def test_what_holds_no_chat_model_is_refused(given: Any) -> None:
    learning, _ = machine()

    with pytest.raises(ConfigurationError, match="chat model"):
        learning.model(given)


@pytest.mark.parametrize("colour", COLOURS)
async def test_in_the_functional_api_tasks_are_shown_the_text_and_the_turn_is_learned(colour: Colour) -> None:
    model = ScriptedChatModel(replies=["Cup?", "Tea."])
    learning, extractor = machine([TEA], [])
    mine, learn, store = learning.model(model), learning.extract_node(), InMemoryStore()

    if colour == "sync":

        @task
        def reply(messages: list[Any]) -> AIMessage:
            return mine.invoke(messages)

        @entrypoint(checkpointer=InMemorySaver(), store=store, context_schema=LearningContext)
        def chat(given: list[Any], *, previous: Any = None) -> Any:
            messages = add_messages(previous or [], given)
            messages = add_messages(messages, reply(cast("list[Any]", messages)).result())
            learn.invoke({"messages": messages})
            return entrypoint.final(value=messages[-1], save=messages)  # type: ignore[index]

    else:

        @task
        async def areply(messages: list[Any]) -> AIMessage:
            return await mine.ainvoke(messages)

        @entrypoint(checkpointer=InMemorySaver(), store=store, context_schema=LearningContext)
        async def chat(given: list[Any], *, previous: Any = None) -> Any:
            messages = add_messages(previous or [], given)
            messages = add_messages(messages, await areply(cast("list[Any]", messages)))
            await learn.ainvoke({"messages": messages})
            return entrypoint.final(value=messages[-1], save=messages)  # type: ignore[index]

    first = await invoked(chat, colour, [HumanMessage("I drink tea")], thread("t1"), context=ADA)
    second = await invoked(chat, colour, [HumanMessage("What do I drink?")], thread("t2"), context=ADA)
    assert (first.text, second.text) == ("Cup?", "Tea.")
    assert "Drinks tea" not in model.prompt(index=0)
    assert "Drinks tea" in model.prompt(index=1)
    assert extractor.calls["extraction"] == 2


def test_a_config_that_is_handed_on_by_hand_is_enough() -> None:
    model = ScriptedChatModel(replies=["Hello"])
    learning, _ = machine()
    mine = learning.model(model)

    def node(state: MessagesState, config: RunnableConfig) -> dict[str, Any]:
        from contextvars import Context

        return {"messages": [Context().run(mine.invoke, state["messages"], config)]}

    builder: Graph = StateGraph(MessagesState)
    builder.add_node("node", node).add_edge(START, "node").compile(store=known()).invoke(said("Hi"), context=ADA)

    assert shown(model) == [("human", True)]


@pytest.mark.parametrize("way", ["model", "middleware"])
def test_what_stands_before_the_turn_stays_one_unchanged_prefix(way: str) -> None:
    model = ScriptedChatModel(replies=["Well."] * 4)
    learning, _ = machine([op("add_memory", content="Drinks tea")], [op("add_memory", content="Sails")], [], [])
    options: dict[str, Any] = {"store": known(), "checkpointer": InMemorySaver()}
    graph: Any = (
        learning.into(calling(learning.model(model))).compile(**options)
        if way == "model"
        else create_agent(model, system_prompt="Be kind.", middleware=[*learning.middleware()], **options)
    )

    for text in ("Bees?", "Tea?", "Boats?", "Jazz?"):
        graph.invoke(said(text), thread(), context=ADA)

    prompts = model.prompts["reply"]
    assert [sum("learning_context" in message.text for message in prompt) for prompt in prompts] == [1] * 4
    for before, after in pairwise(prompts):
        assert [message.text for message in after[: len(before) - 1]] == [message.text for message in before[:-1]]
        assert after[len(before) - 1].text == before[-1].text.rpartition("\n\n")[2], "an old question stands as it was"
