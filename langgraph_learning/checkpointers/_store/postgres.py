"""The Postgres dialect: a pool of connections, pgvector if it is installed, one installation for each schema."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from importlib.util import find_spec
from threading import BoundedSemaphore
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from langchain_core.embeddings import Embeddings

from langgraph_learning.checkpointers._after_fork import renew_in_child
from langgraph_learning.checkpointers._store.dialect import SCORES, Floats, Params, RetryableError, Row, Scores
from langgraph_learning.checkpointers._store.sql_statements import (
    VECTORS,
    Statements,
    check_not_newer,
    migrations,
    pending_migrations,
)
from langgraph_learning.checkpointers._store.store import HybridStore, utc_now
from langgraph_learning.checkpointers._timeouts import TIMEOUT, Patience, PatientLock
from langgraph_learning.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from langgraph_learning.checkpointers._store.jobs import JobQueue

try:
    import psycopg
    from psycopg.abc import Buffer
    from psycopg.adapt import Loader
    from psycopg.pq import Format
    from psycopg.rows import tuple_row

    from langgraph_learning.checkpointers._postgres import (
        AnyConnection,
        Connections,
        Pool,
        is_behind_pooler,
        with_rows,
    )
    from langgraph_learning.checkpointers._schema_lookup import SET_UP, Installation, create_schema, find_installation
except ImportError as missing:
    raise ConfigurationError("Postgres needs: pip install 'langgraph-learning[postgres]'") from missing

_SENT = np.dtype([("item", ">i8"), ("score", ">f8")])


class _JsonText(Loader):
    """A loader that leaves JSON as text, so that both dialects decode it in the same place."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        return bytes(data)[1:].decode()  # the first byte is the version of the format


class PostgresSession:
    """A session on one connection; lists are arrays, vectors are text."""

    def __init__(self, connection: AnyConnection, sql: Statements, *, prepare: bool = True) -> None:
        self._connection, self._sql, self._prepare = connection, sql, prepare

    @property
    def connection(self) -> object:
        """The driver's connection."""
        return self._connection

    def with_sql(self, sql: Statements) -> "PostgresSession":
        """Return a session on the same connection with other statements."""
        return PostgresSession(self._connection, sql, prepare=self._prepare)

    def _execute(self, text: str, params: Params, *, plan_anew: bool = False) -> psycopg.Cursor[Row]:
        cursor = self._connection.cursor(binary=True, row_factory=tuple_row)
        cursor.adapters.register_loader("jsonb", _JsonText)
        # A prepared search would get a plan that fits any terms, scope and limit, which is the slowest one.
        return cursor.execute(text.encode(), params, prepare=None if self._prepare and not plan_anew else False)

    def rows(self, name: str, params: Params, **parts: str) -> list[Row]:
        """Return the rows of a query."""
        return self._execute(self._sql(name, parts), params, plan_anew=bool(parts)).fetchall()

    def run(self, name: str, params: Params) -> int:
        """Run a statement and return how many rows it touched."""
        return self._execute(self._sql(name), params).rowcount

    def many(self, name: str, rows: Sequence[Params]) -> None:
        """Run a statement once, with the columns of `rows` as arrays."""
        if rows:
            with_rows(self._connection, len(rows))
            self._execute(self._sql(name), {column: [row[column] for row in rows] for column in rows[0]})

    def script(self, steps: Sequence[str]) -> None:
        """Run the statements of a migration."""
        for step in steps:
            self._execute(step, {})

    def begin(self, name: str, **parts: str) -> None:
        """Begin a transaction by several statements in one round trip, which only the simple protocol allows."""
        self._connection.execute(self._sql(name, parts).encode(), prepare=False)

    def scores(self, name: str, params: Params, **parts: str) -> Scores:
        """Return items and scores, which the server sends as one string of bytes."""
        if name == "score_nearest":
            self.rows("tune_vector_index", {})
        [(sent,)] = self._execute(self._sql(name, parts), params, plan_anew=True).fetchall()
        return np.frombuffer(sent, dtype=_SENT).astype(SCORES)

    def fragment(self, name: str, **parts: str) -> str:
        """Return a fragment of SQL."""
        return self._sql(name, parts)

    def path(self, keys: Sequence[str]) -> object:
        """Return a path inside JSON."""
        return list(keys)

    def vector(self, vector: Floats) -> object:
        """Return an embedding in the notation of pgvector."""
        return f"[{','.join(map(str, vector.tolist()))}]"


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Turn errors of the driver into errors of this package."""
    try:
        yield
    except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected) as error:
        raise RetryableError(f"Postgres: {error}") from error
    except psycopg.errors.LockNotAvailable as error:
        raise StoreError("Postgres: another process has held the lock for too long; nothing was written") from error
    except psycopg.Error as error:
        raise StoreError(f"Postgres: {error}") from error


class PostgresDialect:
    """The connections to a database, and the installation in one of its schemas."""

    def __init__(self, source: "Connections | Pool | str", schema: str | None, timeout: float) -> None:
        self._owned = not isinstance(source, Connections)
        self._connections = source if isinstance(source, Connections) else Connections(source, timeout=timeout)
        self._schema, self._lock, self._name = schema, SET_UP, ""
        self._sql = Statements("postgres", schema="", vector="public")
        self.threads = max(2, min(self._connections.size, 16))
        self.has_vectors = self._set_up = False
        self._writers = self._make_writers()
        renew_in_child(self)

    def renew(self) -> None:
        """Replace the semaphore in a forked process: threads of the parent may hold it."""
        self._writers = self._make_writers()

    def _make_writers(self) -> PatientLock:
        # Writers wait for one another; readers must find a connection meanwhile.
        return PatientLock(self._connections.patience, BoundedSemaphore(max(1, self._connections.size // 2)))

    @contextmanager
    def _session(self, *, unhurried: bool = False) -> Iterator[tuple[AnyConnection, PostgresSession]]:
        with _translate_errors(), self._connections.lend(unhurried=unhurried) as connection:
            yield connection, PostgresSession(connection, self._sql, prepare=not self._connections.behind_pooler)

    @contextmanager
    def reading(self, *, snapshot: bool = False) -> Iterator[PostgresSession]:
        """Open a session that reads."""
        with self._session() as (connection, session):
            if snapshot:
                with connection.transaction():
                    session.begin("begin_snapshot")
                    yield session
            else:
                yield session

    @contextmanager
    def writing(self, *, unhurried: bool = False) -> Iterator[PostgresSession]:
        """Open a session in a transaction, as the only writer.

        The lock is the first statement. A snapshot taken before it would miss the commit that the lock waited for, and
        the order of revisions would differ from the order of commits.
        """
        with self._writing(unhurried=unhurried) as (_, session):
            yield session

    def erasing(self, *, scrub: bool = True) -> AbstractContextManager[PostgresSession]:
        """Open a session that erases; autovacuum removes what it leaves in the files of tables, see migration 0009."""
        return self.writing(unhurried=True)

    @contextmanager
    def _writing(self, *, unhurried: bool) -> Iterator[tuple[AnyConnection, PostgresSession]]:
        patience = self._connections.patience
        with (
            self._writers,
            self._session(unhurried=unhurried) as (connection, session),
            connection.transaction(),
        ):
            self._begin_write(session, patience)
            if self._set_up and not self.has_vectors:
                self.has_vectors = bool(
                    session.rows("has_table", {"schema": self._name, "table": "hybrid_vectors"})[0][0]
                )
            yield connection, session

    def _begin_write(self, session: PostgresSession, patience: Patience) -> None:
        wait, began = math.ceil(1_000 * patience.seconds), time.monotonic()
        try:
            session.begin("begin_write", lock=str(self._lock), wait=str(wait), idle=str(int(800 * patience.timeout)))
        except psycopg.errors.LockNotAvailable as error:
            if self._writers.moved_since(began):  # nobody is stuck, the queue is long: it waits once more
                raise RetryableError(f"Postgres: other writers have the lock ({error})") from error
            patience.note_failure()
            raise

    def setup(self, dims: int | None) -> None:
        """Create or migrate the tables; nothing is written if they are up to date."""
        self._set_up = False
        with self._session() as (connection, session), connection.transaction():
            self._connections.behind_pooler = is_behind_pooler(connection)
            installation = find_installation(connection, self._schema, behind_pooler=self._connections.behind_pooler)
            complete = self._use(installation, session, dims)
        if not complete:
            self._lock = SET_UP
            with self._writing(unhurried=True) as (connection, session):
                create_schema(connection, installation)
                # Writers of an earlier version hold this lock: they finish first, and what they wrote is migrated.
                connection.execute("select pg_advisory_xact_lock(%s)", [_lock_of(installation)])
                self._install(session, installation, dims)
        # From now on the lock of this installation: commits of two schemas need not wait for each other.
        self._lock, self._set_up = _lock_of(installation), True

    def _use(self, installation: Installation, session: PostgresSession, dims: int | None) -> bool:
        """Use the installation as it is; return whether nothing is missing."""
        self._name = installation.name
        schema, vector = installation.schema.replace("%", "%%"), installation.vector or "public"
        self._sql = Statements("postgres", schema=schema, vector=vector, dims=str(dims))
        session = session.with_sql(self._sql)
        if installation.missing or not _has_table(session, self._name, "hybrid_migrations"):
            return False
        applied = {int(row[0]) for row in session.rows("applied_migrations", {})}
        check_not_newer("postgres", applied)
        self.has_vectors = VECTORS in applied
        if migrations("postgres").keys() - applied - pending_migrations("postgres", dims):
            return False
        return dims is None or session.rows("get_mark", {"name": "dims"}) == [(dims,)]

    def _install(self, session: PostgresSession, installation: Installation, dims: int | None) -> None:
        if dims is not None and installation.vector is None:
            try:
                session.script([self._sql("create_extension")])
            except psycopg.Error as error:
                raise ConfigurationError(
                    f"embed= needs the extension pgvector in this database ({error}); without embed= search is lexical"
                ) from error
        session = session.with_sql(self._sql)
        self.has_vectors = VECTORS in _migrate(session, self._sql, installation.name, dims)

    @property
    def schema_name(self) -> str:
        """The name of the tables' schema; empty before `setup`."""
        return self._name

    @property
    def conninfo(self) -> str:
        """The connection string of the pool."""
        return self._connections.conninfo

    def close(self) -> None:
        """Close the connections if this object opened them."""
        if self._owned:
            self._connections.close()


def _lock_of(installation: Installation) -> int:
    """Return the lock for which the writers of an installation wait."""
    return crc32(installation.schema.encode(), SET_UP)


def _has_table(session: PostgresSession, schema: str, table: str) -> bool:
    return bool(session.rows("has_table", {"schema": schema, "table": table})[0][0])


def _migrate(session: PostgresSession, sql: Statements, name: str, dims: int | None) -> set[int]:
    if not _has_table(session, name, "hybrid_migrations"):
        session.run("create_migrations", {})
    applied = {int(row[0]) for row in session.rows("applied_migrations", {})}
    for number, (name, steps) in migrations("postgres").items():
        if number not in applied | pending_migrations("postgres", dims):
            session.script([sql.fill(step) for step in steps])
            session.run("add_migration", {"number": number, "name": name})
            applied.add(number)
    if dims is not None:
        session.run("set_mark", {"name": "dims", "value": dims})
    return applied


class PostgresHybridStore(HybridStore):
    """A store in a Postgres database, on a pool that is passed in or on one of its own."""

    def __init__(
        self,
        pool: "Connections | Pool | str",
        *,
        embed: Embeddings | str | None = None,
        dims: int | None = None,
        schema: str | None = None,
        fields: Sequence[str] = ("$",),
        clock: Callable[[], datetime] = utc_now,
        timeout: float = TIMEOUT,
    ) -> None:
        dialect = PostgresDialect(pool, schema, timeout)
        super().__init__(dialect, embed=embed, dims=dims, fields=fields, clock=clock)
        self._postgres = dialect
        self._queues: dict[str, JobQueue] = {}

    def jobs(self, machine: str) -> "JobQueue":
        """Return the job queue of a machine in this database; its tables are created if missing.

        Raises:
            ConfigurationError: procrastinate is not installed.
        """
        if find_spec("procrastinate") is None:
            raise ConfigurationError("jobs on Postgres need: pip install 'langgraph-learning[worker]'")
        from langgraph_learning.checkpointers._store.jobs import JobQueue

        self.setup()
        if machine not in self._queues:
            self._queues[machine] = JobQueue(self._postgres, machine)
            self._queues[machine].setup()
        return self._queues[machine]
