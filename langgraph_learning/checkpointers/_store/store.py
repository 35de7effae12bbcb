"""The store: LangGraph's `BaseStore` and what this package adds to it, over any dialect."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from langchain_core.embeddings import Embeddings
from langgraph.store.base import BaseStore, GetOp, Op, PutOp, Result

from langgraph_learning.checkpointers._after_fork import renew_in_child
from langgraph_learning.checkpointers._executor import WorkerThreads
from langgraph_learning.checkpointers._store.as_of import PLAIN_READS, StoreAsOf
from langgraph_learning.checkpointers._store.author_erasure import plan_erasure
from langgraph_learning.checkpointers._store.batch_plan import BatchPlan
from langgraph_learning.checkpointers._store.codec import path_range, read_time, write_key, write_path
from langgraph_learning.checkpointers._store.dialect import Dialect, Session, repeat
from langgraph_learning.checkpointers._store.embedding import NO_VECTORS, Embedder, Vectors
from langgraph_learning.checkpointers._store.fill_vectors import fill_vectors
from langgraph_learning.checkpointers._store.get_batching import GetBatcher
from langgraph_learning.checkpointers._store.items import StoredRevision
from langgraph_learning.checkpointers._store.metadata import RevisionTracker, settle_dims, settle_embedder, tracker_for
from langgraph_learning.checkpointers._store.reading import AsOf, all_addresses, all_namespaces, count, history
from langgraph_learning.checkpointers._store.reindex_text import settle_analysis
from langgraph_learning.checkpointers._store.writing import ItemWrite, WriteTransaction, erase, purge, sweep
from langgraph_learning.versioned_store import Address

P = ParamSpec("P")
T = TypeVar("T")


def in_thread(
    method: "Callable[Concatenate[HybridStore, P], T]",
) -> "Callable[Concatenate[HybridStore, P], Coroutine[Any, Any, T]]":
    """Return the async twin of a method; it runs the method in a thread of the store."""

    @wraps(method)
    async def run(self: "HybridStore", /, *args: P.args, **kwargs: P.kwargs) -> T:
        bound: Callable[P, T] = getattr(self, method.__name__)
        return await self._threads(bound, *args, **kwargs)

    return run


def utc_now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


WRITERS = 4
"""The number of threads for writes; writes wait for one another, and reads must not wait behind them."""


class HybridStore(BaseStore):
    """A `BaseStore` with transactions, history, as-of reads and search by words and meaning.

    One instance serves threads and event loops at the same time: its core is synchronous, and async calls run it in
    threads of the store. The tables are created on first use, by `setup()`, or by the `with` block.
    """

    supports_ttl = True

    def __init__(
        self,
        dialect: Dialect,
        *,
        embed: Embeddings | str | None = None,
        dims: int | None = None,
        fields: Sequence[str] = ("$",),
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.ttl_config = PLAIN_READS
        self._dialect, self._fields, self._clock = dialect, tuple(fields), clock
        self._embedder = Embedder(embed, dims)
        self._threads = WorkerThreads(dialect.threads, name="hybrid-store")
        self._writing_threads = WorkerThreads(WRITERS, name="hybrid-store-writer")
        self._gets = GetBatcher(self._get_many, self._threads)
        self._setting_up, self._ready = threading.Lock(), threading.Event()
        self._seen = RevisionTracker()
        self._before_close: list[Callable[[], object]] = []
        renew_in_child(self)

    def renew(self) -> None:
        """Take a new lock in a forked process: a thread of the parent may hold this one."""
        self._setting_up = threading.Lock()

    def setup(self) -> None:
        """Create or migrate the tables; many processes may call this at the same time."""
        if self._ready.is_set():
            return
        with self._setting_up:
            if self._ready.is_set():
                return
            repeat(lambda: self._dialect.setup(None))
            if self._embedder.active:
                dims = settle_dims(self._dialect, self._embedder)
                repeat(lambda: self._dialect.setup(dims))
                settle_embedder(self._dialect, self._embedder.name)
            settle_analysis(self._dialect, self._fields)
            self._seen = tracker_for(self._dialect)
            self._ready.set()

    @property
    def database(self) -> str:
        """The identity of the database; two stores with the same one share everything but their connections."""
        self.setup()
        return str(self._seen.database)

    @property
    def last_revision(self) -> int:
        """The newest revision that this process has seen; reading it does not ask the database."""
        return self._seen.revision

    def close(self) -> None:
        """Close the threads and connections; a pool that was passed in stays open."""
        while self._before_close:
            self._before_close.pop()()
        self._threads.close()
        self._writing_threads.close()
        self._dialect.close()

    def before_close(self, step: Callable[[], object]) -> None:
        """Call `step` when the store is closed, while it still works."""
        self._before_close.append(step)

    async def asetup(self) -> None:
        """Run `setup()` without blocking the loop."""
        await self._threads(self.setup)

    async def aclose(self) -> None:
        """Run `close()` without blocking the loop."""
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Self:
        self.setup()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        await self.asetup()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Run `ops`: reads see the state before the writes, and all writes are one commit."""
        plan = BatchPlan.of(ops, self._fields)
        self.setup()
        return self._execute(plan, self._embedder.vectors(plan.documents, plan.queries))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Run `batch` without blocking the loop; gets of one tick of the loop become one query."""
        every = list(ops)
        if every and all(isinstance(op, GetOp) for op in every):
            return await self._gets.get(list(BatchPlan.of(every, self._fields).gets.values()))
        threads = self._writing_threads if any(isinstance(op, PutOp) for op in every) else self._threads
        if not self._embedder.active:
            return await threads(self.batch, every)
        plan = await self._threads(BatchPlan.of, every, self._fields)  # analysing long texts takes time
        return await threads(self._execute, plan, await self._aembed(plan))

    async def _aembed(self, plan: BatchPlan) -> Vectors:
        if not (plan.documents or plan.queries):
            return NO_VECTORS
        if not self._ready.is_set():  # embedding needs the number of dimensions
            await self.asetup()
        return await self._embedder.avectors(plan.documents, plan.queries)

    def _execute(self, plan: BatchPlan, vectors: Vectors) -> list[Result]:
        self.setup()
        results: list[Result] = [None] * plan.size
        if plan.reads:
            moment = AsOf(self._clock())
            with self._dialect.reading(snapshot=plan.needs_snapshot) as session:
                results, refreshed = plan.read(session, moment, vectors)
            if refreshed:
                with self._dialect.writing() as session:
                    session.run("refresh_ttl", {"ids": refreshed, "now": moment.now})
        if plan.writes:
            self._commit(plan.writes, vectors, {}, None)
        return results

    def _get_many(self, ops: Sequence[GetOp]) -> list[Result]:
        return self._execute(BatchPlan(len(ops), gets=dict(enumerate(ops))), NO_VECTORS)

    def execute_as_of(self, plan: BatchPlan, revision: int) -> list[Result]:
        """Run reads on the store as it was at a revision."""
        with self._reading() as session:
            [(at,)] = session.rows("commit_time", {"revision": revision})
        if at is None:  # before the first commit there was nothing
            return [None if position in plan.gets else [] for position in range(plan.size)]
        with self._dialect.reading(snapshot=plan.needs_snapshot) as session:
            return plan.read(session, AsOf(read_time(at), revision), NO_VECTORS)[0]

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        self.setup()
        with self._dialect.reading() as session:
            yield session

    def _commit(
        self,
        writes: Sequence[ItemWrite],
        vectors: Vectors,
        expect: Mapping[Address, int],
        source: object,
        within: Callable[[object], None] | None = None,
    ) -> int:
        expected = {(write_path(namespace), write_key(key)): version for (namespace, key), version in expect.items()}

        def write(session: Session) -> int:
            has_vectors = self._dialect.has_vectors
            commit = WriteTransaction(session, self._clock(), vectors=vectors, has_vectors=has_vectors)
            revision = commit.run(writes, expected, source)
            if within is not None:
                within(session.connection)
            return revision

        return self._write(write)

    def _write(self, write: Callable[[Session], int]) -> int:
        """Run `write` in a transaction, again if the database prefers another one, and return its revision."""
        self.setup()

        def attempt() -> int:
            with self._dialect.writing() as session:
                return write(session)

        return self._seen(repeat(attempt))

    def revision_seen_at(self, at: datetime) -> int | None:
        """Return the newest revision that this store had seen at a time; None if that is too long ago."""
        return self._seen.revision_at(at)

    def transact(
        self,
        puts: Sequence[PutOp],
        *,
        expect: Mapping[Address, int] | None = None,
        source: Mapping[str, object] | None = None,
        within: Callable[[object], None] | None = None,
    ) -> int:
        """Write all of `puts` or none, and return the revision.

        `expect` gives the versions that were read (0: the item must not exist). If one has changed since, nothing is
        written. `source` is stored with the commit, and `history` returns it. `within` is called with the driver's
        connection before the transaction ends.

        Raises:
            ConflictError: An item does not have the expected version.
        """
        plan = self._plan_writes(puts)
        self.setup()  # embedding needs the number of dimensions
        return self._commit(plan.writes, self._embedder.vectors(plan.documents, ()), expect or {}, source, within)

    async def atransact(
        self,
        puts: Sequence[PutOp],
        *,
        expect: Mapping[Address, int] | None = None,
        source: Mapping[str, object] | None = None,
        within: Callable[[object], None] | None = None,
    ) -> int:
        """Run `transact()` without blocking the loop."""
        if not self._embedder.active:
            return await self._writing_threads(self.transact, puts, expect=expect, source=source, within=within)
        plan = await self._threads(self._plan_writes, puts)
        vectors = await self._aembed(plan)
        return await self._writing_threads(self._commit, plan.writes, vectors, expect or {}, source, within)

    def replay(self, states: Sequence[tuple[PutOp, datetime, Mapping[str, object] | None]]) -> int:
        """Write earlier states of items, each as a commit of its own time and source, all or none.

        Restoring a backup needs this for the history. It returns the revision.
        """
        plan = self._plan_writes([put for put, _, _ in states])
        self.setup()
        vectors = self._embedder.vectors(plan.documents, ())

        def write(session: Session) -> int:
            revision = 0
            for item, (_, at, source) in zip(plan.writes, states, strict=True):
                commit = WriteTransaction(session, at, vectors=vectors, has_vectors=self._dialect.has_vectors)
                revision = commit.run([item], {}, source)
            return revision

        return self._write(write)

    def _plan_writes(self, puts: Sequence[PutOp]) -> BatchPlan:
        plan = BatchPlan.of(puts, self._fields)
        if plan.reads:
            raise TypeError(
                "a transaction takes PutOps; read before it, and give the versions that were read as `expect`"
            )
        return plan

    def get_versions(self, addresses: Iterable[Address]) -> dict[Address, int]:
        """Return the versions of items; 0 where there is no item."""
        asked = list(addresses)
        items = self._get_many([GetOp(namespace, key, refresh_ttl=False) for namespace, key in asked])
        return {address: getattr(item, "version", 0) for address, item in zip(asked, items, strict=True)}

    def revision(self) -> int:
        """Return the number of the last commit; commits are numbered in the order in which they become visible."""
        with self._reading() as session:
            return self._seen(int(session.rows("last_revision", {})[0][0]))

    def count(self, prefix: tuple[str, ...], filter: Mapping[str, object] | None = None) -> int:
        """Return the number of items under `prefix` that meet `filter`; expired ones count until they are swept."""
        with self._reading() as session:
            return count(session, prefix, filter)

    def history(self, namespace: tuple[str, ...], key: str) -> list[StoredRevision]:
        """Return all states of an item, the oldest first; a deletion is a state without a value."""
        with self._reading() as session:
            return history(session, namespace, key)

    def as_of(self, revision: int) -> "StoreAsOf":
        """Return a read-only view of the store as it stood at `revision`."""
        return StoreAsOf(self, revision)

    def purge(self, prefix: tuple[str, ...]) -> dict[str, int]:
        """Erase everything under `prefix`, with history and sources, and return the numbers of rows."""
        self.setup()
        low, high = path_range(prefix)
        with self._dialect.erasing() as session:
            return purge(session, {"low": low, "high": high}, has_vectors=self._dialect.has_vectors)

    def sweep(self) -> int:
        """Erase expired items with their history, and return their number."""
        self.setup()
        with self._dialect.erasing() as session:
            return sweep(session, self._clock(), has_vectors=self._dialect.has_vectors)

    def count_without_vectors(self) -> int:
        """Return the number of items with indexed words but no vector; 0 without an embedder."""
        self.setup()
        if not self._dialect.has_vectors or not self._embedder.active:
            return 0
        with self._dialect.reading() as session:
            return int(session.rows("count_without_vectors", {})[0][0])

    def fill_vectors(self, progress: Callable[[int], object] | None = None) -> int:
        """Embed the items that were written without an embedder, and return their number.

        A second call continues after an interruption. `progress` is called after each batch with its number of items.
        """
        return (
            fill_vectors(self._dialect, self._embedder, self._fields, progress) if self.count_without_vectors() else 0
        )

    def all_namespaces(self, prefix: tuple[str, ...], suffix: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Return the namespaces between `prefix` and `suffix`, including those with nothing but history."""
        with self._reading() as session:
            return all_namespaces(session, prefix, suffix)

    def all_addresses(self, prefix: tuple[str, ...], filter: Mapping[str, object]) -> list[Address]:
        """Return the items under `prefix` of which any state, present or past, meets `filter`."""
        with self._reading() as session:
            return all_addresses(session, prefix, filter)

    def erase(self, addresses: Iterable[Address], *, history_only: bool = False, scrub: bool = True) -> int:
        """Erase items with their history, or only their history, and return the number of items."""
        self.setup()
        places = [(write_path(namespace), write_key(key)) for namespace, key in addresses]
        with self._dialect.erasing(scrub=scrub) as session:
            return erase(session, places, has_vectors=self._dialect.has_vectors, history_only=history_only)

    def erase_written(self, addresses: Iterable[Address], by: Mapping[str, object], *, index: list[str]) -> int:
        """Erase what one author wrote, as `VersionedStore` describes it, and return the number of items."""
        plan = plan_erasure(self, addresses, by)
        self.erase(plan.keep_present, history_only=True)
        erased = self.erase(plan.erase)
        self.transact([PutOp(namespace, key, value, index) for (namespace, key), value in plan.restore.items()])
        return erased + len(plan.keep_present)

    arevision, acount, ahistory = in_thread(revision), in_thread(count), in_thread(history)
    apurge, aerase, aerase_written = in_thread(purge), in_thread(erase), in_thread(erase_written)
    aall_namespaces, aall_addresses = in_thread(all_namespaces), in_thread(all_addresses)
    aget_versions, asweep, areplay = in_thread(get_versions), in_thread(sweep), in_thread(replay)
    aexecute_as_of = in_thread(execute_as_of)
