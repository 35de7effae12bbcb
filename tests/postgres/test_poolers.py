"""Behind a pooler: sessions are shared, nothing set or prepared in one survives, no lock of one is given back."""

import asyncio
from typing import Any

import psycopg
import pytest
from contracts.savers import learner, thread, turn
from contracts.stores import WordEmbeddings
from postgres.world import FACT, count_rows, memories, talk, talk_at_once
from psycopg.sql import SQL, Identifier
from psycopg_pool import ConnectionPool

from langgraph_learning import connect
from langgraph_learning.checkpointers import PostgresHybridStore
from langgraph_learning.checkpointers._store.inspect import inspect


def test_turns_of_several_users_at_once_are_kept(pooled_url: str) -> None:
    users = [f"user {number}" for number in range(6)]
    with connect(pooled_url) as db:
        for _ in range(2):  # what the first round has prepared, the second would use on another session
            assert talk_at_once(db, users) == ["Hello"] * 6
        assert [memories(db, user) for user in users] == [[FACT]] * 6


async def test_sync_and_async_turns_go_on_in_their_threads(pooled_url: str) -> None:
    async with connect(pooled_url) as db:
        graph = learner(db.checkpointer)
        await asyncio.gather(*(graph.ainvoke(turn("one"), thread(f"t{number}")) for number in range(6)))
        await asyncio.gather(*(asyncio.to_thread(graph.invoke, turn("two"), thread(f"t{n}")) for n in range(6)))
        states = [(await graph.aget_state(thread(f"t{number}"))).values["said"] for number in range(6)]
        assert states == [["one", "two"]] * 6
        db.checkpointer.prune(["t0"])
        assert len(list(db.checkpointer.list(thread("t0")))) == 1


def test_a_second_process_opens_what_the_first_has_open(pooled_url: str) -> None:
    with connect(pooled_url) as first, connect(pooled_url) as second:
        first.store.put(("a",), "k", {"n": 1})
        assert second.store.get(("a",), "k") is not None
    with connect(pooled_url) as again:
        assert again.store.get(("a",), "k") is not None


def test_no_row_lands_in_the_schema_of_a_neighbour(pooled_url: str, postgres_url: str) -> None:
    with connect(pooled_url, schema="one") as one, connect(pooled_url, schema="two") as two:
        for number in range(6):
            talk(one, "ada", f"one {number}")
            talk(two, "bob", f"two {number}")
            assert two.checkpointer.get_tuple({"configurable": {"thread_id": f"one {number}"}}) is None
        for db, user, other in ((one, "ada", "bob"), (two, "bob", "ada")):
            assert (memories(db, user), memories(db, other)) == ([FACT], [])
    with psycopg.connect(postgres_url) as direct:
        for schema in ("one", "two"):
            asked = SQL("select distinct thread_id from {}.checkpoints").format(Identifier(schema))
            found = direct.execute(asked).fetchall()
            assert {name.split()[0] for (name,) in found} == {schema}
        tables = direct.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        assert tables == []


def test_a_search_path_that_another_client_left_is_not_followed(transaction_url: str, postgres_url: str) -> None:
    with connect(transaction_url, schema="theirs") as theirs:
        theirs.store.put(("a",), "k", {"n": 1})
    for _ in range(4):  # each session that the pooler has
        with psycopg.connect(transaction_url, autocommit=True, prepare_threshold=None) as careless:
            careless.execute("set search_path = theirs")
    with connect(transaction_url) as db:
        assert db.store.get(("a",), "k") is None
        learner(db.checkpointer).invoke(turn("one"), thread())
        assert (state := inspect(transaction_url)) is not None
        assert state.made
    assert count_rows(postgres_url, "theirs", "checkpoints") == 0
    assert count_rows(postgres_url, "public", "checkpoints") > 0


def test_a_pool_that_is_handed_in_is_recognised_as_pooled(transaction_url: str) -> None:
    options: Any = {"autocommit": True, "prepare_threshold": 0}
    with (
        ConnectionPool(transaction_url, min_size=1, max_size=4, kwargs=options) as pool,
        PostgresHybridStore(pool, schema="handed") as store,
    ):
        for number in range(12):
            store.put(("a",), str(number), {"text": f"tea {number}"})
            assert store.get(("a",), str(number)) is not None
        assert len(store.search(("a",), query="tea", limit=20)) == 12


@pytest.mark.parametrize("search", ["words", "meaning"])
def test_search_works_on_whichever_session(transaction_url: str, search: str) -> None:
    embed = WordEmbeddings() if search == "meaning" else None
    with connect(transaction_url, embed=embed) as db:
        db.store.put(("a",), "k", {"text": "green tea"})
        for _ in range(8):
            assert [item.key for item in db.store.search(("a",), query="tea")] == ["k"]
