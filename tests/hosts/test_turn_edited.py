"""A message that is edited and sent again under its id takes back what its old text taught; nothing else does."""

from pathlib import Path
from typing import Any

import pytest
from graphs.world import ADA, BOB, COLOURS, Colour, by_hand, invoked, machine, memories, said, thread
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from langgraph_learning import connect
from langgraph_learning.testing import op

BEES = op("add_memory", content="Keeps bees", quote="I keep bees")
GOATS = op("add_memory", content="Keeps goats", quote="I keep goats")
GUESS = op("add_memory", content="Likes animals", quote=None)


def reply(state: Any) -> dict[str, Any]:
    return {"messages": [AIMessage("Hello")]}


def first_checkpoint(graph: Any) -> Any:
    """Return the configuration of the thread as it was before its first message."""
    return list(graph.get_state_history(thread()))[-1].config


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("forked", [False, True], ids=["in the thread", "on a fork"])
async def test_what_an_edited_message_taught_goes_also_what_was_inferred(colour: Colour, forked: bool) -> None:
    learning, model = machine([BEES, GUESS], [GOATS])
    store = InMemoryStore()
    graph = by_hand(learning, reply).compile(store=store, checkpointer=InMemorySaver())
    await invoked(graph, colour, said("I keep bees", "h1"), thread(), context=ADA)

    config = first_checkpoint(graph) if forked else thread()
    await invoked(graph, colour, said("I keep goats", "h1"), config, context=ADA)

    assert memories(store) == ["Keeps goats"]
    assert "Keeps bees" not in model.prompt("extraction"), "the model is not shown what was taken back"


@pytest.mark.parametrize("forked", [False, True], ids=["in the thread", "on a fork"])
def test_the_same_text_sent_again_is_neither_learned_nor_taken_back(forked: bool) -> None:
    learning, model = machine([BEES, GUESS])
    store = InMemoryStore()
    graph = by_hand(learning, reply).compile(store=store, checkpointer=InMemorySaver())
    graph.invoke(said("I keep bees", "h1"), thread(), context=ADA)

    graph.invoke(said("I keep bees", "h1"), first_checkpoint(graph) if forked else thread(), context=ADA)

    assert memories(store) == ["Keeps bees", "Likes animals"]
    assert model.calls["extraction"] == 1


def test_an_edit_that_teaches_nothing_takes_back_all_the_same() -> None:
    learning, _ = machine([BEES], [])
    store = InMemoryStore()
    graph = by_hand(learning, reply).compile(store=store, checkpointer=InMemorySaver())
    graph.invoke(said("I keep bees", "h1"), thread(), context=ADA)

    graph.invoke(said("Forget it", "h1"), thread(), context=ADA)

    assert memories(store) == []


def test_other_messages_threads_and_users_keep_what_they_taught() -> None:
    learning, _ = machine([BEES], [BEES], [op("add_memory", content="Drinks tea", quote="I drink tea")], [])
    store = InMemoryStore()
    graph = by_hand(learning, reply).compile(store=store, checkpointer=InMemorySaver())
    graph.invoke(said("I keep bees", "h1"), thread("t1"), context=ADA)
    graph.invoke(said("I keep bees", "h1"), thread("t2"), context=BOB)
    graph.invoke(said("I drink tea", "h2"), thread("t1"), context=ADA)

    graph.invoke(said("I drink coffee", "h2"), thread("t1"), context=ADA)

    assert memories(store) == ["Keeps bees"]
    assert memories(store, "bob") == ["Keeps bees"]


@pytest.mark.parametrize("history", [True, False])
def test_a_record_that_the_old_text_changed_is_put_back_where_there_is_history(history: bool, tmp_path: Path) -> None:
    changed = op("update_memory", id="m1", content="Keeps wasps", quote="No, wasps")
    learning, _ = machine([BEES], [changed], [])
    with connect(f"sqlite:///{tmp_path}/a.db") as db:
        store = db.store if history else InMemoryStore()
        graph = by_hand(learning, reply).compile(store=store, checkpointer=InMemorySaver())
        graph.invoke(said("I keep bees", "h1"), thread(), context=ADA)
        graph.invoke(said("No, wasps", "h2"), thread(), context=ADA)
        assert memories(store) == ["Keeps wasps"]

        graph.invoke(said("No, nothing", "h2"), thread(), context=ADA)

        assert memories(store) == (["Keeps bees"] if history else [])
