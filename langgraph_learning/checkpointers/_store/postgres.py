"""The Postgres dialect: a pool of connections, pgvector where it is there, one installation per schema."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeAlias
from zlib import crc32

import numpy as np
from langchain_core.embeddings import Embeddings

from langgraph_learning.checkpointers._store.dialect import SCORES, Floats, Params, Row, Scores
from langgraph_learning.checkpointers._store.statements import VECTORS, Statements, migrations, pending_migrations
from langgraph_learning.checkpointers._store.store import HybridStore, utc_now
from langgraph_learning.errors import ConfigurationError, StoreError

try:
    import psycopg
    from psycopg.abc import Buffer
    from psycopg.adapt import Loader
    from psycopg.pq import Format
    from psycopg.rows import tuple_row
    from psycopg.sql import Identifier
    from psycopg_pool import ConnectionPool

    from langgraph_learning.checkpointers._postgres import make_pool
except ImportError as missing:
    raise ConfigurationError("Postgres needs: pip install 'langgraph-learning[postgres]'") from missing

Connection: TypeAlias = psycopg.Connection[Any]  # of any kind of row
Pool: TypeAlias = "ConnectionPool[Any]"
_SENT = np.dtype([("item", ">i8"), ("score", ">f8")])
_ANY_SCHEMA = crc32(b"langgraph_learning")


class _JsonText(Loader):
    """JSON as it was sent; it is read where the other dialect's is."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        return bytes(data)[1:].decode()  # the first byte is the version of the format


class PostgresSession:
    """One connection; lists are arrays, vectors are text."""

    def __init__(self, connection: Connection, sql: Statements) -> None:
        self._connection, self._sql = connection, sql

    def with_sql(self, sql: Statements) -> "PostgresSession":
        """Return this session with other statements."""
        return PostgresSession(self._connection, sql)

    def _execute(self, text: str, params: Params | None = None, *, plan_anew: bool = False) -> psycopg.Cursor[Row]:
        cursor = self._connection.cursor(binary=True, row_factory=tuple_row)
        cursor.adapters.register_loader("jsonb", _JsonText)
        # A prepared search would get a plan for any terms, any scope and any limit: the slowest one.
        return cursor.execute(text.encode(), params, prepare=False if plan_anew else None)

    def rows(self, name: str, params: Params, **parts: str) -> list[Row]:
        """Return the rows of a query."""
        return self._execute(self._sql(name, parts), params, plan_anew=bool(parts)).fetchall()

    def run(self, name: str, params: Params) -> int:
        """Run a statement and return how many rows it touched."""
        return self._execute(self._sql(name), params).rowcount

    def many(self, name: str, rows: Sequence[Params]) -> None:
        """Run a statement once with the `rows` as columns."""
        if rows:
            self._execute(self._sql(name), {column: [row[column] for row in rows] for column in rows[0]})

    def script(self, steps: Sequence[str]) -> None:
        """Run the steps of a migration."""
        for step in steps:
            self._execute(step)

    def scores(self, name: str, params: Params, **parts: str) -> Scores:
        """Return items and scores, which come as one string of bytes."""
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
        """Return an embedding as pgvector reads it."""
        return f"[{','.join(map(str, vector.tolist()))}]"


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Turn errors of the driver into ours."""
    try:
        yield
    except psycopg.Error as error:
        raise StoreError(f"Postgres: {error}") from error


class PostgresDialect:
    """A pool, and one installation in a schema of its database."""

    def __init__(self, pool: "Pool | str", schema: str | None) -> None:
        self._owned = isinstance(pool, str)
        self._pool: Pool = make_pool(pool) if isinstance(pool, str) else pool
        self._schema, self._lock = schema, _ANY_SCHEMA
        self._sql = Statements("postgres", schema="", vector="public")
        self.threads = max(2, min(self._pool.max_size, 16))
        self.has_vectors = self._set_up = False

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with _translate_errors():
            if self._owned and self._pool.closed:
                self._pool.open()
            with self._pool.connection() as connection:
                yield connection

    @contextmanager
    def reading(self, *, snapshot: bool = False) -> Iterator[PostgresSession]:
        """Give a session to read with."""
        with self._connection() as connection:
            session = PostgresSession(connection, self._sql)
            if snapshot:
                with connection.transaction():
                    session.run("begin_snapshot", {})
                    yield session
            else:
                yield session

    @contextmanager
    def writing(self) -> Iterator[PostgresSession]:
        """Give a session in a transaction of the only writer.

        The lock is the first statement: a snapshot taken before it would miss the commit that was waited for, and
        revisions would not follow the order of commits.
        """
        with self._connection() as connection, connection.transaction():
            session = PostgresSession(connection, self._sql)
            session.run("lock", {"lock": self._lock})
            if self._set_up and not self.has_vectors:
                self.has_vectors = bool(session.rows("has_vectors", {})[0][0])
            yield session

    def setup(self, dims: int | None) -> None:
        """Bring the tables up to date, those for vectors if `dims` is given."""
        self._lock, self._set_up = _ANY_SCHEMA, False
        with self.writing() as session:
            vector = self._extension(session, dims)
            name = self._ensure_schema(session)
            self._sql = Statements("postgres", schema=name, vector=vector, dims=str(dims))
            applied = _migrate(session.with_sql(self._sql), self._sql, dims)
        self.has_vectors = VECTORS in applied
        self._lock, self._set_up = crc32(name.encode(), _ANY_SCHEMA), True

    def _ensure_schema(self, session: PostgresSession) -> str:
        [(name, missing)] = session.rows("resolve_schema", {"schema": self._schema})
        if name is None:
            raise ConfigurationError("this connection has no current schema; give schema=")
        quoted = Identifier(name).as_string(None)
        if self._schema is not None and missing:
            session.script([Statements("postgres", schema=quoted)("create_schema")])
        return quoted

    def _extension(self, session: PostgresSession, dims: int | None) -> str:
        """The schema the vector type lives in; it is installed where all can see it when it is needed."""
        found = session.rows("vector_schema", {})
        if not found and dims is not None:
            try:
                session.script([self._sql("create_extension")])
            except psycopg.Error as error:
                raise ConfigurationError(
                    f"embed= needs the extension pgvector in this database ({error}); without embed= search is lexical"
                ) from error
            return "public"
        return str(found[0][0]) if found else "public"

    def scrub(self) -> None:
        """Leave that to autovacuum."""

    def close(self) -> None:
        """Close the pool if it is ours."""
        if self._owned:
            self._pool.close()


def _migrate(session: PostgresSession, sql: Statements, dims: int | None) -> set[int]:
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
    """A store in a Postgres database, on a pool that is handed in or on one of its own."""

    def __init__(
        self,
        pool: "Pool | str",
        *,
        embed: Embeddings | str | None = None,
        dims: int | None = None,
        schema: str | None = None,
        fields: Sequence[str] = ("$",),
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(PostgresDialect(pool, schema), embed=embed, dims=dims, fields=fields, clock=clock)
