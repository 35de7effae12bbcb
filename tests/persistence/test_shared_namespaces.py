"""Forgetting a user whose knowledge others share: no word of theirs is left, and nothing of the others is lost."""

import asyncio
from typing import Any

import pytest

from langgraph_learning import LearningDB, LearningMachine, Scope
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
