"""PROPOSE: nothing is permanent without a person's yes, in every way a graph can be interrupted and resumed."""

import asyncio
from typing import Any

import pytest
from acceptance.driver import Agent, Home
from langchain_core.messages import AIMessage, ToolCall
from langgraph.types import Command
from pydantic import ValidationError

from langgraph_learning import LearningMachine, LearningMode, Proposal, UserMemoryConfig, UserProfileConfig
from langgraph_learning.errors import ProposalError
from langgraph_learning.testing import call, op

PROPOSE = LearningMode.PROPOSE
DOCKER = op("add_memory", content="Needs host.docker.internal on a Mac", quote="host.docker.internal")
REBOOT = op("add_memory", content="Rebooted once on a Tuesday", quote="rebooted")
APPROVE: dict[str, Any] = {"type": "approve"}
REJECT: dict[str, Any] = {"type": "reject", "message": "no"}


def machine(**options: Any) -> LearningMachine:
    return LearningMachine(user_memory=UserMemoryConfig(mode=PROPOSE, **options))


def edited(name: str, /, **args: Any) -> dict[str, Any]:
    return {"type": "edit", "edited_action": {"name": name, "args": args}}


def asked(agent: Agent, text: str, thread: str = "c1", user: str = "alice") -> list[dict[str, Any]]:
    """Say `text` and return the actions that a person is asked about; none if the graph is not interrupted."""
    return requests(agent.turn(text, thread=thread, user=user))


def requests(state: dict[str, Any]) -> list[dict[str, Any]]:
    shown = [interrupt.value for interrupt in state.get("__interrupt__", ())]
    return [request for value in shown for request in value["action_requests"]]


def answer(agent: Agent, *decisions: dict[str, Any], thread: str = "c1", user: str | None = "alice") -> dict[str, Any]:
    """Resume the thread with these decisions; without a user there is no context either."""
    config: Any = {"configurable": {"thread_id": thread}}
    context: Any = {"user_id": user} if user else None
    command: Any = Command(resume={"decisions": list(decisions)})
    graph = agent.graph
    return agent.either(
        lambda: graph.invoke(command, config, context=context), lambda: graph.ainvoke(command, config, context=context)
    )


def waiting(agent: Agent, user: str = "alice") -> list[Proposal]:
    scoped = agent.of(user)
    return agent.either(scoped.proposals, scoped.aproposals)


def test_nothing_is_stored_before_the_answer_and_one_record_with_its_approver_after_a_yes(home: Home) -> None:
    agent = home.agent(machine(), replies=["Good to know."], extractions=[[DOCKER]])
    state = agent.turn("On my Mac, Docker needs host.docker.internal.")
    [interrupt] = state["__interrupt__"]
    assert state["messages"][-1].text == "Good to know."
    assert agent.records() == []
    [request] = interrupt.value["action_requests"]
    assert request["name"] == "add_memory"
    assert request["args"] == {"content": "Needs host.docker.internal on a Mac"}
    assert "Needs host.docker.internal on a Mac" in request["description"]
    [config] = interrupt.value["review_configs"]
    assert config["action_name"] == "add_memory"
    assert config["allowed_decisions"] == ["approve", "edit", "reject"]
    assert "__interrupt__" not in answer(agent, APPROVE)
    [record] = agent.records()
    assert record.text == "Needs host.docker.internal on a Mac"
    assert record.source.quote == "host.docker.internal"
    assert record.source.approved_by == "alice"
    assert record.source.approved_at is not None
    assert agent.model.calls == {"reply": 1, "extraction": 1}
    assert waiting(agent) == []


def test_an_edit_stores_the_persons_words_and_says_that_a_person_wrote_them(home: Home) -> None:
    agent = home.agent(machine(), replies=["Ok."], extractions=[[DOCKER]])
    asked(agent, "On my Mac, Docker needs host.docker.internal.")
    answer(agent, edited("add_memory", content="Uses Docker on a Mac"))
    [record] = agent.records()
    assert (record.text, record.source.actor, record.source.quote) == ("Uses Docker on a Mac", "person", None)


def test_what_was_rejected_is_not_proposed_again_nor_in_other_words(home: Home) -> None:
    again = op("add_memory", content="The user rebooted once, on a Tuesday.", quote="rebooted")
    agent = home.agent(machine(), replies=["Ok."] * 3, extractions=[[REBOOT], [REBOOT], [again, DOCKER]])
    assert len(asked(agent, "I rebooted on a Tuesday.")) == 1
    answer(agent, REJECT)
    assert agent.records() == []
    assert asked(agent, "Did I say that I rebooted?") == []
    [request] = asked(agent, "I rebooted on a Tuesday, and Docker needs host.docker.internal.", thread="c2")
    assert request["args"] == {"content": "Needs host.docker.internal on a Mac"}


def test_a_second_resume_changes_nothing(home: Home) -> None:
    agent = home.agent(machine(), replies=["Ok."], extractions=[[DOCKER]])
    asked(agent, "Docker needs host.docker.internal.")
    answer(agent, APPROVE)
    before = agent.records()
    answer(agent, APPROVE)
    answer(agent, REJECT)
    assert agent.records() == before
    assert agent.model.calls == {"reply": 1, "extraction": 1}


WRONG: dict[str, list[dict[str, Any]]] = {
    "too few": [APPROVE],
    "too many": [APPROVE, APPROVE, APPROVE],
    "unknown type": [APPROVE, {"type": "ignore"}],
    "edit without arguments": [APPROVE, edited("add_memory")],
    "edit of another kind": [APPROVE, edited("update_user_profile", name="Mallory")],
    "edit with an unknown argument": [APPROVE, edited("add_memory", content="x", user_id="mallory")],
    "edit with a wrong type": [APPROVE, edited("add_memory", content=7)],
    "edit without a name": [APPROVE, {"type": "edit", "edited_action": {"args": {"content": "x"}}}],
}


@pytest.mark.parametrize("wrong", ["yes", True, [{"type": "approve"}], {"type": "approve"}])
def test_an_answer_of_another_shape_is_told_the_right_one(home: Home, wrong: Any) -> None:
    agent = home.agent(machine(), replies=["Ok."], extractions=[[DOCKER]])
    asked(agent, "host.docker.internal.")
    config: Any = {"configurable": {"thread_id": "c1"}}
    with pytest.raises(ValidationError, match=r'resume with {"decisions": \[{"type": "approve"}'):
        agent.graph.invoke(Command(resume=wrong), config, context={"user_id": "alice"})
    answer(agent, APPROVE)
    assert len(agent.texts()) == 1


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_answer_is_refused_and_the_next_right_one_works(home: Home, wrong: list[dict[str, Any]]) -> None:
    agent = home.agent(machine(), replies=["Ok."], extractions=[[DOCKER, REBOOT]])
    assert len(asked(agent, "host.docker.internal; I rebooted.")) == 2
    with pytest.raises(ValidationError):
        answer(agent, *wrong)
    assert agent.records() == []
    assert len(waiting(agent)) == 2
    answer(agent, APPROVE, REJECT)
    assert agent.texts() == ["Needs host.docker.internal on a Mac"]


def test_a_resume_without_context_writes_for_the_user_of_the_turn(home: Home) -> None:
    agent = home.agent(machine(), replies=["Ok."], extractions=[[DOCKER]])
    asked(agent, "Docker needs host.docker.internal.")
    answer(agent, APPROVE, user=None)
    [record] = agent.records()
    assert record.source.approved_by == "alice"


def test_a_new_message_in_the_place_of_an_answer_leaves_the_proposal_in_the_inbox(home: Home) -> None:
    agent = home.agent(machine(), replies=["Ok.", "Fine."], extractions=[[DOCKER], [REBOOT]])
    asked(agent, "Docker needs host.docker.internal.")
    [second] = asked(agent, "By the way, I rebooted.")
    assert second["args"] == {"content": "Rebooted once on a Tuesday"}
    answer(agent, APPROVE)
    [first] = waiting(agent)
    assert agent.texts() == ["Rebooted once on a Tuesday"]
    scoped = agent.of()
    agent.either(lambda: scoped.decide(first.id, "approve"), lambda: scoped.adecide(first.id, "approve"))
    assert sorted(agent.texts()) == ["Needs host.docker.internal on a Mac", "Rebooted once on a Tuesday"]


def test_a_graph_without_a_checkpointer_is_not_interrupted_and_the_proposal_waits(home: Home) -> None:
    agent = home.agent(machine(), replies=["Ok."], extractions=[[DOCKER]], history=False)
    assert asked(agent, "Docker needs host.docker.internal.") == []
    [proposal] = waiting(agent)
    assert agent.records() == []
    scoped = agent.of()
    scoped.decide(proposal.id, "approve", edit={"content": "Uses Docker"}, by="boss")
    [record] = agent.records()
    assert (record.text, record.source.approved_by) == ("Uses Docker", "boss")
    with pytest.raises(ProposalError, match="approved by boss already"):
        scoped.decide(proposal.id, "reject")


def test_decide_refuses_what_is_gone_not_theirs_or_not_valid(home: Home) -> None:
    agent = home.agent(machine(), replies=["Ok."], extractions=[[DOCKER]], history=False)
    asked(agent, "Docker needs host.docker.internal.")
    [proposal] = waiting(agent)
    alice, bob = agent.of("alice"), agent.of("bob")
    assert bob.proposals() == []
    for scoped, decision, edit in (
        (bob, "approve", None),
        (alice, "perhaps", None),
        (alice, "approve", {"content": 7}),
        (alice, "approve", {"unknown": "x"}),
        (alice, "reject", {"content": "x"}),
    ):
        with pytest.raises(ProposalError):
            scoped.decide(proposal.id, decision, edit=edit)  # type: ignore[arg-type]
    with pytest.raises(ProposalError, match="there is no such proposal"):
        alice.decide("nothing", "approve")
    assert agent.records() == []
    assert len(alice.proposals()) == 1


def test_a_disobedient_model_that_calls_the_tool_itself_is_held_too(home: Home) -> None:
    both = AIMessage(
        "",
        tool_calls=[
            ToolCall(name="add_memory", args={"content": "Likes tea"}, id="1"),
            ToolCall(name="add_memory", args={"content": "Likes bees"}, id="2"),
        ],
    )
    learning = machine(enable_agent_tools=True)
    agent = home.agent(learning, replies=[both, call("add_memory", content="Likes tea"), "Ok."], extractions=[[]])
    state = agent.turn("I like tea and bees.")
    shown = [request["args"]["content"] for request in requests(state)]
    assert sorted(shown) == ["Likes bees", "Likes tea"]  # the agent calls its tools side by side
    told = [str(message.content) for message in state["messages"] if message.type == "tool"]
    assert ["Not stored yet" in text for text in told] == [True, True, False]
    assert "waits for a person already" in told[2]
    assert agent.records() == []
    answer(agent, *(APPROVE if content == "Likes bees" else REJECT for content in shown))
    assert agent.texts() == ["Likes bees"]


def test_what_the_inbox_decided_while_it_was_shown_is_reported_and_no_answer_shifts(home: Home) -> None:
    agent = home.agent(machine(), replies=["Ok."], extractions=[[DOCKER, REBOOT]])
    asked(agent, "host.docker.internal; I rebooted.")
    first, _ = waiting(agent)
    agent.of().decide(first.id, "reject", by="boss")
    answer(agent, APPROVE, APPROVE)
    assert agent.texts() == ["Rebooted once on a Tuesday"]
    assert waiting(agent) == []


def test_of_two_people_who_answer_at_once_one_wins_and_the_other_is_told(home: Home) -> None:
    agent = home.agent(machine(), replies=["Ok."], extractions=[[DOCKER]], history=False)
    asked(agent, "Docker needs host.docker.internal.")
    [proposal] = waiting(agent)
    if home.db is None:
        pytest.skip("a store without compare-and-set cannot tell")

    async def both() -> list[Any]:
        answers = (agent.of().adecide(proposal.id, "approve", by=f"person {n}") for n in range(8))
        return await asyncio.gather(*answers, return_exceptions=True)

    outcomes = asyncio.run(both())
    assert len([each for each in outcomes if isinstance(each, ProposalError)]) == 7
    [record] = agent.records()
    assert str(record.source.approved_by).startswith("person ")


def test_a_proposal_whose_record_changed_meanwhile_is_shown_as_stale_and_not_applied_blindly(home: Home) -> None:
    taught = home.agent(
        LearningMachine(user_memory=True), replies=["Ok."], extractions=[[op("add_memory", content="Lives in Rome")]]
    )
    taught.say("I live in Rome.")
    moved = op("update_memory", id="m1", content="Lives in Oslo", quote="Oslo")
    agent = home.agent(
        machine(),
        replies=["Ok."],
        extractions=[[moved]],
    )
    asked(agent, "I live in Oslo now.", thread="c2")
    [proposal] = waiting(agent)
    assert not proposal.stale
    third = home.agent(
        LearningMachine(user_memory=True),
        replies=["Ok."],
        extractions=[[op("update_memory", id="m1", content="Lives in Lima")]],
    )
    third.say("Lima it is.", thread="c3")
    [proposal] = waiting(agent)
    assert proposal.stale
    assert "changed meanwhile" in proposal.description
    answer(agent, APPROVE, thread="c2")
    assert agent.texts() == ["Lives in Lima"]
    [proposal] = waiting(agent)
    agent.of().decide(proposal.id, "approve")
    assert agent.texts() == ["Lives in Oslo"]


def test_decide_says_how_a_stale_proposal_stands_now(home: Home) -> None:
    profile = LearningMachine(user_profile=UserProfileConfig(mode=PROPOSE))
    agent = home.agent(
        profile,
        replies=["Ok."] * 2,
        extractions=[[op("update_user_profile", name="Al")], [op("update_user_profile", name="Alex")]],
    )
    asked(agent, "I'm Al.")
    asked(agent, "I'm Alex.", thread="c2")
    first, second = waiting(agent)
    agent.of().decide(second.id, "approve")
    with pytest.raises(ProposalError, match="now says: name: Alex"):
        agent.of().decide(first.id, "approve")
    assert agent.texts() == ["name: Alex"]
    agent.of().decide(first.id, "reject")
    assert waiting(agent) == []


def test_proposals_of_several_turns_and_threads_are_each_asked_about_where_they_were_made(home: Home) -> None:
    agent = home.agent(machine(), replies=["Ok."] * 2, extractions=[[DOCKER], [REBOOT]])
    [docker] = asked(agent, "host.docker.internal", thread="c1")
    [reboot] = asked(agent, "rebooted", thread="c2")
    assert docker["args"] != reboot["args"]
    answer(agent, APPROVE, thread="c2")
    answer(agent, REJECT, thread="c1")
    assert agent.texts() == ["Rebooted once on a Tuesday"]


def test_the_stream_tells_what_was_proposed_and_decided(home: Home) -> None:
    agent = home.agent(machine(), replies=["Ok."], extractions=[[DOCKER]])
    events = agent.streamed("Docker needs host.docker.internal.")
    assert [event["learning"] for event in events] == ["recalled", "learned", "proposed"]
    [proposal] = waiting(agent)
    assert events[-1]["proposals"] == [proposal.id]


def test_an_approved_change_is_undone_like_any_other(home: Home) -> None:
    agent = home.agent(machine(), replies=["Ok."], extractions=[[DOCKER]])
    asked(agent, "Docker needs host.docker.internal.")
    answer(agent, APPROVE)
    if home.db is None:
        pytest.skip("undo takes a store with history")
    [commit] = agent.of().commits()
    agent.of().undo(commit.id)
    assert agent.records() == []


def test_forget_erases_what_waits_too(home: Home) -> None:
    agent = home.agent(machine(), replies=["Ok."], extractions=[[DOCKER]])
    asked(agent, "Docker needs host.docker.internal.")
    agent.of().forget()
    assert waiting(agent) == []
    answer(agent, APPROVE)
    assert agent.records() == []


def test_a_restarted_process_asks_no_model_and_takes_the_answer(home: Home) -> None:
    agent = home.agent(machine(), replies=["Ok."], extractions=[[DOCKER]])
    asked(agent, "Docker needs host.docker.internal.")
    home.restart()
    fresh = home.agent(machine())
    answer(fresh, APPROVE)
    assert fresh.texts() == ["Needs host.docker.internal on a Mac"]
    assert fresh.model.calls == {}


def test_the_limit_counts_what_is_proposed(home: Home) -> None:
    many = [op("add_memory", content=f"Likes number {n}") for n in range(5)]
    agent = home.agent(machine(max_updates_per_run=3), replies=["Ok."], extractions=[many])
    assert len(asked(agent, "I like many numbers.")) == 3
