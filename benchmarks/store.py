"""Our stores beside LangGraph's own, on the same data, in one run.

`python -m benchmarks.store`: 10,000 items of one user, and 200,000 items of 2,000 users. The vectors stand around
topics; recall is that of the ten best against an exact search over the same scope. LangGraph's SqliteStore is measured
without vectors where Python's sqlite3 cannot load extensions.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psycopg
from langchain_core.embeddings import Embeddings
from langgraph.store.base import BaseStore, GetOp, PutOp, SearchOp
from langgraph.store.postgres import PostgresStore
from langgraph.store.sqlite import SqliteStore

from benchmarks.databases import postgres
from langgraph_learning.checkpointers import PostgresHybridStore, SqliteHybridStore
from langgraph_learning.checkpointers._store import search as ranking
from langgraph_learning.checkpointers._store.reading import AsOf, SearchScope
from langgraph_learning.checkpointers._store.store import HybridStore

DIMS, USERS, TOPICS = 256, 2_000, 400
ONE, MANY = ("one", "user"), ("many",)
RNG = np.random.default_rng(7)
CENTRES = RNG.normal(size=(TOPICS, DIMS)).astype(np.float32)
VOCABULARY = [f"w{i}{'abcdefghij'[i % 10]}" for i in range(20_000)]
WEIGHTS = list(accumulate(1 / (i + 10) for i in range(len(VOCABULARY))))
T = TypeVar("T")
R = TypeVar("R")


class Topics(Embeddings):
    """A vector near the topic that the text names, drawn anew for each text but always the same."""

    def embed_query(self, text: str) -> list[float]:
        """Embed one text."""
        topic, _, rest = text.partition(" ")
        noise = np.random.default_rng(abs(hash(rest)) % 2**32).normal(size=DIMS)
        vector: list[float] = (CENTRES[int(topic[1:]) % TOPICS] + 1.2 * noise).tolist()
        return vector

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed all texts."""
        return [self.embed_query(text) for text in texts]


@cache
def sentences(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    topics = [rng.randrange(TOPICS) for _ in range(count)]
    return [
        f"t{topic} {' '.join(rng.choices(VOCABULARY, cum_weights=WEIGHTS, k=rng.randint(8, 18)))}" for topic in topics
    ]


def value(text: str, number: int) -> dict[str, Any]:
    return {"text": text, "kind": f"k{number % 10}", "n": number}


def load(store: BaseStore, items: int, large: int) -> None:
    batch: list[PutOp] = []
    for number, text in enumerate([*sentences(items, 1), *sentences(large, 2)]):
        namespace = ONE if number < items else (*MANY, f"u{number % USERS}")
        batch.append(PutOp(namespace, f"i{number}", value(text, number), ["text"]))
        if len(batch) == 500:
            store.batch(batch)
            batch = []
    if batch:
        store.batch(batch)


def timed(call: Callable[[T], R], arguments: Sequence[T]) -> tuple[list[float], list[R]]:
    times, results = [], []
    for argument in arguments:
        start = time.perf_counter()
        results.append(call(argument))
        times.append(1_000 * (time.perf_counter() - start))
    return times, results


def report(what: str, who: str, times: list[float], note: str = "") -> None:
    p95 = statistics.quantiles(times, n=20)[-1]
    print(f"| {what} | {who} | {statistics.median(times):.2f} | {p95:.2f} | {note} |", flush=True)


def writes(who: str, store: BaseStore, indexed: bool) -> None:
    fresh = iter(sentences(4_000, 3))
    for what, index in (("put", False), ("put, indexed", ["text"])):
        if index and not indexed:
            continue
        run = uuid.uuid4().hex[:6]
        ops = [PutOp(ONE, f"{run}{n}", value(next(fresh), n), index) for n in range(150)]  # type: ignore[arg-type]
        report(f"{what}, one", who, timed(lambda op: store.batch([op]), ops)[0])
        batches = [
            [PutOp(ONE, f"{run}b{b}.{n}", value(next(fresh), n), index) for n in range(100)]  # type: ignore[arg-type]
            for b in range(15)
        ]
        times = timed(store.batch, batches)[0]
        report(f"{what}, per item of 100", who, [t / 100 for t in times])


def reads(who: str, store: BaseStore, items: int) -> None:
    rng = random.Random(4)
    keys = [f"i{rng.randrange(items)}" for _ in range(400)]
    report("get", who, timed(lambda key: store.get(ONE, key), keys)[0])
    filters = [{"kind": f"k{n % 10}"} for n in range(60)]
    report("filtered search, 10k", who, timed(lambda f: store.search(ONE, filter=f), filters)[0])


def gets_at_once(who: str, store: HybridStore) -> None:
    """64 tasks that each get an item: asked for together, as the store does, and each by a query of its own."""

    async def rate(get: Callable[[GetOp], Awaitable[object]]) -> float:
        rounds, start = 20, time.perf_counter()
        for _ in range(rounds):
            await asyncio.gather(*(get(GetOp(ONE, f"i{number}")) for number in range(64)))
        return rounds * 64 / (time.perf_counter() - start)

    together = asyncio.run(rate(lambda op: store.abatch([op])))
    alone = asyncio.run(rate(lambda op: store._threads(store.batch, [op])))
    print(f"| 64 gets at once | {who} | | | {together:,.0f}/s together, {alone:,.0f}/s each alone |", flush=True)


def questions(count: int, of: int, seed: int) -> list[str]:
    """The topic and four words of an item: common words as often as they are common."""
    rng = random.Random(5)
    return [
        " ".join([text.split()[0], *rng.sample(text.split()[1:], 4)]) for text in rng.sample(sentences(of, seed), count)
    ]


def truth(items: int, queries: Sequence[str]) -> list[set[str]]:
    """The ten nearest of the one user, exactly."""
    model = Topics()
    matrix = np.array(model.embed_documents(sentences(items, 1)), dtype=np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    best = np.argsort(-(matrix @ np.array(model.embed_documents(list(queries)), dtype=np.float32).T), axis=0)[:10].T
    return [{f"i{i}" for i in row} for row in best.tolist()]


def recall(results: Sequence[set[str]], expected: Sequence[set[str]]) -> str:
    return f"recall@10 {statistics.mean(len(f & w) / len(w) for f, w in zip(results, expected, strict=True)):.2f}"


def vectors(store: HybridStore, queries: Sequence[str], prefix: tuple[str, ...]) -> tuple[list[float], list[set[str]]]:
    """Only the vector leg of our search, as a page of items."""

    def search(query: str) -> set[str]:
        vector = store._embedder.vectors((), [query]).queries[query]
        with store._dialect.reading(snapshot=True) as session:
            scope = SearchScope(session, SearchOp(prefix), AsOf(store._clock()))
            assert vector is not None
            _, dense = ranking._find_candidates(scope, Counter(), vector)
            ids, *_ = ranking._fuse(dense[:0], dense)
            return {row[1] for row in session.rows("by_id", {"ids": ids[:10].tolist()})}

    return timed(search, queries)


def searches(who: str, store: BaseStore, items: int, large: int) -> None:
    small, big = questions(60, items, 1), questions(60, large, 2) if large else []
    expected = truth(items, small)
    ours = isinstance(store, HybridStore)
    if isinstance(store, HybridStore):
        times, results = vectors(store, small, ONE)
    else:
        times, items_found = timed(lambda q: store.search(ONE, query=q), small)
        results = [{item.key for item in page} for page in items_found]
    report("vector search, 10k", who, times, recall(results, expected))
    if ours:
        report("hybrid search, 10k", who, timed(lambda q: store.search(ONE, query=q), small)[0])
    for what, queries in (("hybrid search, 200k", big),):
        if ours and queries:
            times, pages = timed(lambda q: store.search(MANY, query=q), queries)
            limit, ranking.EXACT_UP_TO = ranking.EXACT_UP_TO, 10**9
            exact = [store.search(MANY, query=q) for q in queries[:20]]
            ranking.EXACT_UP_TO = limit
            note = recall([{i.key for i in p} for p in pages[:20]], [{i.key for i in p} for p in exact])
            report(what, who, times, f"{note} against all vectors")


def _words(store: BaseStore, prefix: tuple[str, ...], query: str) -> object:
    return store.search(prefix, query=query)


def lexical(who: str, store: HybridStore, items: int, large: int) -> None:
    for what, prefix, of, seed in (("10k", ONE, items, 1), ("200k", MANY, large, 2)):
        if of:
            queries = questions(100, of, seed)
            report(
                f"lexical search, {what}",
                who,
                timed(partial(_words, store, prefix), queries)[0],
            )


@contextmanager
def without_index(dsn: str, schema: str, table: str, index: str, loading: Callable[[], None]) -> Iterator[None]:
    """Build the index of the vectors once, after loading: row by row it takes minutes."""
    with psycopg.connect(dsn, autocommit=True) as admin:
        row = admin.execute("select indexdef from pg_indexes where schemaname = %s and indexname = %s", [schema, index])
        [definition] = row.fetchone() or [""]
        admin.execute(f'drop index "{schema}"."{index}"'.encode())
        loading()
        admin.execute("set maintenance_work_mem = '1GB'")
        admin.execute(definition.encode())
        admin.execute("vacuum analyze")
    yield


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--dsn", help="a Postgres to use instead of one started here")
    options.add_argument("--items", type=int, default=10_000)
    options.add_argument("--large", type=int, default=200_000)
    given = options.parse_args()
    print("| what | store | median ms | p95 ms | |\n|---|---|---|---|---|")
    with postgres(given.dsn) as dsn, tempfile.TemporaryDirectory() as folder:
        run_sqlite(Path(folder), given.items, given.large)
        run_postgres(dsn, given.items, given.large)


def run_sqlite(folder: Path, items: int, large: int) -> None:
    with SqliteHybridStore(folder / "ours.db", embed=Topics(), dims=DIMS) as store:
        load(store, items, large)
        with SqliteHybridStore(folder / "ours.db") as words:
            lexical("SqliteHybridStore", words, items, large)
        searches("SqliteHybridStore", store, items, large)
        reads("SqliteHybridStore", store, items)
        gets_at_once("SqliteHybridStore", store)
        writes("SqliteHybridStore", store, indexed=True)
    with SqliteStore.from_conn_string(str(folder / "theirs.db")) as theirs:
        theirs.setup()
        load(theirs, items, large)
        reads("SqliteStore", theirs, items)
        writes("SqliteStore", theirs, indexed=False)


def run_postgres(dsn: str, items: int, large: int) -> None:
    schema = f"bench_{uuid.uuid4().hex[:8]}"
    index_of = ("hybrid_vectors", "hybrid_vectors_nearest")
    with (
        PostgresHybridStore(dsn, schema=schema, embed=Topics(), dims=DIMS) as store,
        without_index(dsn, schema, *index_of, lambda: load(store, items, large)),
    ):
        with PostgresHybridStore(dsn, schema=schema) as words:
            lexical("PostgresHybridStore", words, items, large)
        searches("PostgresHybridStore", store, items, large)
        reads("PostgresHybridStore", store, items)
        gets_at_once("PostgresHybridStore", store)
        writes("PostgresHybridStore", store, indexed=True)
    index = {"embed": Topics(), "dims": DIMS, "fields": ["text"]}
    vectors_index = ("store_vectors", "store_vectors_embedding_idx")
    with PostgresStore.from_conn_string(dsn, pool_config={"min_size": 1}, index=index) as theirs:  # type: ignore[arg-type]
        theirs.setup()
        with without_index(dsn, "public", *vectors_index, lambda: load(theirs, items, large)):
            searches("PostgresStore", theirs, items, large)
            reads("PostgresStore", theirs, items)
        with psycopg.connect(dsn) as admin:  # their search again, exactly: without the index, which then comes back
            admin.execute("alter database postgres set enable_indexscan = off")
        with PostgresStore.from_conn_string(dsn, index=index) as exact:  # type: ignore[arg-type]
            searches("PostgresStore, no index scans", exact, items, large)
        with psycopg.connect(dsn) as admin:
            admin.execute("alter database postgres reset enable_indexscan")
        writes("PostgresStore", theirs, indexed=True)


if __name__ == "__main__":
    main()
