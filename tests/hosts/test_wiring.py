"""Wiring that cannot work is said once, with the fix; and what was refused names the reason."""

import logging
from typing import Annotated, Any, cast

import pytest
from graphs.world import ADA, FACT, by_hand, known, machine, said, texts, thread
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, trim_messages
from langgraph.cache.memory import InMemoryCache
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import CachePolicy, Command, Send
from typing_extensions import TypedDict

from langgraph_learning import (
    LearningContext,
    LearningMachine,
    LearningMode,
    UserMemoryConfig,
    connect,
    create_learning_agent,
)
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.testing import ScriptedChatModel, op

Graph = StateGraph[Any, Any, Any, Any]
TEA = op("add_memory", content="Drinks tea", quote="I drink tea")


def reply(state: Any) -> dict[str, Any]:
    return {"messages": [AIMessage("Hello")]}


def warnings(caplog: pytest.LogCaptureFixture, words: str) -> int:
    return sum(words in record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)


def run_twice(graph: Any) -> None:
    for number in range(2):
        graph.invoke(said("Hi", f"h{number}"), thread(), context=ADA)


def test_a_recalled_text_that_nobody_asked_for_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    learning, _ = machine([], [])
    run_twice(by_hand(learning, reply).compile(store=known(), checkpointer=InMemorySaver()))

    assert warnings(caplog, "reached no model") == 1
    assert warnings(caplog, "learning.wrap(node)") == 1


@pytest.mark.parametrize("shown", ["wrap", "context", "model", "into"])
def test_it_is_not_said_where_the_text_is_shown(caplog: pytest.LogCaptureFixture, shown: str) -> None:
    learning, _ = machine([], [])
    model = ScriptedChatModel(replies=["Hello"] * 2)
    mine = learning.model(model) if shown == "model" else model

    def node(state: MessagesState) -> dict[str, Any]:
        return {"messages": [mine.invoke(learning.messages(state) if shown == "context" else state["messages"])]}

    if shown == "into":
        builder: Graph = StateGraph(MessagesState)
        builder.add_node("node", node).add_edge(START, "node")
        builder = learning.into(builder, models=["node"])
    else:
        builder = by_hand(learning, learning.wrap(node) if shown == "wrap" else node)
    run_twice(builder.compile(store=known(), checkpointer=InMemorySaver()))

    assert FACT in model.prompt()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_node_that_trims_the_text_away_is_told_of_the_model(caplog: pytest.LogCaptureFixture) -> None:
    model = ScriptedChatModel(replies=["Hello"] * 2)
    learning, _ = machine([], [])

    def node(state: MessagesState) -> dict[str, Any]:
        kept = trim_messages(state["messages"], max_tokens=2, token_counter=len, strategy="last", start_on="human")
        return {"messages": [model.invoke(kept)]}

    run_twice(by_hand(learning, learning.wrap(node)).compile(store=known(), checkpointer=InMemorySaver()))

    assert FACT not in model.prompt()
    assert warnings(caplog, "called a model without it") == 1


def test_a_graph_without_extraction_is_told_at_the_second_turn(caplog: pytest.LogCaptureFixture) -> None:
    learning, _ = machine()
    builder: Graph = StateGraph(MessagesState)
    builder.add_node("recall", learning.recall_node()).add_edge(START, "recall")
    builder.add_node("agent", learning.wrap(reply)).add_edge("recall", "agent")
    run_twice(builder.compile(store=known(), checkpointer=InMemorySaver()))

    assert warnings(caplog, "learning.extract_node()") == 1


@pytest.mark.parametrize("way", ["into", "middleware"])
def test_a_turn_that_has_failed_is_no_wiring_without_extraction(way: str, caplog: pytest.LogCaptureFixture) -> None:
    learning, _ = machine([])
    model = ScriptedChatModel(replies=[RuntimeError("down"), "Hello"])
    if way == "middleware":
        graph: Any = create_agent(
            model, middleware=[*learning.middleware()], store=known(), checkpointer=InMemorySaver()
        )
    else:
        builder: Graph = StateGraph(MessagesState)
        builder.add_node("node", lambda state: {"messages": [model.invoke(state["messages"])]})
        builder.add_edge(START, "node")
        graph = learning.into(builder, models=["node"]).compile(store=known(), checkpointer=InMemorySaver())

    with pytest.raises(RuntimeError, match="down"):
        graph.invoke(said("Hi", "h1"), thread(), context=ADA)
    graph.invoke(said("Hi", "h2"), thread(), context=ADA)

    assert warnings(caplog, "nothing was learned from the turn before") == 0


def test_what_is_learned_and_never_recalled_is_told(caplog: pytest.LogCaptureFixture) -> None:
    learning, _ = machine([], [])
    builder: Graph = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("reply", reply)
    builder.add_node("extract", learning.extract_node())
    builder.add_edge(START, "reply").add_edge("reply", "extract")
    run_twice(builder.compile(store=known(), checkpointer=InMemorySaver()))

    assert warnings(caplog, "never shown to a model") == 1
    assert warnings(caplog, "learning.recall_node()") == 1


def test_a_chat_model_is_no_node() -> None:
    learning, _ = machine()

    for refused in (learning.wrap, learning.around):
        with pytest.raises(ConfigurationError, match=r"learning\.model"):
            refused(ScriptedChatModel())


def test_agentic_learning_without_tools_is_told(caplog: pytest.LogCaptureFixture) -> None:
    learning = LearningMachine(user_memory=UserMemoryConfig(mode=LearningMode.AGENTIC))
    run_twice(by_hand(learning, learning.wrap(reply)).compile(store=known(), checkpointer=InMemorySaver()))

    assert warnings(caplog, "learning.tools()") == 1


def test_proposals_that_nobody_is_asked_about_are_told(caplog: pytest.LogCaptureFixture) -> None:
    learning, _ = machine([TEA], [], user_memory=UserMemoryConfig(mode=LearningMode.PROPOSE))
    builder: Graph = StateGraph(MessagesState)
    builder.add_sequence([("recall", learning.recall_node()), ("a", learning.wrap(reply))])
    builder.add_node("extract", learning.extract_node()).add_edge(START, "recall").add_edge("a", "extract")
    run_twice(builder.compile(store=known(), checkpointer=InMemorySaver()))

    assert warnings(caplog, "learning.review_node()") == 1


def test_a_review_that_cannot_interrupt_is_told(caplog: pytest.LogCaptureFixture) -> None:
    learning, _ = machine([TEA], user_memory=UserMemoryConfig(mode=LearningMode.PROPOSE))
    by_hand(learning, learning.wrap(reply)).compile(store=known()).invoke(said("I drink tea"), thread(), context=ADA)

    assert warnings(caplog, "without a checkpointer") == 1


def test_two_machines_of_one_name_are_told_apart_by_an_error_or_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    one, _ = machine([], [])
    other, _ = machine([], [])
    with pytest.raises(ConfigurationError, match=r"called 'learning'.*LearningMachine\(name="):
        create_agent(ScriptedChatModel(), middleware=[*one.middleware(), *other.middleware()])
    with pytest.raises(AssertionError, match="duplicate"):
        create_agent(ScriptedChatModel(), middleware=[*one.middleware(), *one.middleware()])
    named = LearningMachine(user_memory=True, name="other")
    create_agent(ScriptedChatModel(), middleware=[*one.middleware(), *named.middleware()])

    builder = by_hand(one, one.wrap(reply))
    builder.add_node("again", other.recall_node()).add_edge("recall", "again")
    builder.compile(store=known()).invoke(said("Hi"), context=ADA)
    assert warnings(caplog, "two learning machines in this graph") == 1


@pytest.mark.parametrize("factory", ["recall_node", "extract_node", "review_node"])
def test_a_factory_that_is_added_uncalled_says_what_to_write(factory: str) -> None:
    learning, _ = machine()
    builder: Graph = StateGraph(MessagesState)
    builder.add_node(factory, getattr(learning, factory)).add_edge(START, factory)

    with pytest.raises(ConfigurationError, match=rf"builder\.add_node\(learning\.{factory}\(\)\)"):
        builder.compile(store=known()).invoke(said("Hi"), context=ADA)


def test_a_mode_of_the_machine_is_no_misspelt_model() -> None:
    with pytest.raises(ConfigurationError, match=r"UserMemoryConfig\(mode=") as caught:
        LearningMachine(mode="always")  # type: ignore[call-arg]
    assert "'model'" not in str(caught.value)


def test_a_model_without_anything_to_learn_is_told(caplog: pytest.LogCaptureFixture) -> None:
    LearningMachine(model=ScriptedChatModel())
    assert warnings(caplog, "nothing to learn") == 1
    LearningMachine()
    assert warnings(caplog, "nothing to learn") == 1


def test_a_store_beside_a_database_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with connect("sqlite:///:memory:") as db:
        create_learning_agent(ScriptedChatModel(), db=db, store=known())
    assert warnings(caplog, "Leave one of them out") == 1


def test_a_graph_in_around_that_takes_no_messages_is_told(caplog: pytest.LogCaptureFixture) -> None:
    class Question(TypedDict):
        question: str

    class Inner(Question):
        messages: Annotated[list[AnyMessage], add_messages]

    inner: Graph = StateGraph(Inner, input_schema=Question)
    inner.add_node("answer", lambda state: {"messages": [AIMessage(state["question"])]}).add_edge(START, "answer")
    learning, _ = machine([])
    graph = learning.around(inner.compile()).compile(store=known())

    assert texts(graph.invoke({"question": "Hi"}, context=ADA)["messages"]) == ["Hi"]
    assert warnings(caplog, "takes no 'messages'") == 1


# refused, or left alone


@pytest.mark.parametrize("wired", ["wrap", "recall"])
def test_a_cached_node_is_refused_before_it_answers_another_user(wired: str) -> None:
    learning, _ = machine([])
    node: Any = learning.wrap(reply) if wired == "wrap" else learning.recall_node()
    builder: Graph = StateGraph(MessagesState)
    builder.add_node("node", node, cache_policy=CachePolicy()).add_edge(START, "node")

    with pytest.raises(ConfigurationError, match="one user would get the answer that was made for another"):
        builder.compile(store=known(), cache=InMemoryCache()).invoke(said("Hi"), context=ADA)


def test_a_host_may_cache_its_other_nodes_by_default() -> None:
    learning, _ = machine([], [])
    builder: Graph = StateGraph(MessagesState)
    builder.set_node_defaults(cache_policy=CachePolicy()).add_node("node", reply).add_edge(START, "node")
    graph = learning.into(builder).compile(store=known(), cache=InMemoryCache())

    assert texts(graph.invoke(said("Hi"), context=ADA)["messages"]) == ["Hi", "Hello"]
    with pytest.raises(ConfigurationError, match="CachePolicy"):
        learning.into(builder, models=["node"]).compile(store=known(), cache=InMemoryCache()).invoke(
            said("Hi"), context=ADA
        )


def test_into_refuses_what_it_cannot_serve() -> None:
    learning, _ = machine()
    inner: Graph = StateGraph(MessagesState)
    inner.add_node("deep", reply).add_edge(START, "deep")
    builder: Graph = StateGraph(MessagesState)
    builder.add_node("inner", inner.compile()).add_edge(START, "inner")

    for given, models, message in [
        (inner.compile(), (), r"graph\.builder"),
        (reply, (), "StateGraph, not function"),
        (builder, ["nobody"], "no node 'nobody'"),
        (builder, "inner", "names of nodes: give a list"),
        (builder, ["inner"], r"learning\.model"),
        (learning.into(builder), (), "in this graph already"),
    ]:
        with pytest.raises(ConfigurationError, match=message):
            learning.into(cast("Any", given), models=models)
    with pytest.raises(ConfigurationError, match=r"LearningMachine\(model="):
        LearningMachine(user_memory=True).into(builder)


def test_into_leaves_the_builder_as_it_was_and_draws_the_ends() -> None:
    def route(state: MessagesState) -> str:
        return END

    builder: Graph = StateGraph(MessagesState)
    builder.add_node("node", reply).add_edge(START, "node").add_conditional_edges("node", route)
    learning, _ = machine([], [])
    before = (set(builder.nodes), set(builder.edges), list(builder.channels), dict(builder.branches["node"]))

    made = learning.into(builder)

    assert (set(builder.nodes), set(builder.edges), list(builder.channels), dict(builder.branches["node"])) == before
    assert list(made.nodes) == ["node", "recall", "extract"]
    drawn = {(edge.source, edge.target) for edge in made.compile().get_graph().edges}
    assert {("__start__", "recall"), ("recall", "node"), ("node", "extract"), ("extract", "__end__")} <= drawn
    second = LearningMachine(user_memory=True, model=ScriptedChatModel(extractions=[[]]), name="second").into(made)
    assert set(second.nodes) - set(made.nodes) == {"second_recall", "second_extract"}
    assert texts(second.compile(store=known()).invoke(said("Hi"), context=ADA)["messages"]) == ["Hi", "Hello"]


def test_workers_that_return_messages_for_nobody_do_not_crash_a_graph_without_messages() -> None:
    class Counting(TypedDict, total=False):
        done: bool

    learning, _ = machine([])
    builder: Graph = StateGraph(Counting)
    builder.add_node("recall", learning.recall_node()).add_edge(START, "recall")
    builder.add_node("work", reply)
    builder.add_conditional_edges("recall", lambda state: [Send("work", {}), Send("work", {})], ["work"])

    assert "messages" not in builder.compile(store=known()).invoke({"done": True}, context=ADA)


@pytest.mark.parametrize(
    "raw", [[{"role": "user", "content": "I drink tea"}], [("user", "I drink tea")], ["I drink tea"]]
)
def test_messages_of_any_form_are_learned_from_and_shown(raw: list[Any]) -> None:
    class Raw(TypedDict):
        messages: list[Any]

    seen: list[Any] = []

    def node(state: Raw) -> dict[str, Any]:
        seen.extend(state["messages"])
        return {"messages": [*state["messages"], {"role": "assistant", "content": "Hello"}]}

    learning, extractor = machine([TEA])
    graph = by_hand(learning, learning.wrap(node), schema=Raw).compile(store=known(), checkpointer=InMemorySaver())

    result = graph.invoke({"messages": raw}, thread(), context=ADA)

    assert FACT in str(seen[0])
    assert result["messages"] == [*raw, {"role": "assistant", "content": "Hello"}]
    assert "I drink tea" in extractor.prompt("extraction")


def test_around_a_graph_that_deletes_the_deletions_reach_the_outer_state() -> None:
    from hosts.shapes import summariser

    model, alone_model = ScriptedChatModel(replies=["Well."] * 3), ScriptedChatModel(replies=["Well."] * 3)
    learning, _ = machine([], [], [])
    graph = learning.around(summariser(model).compile()).compile(store=known(), checkpointer=InMemorySaver())
    alone = summariser(alone_model).compile(checkpointer=InMemorySaver())

    for number in range(3):
        given = {"messages": [HumanMessage(f"number {number}", id=f"h{number}")]}
        result = graph.invoke(given, thread(), context=ADA)
        assert texts(result["messages"]) == texts(alone.invoke(given, thread())["messages"])
    assert FACT in model.prompt()
    assert [len(prompt) for prompt in model.prompts["reply"]] == [
        len(prompt) for prompt in alone_model.prompts["reply"]
    ]


def test_a_command_to_the_end_and_a_run_from_the_middle_are_learned_from() -> None:
    def node(state: MessagesState) -> Command[Any]:
        return Command(update=reply(state), goto=END)

    learning, extractor = machine([], [], [])
    builder: Graph = StateGraph(MessagesState)
    builder.add_node("node", node).add_node("last", reply).add_edge(START, "node").add_edge("last", END)
    graph = learning.into(builder).compile(store=known(), checkpointer=InMemorySaver())

    graph.invoke(said("one", "h1"), thread(), context=ADA)
    assert extractor.calls["extraction"] == 1
    graph.update_state(thread(), said("two", "h2"), as_node="node")
    assert graph.get_state(thread()).next == ()
    graph.update_state(thread(), said("three", "h3"), as_node="last")
    graph.invoke(None, thread(), context=ADA)
    assert extractor.calls["extraction"] == 2
    assert "three" in extractor.prompt("extraction")
