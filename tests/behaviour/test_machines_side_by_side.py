"""What two machines in one application must not do to each other, and what bad rows and numbers must not break."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from acceptance.driver import Home
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langgraph.store.base import Item
from langgraph.store.memory import InMemoryStore

from langgraph_learning import (
    EntityMemoryConfig,
    LearnedKnowledgeConfig,
    LearningContext,
    LearningMachine,
    LearningMode,
    connect,
)
from langgraph_learning.errors import ProposalError, RecordError, ScopeError
from langgraph_learning.stores import DecisionLogStore, Entry, Operation, Ranked
from langgraph_learning.testing import ScriptedChatModel, call, op

ROW: dict[str, Any] = {
    "id": "1",
    "store": "user_memory",
    "scope": {"user_id": "alice"},
    "content": {"content": "Likes tea"},
    "text": "Likes tea",
    "created_at": "2026-01-01T00:00:00+00:00",
    "updated_at": "2026-01-01T00:00:00+00:00",
}


def machine(namespace: str, mode: LearningMode = LearningMode.ALWAYS, **options: Any) -> LearningMachine:
    model = ScriptedChatModel(extractions=[[op("save_learning", title="Releases", learning=f"As {namespace} does")]])
    knowledge = LearnedKnowledgeConfig(mode=mode, namespace=namespace)
    return LearningMachine(name=namespace, model=model, learned_knowledge=knowledge, **options)


def texts(learning: LearningMachine, **options: Any) -> list[str]:
    return [record.text for record in learning.scoped(user_id="alice", **options).records()]


def test_two_machines_of_two_namespaces_both_learn_from_a_turn() -> None:
    store, team, company = InMemoryStore(), machine("team"), machine("company")
    middleware = [*team.middleware(), *company.middleware()]
    agent = create_agent(
        ScriptedChatModel(replies=["Noted."]), middleware=middleware, context_schema=LearningContext, store=store
    )
    said: Any = {"messages": [HumanMessage("Remember how we release.")]}
    context: Any = {"user_id": "alice"}
    agent.invoke(said, {"configurable": {"thread_id": "c1"}}, context=context)
    assert texts(team, store=store) == ["Releases: As team does"]
    assert texts(company, store=store) == ["Releases: As company does"]


def test_a_yes_to_a_proposal_for_a_team_does_not_publish_it_to_the_company(keeping: Home) -> None:
    team, company = (machine(name, LearningMode.PROPOSE, store=keeping.store) for name in ("team", "company"))
    team.scoped(user_id="alice").learn([("user", "Remember how we release.")])
    [proposal] = team.scoped(user_id="alice").proposals()
    with pytest.raises(ProposalError, match=r"the namespace 'team', .* in the namespace 'company'"):
        company.scoped(user_id="alice").decide(proposal.id, "approve")
    assert texts(company) == []
    team.scoped(user_id="alice").decide(proposal.id, "approve")
    assert texts(team) == ["Releases: As team does"]


def test_the_same_for_a_team_and_for_the_company_is_proposed_to_both(keeping: Home) -> None:
    for name in ("team", "company"):
        model = ScriptedChatModel(extractions=[[op("save_learning", title="Releases", learning="On Fridays")]])
        knowledge = LearnedKnowledgeConfig(mode=LearningMode.PROPOSE, namespace=name)
        learning = LearningMachine(model=model, learned_knowledge=knowledge, store=keeping.store)
        learning.scoped(user_id="alice").learn([("user", f"We of the {name} release on Fridays.")])
    assert [each.namespace for each in learning.scoped(user_id="alice").proposals()] == ["team", "company"]


def test_undo_by_a_machine_of_another_namespace_does_not_claim_to_have_undone(keeping: Home) -> None:
    team, company = machine("team", store=keeping.store), machine("company", store=keeping.store)
    made = team.scoped(user_id="alice").learn([("user", "Remember how we release.")])
    assert made is not None
    with pytest.raises(ScopeError, match="another namespace"):
        company.scoped(user_id="alice").undo(made.id)
    undone = team.scoped(user_id="alice").undo(made.id)
    assert texts(team) == []
    team.scoped(user_id="alice").undo(undone.id)
    assert texts(team) == ["Releases: As team does"]


@pytest.mark.parametrize("name", ["commits", "proposals", "feedback", "unindexed", "a.b", "", "thread/x"])
def test_a_row_cannot_pose_as_bookkeeping(keeping: Home, name: str) -> None:
    alice = LearningMachine(user_memory=True, store=keeping.store).scoped(user_id="alice")
    with pytest.raises(RecordError, match="names no learning store"):
        alice.load([ROW, {**ROW, "id": "2", "store": name}])
    assert (alice.records(), alice.commits(), alice.proposals()) == ([], [], [])


def test_a_single_row_in_the_place_of_rows_is_told(keeping: Home) -> None:
    alice = LearningMachine(user_memory=True, store=keeping.store).scoped(user_id="alice")
    with pytest.raises(RecordError, match="each a mapping"):
        alice.load(ROW)  # type: ignore[arg-type]


def test_a_time_without_a_zone_is_of_utc(keeping: Home) -> None:
    alice = LearningMachine(user_memory=True, store=keeping.store).scoped(user_id="alice")
    earlier = {"created_at": "2025-01-01T00:00:00", "updated_at": "2025-01-01T00:00:00"}
    alice.load([ROW, {**ROW, "id": "2", "text": "Likes jazz", **earlier}])
    assert [record.text for record in alice.records()] == ["Likes jazz", "Likes tea"]
    assert {record.created_at.utcoffset() for record in alice.records()} == {timedelta(0)}
    assert "Likes jazz" in alice.recall("What do I like?").text


def test_more_days_than_a_calendar_has_are_all_days(home: Home) -> None:
    asked = [call("log_decision", decision="Use SQLite", reasoning="It is one file"), "Done."]
    agent = home.agent(
        LearningMachine(decision_log=True), replies=[*asked, call("search_decisions", days=10**12), "Found."]
    )
    agent.turn("Decide")
    said = agent.turn("What did you decide?")
    assert "Use SQLite" in said["messages"][-2].text


def test_what_is_no_id_of_a_proposal_is_told(keeping: Home) -> None:
    alice = LearningMachine(user_memory=True, store=keeping.store).scoped(user_id="alice")
    with pytest.raises(ProposalError, match="give the id"):
        alice.decide(None, "approve")  # type: ignore[arg-type]


class Faulty(DecisionLogStore):
    """Its own search has a bug."""

    def search_entries(
        self, search: Operation, ranked: Sequence[Ranked], at: datetime, *, complete: bool = True
    ) -> list[Entry]:
        raise KeyError("a bug")


def test_a_fault_in_the_search_of_a_learning_store_does_not_end_the_run(home: Home) -> None:
    agent = home.agent(LearningMachine(decision_log=Faulty()), replies=[call("search_decisions"), "I do not know."])
    messages = agent.turn("What did you decide?")["messages"]
    assert messages[-2].text == "Nothing was searched: the step failed."
    assert messages[-1].text == "I do not know."


DELETE, REPLACE = op("delete_learning", id="k1"), op("save_learning", title="Codes", learning="Nothing")


@pytest.mark.parametrize("asked", [DELETE, REPLACE])
def test_forgotten_words_do_not_stay_in_what_others_proposed_about_them(home: Home, asked: dict[str, Any]) -> None:
    secret = op("save_learning", title="Codes", learning="The gate opens to zanzibar", context="At kilimanjaro")
    alice = shared(home, LearningMode.ALWAYS, secret).scoped(user_id="alice")
    alice.learn([("user", "Remember the code.")])
    bob = shared(home, LearningMode.PROPOSE, asked).scoped(user_id="bob")
    bob.learn([("user", "That is wrong.")])
    assert "kilimanjaro" in str(bob.proposals())
    alice.forget()
    assert bob.proposals() == []
    assert not [item for item in everything(home) if "kilimanjaro" in str(item)]


def test_forgotten_words_do_not_stay_with_those_who_found_them_harmful(home: Home) -> None:
    alice = shared(home, LearningMode.ALWAYS, op("save_learning", title="Codes", learning="It is zanzibar"))
    alice.scoped(user_id="alice").learn([("user", "Remember the code.")])
    bob = alice.scoped(user_id="bob")
    for voter in (alice.scoped(user_id="carol"), bob):
        voter.feedback(voter.recall("zanzibar").receipt, helpful=False)
    assert "zanzibar" in str(bob.proposals())
    alice.scoped(user_id="alice").forget()
    assert bob.proposals() == []
    assert not [item for item in everything(home) if "zanzibar" in str(item)]
    assert not [item for item in everything(home) if item.namespace[-1] == "feedback"]


def test_what_others_proposed_about_something_else_outlives_forgetting(home: Home) -> None:
    for user, title in (("alice", "Codes"), ("bob", "Releases")):
        saved = op("save_learning", title=title, learning=f"All about {title}")
        shared(home, LearningMode.ALWAYS, saved).scoped(user_id=user).learn([("user", "Remember.")])
    asked = op("save_learning", title="Releases", learning="On Fridays")
    bob = shared(home, LearningMode.PROPOSE, asked).scoped(user_id="bob")
    bob.learn([("user", "We release on Fridays.")])
    shared(home, LearningMode.ALWAYS).scoped(user_id="alice").forget()
    assert [each.args["learning"] for each in bob.proposals()] == ["On Fridays"]


def shared(home: Home, mode: LearningMode, *asked: dict[str, Any]) -> LearningMachine:
    model = ScriptedChatModel(extractions=[list(asked)])
    return LearningMachine(model=model, learned_knowledge=LearnedKnowledgeConfig(mode=mode), store=home.store)


def everything(home: Home) -> list[Item]:
    return list(home.store.search(("learning",), limit=1_000))


@pytest.mark.parametrize("hybrid", [False, True])
def test_what_is_known_of_a_forgotten_entity_is_neither_recalled_nor_found(hybrid: bool) -> None:
    told = op("remember_about", entity="Voldemort", entity_type="person", facts=["Lives in Albania"])
    others = [
        op("remember_about", entity=f"Person number {n}", entity_type="person", facts=[f"Lives in house {n}"])
        for n in range(600)
    ]
    model = ScriptedChatModel(extractions=[[told], [op("forget", entity="Voldemort")], others])
    config = EntityMemoryConfig(namespace="user", max_updates_per_run=2_000)
    with connect("sqlite:///:memory:") as db:
        store = db.store if hybrid else InMemoryStore()
        ada = LearningMachine(model=model, entity_memory=config, store=store).scoped(user_id="ada")
        for said in ("Remember.", "Forget.", "Remember more."):
            ada.learn([("user", said)])
        assert "Albania" not in ada.recall("Where does Voldemort live? In Albania?").text
        assert "Albania" not in str(ada.search("Albania"))


def test_an_end_that_only_a_link_has_named_becomes_what_its_alias_tells() -> None:
    model = ScriptedChatModel(
        extractions=[
            [op("link_entities", entity="Bob", relation="works for", related_entity="IBM")],
            [
                op(
                    "remember_about",
                    entity="International Business Machines",
                    entity_type="company",
                    aliases=["IBM"],
                )
            ],
        ]
    )
    ada = LearningMachine(model=model, entity_memory=True, store=InMemoryStore()).scoped(user_id="ada")
    for said in ("Bob works for IBM.", "IBM is short for International Business Machines."):
        ada.learn([("user", said)])
    entities = [record for record in ada.records() if record.content["kind"] == "entity"]
    assert sorted((str(each.content["name"]), str(each.content["type"])) for each in entities) == [
        ("Bob", "unknown"),
        ("IBM", "company"),
    ]


def test_one_person_does_not_take_away_what_others_share() -> None:
    saved = op("save_learning", title="Ports", learning="Use port 8080")
    model = ScriptedChatModel(extractions=[[saved], [], [], []])
    config = LearnedKnowledgeConfig(mode=LearningMode.ALWAYS)
    machine = LearningMachine(model=model, learned_knowledge=config, store=InMemoryStore())
    machine.scoped(user_id="ada").learn([("user", "Use port 8080.")])
    for turn, user in enumerate(("ben", "ben", "cleo")):
        scoped = machine.scoped(user_id=user, thread_id=str(turn))
        receipt = scoped.recall("Which port?").receipt.model_copy(update={"turn": str(turn)})
        assert bool(scoped.feedback(receipt, helpful=False).proposed) is (user == "cleo")
    with pytest.raises(ScopeError):
        machine.scoped().feedback(receipt, helpful=False)


def test_what_is_proposed_to_nobody_known_waits_in_its_own_thread() -> None:
    model = ScriptedChatModel(extractions=[[op("save_learning", title="Ports", learning="Use port 8080")]])
    config = LearnedKnowledgeConfig(mode=LearningMode.PROPOSE)
    machine = LearningMachine(model=model, learned_knowledge=config, store=InMemoryStore())
    machine.scoped(thread_id="1").learn([("user", "Use port 8080.")])
    assert len(machine.scoped(thread_id="1").proposals()) == 1
    assert machine.scoped(thread_id="2").proposals() == machine.scoped().proposals() == []


def test_a_machine_says_what_it_learns_and_how() -> None:
    machine = LearningMachine(user_profile=True, decision_log=True)
    assert repr(machine) == "LearningMachine(user_profile=ALWAYS, decision_log=AGENTIC)"


def test_what_was_set_aside_does_not_take_the_place_of_what_stands(home: Home) -> None:
    rows = [
        {**ROW, "id": f"r{n}", "text": f"Likes tea, tea and tea number {n}", "status": "archived"} for n in range(300)
    ]
    agent = home.agent(LearningMachine(user_memory=True))
    agent.of().load([*rows, {**ROW, "id": "one", "text": "Once had a cup of tea somewhere far away from here"}])
    scoped = agent.of()
    recalled = agent.either(lambda: scoped.recall("tea"), lambda: scoped.arecall("tea"))
    assert [record.id for record in recalled.records] == ["one"]
    assert [record.id for record in scoped.search("tea")] == ["one"]
