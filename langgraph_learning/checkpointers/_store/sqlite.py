"""The SQLite dialect: one file (or memory), no loadable extension, many threads and processes."""

import json
import math
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path

import numpy as np
from langchain_core.embeddings import Embeddings

from langgraph_learning.checkpointers._after_fork import abandon, renew_in_child
from langgraph_learning.checkpointers._sqlite import connect, enable_wal
from langgraph_learning.checkpointers._store.codec import Json, write_time
from langgraph_learning.checkpointers._store.dialect import SCORES, Floats, Params, Row, Scores
from langgraph_learning.checkpointers._store.search import as_scores
from langgraph_learning.checkpointers._store.sql_statements import Statements, check_not_newer, migrations
from langgraph_learning.checkpointers._store.store import HybridStore, utc_now
from langgraph_learning.checkpointers._timeouts import SHARE, TIMEOUT, Patience, PatientLock
from langgraph_learning.errors import StoreError

_SQL = Statements("sqlite")
WAITS = 5
"""How often a writer waits again while other processes commit, because SQLite has no queue of writers."""
LOOKS = 4
"""How often in one wait a writer looks whether others have committed; threads behind it count on that."""


class SqliteSession:
    """A session on one connection; times are microseconds, lists are JSON, vectors are blobs of half precision."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def connection(self) -> object:
        """The driver's connection."""
        return self._connection

    def rows(self, name: str, params: Params, **parts: str) -> list[Row]:
        """Return the rows of a query."""
        return self._connection.execute(_SQL(name, parts), _bind_all(params)).fetchall()

    def run(self, name: str, params: Params) -> int:
        """Run a statement and return how many rows it touched."""
        return self._connection.execute(_SQL(name), _bind_all(params)).rowcount

    def many(self, name: str, rows: Sequence[Params]) -> None:
        """Run a statement for all `rows`, or several statements one after the other."""
        bound = [_bind_all(row) for row in rows]
        for statement in _SQL(name).split(";\n"):
            self._connection.executemany(statement, bound)

    def script(self, steps: Sequence[str]) -> None:
        """Run the statements of a migration."""
        for step in steps:
            self._connection.execute(step)

    def scores(self, name: str, params: Params, **parts: str) -> Scores:
        """Return items and scores; those of vectors are computed here, because SQLite has no function for them."""
        rows = self.rows(name, params, **parts)
        return as_scores(rows) if name == "score_words" else _cosines(rows, params["query"])

    def fragment(self, name: str, **parts: str) -> str:
        """Return a fragment of SQL."""
        return _SQL(name, parts)

    def path(self, keys: Sequence[str]) -> object:
        """Return a path of SQLite's JSON functions."""
        return "$" + "".join(f".{json.dumps(key, ensure_ascii=False)}" for key in keys)

    def vector(self, vector: Floats) -> object:
        """Return an embedding as a blob."""
        return vector.astype(np.float16).tobytes()


def _cosines(rows: Sequence[Row], query: object) -> Scores:
    """Return the cosine of each vector with the query; both have length 1."""
    scores = np.empty(len(rows), dtype=SCORES)
    if rows and isinstance(query, bytes):
        matrix = np.frombuffer(b"".join(row[1] for row in rows), dtype=np.float16).reshape(len(rows), -1)
        wanted = np.frombuffer(query, dtype=np.float16).astype(np.float32)
        scores["item"] = [row[0] for row in rows]
        scores["score"] = matrix.astype(np.float32) @ wanted
    return scores


def _bind_all(params: Params) -> dict[str, object]:
    return {name: _bind(value) for name, value in params.items()}


def _bind(value: object) -> object:
    if isinstance(value, datetime):
        return write_time(value)
    return json.dumps(value) if isinstance(value, list) else value


def _same(left: Json, right: Json) -> bool:
    """Return whether two JSON values are equal: numbers by value, and a boolean is not a number."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _json_same(left: str | None, right: str) -> bool:
    return left is not None and _same(json.loads(left), json.loads(right))


def _json_among(value: str, elements: str) -> bool:
    wanted = json.loads(value)
    return any(_same(wanted, element) for element in json.loads(elements))


def _json_holds(elements: str, value: str) -> bool:
    held = json.loads(elements)
    return isinstance(held, list) and _json_among(value, elements)


def open_connection(path: str, timeout: float = TIMEOUT) -> sqlite3.Connection:
    """Open the database and define the SQL functions that the statements need."""
    connection = connect(path, timeout=timeout)
    for pragma in _SQL("connect").split(";"):
        connection.execute(pragma)
    # SQLite may be built without mathematical functions.
    connection.create_function("ln", 1, math.log, deterministic=True)
    connection.create_function("json_same", 2, _json_same, deterministic=True)
    connection.create_function("json_among", 2, _json_among, deterministic=True)
    connection.create_function("json_holds", 2, _json_holds, deterministic=True)
    return connection


class SqliteDialect:
    """Connections to one database: a few for all readers, and one writer at a time."""

    has_vectors = True

    def __init__(self, path: str, timeout: float) -> None:
        self._path, self._memory = path, path == ":memory:"
        self._patience = Patience(timeout)
        self.threads = 1 if self._memory else 4
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False
        self._make_locks()
        renew_in_child(self)

    def _make_locks(self) -> None:
        self._writer = PatientLock(self._patience, threading.RLock())  # cheaper than to wait for the file
        # In memory there is one connection, or every thread would have an empty database of its own.
        self._turn: AbstractContextManager[object] = self._writer if self._memory else nullcontext()

    def renew(self) -> None:
        """Open the file again in a forked process; a database in memory was copied by the fork and stays as it is."""
        self._make_locks()
        if not self._memory:
            abandon(self._idle)
            self._idle = deque()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection, and turn errors of the driver into errors of this package."""
        if self._closed:
            raise StoreError("this store is closed")
        with self._turn:
            connection = None
            try:
                connection = self._borrow()
                yield connection
            except sqlite3.Error as error:
                raise StoreError(f"SQLite: {error}") from error
            finally:
                if connection is not None:
                    self._give_back(connection)

    def _borrow(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return open_connection(self._path, self._patience.timeout)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        # After a burst of threads, not all of these connections stay open.
        if self._closed or len(self._idle) >= self.threads:
            connection.close()
        else:
            self._idle.append(connection)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[SqliteSession]:
        with self._connection() as connection:
            self._begin(connection, begin)
            try:
                yield SqliteSession(connection)
                connection.execute(_SQL("commit"))
            finally:
                if connection.in_transaction:
                    connection.execute(_SQL("rollback"))

    def _begin(self, connection: sqlite3.Connection, begin: str) -> None:
        """Begin a transaction; after a failed wait for the file, the next waits are short."""
        milliseconds = int(1_000 * self._patience.seconds / LOOKS)
        connection.execute(_SQL("set_busy_timeout", {"milliseconds": str(milliseconds)}))
        try:
            _begin_in_turn(connection, _SQL(begin), self._writer.note_movement)
        except sqlite3.OperationalError:
            self._patience.note_failure()
            raise
        finally:
            self._restore_busy_timeout(connection)
        self._patience.note_success()

    def _restore_busy_timeout(self, connection: sqlite3.Connection) -> None:
        milliseconds = int(1_000 * self._patience.timeout * SHARE)
        connection.execute(_SQL("set_busy_timeout", {"milliseconds": str(milliseconds)}))

    @contextmanager
    def reading(self, *, snapshot: bool = False) -> Iterator[SqliteSession]:
        """Open a session that reads."""
        if snapshot:
            with self._transaction("begin") as session:
                yield session
        else:
            with self._connection() as connection:
                yield SqliteSession(connection)

    @contextmanager
    def writing(self, *, unhurried: bool = False) -> Iterator[SqliteSession]:
        """Open a session in a transaction, as the only writer; here no statement has a time limit anyway."""
        with self._writer, self._transaction("begin_write") as session:
            yield session

    @contextmanager
    def erasing(self, *, scrub: bool = True) -> Iterator[SqliteSession]:
        """Open a session that erases; with `scrub`, empty the write-ahead log at its end."""
        with self.writing() as session:
            yield session
        if scrub:
            self._empty_wal()

    def setup(self, dims: int | None) -> None:
        """Create or migrate the tables; nothing is written if they are up to date."""
        with self._connection() as connection:
            enable_wal(connection, self._patience.timeout)
            if _is_complete(SqliteSession(connection), dims):
                return
        with self.writing() as session:
            session.run("create_migrations", {})
            applied = {row[0] for row in session.rows("applied_migrations", {})}
            for number, (name, steps) in migrations("sqlite").items():
                if number not in applied:
                    session.script(steps)
                    session.run("add_migration", {"number": number, "name": name})
            if dims is not None:
                session.run("set_mark", {"name": "dims", "value": dims})

    def _empty_wal(self) -> None:
        """Empty the write-ahead log: SQLite overwrites deleted text in the file, but not in the log."""
        with self._writer, self._connection() as connection:
            seconds = min(2.0, self._patience.seconds)  # short, because writers wait for it
            connection.execute(_SQL("set_busy_timeout", {"milliseconds": str(int(1_000 * seconds))}))
            busy, *_ = connection.execute(_SQL("empty_wal")).fetchone()
            self._restore_busy_timeout(connection)
        if busy:  # never report text as erased while the log next to the file still holds it
            raise StoreError(
                "erased, but another connection is reading, and the write-ahead log still holds the text:"
                " end that reader and purge again"
            )

    def close(self) -> None:
        """Close the connections."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()


def _begin_in_turn(connection: sqlite3.Connection, begin: str, note_movement: Callable[[], None]) -> None:
    """Begin a transaction; wait again while other processes are first and go on committing.

    Args:
        connection: The connection.
        begin: The statement that begins; each time it waits for the `LOOKS`th part of a wait.
        note_movement: Called when others have committed meanwhile.

    Raises:
        sqlite3.OperationalError: The file is locked and nobody commits meanwhile, or others were first too often.
    """
    in_vain = 0
    for tries_left in reversed(range(WAITS * LOOKS)):
        version = connection.execute(_SQL("data_version")).fetchone()
        try:
            connection.execute(begin)
            return
        except sqlite3.OperationalError:
            if connection.execute(_SQL("data_version")).fetchone() == version:
                in_vain += 1
            else:
                in_vain = 0
                note_movement()
            if not tries_left or in_vain == LOOKS:
                raise


def _is_complete(session: SqliteSession, dims: int | None) -> bool:
    """Return whether a database has all migrations; then opening it need not wait for a writer."""
    if not session.rows("has_table", {"table": "hybrid_migrations"})[0][0]:
        return False
    applied = {row[0] for row in session.rows("applied_migrations", {})}
    check_not_newer("sqlite", applied)
    complete = applied >= migrations("sqlite").keys()
    return complete and (dims is None or session.rows("get_mark", {"name": "dims"}) == [(dims,)])


class SqliteHybridStore(HybridStore):
    """A store in a SQLite file, or `":memory:"`."""

    def __init__(
        self,
        path: str | Path,
        *,
        embed: Embeddings | str | None = None,
        dims: int | None = None,
        fields: Sequence[str] = ("$",),
        clock: Callable[[], datetime] = utc_now,
        timeout: float = TIMEOUT,
    ) -> None:
        super().__init__(SqliteDialect(str(path), timeout), embed=embed, dims=dims, fields=fields, clock=clock)
