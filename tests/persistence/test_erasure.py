"""What deleting a thread leaves behind: nothing of what was said in it."""

from typing import Any

import pytest

from langgraph_learning import LearningDB, LearningMachine
from langgraph_learning.namespace_labels import label
from langgraph_learning.scoped import Scoped
from langgraph_learning.testing import ScriptedChatModel, op

SAID = [op("add_memory", content="Likes green tea", quote="green tea"), op("update_session_context", summary="SECRET")]


def alex(db: LearningDB, *extractions: Any, thread: str = "T1") -> Scoped:
    model = ScriptedChatModel(extractions=extractions)
    machine = LearningMachine(user_memory=True, session_context=True, model=model, store=db.store)
    return machine.scoped(user_id="Alex", thread_id=thread)


def everything(db: LearningDB) -> str:
    store: Any = db.store
    found = [item.value for item in store.search((), limit=1000)]
    found += [s.value for namespace, key in store.all_addresses((), {}) for s in store.history(namespace, key)]
    return str(found)


def test_no_word_of_a_session_is_left_in_its_commits_or_in_history(db: LearningDB) -> None:
    scoped = alex(db, SAID)
    commit = scoped.learn([("user", "I like green tea")])
    assert commit
    scoped.undo(commit.id)
    db.checkpointer.delete_thread("T1")
    assert "SECRET" not in everything(db)
    assert len(scoped.commits()) == 2


def test_what_was_taught_goes_with_its_past_and_its_commits_when_asked(db: LearningDB) -> None:
    scoped = alex(db, SAID, [op("delete_memory", id="m1")])
    scoped.learn([("user", "I like green tea")])
    scoped.learn([("user", "Forget that")])
    db.checkpointer.delete_thread("T1", learned=True)
    assert everything(db) == "[]"


def test_undo_passes_over_a_record_that_was_erased_with_its_history(db: LearningDB) -> None:
    scoped = alex(db, SAID)
    commit = scoped.learn([("user", "I like green tea")])
    assert commit
    db.checkpointer.delete_thread("T1")
    undone = scoped.undo(commit.id)
    assert scoped.records() == []
    assert [change.store for change in undone.changes] == ["user_memory"]
    assert "erased" in undone.refused[0].reason


@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_a_copied_thread_has_the_session_of_the_other_and_keeps_it(db: LearningDB, colour: str) -> None:
    again = [op("update_session_context", summary="SECRET and more")]
    scoped = alex(db, SAID, again)
    scoped.learn([("user", "I like green tea")])

    async def copy() -> None:
        if colour == "sync":
            db.checkpointer.copy_thread("T1", "T2")
        else:
            await db.checkpointer.acopy_thread("T1", "T2")

    await copy()
    [record] = alex(db, thread="T2").records("session_context")
    assert record.content["summary"] == "SECRET"
    assert (record.scope.thread_id, record.source.thread_id) == ("T2", "T2")
    scoped.learn([("user", "And more")])
    await copy()  # what the target has stays
    db.checkpointer.delete_thread("T1", learned=True)
    assert scoped.records() == []
    assert alex(db, thread="T2").records("session_context") == [record]
    assert "SECRET" in alex(db, thread="T2").recall("Where were we?").text
    db.checkpointer.delete_thread("T2")
    assert "SECRET" not in everything(db)


@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_pruning_erases_the_session_only_of_threads_that_go_whole(db: LearningDB, colour: str) -> None:
    for thread in ("T1", "T2", "T3"):
        alex(db, [op("update_session_context", summary=f"SECRET {thread}")], thread=thread).learn([("user", "Hello")])

    async def prune(threads: list[str], **options: str) -> None:
        if colour == "sync":
            db.checkpointer.prune(threads, **options)
        else:
            await db.checkpointer.aprune(threads, **options)

    await prune(["T1", "T2", "T3"])
    assert all(f"SECRET {thread}" in everything(db) for thread in ("T1", "T2", "T3"))
    await prune(["T1", "T2"], strategy="delete")
    assert [f"SECRET {thread}" in everything(db) for thread in ("T1", "T2", "T3")] == [False, False, True]


async def test_a_thread_of_any_name_is_deleted_with_its_session(db: LearningDB) -> None:
    kept = alex(db, [op("update_session_context", summary="KEPT")], thread="T2")
    kept.learn([("user", "Hello")])
    for odd in ("nul\0in", "\ud800", "quote'\"--", "%_", "x" * 5_000, "", " ", "../é"):
        session = ("learning", "user", "Alex", "thread", label(odd), "session_context")
        if len(odd) < 2_000:  # a longer one is no label
            db.store.put(session, "session_context", {"text": "SECRET", "source": {"thread_id": odd}})
        db.checkpointer.delete_thread(odd)
        assert "SECRET" not in everything(db), odd
        await db.checkpointer.adelete_thread(odd, learned=True)
    assert [record.text for record in kept.records("session_context")] == ["KEPT"]
