"""Connections to a Postgres database, for the store and the checkpointer alike."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import psycopg
from psycopg import Connection, sql
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

Pool: TypeAlias = ConnectionPool[Connection[DictRow]]
Configure: TypeAlias = Callable[[Connection[DictRow]], None]
POOL_SIZE = 10


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

    with make_pool(url, size=size, configure=configure) as opened:
        opened.wait()
        yield opened


def make_pool(url: str, *, size: int = POOL_SIZE, configure: Configure | None = None) -> Pool:
    """Return a pool that is not open yet, of connections as LangGraph's savers and our stores need them."""
    return ConnectionPool(
        url,
        min_size=1,
        max_size=size,
        open=False,
        configure=configure,
        check=ConnectionPool.check_connection,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
        name="langgraph-learning",
    )
