"""What deleting a thread leaves behind: nothing of what was said in it."""

from typing import Any

from langgraph_learning import LearningDB, LearningMachine
from langgraph_learning.scoped import Scoped
from langgraph_learning.testing import ScriptedChatModel, op

SAID = [op("add_memory", content="Likes green tea", quote="green tea"), op("update_session_context", summary="SECRET")]


def alex(db: LearningDB, *extractions: Any) -> Scoped:
    model = ScriptedChatModel(extractions=extractions)
    machine = LearningMachine(user_memory=True, session_context=True, model=model, store=db.store)
    return machine.scoped(user_id="Alex", thread_id="T1")


def everything(db: LearningDB) -> str:
    store: Any = db.store
    found = [item.value for item in store.search((), limit=1000)]
    found += [s.value for namespace, key in store.addresses_ever((), {}) for s in store.history(namespace, key)]
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
