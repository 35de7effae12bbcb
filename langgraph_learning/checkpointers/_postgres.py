"""Connections to a Postgres database, for the store and the checkpointer alike.

They are made for how Postgres is run: behind a pooler in transaction mode, where no two transactions need share a
session; through failovers and outages, where a connection in the pool may be dead; under any default isolation level.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg import Connection, IsolationLevel
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from langgraph_learning.checkpointers._fork import abandon, renew_in_child
from langgraph_learning.checkpointers._patience import TIMEOUT, Patience
from langgraph_learning.errors import StoreError

T = TypeVar("T")
Pool: TypeAlias = ConnectionPool[Any]
AnyConnection: TypeAlias = Connection[Any]  # of any kind of row
POOL_SIZE = 10
RETRY_EVERY = 0.5  # seconds between two attempts to connect to a server that is down
PER_ROW = 0.01  # seconds that a statement may take longer for each row it writes


class PatientConnection(Connection[DictRow]):
    """A connection that does not wait for an answer longer than `patience`; None waits for ever.

    The server's own limits do not help when the server, or a pooler before it, is what does not answer.
    """

    patience: float | None = TIMEOUT

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Carry out an exchange with the server.

        Raises:
            OperationalError: It took too long; the connection is closed.
        """
        limit = self.patience if timeout is None else timeout
        if limit is None:
            return super().wait(gen, interval)
        try:
            return super().wait(_until(gen, time.monotonic() + limit), interval)
        except TimeoutError as late:
            self.pgconn.finish()  # an answer that comes later must not be taken for that of the next question
            raise psycopg.OperationalError(f"no answer from the server within {limit:g} s") from late


def _until(gen: PQGen[T], deadline: float) -> PQGen[T]:
    """Do as `gen` does, which is asked again and again while the server is silent, until the deadline."""
    try:
        state = next(gen)
        while True:
            ready = yield state
            if not ready and time.monotonic() > deadline:
                raise TimeoutError
            state = gen.send(ready)
    except StopIteration as done:
        result: T = done.value
        return result


class Connections:
    """The connections of one database: a pool of our own, or one that was handed in.

    Args:
        source: A URL, or a pool that somebody else opens and closes.
        timeout: How many seconds a wait for the database may take.
        size: How many connections there are at the most.
    """

    def __init__(self, source: Pool | str, *, timeout: float = TIMEOUT, size: int = POOL_SIZE) -> None:
        self.patience = Patience(timeout)
        self.behind_pooler = False
        self._url = source if isinstance(source, str) else None
        self._pool = None if isinstance(source, str) else source
        self.size = self._pool.max_size if self._pool else size
        self._closed = False
        self._lock = Lock()
        self._error: psycopg.Error | None = None  # why the last attempt to connect failed
        renew_in_child(self)

    def renew(self) -> None:
        """Connect anew in a forked process; a pool that was handed in has to be renewed by whoever made it."""
        self._lock = Lock()
        if self._url is not None and self._pool is not None:
            abandon(self._pool)
            self._pool = None

    @property
    def conninfo(self) -> str:
        """How to connect."""
        return self._url if self._url is not None else str(self._pool.conninfo if self._pool else "")

    def open(self) -> None:
        """Connect once, so that a server that refuses says why.

        Raises:
            psycopg.Error: What it said.
        """
        if self._url is not None:
            with psycopg.connect(self._url, connect_timeout=_connect_timeout(self._url, self.patience.timeout)):
                self._error = None

    def close(self) -> None:
        """Close what is ours."""
        self._closed = True
        with self._lock:
            if self._url is not None and self._pool is not None:
                self._pool.close()

    @contextmanager
    def lend(self, *, unhurried: bool = False) -> Iterator[AnyConnection]:
        """Lend a connection that has just answered; with `unhurried` its statements may take as long as they need.

        Raises:
            StoreError: There is none in time.
        """
        pool = self._open_pool()
        connection = self._borrow(pool)
        try:
            with connection, _patience_of(connection, None if unhurried else self.patience.timeout):
                yield connection
        finally:
            pool.putconn(connection)

    def _open_pool(self) -> Pool:
        with self._lock:
            if self._closed:
                raise StoreError("this store is closed")
            if self._pool is None:
                self._pool = self._make_pool(str(self._url))
                self._pool.open()
            return self._pool

    def _borrow(self, pool: Pool) -> AnyConnection:
        deadline = time.monotonic() + self.patience.seconds
        while True:
            left = deadline - time.monotonic()
            try:
                # In small steps: each makes a pool that had given up try to connect again.
                connection: AnyConnection = pool.getconn(timeout=max(0.05, min(left, 2 * RETRY_EVERY)))
            except PoolTimeout as late:
                if time.monotonic() < deadline:
                    continue
                raise self._explain(late) from (self._error or late)
            self.patience.note_success()
            return connection

    def _explain(self, late: PoolTimeout) -> StoreError:
        if self._error is None:
            return StoreError(f"Postgres: all {self.size} connections are busy, or do not answer ({late})")
        self.patience.note_failure()
        return StoreError(f"Postgres cannot be reached: {self._error}")

    def _make_pool(self, url: str) -> Pool:
        owner = self

        class Connecting(PatientConnection):
            patience = owner.patience.timeout

            @classmethod
            def connect(cls, conninfo: str = "", **kwargs: Any) -> Any:
                try:
                    made = super().connect(conninfo, **kwargs)
                except psycopg.Error as error:
                    owner._error = error
                    raise
                owner._error = None
                return made

        return ConnectionPool(
            url,
            connection_class=Connecting,
            min_size=1,
            max_size=self.size,
            open=False,
            configure=self._configure,
            check=self._check,
            reconnect_timeout=RETRY_EVERY,
            kwargs={
                "autocommit": True,
                "prepare_threshold": 0,
                "row_factory": dict_row,
                "connect_timeout": _connect_timeout(url, self.patience.timeout),
            },
            name="langgraph-learning",
        )

    def _configure(self, connection: AnyConnection) -> None:
        # Our transactions lock first and then read, which only sees the newest commits under this isolation level.
        connection.isolation_level = IsolationLevel.READ_COMMITTED
        if is_behind_pooler(connection):
            # The next transaction may be another session's, which does not know what this one has prepared.
            connection.prepare_threshold = None
            self.behind_pooler = True

    def _check(self, connection: AnyConnection) -> None:
        """Find out whether a connection is alive; where one is dead, its neighbours in the pool are, too."""
        try:
            with _patience_of(connection, self.patience.timeout / 2):
                connection.execute("", prepare=False)
        except psycopg.Error:
            if self._pool is not None:
                self._pool.drain()
            raise


def is_behind_pooler(connection: AnyConnection) -> bool:
    """Return whether something between us and the server hands sessions out: it names another process than the server.

    PgBouncer and its like tell a client a process id of their own, with which it can cancel its statements.
    """
    row = connection.cursor(row_factory=dict_row).execute("select pg_backend_pid() as pid", prepare=False).fetchone()
    return row is not None and row["pid"] != connection.info.backend_pid


def with_rows(connection: AnyConnection, rows: int) -> None:
    """Give the next statement the time that so many rows may take."""
    if isinstance(connection, PatientConnection) and connection.patience is not None and rows > 1:
        connection.patience += rows * PER_ROW


@contextmanager
def _patience_of(connection: AnyConnection, seconds: float | None) -> Iterator[None]:
    if not isinstance(connection, PatientConnection):  # of a pool that was handed in
        yield
        return
    before, connection.patience = connection.patience, seconds
    try:
        yield
    finally:
        connection.patience = before


def _connect_timeout(url: str, timeout: float) -> int:
    given = conninfo_to_dict(url).get("connect_timeout")
    return int(given) if given else max(2, math.ceil(timeout))
