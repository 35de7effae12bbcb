"""Which database a store is on, what made its vectors, and what becomes of one that an earlier version made."""

import asyncio
import logging
import shutil
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import psycopg
import pytest
from contracts.stores import WordEmbeddings
from langchain_core.embeddings import DeterministicFakeEmbedding

from langgraph_learning import LearningDB, LearningMachine, connect, create_learning_agent
from langgraph_learning.checkpointers import PostgresHybridStore, SqliteHybridStore
from langgraph_learning.checkpointers._schema_lookup import SET_UP
from langgraph_learning.checkpointers._store.sql_statements import Statements, migrations
from langgraph_learning.checkpointers._store.store import HybridStore
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.testing import ScriptedChatModel, op

ALEX: Any = {"user_id": "alex"}
THREAD: Any = {"configurable": {"thread_id": "t1"}}


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    postgres = request.param == "postgres"
    return request.getfixturevalue("postgres_url") if postgres else f"sqlite:///{tmp_path / 'learning.db'}"


def store_at(url: str, **options: Any) -> HybridStore:
    """A store object of its own on the database of `url`."""
    if url.startswith("sqlite"):
        return SqliteHybridStore(url.removeprefix("sqlite:///"), **options)
    return PostgresHybridStore(url, **options)


def replayed(db: LearningDB, store: HybridStore, colour: str) -> str:
    """What the model is shown in a replay of the second turn of an agent that learns into `store`."""
    memories = [[op("add_memory", content=content)] for content in ("Likes tea", "Plays chess", "Has a dog")]
    model = ScriptedChatModel(replies=["ok"], extractions=[*memories, []], repeat=True)
    machine = LearningMachine(user_memory=True, store=store)
    agent = create_learning_agent(model, learning=machine, checkpointer=db.checkpointer)

    def run(given: Any, config: Any) -> None:
        if colour == "sync":
            agent.invoke(given, config, context=ALEX)
        else:
            asyncio.run(agent.ainvoke(given, config, context=ALEX))

    for text in ("one", "two", "three"):
        run({"messages": [("user", text)]}, THREAD)
    starts = [state for state in agent.get_state_history(THREAD) if "learning.before_agent" in state.next]
    run(None, starts[1].config)
    return model.prompt("reply")


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_machine_with_a_store_of_its_own_on_the_same_database_recalls_the_past(url: str, colour: str) -> None:
    with connect(url) as db, store_at(url) as store:
        shown = replayed(db, store, colour)
    assert "Likes tea" in shown
    assert "chess" not in shown


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_checkpointer_of_another_database_is_told_of_once(
    url: str, colour: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(url) as db, SqliteHybridStore(tmp_path / "other.db") as store, caplog.at_level(logging.WARNING):
        assert "chess" in replayed(db, store, colour)
    told = [record.message for record in caplog.records if "another database" in record.message]
    assert len(told) == 1
    assert "connect()" in told[0]


def test_a_database_is_known_again_and_told_from_others(url: str, tmp_path: Path) -> None:
    with store_at(url) as one, store_at(url) as same, SqliteHybridStore(":memory:") as other:
        assert one.database == same.database != other.database
        one.put(("a",), "k", {})
        assert same.last_revision == 1
        assert other.last_revision == 0
        known = one.database
    assert store_at(url).database == known


def test_a_copy_of_a_file_is_another_database(tmp_path: Path) -> None:
    with SqliteHybridStore(tmp_path / "one.db") as store:
        known = store.database
    shutil.copy(tmp_path / "one.db", tmp_path / "copy.db")
    with SqliteHybridStore(tmp_path / "copy.db") as copy:
        assert copy.database != known


class Named(DeterministicFakeEmbedding):
    """Embeddings with a name, as those of providers have one."""

    size: int = 4
    model: str


def test_another_embedder_of_the_same_size_is_refused(url: str) -> None:
    with connect(url, embed=DeterministicFakeEmbedding(size=4)):
        pass  # has no name to be known by
    for _ in range(2):
        with connect(url, embed=Named(model="small-1")) as db:
            db.store.put(("a",), "k", {"text": "tea"})
    with connect(url) as db:
        assert [item.key for item in db.store.search(("a",), query="tea")] == ["k"]
    with (
        pytest.raises(ConfigurationError, match=r"Named small-1.*Named small-2.*schema="),
        connect(url, embed=Named(model="small-2")),
    ):
        pass


@pytest.mark.parametrize(("kept", "told"), [("Named small-1", "Named small-1"), ("local", r"wordllama\)")])
def test_an_embedder_of_another_size_is_refused_with_both_names_and_a_way_out(url: str, kept: str, told: str) -> None:
    """A database whose vectors are those of `local`, without more, is one that the former local embedder made."""
    with store_at(url, embed=DeterministicFakeEmbedding(size=4)) as store, store._dialect.writing() as session:
        session.run("set_fact", {"name": "embedder", "value": kept})
    larger = Named(size=8, model="large")
    with (
        pytest.raises(ConfigurationError, match=rf"{told} \(4 dimensions\).*Named large \(8\).*export.*import"),
        connect(url, embed=larger),
    ):
        pass


class Old:
    """A database with the tables of an earlier version, and in them what a store of today wrote."""

    def __init__(self, url: str, version: int) -> None:
        self.url, self.version = url, version
        self.sqlite = url.startswith("sqlite")
        options: Any = {} if self.sqlite else {"schema": "today"}
        today = store_at(f"{url}.today" if self.sqlite else url, embed=WordEmbeddings(), **options)
        with today as store:
            self.revisions = self._write(store)
        with self._connection() as connection:
            for step in self._steps():
                connection.execute(step)

    def _write(self, store: HybridStore) -> list[int]:
        store.put(("a",), "one", {"text": "green tea"})
        store.put(("a",), "two", {"text": "chess"})
        store.put(("a",), "one", {"text": "black coffee, coffee, coffee"})
        first = store.revision()
        store.put(("b",), "gone", {"text": "snow"})
        store.delete(("b",), "gone")
        return [2, first, store.revision()]

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        if self.sqlite:
            path = self.url.removeprefix("sqlite:///")
            connection = sqlite3.connect(path, isolation_level=None)
            connection.execute(f"attach '{path}.today' as today")
            yield connection
            connection.close()
        else:
            with psycopg.connect(self.url, autocommit=True) as opened:
                yield opened

    def _steps(self) -> Iterator[str]:
        dialect: Any = "sqlite" if self.sqlite else "postgres"
        sql = Statements(dialect, schema="public", vector="public", dims="32")
        yield sql("create_migrations")
        for number, (name, steps) in migrations(dialect).items():
            if number <= self.version:
                yield from (step if self.sqlite else sql.fill(step) for step in steps)
                yield f"insert into hybrid_migrations values ({number}, '{name}')"  # noqa: S608 - our own names
        yield "insert into hybrid_namespaces select id, path, items, length from today.hybrid_namespaces"
        for table in ("commits", "versions", "vectors"):
            yield f"insert into hybrid_{table} select * from today.hybrid_{table}"  # noqa: S608
        if self.sqlite:
            yield from (f"insert into hybrid_{it} select * from today.hybrid_{it}" for it in ("items", "postings"))  # noqa: S608
        else:  # earlier versions had the words beside the item, and a row for each of them
            yield (
                "insert into hybrid_items select i.*, coalesce(w.length, 0), w.terms"
                " from today.hybrid_items i left join today.hybrid_words w on w.item = i.id"
            )
            yield (
                "insert into hybrid_postings select ns, term, id, count(*), length"
                " from hybrid_items, string_to_table(terms, ' ') term group by 1, 2, 3, 5"
            )
        yield "insert into hybrid_marks select * from today.hybrid_marks where name not in ('items', 'namespaces')"
        if not self.sqlite:  # what a store without an embedder used to leave behind
            yield "insert into hybrid_vectors select ns, 999, field, embedding from hybrid_vectors limit 1"


@pytest.fixture
def old(url: str) -> Old:
    return Old(url, 1 if url.startswith("sqlite") else 3)


def test_words_that_an_earlier_version_indexed_score_as_they_do_today(old: Old) -> None:
    options: Any = {} if old.sqlite else {"schema": "today"}
    scores = []
    for store in (store_at(old.url), store_at(f"{old.url}.today" if old.sqlite else old.url, **options)):
        with store:
            found = store.search(("a",), query="black coffee coffee chess")
            scores.append([(item.key, item.score) for item in found])
    assert scores[0] == scores[1]
    assert all(score for _, score in scores[0])


def test_the_index_of_words_holds_no_word(postgres_url: str) -> None:
    """An index of this kind keeps its values when their rows are deleted, so words in it could not be forgotten."""
    with store_at(postgres_url) as store:
        store.put(("a",), "one", {"text": "xylophone xylophone"})
        assert [item.key for item in store.search(("a",), query="xylophone") if item.score] == ["one"]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("checkpoint")
        where = "select position('xylophon'::bytea in pg_read_binary_file(pg_relation_filepath(%s))) > 0"
        holds_word = {
            name: connection.execute(where, [name]).fetchone() for name in ("hybrid_words", "hybrid_words_keys")
        }
    assert holds_word == {"hybrid_words": (True,), "hybrid_words_keys": (False,)}


def test_what_a_process_of_an_earlier_version_is_writing_is_migrated_too(postgres_url: str) -> None:
    earlier = Old(postgres_url, 8)
    with psycopg.connect(postgres_url) as writer, ThreadPoolExecutor(1) as threads:
        writer.execute("select pg_advisory_xact_lock(%s)", [crc32(b'"public"', SET_UP)])
        writer.execute("delete from hybrid_items where key = 'two'")
        opening = threads.submit(store_at(earlier.url).setup)
        with psycopg.connect(postgres_url, autocommit=True) as watcher:
            while watcher.execute("select count(*) from pg_locks where not granted").fetchone() == (0,):
                assert not opening.done()
                time.sleep(0.01)
        writer.commit()
        opening.result()
    with psycopg.connect(postgres_url) as connection:
        [(left,)] = connection.execute("select count(*) from hybrid_words where terms like '%chess%'")
    assert left == 0


def test_a_database_that_a_newer_version_has_migrated_is_refused(url: str) -> None:
    with store_at(url) as store, store._dialect.writing() as session:
        session.run("add_migration", {"number": 999, "name": "later"})
    with pytest.raises(ConfigurationError, match=r"newer version.*999.*upgrade"):
        store_at(url).setup()


def test_the_numbers_of_forgotten_words_are_told_by_no_salt(postgres_url: str) -> None:
    salts = []
    with psycopg.connect(postgres_url, autocommit=True) as connection, store_at(postgres_url) as store:
        for _ in range(2):
            store.put(("a",), "one", {"text": "xylophone"})
            salts += [row[0] for row in connection.execute("select salt from hybrid_namespaces")]
            store.purge(("a",))
        assert (
            connection.execute("select salt from hybrid_namespaces union all select salt from hybrid_words").fetchall()
            == []
        )
    assert len(set(salts)) == len(salts) == 2


@pytest.mark.parametrize("embed", [True, False])
def test_what_an_earlier_version_wrote_is_all_there(old: Old, embed: bool) -> None:
    if not embed:  # opened without an embedder first: what concerns vectors waits for one
        with store_at(old.url) as store:
            assert next(item.key for item in store.search(("a",), query="coffee")) == "one"
    embedder = WordEmbeddings()
    with store_at(old.url, embed=embedder) as store:
        assert [item.key for item in store.search(("a",), query="coffee")] == ["one", "two"]
        before, first, last = old.revisions
        assert store.revision() == last
        past = store.as_of(before).get(("a",), "one")
        assert past is not None
        assert past.value == {"text": "green tea"}
        assert [item.key for item in store.as_of(before).search(("a",), query="tea")] == ["one", "two"]
        assert [each.revision for each in store.history(("a",), "one")] == [1, 3]
        assert [each.value for each in store.history(("b",), "gone")] == [{"text": "snow"}, None]
        store.put(("c",), "new", {"text": "snow"})
        assert next(item.key for item in store.search((), query="snow")) == "new"
        assert first < last < store.revision()
        with store._dialect.reading() as session:
            [row] = session.rows("read_current", {"paths": ["x"], "keys": ["x"]})
        assert row[-2] == 4  # the id of the deleted item is not given out again
        assert store.purge(("a",))["vectors"] == 2
        assert store.purge(())["vectors"] == 1  # what was left behind is gone
