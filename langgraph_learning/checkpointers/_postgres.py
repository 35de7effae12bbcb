"""Connections to a Postgres database, shared by the store and the checkpointer.

They work where Postgres is usually run: behind a pooler in transaction mode, where two transactions may use different
sessions; through failovers and outages, where a connection in the pool may be dead; under any default isolation level.
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

from langgraph_learning.checkpointers._after_fork import abandon, renew_in_child
from langgraph_learning.checkpointers._timeouts import TIMEOUT, Patience
from langgraph_learning.errors import StoreError

T = TypeVar("T")
Pool: TypeAlias = ConnectionPool[Any]
AnyConnection: TypeAlias = Connection[Any]  # rows of any kind
POOL_SIZE = 10
RETRY_EVERY = 0.5  # seconds between two attempts to connect while the server is down
PER_ROW = 0.01  # seconds that a statement may take longer for each row it writes


class PatientConnection(Connection[DictRow]):
    """A connection that waits at most `patience` seconds for an answer; None waits without a limit.

    The limits that Postgres itself offers do not help when the server, or a pooler in front of it, does not answer at
    all.
    """

    patience: float | None = TIMEOUT

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait for one exchange with the server.

        Raises:
            OperationalError: The server did not answer in time; the connection is closed.
        """
        limit = self.patience if timeout is None else timeout
        if limit is None:
            return super().wait(gen, interval)
        try:
            return super().wait(_until(gen, time.monotonic() + limit), interval)
        except TimeoutError as late:
            self.pgconn.finish()  # a late answer would be read as the answer to the next statement
            raise psycopg.OperationalError(f"no answer from the server within {limit:g} s") from late


def _until(gen: PQGen[T], deadline: float) -> PQGen[T]:
    """Run `gen`, which psycopg resumes again and again while the server is silent, and stop at the deadline."""
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
    """The connections of one database: a pool of this package, or a pool that the caller passes in.

    Args:
        source: A URL, or a pool that the caller opens and closes.
        timeout: The longest time to wait for the database, in seconds.
        size: The largest number of connections.
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
        """Connect again in a forked process; a pool that was passed in must be renewed by its owner."""
        self._lock = Lock()
        if self._url is not None and self._pool is not None:
            abandon(self._pool)
            self._pool = None

    @property
    def conninfo(self) -> str:
        """The URL or connection string of the database."""
        return self._url if self._url is not None else str(self._pool.conninfo if self._pool else "")

    def open(self) -> None:
        """Connect once, so that an error of the server is raised here and now.

        Raises:
            psycopg.Error: The server refused the connection.
        """
        if self._url is not None:
            with psycopg.connect(self._url, connect_timeout=_connect_timeout(self._url, self.patience.timeout)):
                self._error = None

    def close(self) -> None:
        """Close the pool if this package opened it."""
        self._closed = True
        with self._lock:
            if self._url is not None and self._pool is not None:
                self._pool.close()

    @contextmanager
    def lend(self, *, unhurried: bool = False) -> Iterator[AnyConnection]:
        """Lend a connection that has just answered; with `unhurried` its statements have no time limit.

        Raises:
            StoreError: No connection becomes free in time.
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
            remaining = deadline - time.monotonic()
            try:
                # In small steps, because each call makes a pool that has stopped reconnecting try again.
                connection: AnyConnection = pool.getconn(timeout=max(0.05, min(remaining, 2 * RETRY_EVERY)))
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
                    connection = super().connect(conninfo, **kwargs)
                except psycopg.Error as error:
                    owner._error = error
                    raise
                owner._error = None
                return connection

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
                "client_encoding": "utf8",  # the default of a database may be an encoding that cannot hold every text
                "prepare_threshold": 0,
                "row_factory": dict_row,
                "connect_timeout": _connect_timeout(url, self.patience.timeout),
            },
            name="langgraph-learning",
        )

    def _configure(self, connection: AnyConnection) -> None:
        # A writing transaction takes the lock first and reads afterwards. Only READ COMMITTED then sees the newest
        # commits; under a stricter level the snapshot would be older than the lock.
        connection.isolation_level = IsolationLevel.READ_COMMITTED
        if is_behind_pooler(connection):
            # The next transaction may run in another session, which does not have the statements prepared in this one.
            connection.prepare_threshold = None
            self.behind_pooler = True

    def _check(self, connection: AnyConnection) -> None:
        """Check that a connection is alive; when one is dead, drop its neighbours in the pool too."""
        try:
            with _patience_of(connection, self.patience.timeout / 2):
                connection.execute("", prepare=False)
        except psycopg.Error:
            if self._pool is not None:
                self._pool.drain()
            raise


def is_behind_pooler(connection: AnyConnection) -> bool:
    """Return whether a pooler sits between the client and the server.

    PgBouncer and similar poolers give the client a process id of their own, with which it can cancel its statements. So
    the id that the client knows differs from the one that the server reports.
    """
    row = connection.cursor(row_factory=dict_row).execute("select pg_backend_pid() as pid", prepare=False).fetchone()
    return row is not None and row["pid"] != connection.info.backend_pid


def with_rows(connection: AnyConnection, rows: int) -> None:
    """Extend the time limit of the next statement for the number of rows it writes."""
    if isinstance(connection, PatientConnection) and connection.patience is not None and rows > 1:
        connection.patience += rows * PER_ROW


@contextmanager
def _patience_of(connection: AnyConnection, seconds: float | None) -> Iterator[None]:
    if not isinstance(connection, PatientConnection):  # a connection of a pool that was passed in has no limit to set
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
