"""What deleting a thread leaves behind: nothing of what was said in it."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from langgraph_learning import LearningDB, LearningMachine, connect, create_learning_agent
from langgraph_learning.checkpointers import LearningSaver
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


@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("backend", ["memory", "sqlite", "postgres"])
async def test_what_a_deleted_thread_named_stands_in_no_commit_of_those_who_recalled_it(
    backend: str, colour: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if backend == "postgres" else f"sqlite:///{tmp_path}/a.db"
    company = op("remember_about", entity="Xylophant Holding", entity_type="company", facts=["Makes quokkas"])
    name = op("update_user_profile", name="Ada", quote="I am Ada")
    own_name = op("update_user_profile", name="Ben", quote="I am Ben")
    tea = op("add_memory", content="Likes tea", quote="I like tea")
    with connect(url) as db:
        store: Any = InMemoryStore() if backend == "memory" else db.store
        saver: Any = LearningSaver(InMemorySaver(), store) if backend == "memory" else db.checkpointer
        answers = [[company, name], [own_name], [tea], [tea]]
        model = ScriptedChatModel(replies=["Ok."], extractions=answers, repeat=True)
        learning = LearningMachine(
            model=model, entity_memory=True, user_profile=True, user_memory=True, store=store, shared="write"
        )
        ada, ben = (learning.scoped(user_id=user, thread_id=f"{user} 1") for user in ("ada", "ben"))
        ada.learn([("user", "I am Ada. Xylophant Holding makes quokkas")])
        ben.learn([("user", "I am Ben")])
        graph = create_learning_agent(model, learning=learning, store=store)
        for user in ("ada", "ben"):
            asked: Any = {"messages": [("user", "I like tea. Who makes quokkas?")]}
            graph.invoke(asked, {"configurable": {"thread_id": f"{user} 2"}}, context={"user_id": user})
        before = ben.commits()[-1]
        for commit in (before, ada.commits()[-1]):
            assert {store_name for store_name, _ in commit.recalled} == {"entity_memory", "user_profile"}
        assert "xylophant" in str(before.recalled)

        if colour == "sync":
            saver.delete_thread("ada 1", learned=True)
        else:
            await saver.adelete_thread("ada 1", learned=True)

        stored = [item.value for item in store.search((), limit=1000)]
        if backend != "memory":
            places = store.all_addresses((), {})
            stored += [state.value for place in places for state in store.history(*place)]
        assert "xylophant" not in str(stored).casefold()
        assert ada.commits()[-1].recalled == ()
        last = ben.commits()[-1]
        assert {store_name for store_name, _ in last.recalled} == {"user_profile"}  # Ben's own name stays
        assert last.model_copy(update={"provenance": before.provenance}) == before
        if backend != "memory":
            ben.undo(last.id)
            assert ben.records("user_memory") == []
