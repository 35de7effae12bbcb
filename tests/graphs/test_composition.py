"""The nodes in graphs of every shape: by hand, around others, in subgraphs, streamed, interrupted, replayed."""

import copy
import dataclasses
import logging
from typing import Any

import pytest
from graphs.world import (
    ADA,
    BOB,
    COLOURS,
    FACT,
    Colour,
    FailingStore,
    Mooded,
    by_hand,
    invoked,
    kept,
    known,
    machine,
    memories,
    said,
    streamed,
    texts,
    thread,
)
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, RetryPolicy, StreamMode, interrupt

from langgraph_learning import LearningContext, LearningMachine
from langgraph_learning.errors import ConfigurationError, ExtractionError, StoreError
from langgraph_learning.nodes.channel import PrivateUpdate
from langgraph_learning.testing import ScriptedChatModel, op

Graph = StateGraph[Any, Any, Any, Any]
TEA = op("add_memory", content="Drinks tea", quote="I drink tea")
MODES: list[StreamMode] = ["values", "updates", "messages", "custom", "checkpoints", "tasks", "debug"]


def reply(state: Any) -> dict[str, Any]:
    return {"messages": [AIMessage("Hello")]}


def asking(learning: LearningMachine, colour: Colour, found: list[Any]) -> Any:
    """Return a node that is not wrapped: it asks the machine for the recalled text."""

    def node(state: Mooded) -> dict[str, Any]:
        found.extend([learning.context(), learning.messages(state)])
        return reply(state)

    async def anode(state: Mooded) -> dict[str, Any]:
        found.extend([await learning.acontext(), await learning.amessages(state)])
        return reply(state)

    return node if colour == "sync" else anode


# by hand


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("saving", [True, False])
async def test_an_unwrapped_node_reads_the_text_that_recall_found(colour: Colour, saving: bool) -> None:
    learning, _ = machine([])
    found: list[Any] = []
    graph = by_hand(learning, asking(learning, colour, found), schema=Mooded).compile(
        store=known(), checkpointer=InMemorySaver() if saving else None
    )

    events = await streamed(graph, colour, said("Bees?"), thread(), context=ADA, stream_mode="custom")

    text, messages = found
    assert FACT in text
    assert (messages[0].type, messages[0].id) == ("system", "learning-context")
    assert texts(messages) == [text, "Bees?"]
    assert sum(event.get("learning") == "recalled" for event in events) == 1, "no second recall"


@pytest.mark.parametrize("colour", COLOURS)
async def test_in_a_subgraph_where_no_recall_ran_the_text_is_recalled_on_the_spot(colour: Colour) -> None:
    learning, _ = machine([])
    found: list[Any] = []
    inner: Graph = StateGraph(Mooded)
    inner.add_node("deep", asking(learning, colour, found)).add_edge(START, "deep")
    graph = by_hand(learning, inner.compile(), schema=Mooded).compile(store=known(), checkpointer=InMemorySaver())

    result = await invoked(graph, colour, said("Bees?"), thread(), context=ADA)

    assert FACT in found[0]
    assert FACT in found[1][0].text
    assert texts(result["messages"]) == ["Bees?", "Hello"]


@pytest.mark.parametrize("colour", COLOURS)
async def test_one_turn_teaches_and_the_next_conversation_knows(colour: Colour) -> None:
    learning, extractor = machine([TEA], [])
    shown: list[list[AnyMessage]] = []

    def agent(state: MessagesState) -> dict[str, Any]:
        shown.append(state["messages"])
        return reply(state)

    graph = by_hand(learning, learning.wrap(agent)).compile(store=InMemoryStore(), checkpointer=InMemorySaver())

    await invoked(graph, colour, said("I drink tea"), thread("monday"), context=ADA)
    await invoked(graph, colour, said("What do I drink?"), thread("tuesday"), context=ADA)

    assert texts(shown[0]) == ["I drink tea"]
    assert "Drinks tea" in shown[1][0].text
    assert extractor.calls["extraction"] == 2
    assert "Hello" in extractor.prompt("extraction", 0), "extraction hears the answer, too"


def test_context_outside_of_a_run_is_empty() -> None:
    learning, _ = machine()

    assert learning.context() == ""
    assert texts(learning.messages(said("Hi"))) == ["Hi"]


# around


@pytest.mark.parametrize("colour", COLOURS)
async def test_around_a_node_is_the_whole_loop(colour: Colour) -> None:
    learning, extractor = machine([TEA])
    seen: list[Any] = []

    def agent(state: Mooded) -> dict[str, Any]:
        seen.append(state)
        return {**reply(state), "mood": "glad"}

    builder = learning.around(agent, name="waiter")
    saver = InMemorySaver()
    store = known()
    graph = builder.compile(store=store, checkpointer=saver)

    result = await invoked(graph, colour, {**said("I drink tea"), "mood": "calm"}, thread(), context=ADA)

    assert list(builder.nodes) == ["recall", "waiter", "extract", "review"]
    assert result["mood"] == "glad"
    assert texts(result["messages"]) == ["I drink tea", "Hello"]
    assert FACT in seen[0]["messages"][0].text
    assert FACT not in kept(saver)
    assert memories(store) == [FACT, "Drinks tea"]
    assert extractor.calls["extraction"] == 1


@pytest.mark.parametrize("colour", COLOURS)
async def test_around_an_agent_shows_it_the_text_and_keeps_it_out_of_state_and_result(colour: Colour) -> None:
    model = ScriptedChatModel(replies=["Cup of tea?"])
    learning, _ = machine([TEA])
    agent = create_agent(model, system_prompt="Be kind.", name="waiter")
    store, saver = known(), InMemorySaver()
    graph = learning.around(agent).compile(store=store, checkpointer=saver)

    result = await invoked(graph, colour, said("I drink tea"), thread(), context=ADA)

    assert FACT in model.prompt()
    assert texts(result["messages"]) == ["I drink tea", "Cup of tea?"]
    assert FACT not in repr(graph.get_state(thread()))
    assert all(FACT not in repr(state) for state in graph.get_state_history(thread()))
    assert memories(store) == [FACT, "Drinks tea"]
    assert graph.get_input_jsonschema() == agent.get_input_jsonschema()
    assert graph.get_output_jsonschema() == agent.get_output_jsonschema()


def test_a_graph_inside_around_stays_discoverable() -> None:
    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(str(interrupt("Milk?")))]}

    inner: Graph = StateGraph(MessagesState)
    agent = inner.add_node("ask", ask).add_edge(START, "ask").compile()
    learning, extractor = machine([])
    graph = learning.around(agent, name="waiter").compile(store=known(), checkpointer=InMemorySaver())

    assert [name for name, _ in graph.get_subgraphs()] == ["waiter"]
    assert "waiter:ask" in graph.get_graph(xray=True).nodes

    graph.invoke(said("Tea, please"), thread(), context=ADA)
    [task] = graph.get_state(thread(), subgraphs=True).tasks
    assert task.state is not None
    assert task.state.next == ("ask",)  # type: ignore[union-attr]
    assert [pending.value for pending in task.interrupts] == ["Milk?"]

    result = graph.invoke(Command(resume="a little"), thread(), context=ADA)
    assert texts(result["messages"]) == ["Tea, please", "a little"]
    assert extractor.calls["extraction"] == 1


@pytest.mark.parametrize("colour", COLOURS)
async def test_an_inner_graph_with_a_memory_of_its_own_is_shown_each_users_text_alone(colour: Colour) -> None:
    model = ScriptedChatModel(replies=["one", "two"])
    learning, _ = machine([], [])
    agent = create_agent(model, checkpointer=True)
    graph = learning.around(agent).compile(store=known(), checkpointer=InMemorySaver())

    await invoked(graph, colour, said("I am Ada"), thread(), context=ADA)
    result = await invoked(graph, colour, said("I am Bob"), thread(), context=BOB)

    assert FACT in model.prompt(index=0)
    assert FACT not in model.prompt(index=1)
    assert texts(result["messages"]) == ["I am Ada", "one", "I am Bob", "two"]


def test_around_takes_schemas_of_the_users() -> None:
    class Context(LearningContext):
        tenant: str

    learning, _ = machine([])
    builder = learning.around(lambda state: reply(state), state_schema=Mooded, context_schema=Context)
    graph = builder.compile(store=known())

    assert set(graph.get_input_jsonschema()["properties"]) == {"messages", "mood"}
    assert "tenant" in str(graph.get_context_jsonschema())
    result = graph.invoke({**said("Hi"), "mood": "calm"}, context={"user_id": "ada", "tenant": "x"})
    assert result["mood"] == "calm"


def test_what_around_returns_can_be_built_on() -> None:
    learning, _ = machine([])
    builder = learning.around(reply)
    builder.add_node("aside", lambda state: {"messages": [AIMessage("aside")]})
    builder.add_edge("agent", "aside")

    assert "aside" in texts(builder.compile(store=known()).invoke(said("Hi"), context=ADA)["messages"])


def test_a_node_that_extracts_says_so_when_there_is_no_model() -> None:
    learning = LearningMachine(user_memory=True)

    with pytest.raises(ConfigurationError, match=r"LearningMachine\(model="):
        learning.extract_node()
    with pytest.raises(ConfigurationError, match=r"LearningMachine\(model="):
        learning.around(reply)


# streams


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("mode", MODES)
async def test_every_stream_mode_works_and_the_extractors_tokens_show_in_none(mode: StreamMode, colour: Colour) -> None:
    model = ScriptedChatModel(replies=["The answer"])
    learning, extractor = machine([op("add_memory", content="zebra")])
    graph = learning.around(create_agent(model)).compile(store=known(), checkpointer=InMemorySaver())

    events = await streamed(graph, colour, said("Hi"), thread(), context=ADA, stream_mode=mode, subgraphs=True)

    assert extractor.calls["extraction"] == 1
    assert events
    if mode == "custom":
        assert "zebra" in repr(events)  # the commit that we report ourselves
    else:
        assert "zebra" not in repr(events)
    if mode == "messages":
        assert "".join(chunk.text for _, (chunk, _) in events) == "The answer"


@pytest.mark.parametrize("colour", COLOURS)
async def test_recalled_and_learned_are_told_on_the_custom_stream(colour: Colour) -> None:
    learning, _ = machine([TEA])
    graph = by_hand(learning, reply).compile(store=known())

    events = await streamed(graph, colour, said("I drink tea"), context=ADA, stream_mode="custom")

    assert [event["learning"] for event in events] == ["recalled", "learned"]
    [shown] = events[0]["receipt"]["shown"]
    assert set(shown) >= {"id", "store", "reason"}
    assert FACT not in repr(events[0]), "the receipt holds ids only"
    assert events[1]["commit"]["changes"][0]["content"] == {"content": "Drinks tea"}


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("colour", COLOURS)
async def test_recalled_text_is_in_no_checkpoint_under_any_durability(durability: str, colour: Colour) -> None:
    learning, _ = machine([], [])
    saver = InMemorySaver()
    graph = by_hand(learning, learning.wrap(reply)).compile(store=known(), checkpointer=saver)

    for text in ("Bees?", "Again: bees?"):
        await invoked(graph, colour, said(text), thread(), context=ADA, durability=durability)

    assert FACT not in kept(saver)
    assert "Again: bees?" in kept(saver)
    assert "learning_turn" in kept(saver), "the receipt is kept"


def test_private_state_shows_in_no_result() -> None:
    learning, _ = machine([])
    graph = by_hand(learning, reply).compile(store=known(), checkpointer=InMemorySaver())

    assert set(graph.invoke(said("Hi"), thread(), context=ADA)) == {"messages"}


# interrupts


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_resume_without_context_still_knows_the_user_and_the_text(colour: Colour) -> None:
    learning, extractor = machine([TEA])
    seen: list[str] = []

    def approve(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(f"approved: {interrupt('Sure?')}")]}

    def after(state: MessagesState) -> dict[str, Any]:
        seen.append(str(state["messages"][0].text))
        return reply(state)

    store, saver = known(), InMemorySaver()
    graph = by_hand(learning, approve, learning.wrap(after)).compile(store=store, checkpointer=saver)

    await invoked(graph, colour, said("I drink tea"), thread(), context=ADA)
    assert seen == []
    result = await invoked(graph, colour, Command(resume="yes"), thread())

    assert texts(result["messages"]) == ["I drink tea", "approved: yes", "Hello"]
    assert FACT in seen[0], "recalled again: the text is in no checkpoint"
    assert memories(store) == [FACT, "Drinks tea"]
    assert extractor.calls["extraction"] == 1
    assert FACT not in kept(saver)


@pytest.mark.parametrize("colour", COLOURS)
async def test_an_unwrapped_node_after_a_resume_without_context_reads_the_text_again(colour: Colour) -> None:
    learning, _ = machine([])
    found: list[Any] = []

    def approve(state: MessagesState) -> dict[str, Any]:
        interrupt("Sure?")
        return {}

    graph = by_hand(learning, approve, asking(learning, colour, found)).compile(
        store=known(), checkpointer=InMemorySaver()
    )

    await invoked(graph, colour, said("Bees?"), thread(), context=ADA)
    await invoked(graph, colour, Command(resume="yes"), thread())

    assert FACT in found[0]


# who is asking, over turns


@pytest.mark.parametrize("colour", COLOURS)
async def test_what_was_said_anonymously_is_not_learned_about_the_user_who_comes_next(colour: Colour) -> None:
    learning, extractor = machine([])
    graph = by_hand(learning, reply).compile(store=InMemoryStore(), checkpointer=InMemorySaver())

    await invoked(graph, colour, said("My secret is Q"), thread())
    assert extractor.calls["extraction"] == 0
    await invoked(graph, colour, said("I am Ada"), thread(), context=ADA)

    assert "I am Ada" in extractor.prompt("extraction")
    assert "My secret is Q" not in extractor.prompt("extraction")


@pytest.mark.parametrize("colour", COLOURS)
async def test_two_users_in_one_thread_are_not_told_each_others_turns(colour: Colour) -> None:
    learning, extractor = machine([], [], [])
    graph = by_hand(learning, reply).compile(store=InMemoryStore(), checkpointer=InMemorySaver())

    for text, who in (("Ada one", ADA), ("Bob one", BOB), ("Ada two", ADA)):
        await invoked(graph, colour, said(text), thread(), context=who)

    assert "Ada one" not in extractor.prompt("extraction", 1)
    assert "Bob one" not in extractor.prompt("extraction", 2)


# once


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_replay_and_a_fork_learn_nothing_twice_and_ask_no_model_again(colour: Colour) -> None:
    learning, extractor = machine([TEA])
    store = InMemoryStore()
    graph = by_hand(learning, reply).compile(store=store, checkpointer=InMemorySaver())
    await invoked(graph, colour, said("I drink tea"), thread(), context=ADA)
    history = {state.next: state.config for state in graph.get_state_history(thread())}

    await invoked(graph, colour, None, history["agent",], context=ADA)
    await invoked(graph, colour, None, history["recall",], context=ADA)
    fork = graph.update_state(history["extract",], {"messages": [AIMessage("Another answer")]})
    await invoked(graph, colour, None, fork, context=ADA)

    assert extractor.calls["extraction"] == 1
    assert memories(store) == ["Drinks tea"]


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_fork_with_another_question_is_another_turn(colour: Colour) -> None:
    learning, extractor = machine([TEA], [op("add_memory", content="Drinks coffee")])
    store = InMemoryStore()
    graph = by_hand(learning, reply).compile(store=store, checkpointer=InMemorySaver())
    await invoked(graph, colour, said("I drink tea", id="h1"), thread(), context=ADA)
    history = {state.next: state.config for state in graph.get_state_history(thread())}

    fork = graph.update_state(history["recall",], said("I drink coffee", id="h1"), as_node="__start__")
    await invoked(graph, colour, None, fork, context=ADA)

    assert extractor.calls["extraction"] == 2
    assert memories(store) == ["Drinks coffee"], "what the old text of the message taught is taken back"


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("saving", [True, False])
async def test_two_subgraphs_that_each_extract_learn_once(colour: Colour, saving: bool) -> None:
    learning, extractor = machine([TEA])
    store = InMemoryStore()
    builder: Graph = StateGraph(MessagesState, context_schema=LearningContext)
    for name in ("first", "second"):
        builder.add_node(name, by_hand(learning, reply).compile())
    builder.add_edge(START, "first").add_edge("first", "second").add_edge("second", END)
    graph = builder.compile(store=store, checkpointer=InMemorySaver() if saving else None)

    await invoked(graph, colour, said("I drink tea"), thread(), context=ADA)

    assert extractor.calls["extraction"] == 1
    assert memories(store) == ["Drinks tea"]


@pytest.mark.parametrize("colour", COLOURS)
async def test_parallel_branches_that_each_extract_store_nothing_twice(colour: Colour) -> None:
    learning, _ = machine([TEA], repeat=True)
    store = InMemoryStore()
    builder: Graph = StateGraph(MessagesState, context_schema=LearningContext)
    for name in ("first", "second"):
        builder.add_node(name, by_hand(learning, reply).compile())
        builder.add_edge(START, name).add_edge(name, END)

    await invoked(builder.compile(store=store), colour, said("I drink tea", id="h1"), thread(), context=ADA)

    assert memories(store) == ["Drinks tea"]


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_node_that_is_retried_learns_once(colour: Colour) -> None:
    learning, extractor = machine([TEA], repeat=True, on_error="raise")
    store = FailingStore()
    store.failing = "write"
    attempts: list[Exception] = []

    def again(error: Exception) -> bool:
        attempts.append(error)
        store.failing = ""
        return True

    builder: Graph = StateGraph(MessagesState, context_schema=LearningContext)
    policy = RetryPolicy(initial_interval=0.001, jitter=False, retry_on=again)
    builder.add_node("extract", learning.extract_node(), retry_policy=policy).add_edge(START, "extract")
    graph = builder.compile(store=store)

    await invoked(graph, colour, said("I drink tea", id="h1"), context=ADA)
    await invoked(graph, colour, said("I drink tea", id="h1"), context=ADA)

    assert [type(error) for error in attempts] == [StoreError]
    assert memories(store) == ["Drinks tea"]
    assert extractor.calls["extraction"] == 2, "the failed attempt and the one that was written"


# failures


@pytest.mark.parametrize("colour", COLOURS)
async def test_without_any_store_the_first_run_names_the_three_ways_to_give_one(colour: Colour) -> None:
    learning, _ = machine([])

    with pytest.raises(ConfigurationError) as caught:
        await invoked(by_hand(learning, reply).compile(), colour, said("Hi"), context=ADA)

    for way in ("create_learning_agent(..., db=", "LearningMachine(store=", "compile(store="):
        assert way in str(caught.value)


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_store_that_cannot_be_read_does_not_stop_the_reply_and_nothing_is_written(
    colour: Colour, caplog: pytest.LogCaptureFixture
) -> None:
    learning, extractor = machine([TEA])
    store = known(store=FailingStore())
    assert isinstance(store, FailingStore)
    store.failing = "read"
    graph = by_hand(learning, learning.wrap(reply)).compile(store=store)

    with caplog.at_level(logging.ERROR):
        events = await streamed(graph, colour, said("Hi"), context=ADA, stream_mode=["custom", "values"])

    assert texts([values for mode, values in events if mode == "values"][-1]["messages"]) == ["Hi", "Hello"]
    failed = [event for mode, event in events if mode == "custom"]
    assert {event["learning"] for event in failed} == {"failed"}
    assert {event["step"] for event in failed} == {"recall", "extract"}
    assert "the disk is gone" in caplog.text
    assert "Traceback" in caplog.text
    assert extractor.calls["extraction"] == 0
    store.failing = ""
    assert memories(store) == [FACT]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(
    ("answer", "error"), [("half a sent", ExtractionError), (ConnectionError("no network"), ConnectionError)]
)
async def test_a_failed_extraction_is_told_and_its_turn_is_learned_with_the_next_one(
    answer: object, error: type[Exception], colour: Colour
) -> None:
    failures = [answer, answer] if error is ExtractionError else [answer]  # one repair
    learning, extractor = machine(*failures, [TEA], [])
    store = InMemoryStore()
    graph = by_hand(learning, reply).compile(store=store, checkpointer=InMemorySaver())

    events = await streamed(graph, colour, said("I drink tea"), thread(), context=ADA, stream_mode="custom")
    assert [event["learning"] for event in events] == ["recalled", "failed"]
    assert error.__name__ in events[-1]["error"]
    assert memories(store) == []

    await invoked(graph, colour, said("Something else"), thread(), context=ADA)
    assert "I drink tea" in extractor.prompt("extraction")
    assert "Something else" in extractor.prompt("extraction")
    assert memories(store) == ["Drinks tea"]

    await invoked(graph, colour, said("A third thing"), thread(), context=ADA)
    assert "A third thing" in extractor.prompt("extraction")
    assert "<turn>" in extractor.prompt("extraction")
    assert "Something else" not in extractor.prompt("extraction"), "what was learned from is not heard again"


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_turn_that_the_model_refuses_is_told_and_takes_no_other_with_it(
    colour: Colour, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = AIMessage("", response_metadata={"stop_reason": "refusal"})
    down = ConnectionError("no network")
    learning, extractor = machine(refusal, refusal, [], down, refusal, refusal, refusal, refusal, [TEA])
    store = InMemoryStore()
    graph = by_hand(learning, reply).compile(store=store, checkpointer=InMemorySaver())

    events = await streamed(graph, colour, said("Something awful"), thread(), context=ADA, stream_mode="custom")
    assert [event["learning"] for event in events] == ["recalled", "failed"]
    assert "the model refused" in caplog.text
    await invoked(graph, colour, said("Hello"), thread(), context=ADA)
    assert "Something awful" not in extractor.prompt("extraction")
    await invoked(graph, colour, said("Something worse"), thread(), context=ADA)
    await invoked(graph, colour, said("I drink tea"), thread(), context=ADA)

    asked = [extractor.prompt("extraction", number) for number in (4, 6, 8)]
    assert ["Something worse" in prompt for prompt in asked] == [True, True, False], "together, then each alone"
    assert ["I drink tea" in prompt for prompt in asked] == [True, False, True]
    assert memories(store) == ["Drinks tea"]


@pytest.mark.parametrize("colour", COLOURS)
async def test_an_anonymous_turn_after_a_failed_one_is_not_learned_about_the_user_who_comes_back(
    colour: Colour,
) -> None:
    learning, extractor = machine(ConnectionError("no network"), [], [])
    graph = by_hand(learning, reply).compile(store=InMemoryStore(), checkpointer=InMemorySaver())

    await invoked(graph, colour, said("I am Ada"), thread(), context=ADA)
    await invoked(graph, colour, said("My secret is Q"), thread())
    await invoked(graph, colour, said("Ada again"), thread(), context=ADA)

    assert "Ada again" in extractor.prompt("extraction")
    assert not any("My secret is Q" in extractor.prompt("extraction", index) for index in range(3))


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("failing", ["read", "write"])
async def test_on_error_raise_lets_a_failure_through(failing: Any, colour: Colour) -> None:
    learning, _ = machine([TEA], on_error="raise")
    store = FailingStore()
    store.failing = failing

    with pytest.raises(StoreError, match="the disk is gone") as caught:
        await invoked(by_hand(learning, reply).compile(store=store), colour, said("I drink tea"), context=ADA)

    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_failed_write_never_reports_success(colour: Colour) -> None:
    learning, _ = machine([TEA])
    store = FailingStore()
    store.failing = "write"
    graph = by_hand(learning, reply).compile(store=store)

    events = await streamed(graph, colour, said("I drink tea"), context=ADA, stream_mode="custom")

    assert [event["learning"] for event in events] == ["recalled", "failed"]
    store.failing = ""
    assert memories(store) == []


def test_what_our_nodes_write_can_be_copied_and_printed_as_tracing_does() -> None:
    shown = {"ids": ["h1"]}
    command: Command[Any] = Command(update={"learning_kept": PrivateUpdate(shown, [{"words": "I keep bees"}])})

    assert dataclasses.asdict(command)["update"] == {"learning_kept": shown}
    assert "ids" in repr(command)
    assert "bees" not in repr(command)
    assert copy.deepcopy(command).update == {"learning_kept": shown}
