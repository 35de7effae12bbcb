"""A message that is edited and sent again under its id takes back what its old text taught; nothing else does."""

from pathlib import Path
from typing import Any

import pytest
from graphs.world import ADA, BOB, COLOURS, Colour, by_hand, invoked, machine, memories, said, thread
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command

from langgraph_learning import Background, LearningMode, UserMemoryConfig, connect
from langgraph_learning.errors import ProposalError
from langgraph_learning.testing import ScriptedChatModel, call, op

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


PROPOSING = UserMemoryConfig(mode=LearningMode.PROPOSE)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("backend", ["memory", "sqlite"])
async def test_what_the_old_text_proposed_is_withdrawn(backend: str, colour: Colour, tmp_path: Path) -> None:
    learning, _ = machine([BEES, GUESS], [GOATS, GUESS], user_memory=PROPOSING)
    with connect(f"sqlite:///{tmp_path}/a.db") as db:
        store: BaseStore = db.store if backend == "sqlite" else InMemoryStore()
        graph = by_hand(learning, reply).compile(store=store)
        ada = learning.scoped(user_id="ada", store=store)
        await invoked(graph, colour, said("I keep bees", "h1"), thread(), context=ADA)
        old = ada.proposals()
        assert [proposal.args["content"] for proposal in old] == ["Keeps bees", "Likes animals"]

        await invoked(graph, colour, said("I keep goats", "h1"), thread(), context=ADA)

        assert [proposal.args["content"] for proposal in ada.proposals()] == ["Keeps goats", "Likes animals"]
        for proposal in old:
            with pytest.raises(ProposalError, match="withdrawn already: the message that it rests on was edited"):
                ada.decide(proposal.id, "approve")
        assert memories(store) == []


def test_an_open_inbox_and_review_say_that_it_was_withdrawn() -> None:
    tea = op("add_memory", content="Drinks tea", quote="I drink tea")
    learning, _ = machine([BEES], [tea], [GOATS], user_memory=PROPOSING)
    store, saver = InMemoryStore(), InMemorySaver()
    graph = by_hand(learning, reply).compile(store=store)
    inbox = learning.inbox().compile(store=store, checkpointer=saver)
    graph.invoke(said("I keep bees", "h1"), thread(), context=ADA)
    graph.invoke(said("I drink tea", "h2"), thread(), context=ADA)
    shown = inbox.invoke({}, thread("inbox"), context=ADA)
    assert "Keeps bees" in str(shown["__interrupt__"])

    graph.invoke(said("I keep goats", "h1"), thread(), context=ADA)
    answer: Command[Any] = Command(resume={"decisions": [{"type": "approve"}] * 2})
    result = inbox.invoke(answer, thread("inbox"), context=ADA)

    assert [outcome["result"] for outcome in result["decided"]] == ["decided", "approved"]
    assert "withdrawn" in result["decided"][0]["reason"]
    assert "Keeps goats" in str(result["__interrupt__"]), "and goes on with what waits now"
    assert "Keeps bees" not in str(result["__interrupt__"])
    assert memories(store) == ["Drinks tea"]


def test_other_threads_and_the_same_text_keep_what_they_proposed() -> None:
    learning, _ = machine(
        [BEES], [op("add_memory", content="Drinks tea", quote="I drink tea")], [], user_memory=PROPOSING
    )
    store = InMemoryStore()
    graph = by_hand(learning, reply).compile(store=store)
    graph.invoke(said("I keep bees", "h1"), thread("t1"), context=ADA)
    graph.invoke(said("I drink tea", "h1"), thread("t2"), context=ADA)

    graph.invoke(said("I keep bees", "h1"), thread("t1"), context=ADA)
    graph.invoke(said("I drink tea, but only green", "h1"), thread("t2"), context=ADA)

    ada = learning.scoped(user_id="ada", store=store)
    assert [proposal.args["content"] for proposal in ada.proposals()] == ["Keeps bees"]


def test_a_person_who_was_first_is_not_overruled(monkeypatch: pytest.MonkeyPatch) -> None:
    from langgraph_learning._engine.learning import edited_messages, extract

    learning, _ = machine([BEES], [], user_memory=PROPOSING)
    store = InMemoryStore()
    graph = by_hand(learning, reply).compile(store=store)
    ada = learning.scoped(user_id="ada", store=store)
    graph.invoke(said("I keep bees", "h1"), thread(), context=ADA)
    [proposal] = ada.proposals()
    found = edited_messages.edited_proposals

    def late(*arguments: Any) -> Any:  # the proposals were read, and now somebody decides
        ada.decide(proposal.id, "reject")
        return found(*arguments)

    monkeypatch.setattr(extract, "edited_proposals", late)
    graph.invoke(said("I keep goats", "h1"), thread(), context=ADA)

    with pytest.raises(ProposalError, match="rejected by ada already"):
        ada.decide(proposal.id, "approve")


def test_what_the_agents_tool_proposed_from_the_old_text_is_withdrawn() -> None:
    learning, _ = machine([], [], user_memory=UserMemoryConfig(mode=LearningMode.PROPOSE, enable_agent_tools=True))
    model = ScriptedChatModel(replies=[call("add_memory", content="Keeps bees"), "Noted.", "Fine."])
    store = InMemoryStore()
    agent: Any = create_agent(model, [*learning.tools()], middleware=[*learning.middleware()], store=store)
    ada = learning.scoped(user_id="ada", store=store)
    agent.invoke(said("I keep bees", "h1"), thread(), context=ADA)
    assert len(ada.proposals()) == 1

    agent.invoke(said("I keep goats", "h1"), thread(), context=ADA)

    assert ada.proposals() == []


@pytest.mark.parametrize("background", [False, Background(delay=0.0)], ids=["at once", "behind the reply"])
def test_a_secret_in_the_text_makes_no_edit_of_it(background: Any) -> None:
    config = UserMemoryConfig(enable_agent_tools=True)
    store = InMemoryStore()
    learning, _ = machine([], user_memory=config, background=background, store=store)
    model = ScriptedChatModel(replies=[call("add_memory", content="Keeps bees"), "Noted."])
    agent: Any = create_agent(model, [*learning.tools()], middleware=[*learning.middleware()], store=store)

    agent.invoke(said("I keep bees. My password: hunter2secret", "h1"), thread(), context=ADA)
    assert learning.drain(timeout=10)

    assert memories(store) == ["Keeps bees"]


def test_a_memory_that_the_agents_tool_took_from_the_old_text_goes_too() -> None:
    learning, _ = machine([], [], user_memory=UserMemoryConfig(enable_agent_tools=True))
    model = ScriptedChatModel(replies=[call("add_memory", content="Keeps bees"), "Noted.", "Fine."])
    store = InMemoryStore()
    agent: Any = create_agent(model, [*learning.tools()], middleware=[*learning.middleware()], store=store)
    agent.invoke(said("I keep bees", "h1"), thread(), context=ADA)
    assert memories(store) == ["Keeps bees"]

    agent.invoke(said("I keep goats", "h1"), thread(), context=ADA)

    assert memories(store) == []
