"""LangGraph's PostgresSaver for both colours, with copies and rollbacks, on a pool."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TypeAlias, cast

import psycopg
from langgraph.checkpoint.postgres import PostgresSaver
from psycopg import Connection, sql
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

from langgraph_learning.checkpointers._saver.async_saver import AsyncSaverMixin, Parameters, WorkerThreads

Pool: TypeAlias = ConnectionPool[Connection[DictRow]]


class PostgresCheckpointSaver(AsyncSaverMixin, PostgresSaver):
    """A checkpointer on Postgres for sync code and any event loop."""

    SQL = "postgres"

    def __init__(self, pool: Pool, *, threads: WorkerThreads) -> None:
        super().__init__(pool)
        self._pool = pool
        self._threads = threads
        # PostgresSaver lets one thread in at a time, which a single connection needs; each of ours has its own
        self.lock = cast(threading.Lock, nullcontext())

    def _transact(self, statements: Iterable[str], parameters: Parameters) -> None:
        with self._pool.connection() as connection, connection.transaction():
            for statement in statements:
                connection.execute(statement.encode(), parameters, prepare=False)


@contextmanager
def advisory_lock(url: str, schema: str | None) -> Iterator[None]:
    """Create the schema, and let one process at a time set up what is in it."""
    name = f"langgraph-learning {schema or ''}"
    with psycopg.connect(url, autocommit=True) as connection:
        # Asked again and again: who waits inside the database holds a snapshot, and the set-up that is waited for
        # (CREATE INDEX CONCURRENTLY) would wait for the end of that snapshot
        while not _single_value(connection.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", (name,))):
            time.sleep(0.05)
        if schema is not None:
            connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
        yield  # closing the connection gives the lock back


def _single_value(cursor: psycopg.Cursor[tuple[object, ...]]) -> object:
    row = cursor.fetchone()
    return row[0] if row else None


@contextmanager
def open_pool(url: str, schema: str | None, *, size: int) -> Iterator[Pool]:
    """Open connections as LangGraph's savers and stores need them, in `schema`, and close them."""

    def configure(connection: Connection[DictRow]) -> None:
        if schema is not None:  # `public` is where extensions live
            connection.execute("select set_config('search_path', quote_ident(%s) || ', public', false)", (schema,))

    opened: Pool = ConnectionPool(
        url,
        min_size=1,
        max_size=size,
        open=False,
        configure=configure,
        check=ConnectionPool.check_connection,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
        name="langgraph-learning",
    )
    with opened:
        opened.wait()
        yield opened
