"""What our stores do beyond LangGraph's contract: transactions, history, the past, erasure, time to live."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from contracts.conftest import Make
from contracts.stores import Clock, Coloured, WordEmbeddings
from langgraph.store.base import GetOp, PutOp, SearchOp
from psycopg_pool import ConnectionPool

from langgraph_learning.checkpointers._store import writing
from langgraph_learning.checkpointers._store.sql_statements import migrations, store_blocks
from langgraph_learning.checkpointers._store.sqlite import SqliteDialect
from langgraph_learning.checkpointers._store.store import HybridStore
from langgraph_learning.errors import ConflictError, StoreError, UnsupportedByStore

NS = ("users", "ada")
A, B = (NS, "a"), (NS, "b")


async def test_a_transaction_is_all_or_nothing(ours: Coloured) -> None:
    assert await ours.transact([PutOp(*A, {"n": 1}), PutOp(*B, {"n": 1})]) == 1
    with pytest.raises(ConflictError, match=r"'b' in \('users', 'ada'\) is at version 1, not 7"):
        await ours.transact([PutOp(*A, {"n": 2}), PutOp(*B, None)], expect={A: 1, B: 7})
    assert (await ours.get(*A)).value == {"n": 1}
    assert await ours.revision() == 1
    assert await ours.transact([PutOp(*A, {"n": 2}), PutOp(*B, None)], expect={A: 1, B: 1}) == 2
    assert await ours.keys(*NS) == ["a"]


async def test_what_was_only_read_can_be_expected_too(ours: Coloured) -> None:
    await ours.put(*A, {"n": 1})
    with pytest.raises(ConflictError):
        await ours.transact([PutOp(*B, {"n": 1})], expect={A: 0})
    await ours.transact([PutOp(*B, {"n": 1})], expect={A: 1})
    with pytest.raises(ConflictError):
        await ours.transact([], expect={B: 2})
    assert await ours.transact([], expect={B: 1}) == await ours.revision() == 2
    with pytest.raises(TypeError, match="PutOps"):
        await ours.transact([GetOp(*A)])


async def test_versions_survive_delete_and_put_again(ours: Coloured) -> None:
    await ours.put(*A, {"n": 1})
    await ours.put(*A, {"n": 2})
    [stale] = [item.version for item in await ours.search(NS)]
    await ours.delete(*A)
    assert await ours.get_versions([A, B]) == {A: 0, B: 0}
    await ours.transact([PutOp(*A, {"n": 3})], expect={A: 0})
    assert (await ours.get(*A)).version > stale
    with pytest.raises(ConflictError):
        await ours.transact([PutOp(*A, {"n": 4})], expect={A: stale})
    with pytest.raises(ConflictError):
        await ours.transact([PutOp(*A, {"n": 4})], expect={A: 0})


async def test_history_tells_what_when_and_why(ours: Coloured, clock: Clock) -> None:
    await ours.transact([PutOp(*A, {"n": 1})], source={"thread": "t1", "said": "x\x00"})
    clock.pass_minutes(1)
    await ours.put(*A, {"n": 2})
    await ours.delete(*A)
    await ours.put(*A, {"n": 3})
    told = await ours.history(*A)
    assert [(r.value and r.value["n"], r.version, r.revision) for r in told] == [
        (1, 1, 1),
        (2, 2, 2),
        (None, 3, 3),
        (3, 4, 4),
    ]
    assert told[0].source == {"thread": "t1", "said": "x\x00"}
    assert told[1].source is None
    assert told[1].at == clock.now
    assert (told[1].at - told[0].at).total_seconds() == 60
    assert await ours.history(*B) == []


async def test_the_past_stays_as_it_was(ours: Coloured) -> None:
    await ours.put(*A, {"text": "likes tea", "n": 1})
    await ours.put(*B, {"text": "likes coffee", "n": 2})
    seen = await look_back(ours, 2)
    await ours.put(*A, {"text": "likes milk", "n": 3})
    await ours.delete(*B)
    await ours.put(("users", "bob"), "c", {"text": "likes tea"})
    assert await look_back(ours, 2) == seen
    assert [item.key for item in seen["tea"]] == ["a", "b"]
    assert [item.key for item in seen["all"]] == ["b", "a"]
    assert seen["got"].value == {"text": "likes tea", "n": 1}
    assert await look_back(ours, 0) == {"all": [], "tea": [], "got": None, "high": [], "names": []}
    now = await look_back(ours, await ours.revision())
    assert [item.value["text"] for item in now["all"]] == ["likes milk"]
    assert now["all"] == await ours.search(NS)


async def look_back(store: Coloured, revision: int) -> dict[str, Any]:
    past = Coloured(store.store.as_of(revision), store.colour)  # type: ignore[attr-defined]
    tea = await past.search(NS, query="tea")
    assert [item.score for item in tea] == sorted((item.score for item in tea), reverse=True)
    return {
        "all": await past.search(NS),
        "tea": tea,
        "got": await past.get(*A),
        "high": await past.search(NS, filter={"n": {"$gt": 1}}),
        "names": await past.list_namespaces(),
    }


async def test_the_past_ranks_like_the_present(ours: Coloured) -> None:
    texts = ["tea and coffee", "tea tea milk", "milk", "green tea with milk and honey", "honey cake"]
    await ours.batch([PutOp(NS, f"k{i}", {"text": text}) for i, text in enumerate(texts)])
    past = Coloured(ours.store.as_of(1), ours.colour)  # type: ignore[attr-defined]
    for query in ("tea milk", "honey", "what about coffee?", "nothing"):
        present = [(item.key, item.score) for item in await ours.search(NS, query=query)]
        assert [(item.key, item.score) for item in await past.search(NS, query=query)] == present


async def test_the_past_cannot_be_written(ours: Coloured) -> None:
    past = Coloured(ours.store.as_of(0), ours.colour)  # type: ignore[attr-defined]
    with pytest.raises(UnsupportedByStore):
        await past.put(*A, {"n": 1})
    with pytest.raises(UnsupportedByStore):
        await past.delete(*A)


MARK = "zanzibarquux"


async def test_purge_leaves_no_byte(embedded: Coloured, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    mine = ("users", f"{MARK}1")
    for n in range(3):
        puts = [PutOp((*mine, "deep"), f"{MARK}k{n % 2}", {"text": f"{MARK} {n}", MARK: n})]
        await embedded.transact(puts, source={"quote": f"I am {MARK}"})
    await embedded.delete((*mine, "deep"), f"{MARK}k0")
    await embedded.transact([PutOp(*A, {"text": "tea"})], source={"quote": "tea"})
    assert MARK[:8] in dump(embedded.store, request)
    counts = await embedded.purge(mine)
    assert (counts["items"], counts["versions"], counts["namespaces"]) == (1, 3, 1)
    left = dump(embedded.store, request)
    assert MARK[:8] not in left
    for file in tmp_path.iterdir():  # in SQLite's files neither
        assert MARK[:8].encode() not in file.read_bytes()
    assert (await embedded.get(*A)).value == {"text": "tea"}
    assert (await embedded.history(*A))[0].source == {"quote": "tea"}
    assert await embedded.search(mine) == []
    assert await embedded.purge(mine) == dict.fromkeys(counts, 0)


def dump(store: Any, request: pytest.FixtureRequest) -> str:
    dialect = store._dialect
    if hasattr(dialect, "_path"):
        with dialect._connection() as connection:
            return "\n".join(connection.iterdump())
    pool: ConnectionPool[Any] = request.getfixturevalue("pool")
    with pool.connection() as connection:
        schema = dialect._schema
        tables = connection.execute("select tablename from pg_tables where schemaname = %s", [schema]).fetchall()
        assert len(tables) == 9
        rows = [connection.execute(f"select t::text as r from {schema}.{t['tablename']} t").fetchall() for t in tables]  # noqa: S608
        return "\n".join(str(row["r"]) for some in rows for row in some)


async def test_a_stale_writer_cannot_mistake_a_new_item_for_the_purged_one(ours: Coloured) -> None:
    await ours.put(*A, {"n": 1})
    await ours.put(*B, {"n": 1})
    await ours.purge(NS)
    await ours.put(*A, {"n": 2})
    with pytest.raises(ConflictError):
        await ours.transact([PutOp(*A, {"n": 3})], expect={A: 1})


async def test_a_life_may_last_fractions_of_a_minute(ours: Coloured, clock: Clock) -> None:
    await ours.put(*A, {"text": "tea"}, ttl=0.4)
    await ours.put(*B, {"text": "tea"})
    clock.pass_minutes(0.39)
    assert await ours.get(*A) is not None
    clock.pass_minutes(0.02)
    assert await ours.get(*A) is None
    for options in ({}, {"query": "tea"}, {"filter": {"text": "tea"}}):
        assert await ours.keys(*NS, **options) == ["b"]
    past = Coloured(ours.store.as_of(2), ours.colour)  # type: ignore[attr-defined]
    assert set(await past.keys(*NS)) == {"a", "b"}
    await ours.transact([PutOp(*A, {"text": "new"}, ttl=1)], expect={A: 0})
    item = await ours.get(*A)
    assert (item.version, item.created_at) == (2, clock.now)


async def test_only_a_read_that_asks_for_it_prolongs_a_life(ours: Coloured, clock: Clock) -> None:
    await ours.batch([PutOp(NS, key, {"n": 1}, ttl=10) for key in "abc"])
    clock.pass_minutes(6)
    await ours.get(*A)
    await ours.get(*B, refresh_ttl=True)
    await ours.search(NS, filter={"n": 2}, refresh_ttl=True)
    clock.pass_minutes(6)
    assert await ours.keys(*NS) == ["b"]
    assert await ours.get(*A, refresh_ttl=True) is None
    await ours.search(NS, refresh_ttl=True)
    clock.pass_minutes(6)
    assert await ours.keys(*NS) == ["b"]
    assert await ours.revision() == 1


async def test_sweep_erases_what_expired(embedded: Coloured, clock: Clock, request: pytest.FixtureRequest) -> None:
    await embedded.put(*A, {"text": f"{MARK} one"})
    await embedded.put(*A, {"text": f"{MARK} two"}, ttl=1)
    await embedded.put(*B, {"text": "tea"}, ttl=3)
    clock.pass_minutes(2)
    assert await embedded.sweep() == 1
    assert await embedded.sweep() == 0
    assert MARK[:8] not in dump(embedded.store, request)
    assert await embedded.keys(*NS, query="tea") == ["b"]
    await embedded.put(*A, {"text": "three"})
    assert (await embedded.get(*A)).version > 2


async def test_one_store_serves_two_loops_and_threads_at_once(store: HybridStore) -> None:
    def other_loop(name: str) -> None:
        async def work() -> None:
            for i in range(10):
                await store.aput(("loops", name), f"k{i}", {"n": i})
                found = await asyncio.gather(*(store.aget(("loops", name), f"k{j}") for j in range(10)))
                assert [item is not None for item in found] == [j <= i for j in range(10)]

        asyncio.run(work())

    def plain(name: str) -> None:
        for i in range(10):
            store.put(("loops", name), f"k{i}", {"n": i})

    failed: list[BaseException] = []
    threads = [
        threading.Thread(target=guard(failed, f, f"{f.__name__}{i}")) for i in range(3) for f in (other_loop, plain)
    ]
    for thread in threads:
        thread.start()
    store.put(("loops", "here"), "k", {"n": 1})  # sync while this loop runs
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert not failed
    assert len(store.search(("loops",), limit=100)) == 61


def guard(failed: list[BaseException], work: Any, name: str) -> Any:
    def run() -> None:
        try:
            work(name)
        except BaseException as error:
            failed.append(error)
            raise

    return run


async def test_gets_of_one_tick_are_one_query(store: HybridStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.aput(*A, {"n": 1})
    asked: list[int] = []
    read = store._gets._read

    def count(ops: Any) -> Any:
        asked.append(len(ops))
        return read(ops)

    monkeypatch.setattr(store._gets, "_read", count)
    items = await asyncio.gather(*(store.aget(NS, key) for key in "abcab"))
    assert [item is not None for item in items] == [True, False, False, True, False]
    assert asked == [5]


async def test_a_failed_get_fails_alone(store: HybridStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.aput(*A, {"n": 1})
    read = store._gets._read

    def fail(ops: Any) -> Any:
        if any(op.key == "poison" for op in ops):
            raise StoreError("poisoned")
        return read(ops)

    monkeypatch.setattr(store._gets, "_read", fail)
    gets = [store.aget(NS, "a"), store.aget(NS, "poison"), store.aget(NS, "a")]
    first, second, third = await asyncio.gather(*gets, return_exceptions=True)
    assert isinstance(second, StoreError)
    assert first == third != None  # noqa: E711


async def test_the_store_knows_the_newest_revision_it_has_seen(make: Make, tmp_path: Path) -> None:
    store = make("sqlite")
    assert store.last_revision == 0
    store.put(*A, {"n": 1})
    await store.aput(*A, {"n": 2})
    assert store.last_revision == 2 == store.revision()


async def test_a_closed_store_says_so(make: Make) -> None:
    store = make("sqlite")
    store.put(*A, {"n": 1})
    store.close()
    for call in (store.aget(*A), store.aput(*A, {"n": 1})):
        with pytest.raises(StoreError, match="closed"):
            await call
    with pytest.raises(StoreError, match="closed"):
        store.get(*A)


def test_both_dialects_name_the_same_statements() -> None:
    own = {"connect", "begin", "commit", "rollback", "empty_wal", "set_busy_timeout", "data_version"}
    other = {"begin_snapshot", "tune_vector_index", "create_extension"}
    assert set(store_blocks("sqlite")) - own == set(store_blocks("postgres")) - other
    assert set(migrations("sqlite")) <= set(migrations("postgres"))


async def test_a_read_writes_nothing(store: HybridStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(*A, {"text": "tea"}, ttl=10)
    monkeypatch.delattr(type(store._dialect), "writing")
    assert store.get(*A) is not None
    assert len(store.search(NS, query="tea")) == 1
    assert (await store.aget(*A)) is not None
    store.batch([SearchOp(NS, refresh_ttl=False)])


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
@pytest.mark.parametrize("embed", [None, WordEmbeddings()], ids=["plain", "embedded"])
async def test_words_are_not_analysed_on_the_loop(
    make: Make, backend: str, embed: WordEmbeddings | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    where: set[str] = set()
    analysed = writing.index_terms

    def noting(text: str) -> list[str]:
        where.add(threading.current_thread().name)
        return analysed(text)

    monkeypatch.setattr(writing, "index_terms", noting)
    store = make(backend, embed=embed)
    await store.aput(*A, {"text": "tea"})
    await store.atransact([PutOp(*A, {"text": "coffee"})])
    assert len(store.history(*A)) == 2
    assert where
    assert all(name.startswith("hybrid-store") for name in where)


def test_a_crowd_of_readers_leaves_no_crowd_of_connections(make: Make) -> None:
    store = make("sqlite")
    store.put(*A, {"n": 1})
    inside = threading.Barrier(12)

    def read(_: int) -> None:
        with store._dialect.reading() as session:
            inside.wait(10)
            session.rows("last_revision", {})

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(read, range(12)))
    assert isinstance(store._dialect, SqliteDialect)
    assert len(store._dialect._idle) == store._dialect.threads
    assert store.get(*A) is not None


async def test_items_are_counted_as_a_whole_and_by_a_filter(ours: Coloured) -> None:
    old, other = {"past_of": "a"}, (("users", "adam"), "d")
    await ours.transact([PutOp(*A, {"n": 1}), PutOp(*B, {"n": 1}), PutOp(NS, "c", old), PutOp(*other, {"n": 1})])
    assert await ours.count(NS) == 3
    assert await ours.count(NS, {"past_of": None}) == 2
    assert await ours.count(NS, old) == 1
