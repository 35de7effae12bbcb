"""Feedback: votes on what was recalled, beside the records; they rank, and too much harm asks a person."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command
from pydantic import Field

from langgraph_learning import (
    Commit,
    LearningDB,
    LearningMachine,
    LearningMode,
    Receipt,
    UserMemoryConfig,
    create_learning_agent,
)
from langgraph_learning.errors import ConfigurationError, ProposalError, ScopeError, UnsupportedByStore
from langgraph_learning.records import ACTIVE, PROPOSED, Add, Change, Identity, Record, Scope
from langgraph_learning.reports import Feedback
from langgraph_learning.scoped import Scoped
from langgraph_learning.stores import LearningStore, Operation, operation
from langgraph_learning.testing import ScriptedChatModel, call, op

TEA, CAKE = "Likes green tea with milk", "Likes green tea with cake"
AGENTIC = LearningMode.AGENTIC


class Alex:
    """An agent that knows two things about tea, and what its turns told."""

    def __init__(self, store: BaseStore, saver: Any = None, **options: Any) -> None:
        kinds = {"user_profile": True, "user_memory": True, **options}
        self.learning = LearningMachine(store=store, **kinds)
        self.scoped = self.learning.scoped(user_id="alex", thread_id="t1")
        teaching = [op("add_memory", content=TEA), op("add_memory", content=CAKE), op("update_user_profile", name="Al")]
        first = LearningMachine(model=ScriptedChatModel(extractions=[teaching]), user_profile=True, user_memory=True)
        first.scoped(user_id="alex", thread_id="t0", store=store).learn([("user", "hello")])
        self.model = ScriptedChatModel(replies=["Ok."], extractions=[[]], repeat=True)
        self.graph = create_learning_agent(self.model, learning=self.learning, checkpointer=saver)

    def turn(self, text: str = "What about green tea?", user: str = "alex") -> tuple[Receipt, Commit | None]:
        """Say `text` and return what the custom stream told of the turn."""
        context: Any = {"user_id": user}
        given: Any = {"messages": [("user", text)]}
        config: Any = {"configurable": {"thread_id": "t1"}}
        told = list(self.graph.stream(given, config, context=context, stream_mode="custom"))
        receipt = next(each["receipt"] for each in told if each["learning"] == "recalled")
        commit = next((each["commit"] for each in told if each["learning"] == "learned"), None)
        return Receipt.model_validate(receipt), Commit.model_validate(commit) if commit else None

    def id_of(self, text: str) -> str:
        return next(record.id for record in self.scoped.records() if record.text == text)

    def about(self, text: str, number: int) -> Receipt:
        """Return the receipt of a turn of its own that recalled this one record alone."""
        receipt, _ = self.turn()
        [shown] = [each for each in receipt.shown if each.id == self.id_of(text)]
        return receipt.model_copy(update={"shown": (shown,), "turn": f"turn-{number}"})

    def harm(self, text: str, times: int = 2) -> Feedback:
        """Find what was recalled in so many turns harmful."""
        return [self.scoped.feedback(self.about(text, n), helpful=False) for n in range(times)][-1]


def statuses(scoped: Scoped) -> dict[str, str]:
    return {record.text: record.status for record in scoped.records("user_memory")}


def order(scoped: Scoped) -> list[str]:
    return [record.text for record in scoped.search("green tea")]


def reasons(scoped: Scoped) -> dict[str, str]:
    return {each.label: each.reason for each in scoped.recall("green tea").receipt.shown}


def test_a_turns_commit_and_receipt_say_what_was_recalled_and_no_text(db: LearningDB) -> None:
    receipt, commit = Alex(db.store).turn()
    assert commit
    assert [(each.store, each.id) for each in receipt.shown] == list(commit.recalled)
    assert len(commit.recalled) == 3
    assert receipt.turn == commit.turn != ""
    assert receipt.identity
    assert (receipt.identity.user_id, receipt.identity.thread_id) == ("alex", "t1")
    assert "tea" not in receipt.model_copy(update={"shown": ()}).model_dump_json()
    assert TEA not in receipt.model_dump_json()


def test_what_helped_is_ranked_before_what_harmed_and_no_record_changes(db: LearningDB) -> None:
    alex = Alex(db.store)
    before = json.dumps(list(alex.scoped.export()))
    worse = order(alex.scoped)[0]
    better = order(alex.scoped)[1]
    assert alex.scoped.feedback(alex.about(better, 1), helpful=True).records == (("user_memory", alex.id_of(better)),)
    alex.scoped.feedback(alex.about(worse, 2), helpful=False)
    assert order(alex.scoped) == [better, worse]
    assert sorted(reasons(alex.scoped).values()) == [
        "always",
        "matches green, tea; found helpful 0, harmful 1",
        "matches green, tea; found helpful 1, harmful 0",
    ]
    assert json.dumps(list(alex.scoped.export())) == before


def test_one_turn_counts_once_by_its_commit_by_its_id_and_by_its_receipt(db: LearningDB) -> None:
    alex = Alex(db.store)
    receipt, commit = alex.turn()
    assert commit
    for about in (commit, commit.id, receipt, commit):
        assert len(alex.scoped.feedback(about, helpful=False).records) == 2  # the profile is not ranked
    assert set(reasons(alex.scoped).values()) == {"always", "matches green, tea; found helpful 0, harmful 1"}
    alex.scoped.feedback(receipt, helpful=True)  # on second thoughts
    assert set(reasons(alex.scoped).values()) == {"always", "matches green, tea; found helpful 1, harmful 0"}
    assert set(statuses(alex.scoped).values()) == {ACTIVE}


async def test_the_machine_takes_it_too_and_without_blocking(db: LearningDB) -> None:
    alex = Alex(db.store)
    receipt, commit = alex.turn()
    assert commit
    assert len((await alex.learning.afeedback(commit, helpful=True)).records) == 2
    assert len((await alex.scoped.afeedback(receipt, helpful=True)).records) == 2
    assert len(alex.learning.feedback(receipt, helpful=False, user_id="alex", store=db.store).records) == 2
    assert set(reasons(alex.scoped).values()) == {"always", "matches green, tea; found helpful 0, harmful 1"}


def test_nobody_votes_on_the_turn_of_another(db: LearningDB) -> None:
    alex = Alex(db.store)
    receipt, commit = alex.turn()
    assert commit
    sam = alex.learning.scoped(user_id="sam")
    for about in (commit, commit.id, receipt):
        with pytest.raises(ScopeError):
            sam.feedback(about, helpful=False)
        with pytest.raises(ScopeError):
            alex.learning.feedback(about, helpful=False, user_id="sam")
    with pytest.raises(ScopeError):  # nobody has this commit, whatever it says of itself
        alex.learning.feedback(commit.model_copy(update={"id": "made-up"}), helpful=False)
    with pytest.raises(ScopeError):
        alex.learning.feedback(commit.id, helpful=False)
    assert not any("found" in reason for reason in reasons(alex.scoped).values())


@pytest.mark.parametrize("wrong", [(None, True), ({}, True), ("c1", "yes"), ("c1", None)])
def test_what_is_no_feedback_is_refused(db: LearningDB, wrong: tuple[Any, Any]) -> None:
    with pytest.raises(ConfigurationError):
        LearningMachine(user_memory=True, store=db.store).scoped(user_id="alex").feedback(*wrong)


def test_votes_at_once_all_count(db: LearningDB) -> None:
    alex = Alex(db.store)
    receipts = [alex.about(TEA, number) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda receipt: alex.scoped.feedback(receipt, helpful=True), receipts))
    assert "matches green, tea; found helpful 8, harmful 0" in reasons(alex.scoped).values()


def test_harm_that_many_report_at_once_asks_a_person_once(db: LearningDB) -> None:
    alex = Alex(db.store)
    receipts = [alex.about(TEA, number) for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(lambda receipt: alex.scoped.feedback(receipt, helpful=False), receipts))
    assert sum(bool(each.commit) for each in told) == 1
    assert len(alex.scoped.proposals()) == 1
    assert statuses(alex.scoped) == {TEA: PROPOSED, CAKE: ACTIVE}


def test_a_harmful_majority_is_not_recalled_and_waits_for_a_person(db: LearningDB) -> None:
    alex = Alex(db.store)
    assert alex.harm(TEA, 1).proposed == ()
    before = json.dumps(list(alex.scoped.export()))
    told = alex.scoped.feedback(alex.about(TEA, 7), helpful=False)
    assert statuses(alex.scoped) == {TEA: PROPOSED, CAKE: ACTIVE}
    assert TEA not in alex.scoped.recall("green tea").text
    [proposal] = alex.scoped.proposals()
    assert told.proposed == (proposal.id,)
    assert (proposal.name, proposal.stale) == ("keep_record", False)
    assert "found harmful 2 times, helpful 0 times" in proposal.description
    assert told.commit
    alex.scoped.undo(told.commit)
    assert json.dumps(list(alex.scoped.export())) == before


def test_a_yes_recalls_it_again_and_the_votes_before_it_count_no_more(db: LearningDB) -> None:
    alex = Alex(db.store)
    alex.harm(TEA)
    [proposal] = alex.scoped.proposals()
    assert alex.scoped.decide(proposal.id, "approve").result == "approved"
    assert statuses(alex.scoped) == {TEA: ACTIVE, CAKE: ACTIVE}
    assert alex.scoped.proposals() == []
    assert alex.harm(TEA, 1).proposed == ()
    assert "matches green, tea; found helpful 0, harmful 1" in reasons(alex.scoped).values()


def test_a_no_removes_it_and_can_be_undone(db: LearningDB) -> None:
    alex = Alex(db.store)
    alex.harm(TEA)
    [proposal] = alex.scoped.proposals()
    outcome = alex.scoped.decide(proposal.id, "reject", message="wrong anyway")
    assert outcome.result == "rejected"
    assert statuses(alex.scoped) == {CAKE: ACTIVE}
    with pytest.raises(ProposalError, match="rejected by alex already"):
        alex.scoped.decide(proposal.id, "approve")
    assert outcome.commit
    alex.scoped.undo(outcome.commit)
    assert statuses(alex.scoped)[TEA] == PROPOSED


def test_a_decision_on_what_has_changed_since_is_looked_at_again(db: LearningDB) -> None:
    alex = Alex(db.store)
    alex.harm(TEA)
    [proposal] = alex.scoped.proposals()
    changed = [{**row, "text": "Likes oat milk"} for row in alex.scoped.export() if row["text"] == TEA]
    alex.scoped.load(changed)
    with pytest.raises(ProposalError, match="changed meanwhile"):
        alex.scoped.decide(proposal.id, "reject")
    assert "Likes oat milk" in statuses(alex.scoped)


def test_the_inbox_shows_it_and_takes_the_answer(db: LearningDB) -> None:
    alex = Alex(db.store)
    alex.harm(TEA)
    inbox = alex.learning.inbox().compile(checkpointer=db.checkpointer)
    config: Any = {"configurable": {"thread_id": "inbox"}}
    context: Any = {"user_id": "alex"}
    state = inbox.invoke({}, config, context=context)
    [interrupt] = state["__interrupt__"]
    [request] = interrupt.value["action_requests"]
    assert request["name"] == "keep_record"
    assert "args_schema" in interrupt.value["review_configs"][0]
    state = inbox.invoke(Command(resume={"decisions": [{"type": "approve"}]}), config, context=context)
    assert [each["result"] for each in state["decided"]] == ["approved"]
    assert statuses(alex.scoped) == {TEA: ACTIVE, CAKE: ACTIVE}


def test_no_model_can_ask_for_what_only_a_person_may(db: LearningDB) -> None:
    alex = Alex(db.store)
    alex.harm(TEA)
    asked = [op(name, id=alex.id_of(TEA), because="please") for name in ("keep_record", "drop_record", "retire_record")]
    machine = LearningMachine(model=ScriptedChatModel(extractions=[asked]), user_memory=True, store=db.store)
    refused = machine.scoped(user_id="alex").learn([("user", "keep it")])
    assert refused is not None
    assert (refused.changes, len(refused.refused)) == ((), 3)
    assert statuses(alex.scoped) == {TEA: PROPOSED, CAKE: ACTIVE}
    assert not {tool.name for tool in machine.tools()} & {"keep_record", "drop_record", "retire_record"}


def test_an_agents_tool_call_says_what_was_recalled_too(db: LearningDB) -> None:
    options = {"user_profile": False, "user_memory": UserMemoryConfig(mode=AGENTIC)}
    alex = Alex(db.store, **options)
    model = ScriptedChatModel(replies=[call("add_memory", content="Has a dog"), "Noted."])
    alex.graph = create_learning_agent(model, learning=alex.learning)
    receipt, commit = alex.turn("I have a dog. What about green tea?")
    assert commit
    assert {key for _, key in commit.recalled} == {each.id for each in receipt.shown}
    assert len(alex.scoped.feedback(commit, helpful=True).records) == 2


def test_a_recall_of_a_script_can_be_voted_on_and_forgetting_leaves_no_vote(db: LearningDB) -> None:
    alex = Alex(db.store)
    receipt = alex.scoped.recall("green tea").receipt
    assert len(alex.scoped.feedback(receipt, helpful=True).records) == 2
    assert len(db.store.search(("learning", "user", "alex", "feedback"))) == 2
    alex.scoped.forget()
    assert db.store.search(("learning", "user", "alex")) == []


def test_a_turn_that_recalled_nothing_counts_nothing_and_says_so(db: LearningDB) -> None:
    alex = Alex(db.store)
    _, commit = alex.turn(user="sam")
    assert commit
    assert alex.learning.feedback(commit, helpful=True) == Feedback(helpful=True)


def test_it_works_on_a_store_without_history() -> None:
    alex = Alex(InMemoryStore())
    told = alex.harm(TEA)
    assert statuses(alex.scoped) == {TEA: PROPOSED, CAKE: ACTIVE}
    assert told.commit
    with pytest.raises(UnsupportedByStore):
        alex.scoped.undo(told.commit)
    [proposal] = alex.scoped.proposals()
    alex.scoped.decide(proposal.id, "reject")
    assert statuses(alex.scoped) == {CAKE: ACTIVE}


class Lessons(LearningStore):
    """What everybody may learn from."""

    name = "lessons"

    def __init__(self) -> None:
        super().__init__()
        self.operations = (operation("add_lesson", "Note a lesson.", text=(str, Field(description="The lesson"))),)

    def scope(self, identity: Identity) -> Scope | None:
        return Scope.in_namespace("everybody", identity)

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        text = operation.model_dump()["text"]
        return [Add(store=self.name, content={"text": text}, text=text)]


def lessons(db: LearningDB, user: str, *learned: str) -> Scoped:
    model = ScriptedChatModel(extractions=[[op("add_lesson", text=text)] for text in learned])
    scoped = LearningMachine(model=model, custom_stores=[Lessons()], store=db.store).scoped(user_id=user)
    for text in learned:
        scoped.learn([("user", text)])
    return scoped


def test_in_a_shared_namespace_all_count_and_nobodys_words_or_name_stay_with_others(db: LearningDB) -> None:
    alex, sam = lessons(db, "alex", "Clear the cache", "Clear the cache!"), lessons(db, "sam")
    report = sam.curate(False)
    assert report.changes == 2
    for scoped in (alex, sam):
        receipt = scoped.recall("cache").receipt
        told = scoped.feedback(receipt, helpful=False)
    assert [record.status for record in alex.records()] == [PROPOSED, "archived"]
    assert (len(told.proposed), alex.proposals(), len(sam.proposals())) == (1, [], 1)
    votes = [item.value for item in db.store.search(("learning", "namespace"), limit=99) if "votes" in item.value]
    assert votes
    assert not any(word in str(votes) for word in ("alex", "sam", "cache"))
    assert "cache" not in str([commit.changes for commit in sam.commits()])
    assert all(record.source.user_id == "alex" for record in sam.records())
    alex.forget()
    assert sam.records() == []
