"""A database that is away, silent, or held by a process that was stopped: the reply comes, and everything heals."""

import asyncio
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from contracts.savers import learner, thread, turn
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.base import Op, Result
from langgraph.store.memory import InMemoryStore
from postgres.gateway import Gateway
from postgres.world import FACT, memories, talk, talk_at_once

from langgraph_learning import LearningMachine, connect, create_learning_agent
from langgraph_learning.checkpointers import LearningSaver
from langgraph_learning.checkpointers._postgres import Connections
from langgraph_learning.checkpointers._store.sqlite import LOOKS, WAITS, SqliteDialect, _begin_in_turn
from langgraph_learning.checkpointers._store.writing import WriteTransaction
from langgraph_learning.checkpointers._timeouts import BRIEF, SHARE, Patience, PatientLock
from langgraph_learning.errors import StoreError
from langgraph_learning.testing import ScriptedChatModel


@pytest.fixture
def gateway(postgres_url: str) -> Iterator[Gateway]:
    gateway = Gateway(postgres_url)
    yield gateway
    gateway.end()


def test_the_turn_after_a_failover_goes_on_although_every_connection_in_the_pool_is_dead(postgres_url: str) -> None:
    with connect(postgres_url, timeout=8) as db:
        talk_at_once(db, [f"user {number}" for number in range(8)])  # the pool has grown
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            ended = admin.execute(
                "select count(*), bool_and(pg_terminate_backend(pid, 60000)) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            ).fetchone()
        assert ended is not None
        assert ended[0] > 3
        assert ended[1]  # each is gone: one that has not ended yet would answer, and die under the statement after it
        assert talk(db, "ada", "t") == "Hello"
        assert memories(db, "ada") == [FACT]


def test_of_the_dead_connections_of_a_pool_one_is_tried(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dead, check = [], Connections._check

    def count_dead(self: Connections, connection: Any) -> None:
        try:
            check(self, connection)
        except psycopg.Error as error:
            dead.append(error)
            raise

    monkeypatch.setattr(Connections, "_check", count_dead)
    with connect(postgres_url, timeout=8) as db:
        talk_at_once(db, [f"user {number}" for number in range(8)])
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute(
                "select pg_terminate_backend(pid, 60000) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        dead.clear()
        db.store.get(("a",), "k")
        assert len(dead) == 1  # the pool waits longer after each that is dead, so a turn would come too late


def test_an_outage_is_said_and_heals_when_the_server_is_back(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    # As after a long outage: the pool would wait for long before it tries again.
    monkeypatch.setattr("psycopg_pool.base.AttemptWithBackoff.INITIAL_DELAY", 1_000.0)
    with connect(gateway.url, timeout=1) as db:
        db.store.put(("a",), "k", {"n": 1})
        gateway.close()
        for _ in range(3):
            with pytest.raises(StoreError, match="Postgres"):
                db.store.get(("a",), "k")
        gateway.open()
        assert _eventually(db.store, "k") == {"n": 1}


def _eventually(store: Any, key: str) -> Any:
    for _ in range(100):
        try:
            return store.get(("a",), key).value
        except StoreError:
            time.sleep(0.05)
    return store.get(("a",), key).value


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_the_reply_comes_while_the_database_is_away_and_the_checkpointer_elsewhere(
    gateway: Gateway, colour: str
) -> None:
    with connect(gateway.url, timeout=1) as db:
        db.store.put(("a",), "k", {"n": 1})
        saver = LearningSaver(InMemorySaver(), db.store)
        learning = LearningMachine(user_memory=True)
        agent = create_learning_agent(
            ScriptedChatModel(replies=["Hello"], repeat=True), learning=learning, store=db.store, checkpointer=saver
        )
        given: Any = {"messages": [("user", "I like tea")]}
        options: Any = {"context": {"user_id": "ada"}}
        gateway.close()
        if colour == "sync":
            said = agent.invoke(given, thread(), **options)
        else:
            said = asyncio.run(agent.ainvoke(given, thread(), **options))
        assert said["messages"][-1].text == "Hello"


def test_a_server_that_falls_silent_is_given_up(gateway: Gateway) -> None:
    with connect(gateway.url, timeout=1) as db:
        db.store.put(("a",), "k", {"n": 1})
        gateway.silent = True
        with pytest.raises(StoreError, match="Postgres"):
            db.store.get(("a",), "k")
        with pytest.raises(StoreError), connect(gateway.url, timeout=2):
            pass
        gateway.close()
        gateway.silent = False
        gateway.open()
        assert _eventually(db.store, "k") == {"n": 1}


def test_an_answer_is_not_waited_for_longer_than_said_and_no_connection_is_kept_that_may_bring_it(
    postgres_url: str,
) -> None:
    connections = Connections(postgres_url, timeout=0.5)
    try:
        with pytest.raises(psycopg.OperationalError, match="no answer"), connections.lend() as connection:
            connection.execute("select pg_sleep(60)")
        assert connection.closed
        with connections.lend() as connection:
            row = connection.execute("select 1 as one").fetchone()
            assert row == {"one": 1}
    finally:
        connections.close()


def test_after_a_wait_in_vain_the_next_ones_are_brief_until_one_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    patience = Patience(10)
    assert patience.seconds == 10 * SHARE
    patience.note_failure()
    assert patience.seconds == 10 * BRIEF
    assert SHARE + 3 * BRIEF < 1  # recall, extraction and the checkpoint of one reply
    patience.note_success()
    assert patience.seconds == 10 * SHARE
    patience.note_failure()
    now = 111.0
    assert patience.seconds == 10 * SHARE


class Queue:
    """A lock that others hold one after the other; each wait for it takes its whole time."""

    def __init__(self, clock: list[float], others: int) -> None:
        self.clock, self.others = clock, others
        self.lock: PatientLock | None = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        self.clock[0] += timeout
        if self.others and self.lock is not None:
            self.others -= 1
            self.lock.__exit__(None, None, None)
            return False
        return self.lock is not None

    def release(self) -> None:
        pass


def test_a_writer_waits_as_long_as_others_get_on_and_gives_up_when_nobody_does(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    patience, queue = Patience(5), Queue(clock, others=7)
    queue.lock = PatientLock(patience, queue)
    with queue.lock:
        assert clock[0] == 100 + 8 * 5 * SHARE
    stuck = PatientLock(patience, Queue(clock, others=0))
    with pytest.raises(StoreError, match="busy for more than 4 s"), stuck:
        pass
    assert clock[0] == 100 + 9 * 5 * SHARE
    assert patience.seconds == 5 * BRIEF


class Held:
    """A connection to a file that others hold so many times; each time they may have committed."""

    def __init__(self, times: int, *, commits: bool) -> None:
        self.times, self.commits, self.version = times, commits, 1

    def execute(self, statement: str) -> Any:
        if "data_version" in statement:
            return self
        if self.times:
            self.times -= 1
            self.version += self.commits
            raise sqlite3.OperationalError("database is locked")
        return self

    def fetchone(self) -> tuple[int]:
        return (self.version,)


def test_a_writer_waits_on_for_a_file_while_other_processes_commit_and_not_for_one_that_is_held() -> None:
    begin = "begin immediate"
    _begin_in_turn(cast("sqlite3.Connection", Held(WAITS * LOOKS - 1, commits=True)), begin, lambda: None)
    for held in (Held(LOOKS, commits=False), Held(WAITS * LOOKS, commits=True)):
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            _begin_in_turn(cast("sqlite3.Connection", held), begin, lambda: None)


class Waited(Held):
    """The same, by a clock on which every wait takes the whole of its time."""

    def __init__(self, clock: list[float], times: int, *, commits: bool) -> None:
        super().__init__(times, commits=commits)
        self.clock, self.seconds, self.in_transaction = clock, 0.0, False

    def execute(self, statement: str) -> Any:
        if (found := re.search(r"busy_timeout\D*(\d+)", statement)) is not None:
            self.seconds = int(found.group(1)) / 1_000
            return self
        if self.times and "data_version" not in statement:
            self.clock[0] += self.seconds
        return super().execute(statement)


@pytest.mark.parametrize("commits", [True, False])
def test_threads_wait_on_behind_a_writer_for_whom_other_processes_are_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commits: bool
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    dialect = SqliteDialect(f"{tmp_path}/a.db", 5)
    connection = cast("sqlite3.Connection", Waited(clock, 2 * LOOKS - 1, commits=commits))
    if commits:
        dialect._begin(connection, "begin_write")
        assert clock[0] > 100 + 5 * SHARE, "longer than a thread behind it would wait for a holder that hangs"
    else:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            dialect._begin(connection, "begin_write")
        assert clock[0] == 100 + 5 * SHARE
    assert dialect._writer.moved_since(clock[0] - 5 * SHARE) == commits


@pytest.mark.parametrize("others_commit", [True, False])
def test_a_commit_that_waited_in_vain_for_the_lock_waits_once_more_where_others_have_committed(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, others_commit: bool
) -> None:
    with connect(postgres_url, timeout=1) as db, psycopg.connect(postgres_url) as other:
        db.store.put(("a",), "k", {"n": 1})
        dialect = db.store._postgres  # type: ignore[attr-defined]
        other.execute("select pg_advisory_xact_lock(%s)", [dialect._lock])

        def free_the_lock(moment: float) -> bool:
            other.rollback()
            return others_commit

        monkeypatch.setattr(dialect._writers, "moved_since", free_the_lock)
        if others_commit:
            db.store.put(("a",), "k", {"n": 2})
        else:
            with pytest.raises(StoreError, match="held the lock"):
                db.store.put(("a",), "k", {"n": 2})
        found = db.store.get(("a",), "k")
        assert found is not None
        assert found.value == {"n": 2 if others_commit else 1}


FREEZE = """
import os, signal, sys
from langgraph_learning import connect
with connect(sys.argv[1]) as db:
    with db.store._dialect.writing():
        print("holds", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.fixture(params=["sqlite", "postgres"])
def frozen_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database of which a process that was stopped holds the commit lock."""
    if request.param == "postgres":
        url = str(request.getfixturevalue("postgres_url"))
    else:
        url = f"sqlite:///{tmp_path / 'learning.db'}"
    with connect(url) as db:
        db.store.put(("a",), "k", {"n": 1})
    process = subprocess.Popen([sys.executable, "-c", FREEZE, url], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stdout.readline() == b"holds\n"
    yield url
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_process_that_was_stopped_in_a_commit_holds_up_nobody_for_long(frozen_url: str) -> None:
    # The holder has the default timeout: on Postgres the server ends it, a file nobody can take from it.
    with connect(frozen_url, timeout=8 if frozen_url.startswith("postgres") else 1) as db:
        assert db.store.get(("a",), "k") is not None
        with ThreadPoolExecutor(12) as threads:
            writes = [threads.submit(db.store.put, ("a",), f"w{number}", {"n": number}) for number in range(12)]
            assert db.store.get(("a",), "k") is not None
            failed = [write.exception() for write in writes]
        if frozen_url.startswith("postgres"):
            assert failed == [None] * 12
        else:
            assert {type(error) for error in failed} == {StoreError}
            assert {item.key for item in db.store.search(("a",))} == {"k"}


def test_set_up_gives_up_with_a_reason_while_another_process_holds_it(postgres_url: str) -> None:
    from langgraph_learning.checkpointers._schema_lookup import SET_UP

    with psycopg.connect(postgres_url) as holder:
        holder.execute("select pg_advisory_xact_lock(%s)", (SET_UP,))
        with pytest.raises(StoreError, match="set"), connect(postgres_url, timeout=1):
            pass
    with connect(postgres_url, timeout=1):
        pass


class BrokenStore(InMemoryStore):
    def revision(self) -> int:
        raise StoreError("the store is broken")

    last_revision = 0

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        raise StoreError("the store is broken")

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        raise StoreError("the store is broken")


@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_a_checkpointer_whose_store_is_broken_still_keeps_the_conversation(colour: str) -> None:
    saver = LearningSaver(InMemorySaver(), BrokenStore())
    agent = create_learning_agent(
        ScriptedChatModel(replies=["Hello"], repeat=True),
        learning=LearningMachine(user_memory=True),
        store=saver.store,
        checkpointer=saver,
    )
    given: Any = {"messages": [("user", "Hi")]}
    options: Any = {"context": {"user_id": "ada"}}
    if colour == "sync":
        said = await asyncio.to_thread(lambda: agent.invoke(given, thread(), **options))
    else:
        said = await agent.ainvoke(given, thread(), **options)
    assert said["messages"][-1].text == "Hello"
    assert [message.text for message in agent.get_state(thread()).values["messages"]] == ["Hi", "Hello"]


async def test_a_checkpoint_is_read_while_the_threads_of_the_loop_are_busy(tmp_path: Path) -> None:
    busy = threading.Event()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    async with connect(f"sqlite:///{tmp_path / 'learning.db'}") as db:
        await learner(db.checkpointer, colour="async").ainvoke(turn("one"), thread())
        waiting = asyncio.get_running_loop().run_in_executor(None, busy.wait, 30)
        try:
            async with asyncio.timeout(20):
                found = await db.checkpointer.aget_tuple(thread())
                assert found is not None
                assert await db.checkpointer.arevision_of(found.config) is None
                await db.checkpointer.aput(thread(checkpoint_ns=""), found.checkpoint, {}, {})
        finally:
            busy.set()
            await waiting


def test_a_commit_that_the_database_undid_for_another_is_tried_again(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, failures = (
        WriteTransaction.run,
        iter([psycopg.errors.SerializationFailure(), psycopg.errors.DeadlockDetected()]),
    )

    def fail_first(*args: Any) -> int:
        for failure in failures:
            raise failure
        return run(*args)

    with connect(postgres_url) as db:
        monkeypatch.setattr(WriteTransaction, "run", fail_first)
        db.store.put(("a",), "k", {"n": 1})
        assert db.store.get(("a",), "k") is not None
        assert next(failures, None) is None, "both failures have happened"
