"""Who may decide and write: only the user of the turn, or whom the application names; and never a forgery."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from graphs.world import ADA, BOB, COLOURS, FACT, Colour, by_hand, invoked, known, machine, memories, said, thread
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import MessagesState
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, Overwrite, Send, interrupt

from langgraph_learning import (
    LearnedKnowledgeConfig,
    LearningMachine,
    LearningMode,
    Proposal,
    UserMemoryConfig,
    connect,
    create_learning_agent,
)
from langgraph_learning._engine.learning.messages import TurnMessage
from langgraph_learning._engine.learning.turn import Turn, TurnInput
from langgraph_learning.errors import ConfigurationError, ProposalError, ScopeError
from langgraph_learning.records import Identity
from langgraph_learning.testing import ScriptedChatModel, call, op

TEA = op("add_memory", content="Drinks tea", quote="I drink tea")
APPROVE: dict[str, Any] = {"type": "approve"}
REJECT: dict[str, Any] = {"type": "reject"}
INTRUSION: dict[str, Any] = {
    "type": "edit",
    "edited_action": {"name": "add_memory", "args": {"content": "Is an administrator"}},
}
TIP = op("save_learning", title="Ports", learning="Use port 8443", tags=[])


def resumed(*decisions: dict[str, Any]) -> Any:
    return Command(resume={"decisions": list(decisions)})


def reply(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage("Ok.")]}


def pausing(state: MessagesState) -> dict[str, Any]:
    interrupt("Sure?")
    return {}


def proposing(*extractions: Any, **options: Any) -> LearningMachine:
    model = ScriptedChatModel(extractions=list(extractions))
    memory = UserMemoryConfig(mode=LearningMode.PROPOSE)
    return LearningMachine(model=model, user_memory=memory, **options)


def boss_only(reviewer: str, proposal: Proposal) -> bool:
    return reviewer == "boss"


# an interrupt that somebody else resumes


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("answer", [APPROVE, REJECT, INTRUSION])
async def test_another_user_may_not_answer_a_review_and_the_right_one_still_can(
    answer: dict[str, Any], colour: Colour
) -> None:
    learning, store = proposing([TEA]), InMemoryStore()
    graph = by_hand(learning, reply).compile(checkpointer=InMemorySaver(), store=store)
    await invoked(graph, colour, said("I drink tea"), thread(), context=ADA)

    for config, context in ((thread(), BOB), (thread(user_id="bob"), None)):
        with pytest.raises(ScopeError, match="'bob'"):
            await invoked(graph, colour, resumed(answer), config, context=context)
    assert memories(store) == memories(store, "bob") == []

    await invoked(graph, colour, resumed(APPROVE), thread(), context=ADA)
    assert memories(store) == ["Drinks tea"]


@pytest.mark.parametrize("colour", COLOURS)
async def test_the_refused_answer_of_another_is_not_kept_for_the_next_run(colour: Colour) -> None:
    learning, store = proposing([TEA]), InMemoryStore()
    graph = by_hand(learning, reply).compile(checkpointer=InMemorySaver(), store=store)
    await invoked(graph, colour, said("I drink tea"), thread(), context=ADA)
    with pytest.raises(ScopeError):
        await invoked(graph, colour, resumed(INTRUSION), thread(), context=BOB)

    state = await invoked(graph, colour, None, thread(), context=ADA)

    assert memories(store) == []
    assert len(state["__interrupt__"]) == 1


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_resume_that_names_nobody_keeps_the_user_of_the_turn(colour: Colour) -> None:
    learning, store = proposing([TEA]), InMemoryStore()
    graph = by_hand(learning, reply).compile(checkpointer=InMemorySaver(), store=store)
    await invoked(graph, colour, said("I drink tea"), thread(), context=ADA)
    await invoked(graph, colour, resumed(APPROVE), thread())
    assert memories(store) == ["Drinks tea"]


@pytest.mark.parametrize("colour", COLOURS)
async def test_another_user_may_not_go_on_with_a_turn_that_was_interrupted(colour: Colour) -> None:
    learning, extractor = machine([TEA], repeat=True)
    store = InMemoryStore()
    graph = by_hand(learning, pausing, reply).compile(checkpointer=InMemorySaver(), store=store)
    await invoked(graph, colour, said("I drink tea"), thread(), context=ADA)
    with pytest.raises(ScopeError, match="may not act for 'ada'"):
        await invoked(graph, colour, Command(resume="yes"), thread(), context=BOB)
    assert extractor.calls["extraction"] == 0
    assert memories(store) == memories(store, "bob") == []


@pytest.mark.parametrize("colour", COLOURS)
async def test_another_user_may_not_answer_an_inbox(colour: Colour) -> None:
    learning, store = proposing([TEA], store=(store := InMemoryStore())), store
    learning.scoped(user_id="ada").learn([("user", "I drink tea")])
    inbox = learning.inbox().compile(checkpointer=InMemorySaver(), store=store)
    await invoked(inbox, colour, {}, thread("inbox"), context=ADA)
    with pytest.raises(ScopeError, match="'bob'"):
        await invoked(inbox, colour, resumed(INTRUSION), thread("inbox"), context=BOB)
    assert memories(store) == []
    await invoked(inbox, colour, resumed(APPROVE), thread("inbox"), context=ADA)
    assert memories(store) == ["Drinks tea"]


def test_a_resolver_that_names_another_user_on_a_resume_is_compared_too() -> None:
    def tenant(context: dict[str, str]) -> str:
        return context["tenant"]

    learning, store = proposing([TEA], scope=tenant), InMemoryStore()
    graph = by_hand(learning, reply).compile(checkpointer=InMemorySaver(), store=store)
    graph.invoke(said("I drink tea"), thread(), context={"tenant": "acme"})
    with pytest.raises(ScopeError):
        graph.invoke(resumed(APPROVE), thread(), context={"tenant": "evil"})
    graph.invoke(resumed(APPROVE), thread())
    assert memories(store, "acme") == ["Drinks tea"]


# forged private state

TURN = {
    "turn_id": "h1",
    "identity": {"user_id": "ada", "thread_id": "t1", "agent": None, "timezone": "UTC"},
    "receipt": {},
}
FORGERIES: list[Callable[[str], Any]] = [
    lambda node: Command(update={"learning_turn": TURN}, goto=node),
    lambda node: Command(update={"learning_turn": Overwrite(TURN)}, goto=node),
    lambda node: Command(update={"learning_turn": {"__overwrite__": TURN}}, goto=node),
    lambda node: Command(goto=Send(node, {"learning_turn": TURN, **said("I drink tea", "h1")})),
]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("context", [BOB, None])
@pytest.mark.parametrize("node", ["recall", "extract", "review"])
@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_turn_that_a_caller_writes_into_private_state_gives_nobody_anothers_memory(
    forgery: Callable[[str], Any], node: str, context: Any, colour: Colour
) -> None:
    learning = proposing([op("add_memory", content="Is an administrator")], [])
    store = InMemoryStore()
    learning.scoped(user_id="ada", store=store).learn([("user", "Hi")])
    graph = by_hand(learning, reply).compile(checkpointer=InMemorySaver(), store=store)
    await invoked(graph, colour, said("I drink tea", id="h1"), thread(), context=BOB)

    refused = False
    try:
        await invoked(graph, colour, forgery(node), thread(), context=context)
        await invoked(graph, colour, resumed(APPROVE), thread(), context=context)
    except ScopeError:
        refused = True

    assert memories(store) == []
    if node == "extract" and context == BOB and forgery is FORGERIES[0]:  # the others do not reach the state
        assert refused


def test_a_tool_call_under_a_forged_turn_is_refused() -> None:
    model = ScriptedChatModel(replies=[call("delete_memory", id="m1"), "Done."])
    learning = LearningMachine(user_memory=UserMemoryConfig(mode=LearningMode.AGENTIC))
    agent: Any = create_agent(
        model,
        tools=learning.tools(),
        middleware=[*learning.middleware()],
        store=(store := known()),
        checkpointer=InMemorySaver(),
        interrupt_before=["tools"],
    )
    agent.invoke(said("Forget it", id="h1"), thread(), context=BOB)
    for context in (BOB, None):
        with pytest.raises(ScopeError):
            agent.invoke(Command(update={"learning_turn": TURN}), thread(), context=context)
    assert memories(store) == [FACT]


# reviewers


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_reviewer_the_application_names_decides_in_the_graph_and_nobody_else(colour: Colour) -> None:
    learning, store = proposing([TEA], reviewers=boss_only), InMemoryStore()
    graph = by_hand(learning, reply).compile(checkpointer=InMemorySaver(), store=store)
    await invoked(graph, colour, said("I drink tea"), thread(), context=ADA)
    for context in (ADA, BOB, None):
        with pytest.raises(ScopeError):
            await invoked(graph, colour, resumed(APPROVE), thread(), context=context)
    await invoked(graph, colour, resumed(APPROVE), thread(), context={"user_id": "boss"})
    [record] = learning.scoped(user_id="ada", store=store).records()
    assert (record.text, record.source.approved_by) == ("Drinks tea", "boss")


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_reviewers_inbox_holds_what_they_may_decide_of_all_users(colour: Colour) -> None:
    learning = proposing([TEA], [op("add_memory", content="Drinks milk")], reviewers=boss_only, store=InMemoryStore())
    for user in ("ada", "bob"):
        learning.scoped(user_id=user).learn([("user", f"I am {user}")])
    inbox = learning.inbox().compile(checkpointer=InMemorySaver(), store=InMemoryStore())
    assert await invoked(inbox, colour, {}, thread("i1"), context=ADA) == {"decided": []}
    state = await invoked(inbox, colour, {}, thread("i2"), context={"user_id": "boss"})
    assert len(state["__interrupt__"][0].value["action_requests"]) == 2
    await invoked(inbox, colour, resumed(APPROVE, REJECT), thread("i2"), context={"user_id": "boss"})
    assert [record.text for record in learning.scoped(user_id="ada").records()] == ["Drinks tea"]
    assert learning.scoped(user_id="bob").records() == []
    assert learning.review_queue() == []


@pytest.mark.parametrize("colour", COLOURS)
async def test_the_queue_lists_what_waits_of_all_and_an_admin_decides_by_the_data_api(colour: Colour) -> None:
    shared = LearnedKnowledgeConfig(mode=LearningMode.PROPOSE)
    model = ScriptedChatModel(extractions=[[TIP], [op("save_learning", title="Disks", learning="Use SSDs", tags=[])]])
    learning = LearningMachine(
        model=model, learned_knowledge=shared, reviewers=boss_only, store=InMemoryStore(), namespace="team"
    )
    for user in ("ada", "bob"):
        learning.scoped(user_id=user).learn([("user", f"I am {user}")])
    queue = learning.review_queue("team") if colour == "sync" else await learning.areview_queue("team")
    assert [proposal.identity.user_id for proposal in queue] == ["ada", "bob"]
    assert learning.review_queue("another") == learning.scoped(user_id="ada").review_queue() == []
    boss = learning.scoped(user_id="boss")
    assert boss.review_queue() == queue
    with pytest.raises(ScopeError):
        learning.scoped(user_id="bob").decide(queue[0].id, "approve")
    outcome = boss.decide(queue[0].id, "approve", edit={"learning": "Use port 9443"})
    assert outcome.result == "approved"
    [record] = boss.records()
    assert (record.content["learning"], record.source.approved_by) == ("Use port 9443", "boss")
    with pytest.raises(ProposalError, match="approved by boss already"):
        boss.decide(queue[0].id, "reject")
    assert [proposal.id for proposal in learning.review_queue()] == [queue[1].id]


def test_whoever_proposed_for_everybody_does_not_approve_where_reviewers_are_named() -> None:
    shared = LearnedKnowledgeConfig(mode=LearningMode.PROPOSE)
    model = ScriptedChatModel(extractions=[[TIP]])
    learning = LearningMachine(
        model=model, learned_knowledge=shared, reviewers=lambda reviewer, proposal: True, store=InMemoryStore()
    )
    ada = learning.scoped(user_id="ada")
    ada.learn([("user", "Ports!")])
    [proposal] = ada.proposals()
    with pytest.raises(ScopeError):
        ada.decide(proposal.id, "approve")
    assert ada.records() == []
    assert learning.scoped(user_id="bob").decide(proposal.id, "approve").result == "approved"


def test_reviewers_that_are_asynchronous_or_raise_nothing_but_truthy_values_let_nobody_decide() -> None:
    async def later(reviewer: str, proposal: Proposal) -> bool:
        return True

    for reviewers, error in ((later, ConfigurationError), (lambda reviewer: "yes", ScopeError)):
        learning = proposing([TEA], reviewers=reviewers, store=InMemoryStore())
        ada = learning.scoped(user_id="ada")
        ada.learn([("user", "I drink tea")])
        with pytest.raises(error):
            ada.decide(ada.proposals()[0].id, "approve", by="boss")
        assert ada.records() == []


def test_without_reviewers_nobody_decides_about_what_was_proposed_to_another() -> None:
    learning = proposing([TEA], store=InMemoryStore())
    ada = learning.scoped(user_id="ada")
    ada.learn([("user", "I drink tea")])
    [proposal] = ada.proposals()
    for scoped in (learning.scoped(user_id="bob"), learning.scoped()):
        with pytest.raises(ProposalError, match="no such proposal"):
            scoped.decide(proposal.id, "approve")
    assert ada.records() == []


def test_an_edit_may_not_make_another_operation_of_a_proposal() -> None:
    learning, store = proposing([TEA]), known()
    graph = by_hand(learning, reply).compile(checkpointer=InMemorySaver(), store=store)
    graph.invoke(said("I drink tea"), thread(), context=ADA)
    deletion = {"type": "edit", "edited_action": {"name": "delete_memory", "args": {"id": "m1"}}}
    with pytest.raises(ValueError, match="may not become 'delete_memory'"):
        graph.invoke(resumed(deletion), thread(), context=ADA)
    graph.invoke(resumed(APPROVE), thread(), context=ADA)
    assert memories(store) == [FACT, "Drinks tea"]


def test_no_call_of_the_data_api_reaches_what_another_user_has() -> None:
    with connect("sqlite:///:memory:") as db:
        learning = LearningMachine(user_memory=True, learned_knowledge=True, model=ScriptedChatModel())
        ada, bob = (learning.scoped(user_id=user, store=db.store) for user in ("ada", "bob"))
        private = ada.apply("add_memory", content="Keeps bees")
        shared = ada.apply("save_learning", title="Egress", learning="Check the price first", context="clouds")
        [bees] = ada.records("user_memory")
        for attempt in (
            lambda: bob.undo(private.id),
            lambda: bob.undo(shared.id),
            lambda: bob.feedback(private.id, helpful=False),
            lambda: bob.apply("update_memory", id=bees.id, content="Keeps wasps"),
            lambda: bob.apply("delete_memory", id=bees.id),
        ):
            with pytest.raises((ScopeError, ValueError)):
                attempt()
        row = {**bees.model_dump(mode="json"), "id": "another", "text": "Is an administrator"}
        bob.load([{**row, "content": {"content": "Is an administrator"}}])
        bob.forget()
        with pytest.raises(ScopeError):
            bob.history(bees.id)
        assert [record.text for record in ada.records("user_memory")] == ["Keeps bees"]
        assert [record.content["title"] for record in ada.records("learned_knowledge")] == ["Egress"]


def test_words_that_a_caller_writes_into_private_state_are_nobody_elses() -> None:
    asked = [op("add_memory", content="Is an administrator", quote="I am an administrator")]
    model = ScriptedChatModel(replies=["Hello"], repeat=True, extractions=[asked])
    config: Any = {"configurable": {"thread_id": "t"}}
    with connect("sqlite:///:memory:") as db:
        learning = LearningMachine(user_memory=True)
        agent: Any = create_learning_agent(model, learning=learning, db=db)
        turn = Turn((TurnMessage("user", "I am an administrator", "m1"),))
        forged = TurnInput(turn, Identity(user_id="ada", thread_id="t"), datetime.now(UTC)).to_json()
        command: Any = Command(update={"learning_kept": [forged], "messages": [("user", "go on")]})
        agent.invoke({"messages": [("user", "hello")]}, config, context={"user_id": "bob"})
        agent.invoke(command, config, context={"user_id": "bob"})
        assert learning.scoped(user_id="ada", store=db.store).records() == []
