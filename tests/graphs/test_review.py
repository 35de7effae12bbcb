"""The review node in graphs of every shape: hand-made, around, subgraphs in parallel, an inbox."""

from typing import Any

import pytest
from graphs.world import ADA, COLOURS, Colour, by_hand, invoked, memories, said, thread
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command

from langgraph_learning import LearningContext, LearningMachine, LearningMode, UserMemoryConfig
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.nodes.review import in_field_order
from langgraph_learning.stores import LearnedKnowledgeStore
from langgraph_learning.testing import ScriptedChatModel, op

APPROVE: dict[str, Any] = {"type": "approve"}
REJECT: dict[str, Any] = {"type": "reject"}
BEES = op("add_memory", content="Keeps bees")
TEA = op("add_memory", content="Likes tea")


def proposing(*extractions: Any, **options: Any) -> tuple[LearningMachine, ScriptedChatModel]:
    model = ScriptedChatModel(extractions=list(extractions))
    return LearningMachine(model=model, user_memory=UserMemoryConfig(mode=LearningMode.PROPOSE), **options), model


def answers(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage("Ok.")]}


def resumed(*decisions: dict[str, Any]) -> Any:
    return Command(resume={"decisions": list(decisions)})


def waiting(learning: LearningMachine, store: BaseStore, user: str = "ada") -> list[str]:
    found = learning.scoped(user_id=user, store=store).proposals()
    return [str(proposal.args["content"]) for proposal in found]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("shape", ["hand-made", "around"])
async def test_review_interrupts_after_the_reply_and_commits_the_yes(shape: str, colour: Colour) -> None:
    learning, model = proposing([BEES, TEA])
    builder = by_hand(learning, answers) if shape == "hand-made" else learning.around(answers)
    store = InMemoryStore()
    graph = builder.compile(checkpointer=InMemorySaver(), store=store)
    state = await invoked(graph, colour, said("Bees and tea."), thread(), context=ADA)
    [interrupt] = state["__interrupt__"]
    assert len(interrupt.value["action_requests"]) == 2
    assert memories(store) == []
    final = await invoked(graph, colour, resumed(REJECT, APPROVE), thread())
    assert memories(store) == ["Likes tea"]
    assert [message.text for message in final["messages"]] == ["Bees and tea.", "Ok."]
    assert model.calls == {"extraction": 1}


@pytest.mark.parametrize("colour", COLOURS)
async def test_private_keys_of_review_are_in_no_result_and_no_schema(colour: Colour) -> None:
    learning, _ = proposing([BEES])
    graph = by_hand(learning, answers).compile(checkpointer=InMemorySaver(), store=InMemoryStore())
    state = await invoked(graph, colour, said("Bees."), thread(), context=ADA)
    assert set(state) == {"messages", "__interrupt__"}
    assert set(graph.get_input_jsonschema()["properties"]) == {"messages"}
    assert set(graph.get_output_jsonschema()["properties"]) == {"messages"}


@pytest.mark.parametrize("colour", COLOURS)
async def test_parallel_subgraphs_ask_about_a_turn_once(colour: Colour) -> None:
    learning, _ = proposing([BEES], [BEES])
    store = InMemoryStore()
    inner = learning.around(answers).compile()
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState, context_schema=LearningContext)
    for name in ("one", "two"):
        builder.add_node(name, inner)
        builder.add_edge(START, name)
        builder.add_edge(name, END)
    graph = builder.compile(checkpointer=InMemorySaver(), store=store)
    state = await invoked(graph, colour, said("Bees."), thread(), context=ADA)
    answer = {interrupt.id: {"decisions": [APPROVE]} for interrupt in state["__interrupt__"]}
    state = await invoked(graph, colour, Command(resume=answer), thread())
    assert "__interrupt__" not in state
    assert memories(store) == ["Keeps bees"]
    assert waiting(learning, store) == []


@pytest.mark.parametrize("colour", COLOURS)
async def test_two_machines_in_parallel_subgraphs_ask_about_their_own(colour: Colour) -> None:
    store, nodes = InMemoryStore(), {}
    for name, learned in (("one", BEES), ("two", TEA)):
        model = ScriptedChatModel(extractions=[[learned]])
        config = UserMemoryConfig(mode=LearningMode.PROPOSE)
        nodes[name] = LearningMachine(model=model, user_memory=config, name=name).around(answers).compile()
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState, context_schema=LearningContext)
    for name, inner in nodes.items():
        builder.add_node(name, inner)
    builder.add_edge(START, "one")
    builder.add_edge("one", "two")
    builder.add_edge("two", END)
    graph = builder.compile(checkpointer=InMemorySaver(), store=store)
    state = await invoked(graph, colour, said("Bees and tea."), thread(), context=ADA)
    [first] = state["__interrupt__"]
    assert [each["args"] for each in first.value["action_requests"]] == [{"content": "Keeps bees"}]
    state = await invoked(graph, colour, resumed(APPROVE), thread(), context=ADA)
    # The second machine knows this turn's commit already: the same learning stores learn a turn once.
    assert "__interrupt__" not in state
    assert memories(store) == ["Keeps bees"]


@pytest.mark.parametrize("colour", COLOURS)
async def test_the_inbox_walks_what_waits_until_nothing_is_left(colour: Colour) -> None:
    facts = [op("add_memory", content=f"Fact number {number}") for number in range(12)]
    learning, _ = proposing(facts[:7], facts[7:])
    store = InMemoryStore()
    scoped = learning.scoped(user_id="ada", store=store)
    for turn in ("one", "two"):
        assert scoped.learn([("user", turn)]) is not None
    inbox = learning.inbox().compile(checkpointer=InMemorySaver(), store=store)
    state = await invoked(inbox, colour, {}, thread("inbox"), context=ADA)
    [interrupt] = state["__interrupt__"]
    first = interrupt.value["action_requests"]
    assert [each["args"]["content"] for each in first] == [f"Fact number {number}" for number in range(10)]
    state = await invoked(inbox, colour, resumed(*[APPROVE] * 9, REJECT), thread("inbox"))
    assert len(state["__interrupt__"][0].value["action_requests"]) == 2
    state = await invoked(inbox, colour, resumed(APPROVE, REJECT), thread("inbox"))
    assert "__interrupt__" not in state
    assert [outcome["result"] for outcome in state["decided"]] == [
        *["approved"] * 9,
        "rejected",
        "approved",
        "rejected",
    ]
    assert len(memories(store)) == 10
    assert set(inbox.get_input_jsonschema().get("properties", {})) == set()


@pytest.mark.parametrize("colour", COLOURS)
async def test_the_inbox_of_somebody_with_nothing_waiting_ends_at_once(colour: Colour) -> None:
    learning, _ = proposing()
    inbox = learning.inbox().compile(checkpointer=InMemorySaver(), store=InMemoryStore())
    assert await invoked(inbox, colour, {}, thread("inbox"), context=ADA) == {"decided": []}


@pytest.mark.parametrize("colour", COLOURS)
async def test_the_inbox_needs_a_checkpointer_and_says_so(colour: Colour) -> None:
    learning, _ = proposing()
    inbox = learning.inbox().compile(store=InMemoryStore())
    with pytest.raises(ConfigurationError, match="checkpointer"):
        await invoked(inbox, colour, {}, context=ADA)


@pytest.mark.parametrize("colour", COLOURS)
async def test_an_approver_is_the_person_who_resumes(colour: Colour) -> None:
    learning, _ = proposing([BEES], reviewers=lambda reviewer: reviewer == "boss")
    store = InMemoryStore()
    graph = by_hand(learning, answers).compile(checkpointer=InMemorySaver(), store=store)
    await invoked(graph, colour, said("Bees."), thread(), context=ADA)
    await invoked(graph, colour, resumed(APPROVE), thread(), context={"user_id": "boss"})
    [record] = learning.scoped(user_id="ada", store=store).records()
    assert record.source.approved_by == "boss"
    assert memories(store, "boss") == []


@pytest.mark.parametrize("colour", COLOURS)
async def test_an_interrupt_of_a_graph_that_is_replayed_proposes_nothing_new(colour: Colour) -> None:
    learning, model = proposing([BEES])
    store = InMemoryStore()
    graph = by_hand(learning, answers).compile(checkpointer=InMemorySaver(), store=store)
    await invoked(graph, colour, said("Bees.", id="h1"), thread(), context=ADA)
    [start] = [each for each in graph.get_state_history(thread()) if each.next == ("recall",)]
    state = await invoked(graph, colour, None, start.config, context=ADA)
    assert len(state["__interrupt__"]) == 1
    assert waiting(learning, store) == ["Keeps bees"]
    await invoked(graph, colour, resumed(APPROVE), thread(), context=ADA)
    assert memories(store) == ["Keeps bees"]
    assert model.calls == {"extraction": 1}


def test_arguments_are_shown_in_the_order_of_their_fields_whatever_the_database_made_of_it() -> None:
    save = next(each for each in LearnedKnowledgeStore().operations if each.__name__ == "save_learning")
    stored: dict[str, Any] = {"tags": [], "title": "Rollbacks", "extra": 1, "learning": "Roll back first"}
    assert list(in_field_order(stored, save)) == ["title", "learning", "tags", "extra"]
