"""Races and deaths: many threads, tasks and processes on one user, and a process killed in the middle."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from contracts.worker import NS, increment, open_store
from langgraph.store.base import PutOp

from langgraph_learning.checkpointers._store.store import HybridStore
from langgraph_learning.errors import ConflictError

WORKER = Path(__file__).with_name("worker.py")


def start(job: str, backend: str, address: str, argument: object, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, str(WORKER), job, backend, address, str(argument)]
    return subprocess.Popen(command, text=True, **options)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """A backend and the address of an empty database that processes can share."""
    if request.param == "postgres":
        return "postgres", request.getfixturevalue("postgres_url")
    return "sqlite", str(tmp_path / "raced.db")


@pytest.fixture
def shared(database: tuple[str, str]) -> Iterator[HybridStore]:
    with open_store(*database) as store:
        yield store


def test_sixteen_threads_lose_no_increment(store: HybridStore) -> None:
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: [increment(store, "counter") for _ in range(6)], range(16)))
    item = store.get(NS, "counter")
    assert item is not None
    assert item.value == {"n": 96}
    assert [r.version for r in store.history(NS, "counter")] == list(range(1, 97))


def test_of_sixteen_threads_one_creates(store: HybridStore) -> None:
    store.setup()
    ready = threading.Barrier(16)

    def create(n: int) -> bool:
        ready.wait()
        try:
            store.transact([PutOp(NS, "only", {"n": n})], expect={(NS, "only"): 0})
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(create, range(16))) == 1


async def test_sixteen_tasks_lose_nothing(store: HybridStore) -> None:
    async def task(n: int) -> int:
        lost = 0
        while True:
            item = await store.aget(NS, "log")
            names, version = (item.value["names"], getattr(item, "version", 0)) if item else ([], 0)
            try:
                put = PutOp(NS, "log", {"names": [*names, n]})
                await store.atransact([put, PutOp(NS, f"own{n}", {"n": n})], expect={(NS, "log"): version})
                return lost
            except ConflictError:
                lost += 1

    lost = await asyncio.gather(*(task(n) for n in range(16)))
    item = await store.aget(NS, "log")
    assert item is not None
    assert sorted(item.value["names"]) == list(range(16))
    assert sum(lost) > 0, "nobody raced"
    assert len(await store.asearch(NS, limit=100)) == 17


def test_four_processes_lose_no_increment(database: tuple[str, str], shared: HybridStore) -> None:
    running = [start("count", *database, 25) for _ in range(4)]
    assert [process.wait(300) for process in running] == [0] * 4
    item = shared.get(NS, "counter")
    assert item is not None
    assert item.value == {"n": 100}
    assert [r.revision for r in shared.history(NS, "counter")] == list(range(1, 101))


@pytest.mark.parametrize("after", [3, 20, 45])
def test_a_killed_process_leaves_whole_commits(database: tuple[str, str], after: int) -> None:
    process = start("pairs", *database, 200, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as said:
        told = [int(next(said)) for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in said if line.endswith("\n")]
    process.wait(10)
    with open_store(*database) as store:
        left, right = store.get(NS, "left"), store.get(("elsewhere",), "right")
        assert left is not None
        assert right is not None
        assert left.value["n"] == right.value["n"] == store.revision() - 1
        assert told[-1] in (store.revision(), store.revision() - 1)
        history = store.history(NS, "left")
        assert [(r.revision, r.source) for r in history] == [(n + 1, {"n": n}) for n in range(store.revision())]
        assert store.search((), query=f"tea {left.value['n']}")[0].key == "left"
        store.put(NS, "left", {"n": -1})


def test_the_same_past_is_read_while_others_write(store: HybridStore) -> None:
    store.setup()
    stop = threading.Event()

    def write(n: int) -> None:
        while not stop.is_set():
            store.put(NS, f"k{n % 3}", {"n": n})

    with ThreadPoolExecutor(4) as threads:
        writers = [threads.submit(write, n) for n in range(4)]
        try:
            seen: dict[int, list[Any]] = {}
            for _ in range(60):
                revision = store.revision()
                seen[revision] = [(i.key, i.value, i.updated_at) for i in store.as_of(revision).search(NS)]
            for revision, before in seen.items():
                assert [(i.key, i.value, i.updated_at) for i in store.as_of(revision).search(NS)] == before
        finally:
            stop.set()
        for writer in writers:
            writer.result()


def test_readers_see_a_commit_whole(store: HybridStore) -> None:
    store.batch([PutOp(NS, key, {"n": 0}) for key in "abc"])
    stop = threading.Event()

    def write() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            store.transact([PutOp(NS, key, {"n": n}) for key in "abc"])

    with ThreadPoolExecutor(1) as threads:
        writer = threads.submit(write)
        try:
            for _ in range(80):
                assert len({item.value["n"] for item in store.search(NS)}) == 1
                assert len({item.value["n"] for item in store.search(NS, query="0 1 2 3")}) == 1
        finally:
            stop.set()
        writer.result()
