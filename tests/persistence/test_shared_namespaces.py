"""Forgetting a user whose knowledge others share: no word of theirs is left, and nothing of the others is lost."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore

from langgraph_learning import LearningDB, LearningMachine, Scope, connect, create_learning_agent
from langgraph_learning.records import Identity
from langgraph_learning.scoped import Scoped
from langgraph_learning.stores import UserMemoryStore
from langgraph_learning.testing import ScriptedChatModel, op


class Tips(UserMemoryStore):
    """Tips that everybody shares."""

    name = "tips"

    def scope(self, identity: Identity) -> Scope | None:
        return Scope.in_namespace("team", identity)


def of(db: LearningDB, user: str, *extractions: Any) -> Scoped:
    model = ScriptedChatModel(extractions=extractions)
    return LearningMachine(custom_stores=[Tips()], model=model, store=db.store, shared="write").scoped(user_id=user)


def everything(db: LearningDB) -> str:
    store: Any = db.store
    found = [item.value for item in store.search((), limit=1000)]
    found += [s.value for namespace, key in store.all_addresses((), {}) for s in store.history(namespace, key)]
    return str(found)


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_forget_takes_what_a_user_taught_in_a_shared_namespace_and_leaves_what_others_did(
    db: LearningDB, colour: str
) -> None:
    of(db, "bob", [op("add_memory", content="Bob knows ports"), op("add_memory", content="Bob knows disks")]).learn(
        ["1"]
    )
    of(
        db,
        "alice",
        [
            op("add_memory", content="Alice knows SECRET keys"),
            op("add_memory", content="Alice SECRET draft"),
            op("update_memory", id="m2", content="Alice SECRET disks"),
        ],
    ).learn([("user", "2")])
    of(db, "bob", [op("update_memory", id="m4", content="Bob has rewritten it")]).learn([("user", "3")])
    of(db, "bob", [op("delete_memory", id="m3")]).learn([("user", "4")])
    assert "SECRET" in everything(db)
    alice = of(db, "alice")
    counts = alice.forget() if colour == "sync" else asyncio.run(alice.aforget())
    assert counts["shared"] == 3
    assert "SECRET" not in everything(db)
    left = [record.text for record in of(db, "bob").records()]
    assert sorted(left) == ["Bob has rewritten it", "Bob knows disks", "Bob knows ports"]


@pytest.mark.parametrize("backend", ["memory", "sqlite", "postgres"])
@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_what_a_forgotten_user_named_stands_in_no_commit_of_those_who_recalled_it(
    backend: str, colour: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if backend == "postgres" else f"sqlite:///{tmp_path}/a.db"
    holding = op("remember_about", entity="Xylophant Holding", entity_type="company", facts=["Makes quokkas"])
    owner = op("link_entities", entity="Xylophant Holding", relation="owned by", related_entity="Zanzibaria")
    tea = op("add_memory", content="Likes tea", quote="I like tea")
    with connect(url) as db:
        store: Any = InMemoryStore() if backend == "memory" else db.store
        model = ScriptedChatModel(replies=["Ok."], extractions=[[holding, owner], [tea], [], []], repeat=True)
        learning = LearningMachine(model=model, entity_memory=True, user_memory=True, store=store)
        ada = learning.scoped(user_id="ada", thread_id="t1")
        ada.learn([("user", "Xylophant Holding makes quokkas and is owned by Zanzibaria")])
        graph = create_learning_agent(model, learning=learning, store=store)
        for user in ("ben", "cleo"):
            asked: Any = {"messages": [("user", "I like tea. Who makes quokkas?")]}
            graph.invoke(asked, {"configurable": {"thread_id": user}}, context={"user_id": user})
        ben = learning.scoped(user_id="ben")
        [before] = ben.commits()
        assert "xylophant" in str(before.recalled)

        counts = ada.forget() if colour == "sync" else await ada.aforget()

        assert counts["shared"] == 4
        [commit] = ben.commits()
        assert commit == before.model_copy(update={"provenance": commit.provenance})
        assert commit.recalled == ()
        assert commit.turn == before.turn
        stored = [item.value for item in store.search((), limit=1000)]
        if backend != "memory":
            places = store.all_addresses((), {})
            stored += [state.value for place in places for state in store.history(*place)]
        for word in ("xylophant", "zanzibaria", "quokka"):
            assert word not in str(stored).casefold()
        assert [record.text for record in ben.records()] == ["Likes tea"]
        if backend != "memory":
            ben.undo(commit.id)
            assert ben.records() == []
