import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from graphs.world import (
    ADA,
    COLOURS,
    FACT,
    Colour,
    Mooded,
    by_hand,
    invoked,
    kept,
    known,
    machine,
    said,
    streamed,
    texts,
    thread,
)
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from langgraph.runtime import Runtime
from langgraph.store.base import BaseStore
from langgraph.types import Command, Overwrite, Send, StreamWriter
from pydantic import BaseModel
from typing_extensions import TypedDict

from langgraph_learning import LearningContext, LearningMachine
from langgraph_learning.nodes.identity import get_field
from langgraph_learning.testing import ScriptedChatModel

Seen = list[Any]
Node = Any


class Typed(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    mood: str


class Modelled(BaseModel):
    messages: Annotated[list[AnyMessage], add_messages] = []
    mood: str = "calm"


@dataclass
class Plain:
    messages: Annotated[list[AnyMessage], add_messages] = field(default_factory=list)
    mood: str = "calm"


STATES: list[type[Any]] = [Mooded, Typed, Modelled, Plain]


def answer(seen: Seen, state: Any) -> dict[str, Any]:
    """Do what every node below does: look at the state, answer, and set the user's own key."""
    seen.append(state)
    return {"messages": [AIMessage("Hello")], "mood": "glad"}


def bare(seen: Seen, schema: type[Any]) -> Node:
    def node(state):  # type: ignore[no-untyped-def]
        return answer(seen, state)

    return node


def annotated(seen: Seen, schema: type[Any]) -> Node:
    def node(state: Any) -> dict[str, Any]:
        return answer(seen, state)

    node.__annotations__["state"] = schema
    return node


def asynchronous(seen: Seen, schema: type[Any]) -> Node:
    async def node(state: Any) -> dict[str, Any]:
        return answer(seen, state)

    node.__annotations__["state"] = schema
    return node


def lambda_(seen: Seen, schema: type[Any]) -> Node:
    return lambda state: answer(seen, state)


def partial(seen: Seen, schema: type[Any]) -> Node:
    return functools.partial(answer, seen)


def callable_object(seen: Seen, schema: type[Any]) -> Node:
    class Agent:
        def __call__(self, state: Any) -> dict[str, Any]:
            return answer(seen, state)

    return Agent()


def method(seen: Seen, schema: type[Any]) -> Node:
    class Agent:
        def reply(self, state: Any) -> dict[str, Any]:
            return answer(seen, state)

    return Agent().reply


def runnable(seen: Seen, schema: type[Any]) -> Node:
    class Agent(Runnable[Any, Any]):
        def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
            return answer(seen, input)

    return Agent()


def runnable_lambda(seen: Seen, schema: type[Any]) -> Node:
    return RunnableLambda(lambda state: answer(seen, state))


def sequence(seen: Seen, schema: type[Any]) -> Node:
    return RunnableLambda(lambda state: state) | RunnableLambda(lambda state: answer(seen, state))


def command(seen: Seen, schema: type[Any]) -> Node:
    def node(state: Any) -> Command[Any]:
        return Command(update=answer(seen, state))

    return node


NODES: list[Callable[[Seen, type[Any]], Node]] = [
    bare,
    annotated,
    asynchronous,
    lambda_,
    partial,
    callable_object,
    method,
    runnable,
    runnable_lambda,
    sequence,
    command,
]


def looped(learning: LearningMachine, node: Node, schema: type[Any] = MessagesState) -> StateGraph[Any, Any, Any, Any]:
    """Return the graph of the documentation: recall, the wrapped node, extract, review."""
    return by_hand(learning, learning.wrap(node), schema=schema)


COLOURED = [(make, colour) for make in NODES for colour in COLOURS if (make, colour) != (asynchronous, "sync")]


@pytest.mark.parametrize(("make", "colour"), COLOURED)
@pytest.mark.parametrize("schema", STATES)
async def test_any_node_over_any_state_sees_the_recalled_text_first_and_leaves_no_trace_of_it(
    schema: type[Any], make: Callable[[Seen, type[Any]], Node], colour: Colour
) -> None:
    seen: Seen = []
    learning, extractor = machine([])
    saver = InMemorySaver()
    graph = looped(learning, make(seen, schema), schema).compile(store=known(), checkpointer=saver)

    given = {**said("Where do my bees live?"), "mood": "calm"}
    result = await invoked(graph, colour, given, thread(), context=ADA)

    [state] = seen
    shown = get_field(state, "messages")
    assert isinstance(shown[0], SystemMessage)
    assert shown[0].id == "learning-context"
    assert FACT in shown[0].text
    assert texts(shown[1:]) == ["Where do my bees live?"]
    assert get_field(state, "mood") == "calm"
    assert isinstance(state, schema if isinstance(schema, type) and schema in (Modelled, Plain) else dict)

    assert set(result) == {"messages", "mood"}
    assert texts(result["messages"]) == ["Where do my bees live?", "Hello"]
    assert result["mood"] == "glad"
    assert "learning-context" not in repr(graph.get_state(thread()).values["messages"])
    assert FACT not in kept(saver)
    assert "Where do my bees live?" in kept(saver), "the search of the checkpoints finds what is there"
    assert extractor.calls["extraction"] == 1


@pytest.mark.parametrize("make", [bare, annotated])
@pytest.mark.parametrize("schema", STATES)
def test_input_and_output_schemas_are_those_of_the_graph_without_learning(
    schema: type[Any], make: Callable[[Seen, type[Any]], Node]
) -> None:
    learning, _ = machine()
    ours = looped(learning, make([], schema), schema).compile()
    without: StateGraph[Any, Any, Any, Any] = StateGraph(schema, context_schema=LearningContext)
    theirs = without.add_node("agent", make([], schema)).add_edge(START, "agent").compile()

    assert ours.get_input_jsonschema() == theirs.get_input_jsonschema()
    assert ours.get_output_jsonschema() == theirs.get_output_jsonschema()
    assert ours.get_context_jsonschema() == theirs.get_context_jsonschema()


def test_an_async_node_under_invoke_fails_as_it_does_without_wrap() -> None:
    learning, _ = machine([])
    graph = looped(learning, asynchronous([], MessagesState)).compile(store=known())

    with pytest.raises(TypeError, match="No synchronous function"):
        graph.invoke(said("Hi"), context=ADA)


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_node_that_returns_its_whole_input_stores_nothing_of_ours(colour: Colour) -> None:
    def node(state: MessagesState) -> dict[str, Any]:
        return {"messages": [*state["messages"], AIMessage("Hello")]}

    learning, _ = machine([])
    saver = InMemorySaver()
    graph = looped(learning, node).compile(store=known(), checkpointer=saver)

    result = await invoked(graph, colour, said("Hi"), thread(), context=ADA)

    assert texts(result["messages"]) == ["Hi", "Hello"]
    assert FACT not in kept(saver)


@pytest.mark.parametrize("schema", [Modelled, Plain])
def test_a_node_that_returns_its_state_object_stores_nothing_of_ours(schema: type[Any]) -> None:
    def node(state: Any) -> Any:
        return schema(messages=[*state.messages, AIMessage("Hello")], mood="glad")

    learning, _ = machine([])
    saver = InMemorySaver()
    graph = looped(learning, node, schema).compile(store=known(), checkpointer=saver)

    result = graph.invoke({**said("Hi"), "mood": "calm"}, thread(), context=ADA)

    assert texts(result["messages"]) == ["Hi", "Hello"]
    assert result["mood"] == "glad"
    assert FACT not in kept(saver)


@pytest.mark.parametrize(
    "returned",
    [
        lambda messages: {"messages": Overwrite([*messages, AIMessage("Hello")])},
        lambda messages: Command(update={"messages": [*messages, AIMessage("Hello")]}),
        lambda messages: Command(update=[("messages", [*messages, AIMessage("Hello")])]),
        lambda messages: Command(update={"messages": Overwrite([*messages, AIMessage("Hello")])}),
        lambda messages: [Command(update={"messages": messages}), Command(update={"messages": [AIMessage("Hello")]})],
        lambda messages: [Command(update={"messages": messages}), {"messages": [AIMessage("Hello")]}],
        lambda messages: [Command(update={"messages": messages[0]}), {"messages": [AIMessage("Hello")]}],
    ],
    ids=["overwrite", "command", "command of pairs", "command of overwrite", "commands", "mixed list", "our message"],
)
def test_however_a_node_writes_our_message_back_it_is_taken_out(returned: Callable[[list[BaseMessage]], Any]) -> None:
    learning, _ = machine([])
    saver = InMemorySaver()
    node: Any = lambda state: returned(state["messages"])  # noqa: E731
    graph = looped(learning, node).compile(store=known(), checkpointer=saver)

    result = graph.invoke(said("Hi"), thread(), context=ADA)

    assert texts(result["messages"]) == ["Hi", "Hello"]
    assert FACT not in kept(saver)


def test_a_node_that_sends_its_state_on_sends_nothing_of_ours_and_the_receiver_recalls_for_itself() -> None:
    received: Seen = []

    def node(state: MessagesState) -> Command[Literal["worker"]]:
        return Command(goto=Send("worker", {"messages": state["messages"]}))

    def worker(state: MessagesState) -> dict[str, Any]:
        received.append(state["messages"])
        return {"messages": [AIMessage("Done")]}

    learning, _ = machine()
    saver = InMemorySaver()
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("recall", learning.recall_node()).add_node("agent", learning.wrap(node))
    builder.add_node("worker", learning.wrap(worker)).add_edge(START, "recall").add_edge("recall", "agent")
    graph = builder.compile(store=known(), checkpointer=saver)

    result = graph.invoke(said("Hi"), thread(), context=ADA)

    assert texts(result["messages"]) == ["Hi", "Done"]
    assert [message.id for message in received[0]].count("learning-context") == 1
    assert FACT in received[0][0].text
    assert FACT not in kept(saver)


def test_destinations_of_a_command_are_inferred_through_wrap() -> None:
    def route(state: MessagesState) -> Command[Literal["left", "right"]]:
        return Command(goto="left" if FACT in state["messages"][0].text else "right")

    def said_by(side: str) -> Node:
        return lambda state: {"messages": [AIMessage(side)]}

    learning, _ = machine()
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("recall", learning.recall_node()).add_node("route", learning.wrap(route))
    builder.add_node("left", said_by("left")).add_node("right", said_by("right"))
    graph = builder.add_edge(START, "recall").add_edge("recall", "route").compile(store=known())

    drawn = {(edge.source, edge.target) for edge in graph.get_graph().edges}
    assert {("route", "left"), ("route", "right")} <= drawn
    assert texts(graph.invoke(said("Hi"), context=ADA)["messages"])[-1] == "left"


@pytest.mark.parametrize("colour", COLOURS)
async def test_config_runtime_store_and_writer_still_reach_a_wrapped_node(colour: Colour) -> None:
    found: dict[str, Any] = {}

    def look_around(
        state: MessagesState,
        config: RunnableConfig,
        runtime: Runtime[LearningContext],
        store: BaseStore,
        writer: StreamWriter,
    ) -> dict[str, Any]:
        found.update(thread=config["configurable"]["thread_id"], user=runtime.context["user_id"], store=store)
        writer({"mine": "event"})
        return {"messages": [AIMessage("Hello")]}

    async def look_around_async(
        state: MessagesState,
        config: RunnableConfig,
        *,
        runtime: Runtime[LearningContext],
        store: BaseStore,
        writer: StreamWriter,
    ) -> dict[str, Any]:
        return look_around(state, config, runtime, store, writer)

    learning, _ = machine([])
    store = known()
    node = look_around if colour == "sync" else look_around_async
    graph = looped(learning, node).compile(store=store)

    events = await streamed(graph, colour, said("Hi"), thread("t9"), context=ADA, stream_mode="custom")

    assert found == {"thread": "t9", "user": "ada", "store": store}
    assert {"mine": "event"} in events


@pytest.mark.parametrize("colour", COLOURS)
async def test_tokens_of_a_wrapped_node_stream_under_the_nodes_name_and_only_those(colour: Colour) -> None:
    model = ScriptedChatModel(replies=["On the roof of course"])
    learning, extractor = machine([])

    def call_model(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    async def acall_model(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = looped(learning, call_model if colour == "sync" else acall_model).compile(store=known())

    chunks = await streamed(graph, colour, said("Where?"), context=ADA, stream_mode="messages")

    assert {where["langgraph_node"] for _, where in chunks} == {"agent"}
    assert "".join(chunk.text for chunk, _ in chunks) == "On the roof of course"
    assert len(chunks) > 3, "word by word"
    assert extractor.calls["extraction"] == 1


@pytest.mark.parametrize("colour", COLOURS)
async def test_wrap_recalls_by_itself_where_no_recall_node_ran(colour: Colour) -> None:
    seen: Seen = []
    learning, _ = machine()
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Mooded, context_schema=LearningContext)
    graph = builder.add_node("agent", learning.wrap(bare(seen, Mooded))).add_edge(START, "agent").compile(store=known())

    result = await invoked(graph, colour, {**said("Hi"), "mood": "calm"}, context=ADA)

    assert FACT in seen[0]["messages"][0].text
    assert texts(result["messages"]) == ["Hi", "Hello"]


def test_a_node_without_messages_is_left_as_it_is() -> None:
    class Counting(TypedDict):
        count: Annotated[int, operator.add]

    learning, _ = machine()
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Counting)
    graph = builder.add_node("agent", learning.wrap(lambda state: {"count": 1})).add_edge(START, "agent").compile()

    assert graph.invoke({"count": 1}) == {"count": 2}


def test_messages_under_another_key_are_found_by_messages_key() -> None:
    class Chat(TypedDict, total=False):
        chat: Annotated[list[AnyMessage], add_messages]

    seen: Seen = []

    def node(state: Chat) -> Chat:
        seen.append(state["chat"])
        return {"chat": [AIMessage("Hello")]}

    learning, extractor = machine([], messages_key="chat")
    graph = looped(learning, node, Chat).compile(store=known())

    result = graph.invoke({"chat": [HumanMessage("Hi")]}, context=ADA)

    assert FACT in seen[0][0].text
    assert texts(result["chat"]) == ["Hi", "Hello"]
    assert "Hi" in extractor.prompt("extraction")


def test_a_prompt_and_model_as_a_sequence_is_shown_the_text() -> None:
    model = ScriptedChatModel(replies=["Hello"])
    prompt = ChatPromptTemplate.from_messages([("system", "Be kind."), ("placeholder", "{messages}")])
    chain = prompt | model | (lambda reply: {"messages": [reply]})
    learning, _ = machine([])
    graph = looped(learning, chain).compile(store=known())

    result = graph.invoke(said("Hi"), context=ADA)

    assert [message.type for message in model.prompts["reply"][0]] == ["system", "system", "human"]
    assert FACT in model.prompt()
    assert texts(result["messages"]) == ["Hi", "Hello"]


def test_a_wrapped_function_names_its_node() -> None:
    def call_model(state: MessagesState) -> dict[str, Any]:
        return {}

    learning, _ = machine()
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node(learning.wrap(call_model)).add_edge(START, "call_model")

    assert "call_model" in builder.nodes


def test_the_users_messages_are_not_changed_in_place() -> None:
    given = [HumanMessage("Hi", id="h1")]
    state = {"messages": given}
    learning, _ = machine(store=known())

    class Holder(Runnable[Any, Any]):
        def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
            return {"messages": list(input["messages"])}

    learning.wrap(Holder()).invoke(state, thread(user_id="ada"))

    assert given == [HumanMessage("Hi", id="h1")]
    assert state == {"messages": given}
