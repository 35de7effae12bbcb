"""What a review found damaged: ids, sources, and text that outlived its erasure."""

from pathlib import Path

import pytest
from contracts.stores import WordEmbeddings
from langgraph.store.base import PutOp

from langgraph_learning import LearningDB, connect
from langgraph_learning.checkpointers import SqliteHybridStore
from langgraph_learning.checkpointers._store.store import HybridStore


def store_of(db: LearningDB) -> HybridStore:
    assert isinstance(db.store, HybridStore)
    return db.store


def test_a_process_without_an_embedder_keeps_the_vectors_of_one_with_it_in_order(postgres_url: str) -> None:
    with connect(postgres_url) as plain, connect(postgres_url, embed=WordEmbeddings()) as embedding:
        embedding.store.put(("a",), "one", {"text": "tea"})
        embedding.store.put(("b",), "two", {"text": "tea"})
        assert store_of(plain).purge(("a",))["vectors"] == 1
        plain.store.put(("b",), "two", {"text": "coffee"})
        plain.store.delete(("b",), "two")
        embedding.store.put(("c",), "three", {"text": "snow"})
        assert [item.key for item in embedding.store.search((), query="snow")] == ["three"]


@pytest.mark.parametrize("way", ["purge", "delete", "sweep", "erase"])
def test_no_id_is_given_out_twice(db: LearningDB, way: str) -> None:
    store = store_of(db)

    def ids() -> list[int]:
        with store._dialect.reading() as session:
            [row] = session.rows("read_current", {"paths": ["x"], "keys": ["x"]})
        return [int(row[-2]), int(row[-3])]

    store.put(("a",), "one", {"text": "tea"}, ttl=-1)
    before = ids()
    if way == "delete":
        store.delete(("a",), "one")
    elif way == "sweep":
        assert store.sweep() == 1
    elif way == "erase":
        assert store.erase([(("a",), "one")]) == 1
    else:
        store.purge(("a",))
    assert ids() == before


def test_a_purge_leaves_the_source_of_what_others_wrote_in_the_same_commit(db: LearningDB) -> None:
    store = store_of(db)
    store.transact([PutOp(("a",), "k", {"n": 1}), PutOp(("b",), "k", {"n": 1})], source={"quote": "both"})
    store.transact([PutOp(("a",), "k", {"n": 2})], source={"quote": "mine"})
    store.put(("b",), "k", {"n": 2})
    store.purge(("a",))
    assert [state.source for state in store.history(("b",), "k")] == [{"quote": "both"}, None]
    with store._dialect.reading() as session:
        assert session.rows("last_revision", {})[0][0] == 3
    store.purge(("b",))
    with store._dialect.writing() as session:
        assert session.run("erase_orphan_sources", {}) == 0


def test_a_sweep_forgets_the_sources_of_what_it_erased(db: LearningDB) -> None:
    store = store_of(db)
    store.transact([PutOp(("a",), "k", {"n": 1}, ttl=-1)], source={"quote": "gone"})
    assert store.sweep() == 1
    with store._dialect.writing() as session:
        assert session.run("erase_orphan_sources", {}) == 0


def test_a_database_of_the_first_version_goes_on_counting_above_its_history(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with SqliteHybridStore(path) as store:
        store.put(("a",), "k", {"n": 1})
        store.delete(("a",), "k")
        with store._dialect.writing() as session:
            connection = session._connection  # type: ignore[attr-defined]
            connection.execute("delete from hybrid_marks")
            connection.execute("delete from hybrid_migrations where number = 2")
            connection.execute("drop index hybrid_items_recorded")
            connection.execute("drop index hybrid_versions_recorded")
    with SqliteHybridStore(path) as store, store._dialect.reading() as session:
        assert session.rows("read_current", {"paths": ["x"], "keys": ["x"]})[0][-2] == 1
