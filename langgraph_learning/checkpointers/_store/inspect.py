"""A look at a database that changes nothing; opening one would create tables and migrate them."""

import math
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

from langgraph_learning.checkpointers._store.codec import read_path
from langgraph_learning.checkpointers._store.dialect import Row
from langgraph_learning.checkpointers._store.sql_statements import Dialect, load_blocks, migrations, pending_migrations
from langgraph_learning.checkpointers._timeouts import TIMEOUT
from langgraph_learning.checkpointers.database import connect, postgres_url, sqlite_path
from langgraph_learning.errors import StoreError

Query: TypeAlias = Callable[[str], list[Row]]


@dataclass(frozen=True)
class DatabaseState:
    """The state of a database, as `inspect` reads it."""

    server: str
    """The name and version of the database."""
    made: bool = False
    """Whether the tables of this package exist."""
    applied: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    """The migrations that opening the database would apply."""
    unknown: tuple[int, ...] = ()
    """The migrations that only a newer version of this package has."""
    dims: int | None = None
    """The length of the vectors; None if the database never had an embedder."""
    extension: str | None = None
    """The version of pgvector that is installed in this database."""
    available: str | None = None
    """The version of pgvector that this server could install."""
    size: int = 0
    """The size of the tables in bytes."""
    counts: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    """The number of items in each namespace, if counted; expired items count until they are swept."""
    turns: Mapping[str, int] = field(default_factory=dict)
    """The number of turns that are `waiting` to be learned from, and of those that `failed`."""


def inspect(url: str, schema: str | None = None, *, counting: bool = False) -> DatabaseState | None:
    """Return the state of the database of `url`; None if it is a SQLite file that does not exist.

    Args:
        url: As for `connect`.
        schema: As for `connect`.
        counting: Whether to count all items.

    Raises:
        ConfigurationError: The URL cannot be opened, as for `connect`.
        StoreError: The database does not answer.
    """
    connect(url, schema=schema)  # for the errors that it raises
    if url.startswith("sqlite:"):
        path = sqlite_path(url.partition("://")[2])
        if path == ":memory:" or not Path(path).exists():
            return None
        with _query_sqlite(path) as ask:
            return _read_state(ask, "sqlite", counting=counting)
    with _query_postgres(url, schema) as ask:
        return _read_state(ask, "postgres", counting=counting)


@contextmanager
def _query_sqlite(path: str) -> Iterator[Query]:
    blocks = load_blocks("sqlite", "inspect")
    try:
        with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=30)) as connection:
            yield lambda name: connection.execute(blocks[name][0]).fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"cannot read the SQLite database {path!r}: {error}") from error


@contextmanager
def _query_postgres(url: str, schema: str | None) -> Iterator[Query]:
    import psycopg

    from langgraph_learning.checkpointers._postgres import is_behind_pooler
    from langgraph_learning.checkpointers._schema_lookup import find_installation

    blocks = load_blocks("postgres", "inspect")
    try:
        timeout = math.ceil(TIMEOUT)
        with psycopg.connect(postgres_url(url), connect_timeout=timeout, prepare_threshold=None) as connection:
            installation = find_installation(connection, schema, behind_pooler=is_behind_pooler(connection))
            # Only for this transaction: behind a pooler the session serves another client afterwards. `public` is left
            # out, so a missing schema shows no tables of another installation.
            connection.execute("select set_config('search_path', %s, true)", (installation.schema,))
            yield lambda name: connection.execute(blocks[name][0].encode()).fetchall()
    except psycopg.Error as error:
        raise StoreError(f"cannot open the Postgres database: {error}") from error


def _read_state(ask: Query, dialect: Dialect, *, counting: bool) -> DatabaseState:
    [(server,)] = ask("server_version")
    installed, available = next(iter(ask("vector_version")), (None, None))
    known_migrations = migrations(dialect)
    if not ask("has_tables"):
        names = tuple(
            name for number, (name, _) in known_migrations.items() if number not in pending_migrations(dialect, None)
        )
        return DatabaseState(server, pending=names, extension=installed, available=available)
    applied = {int(row[0]) for row in ask("applied_migrations")}
    dims = next((int(row[0]) for row in ask("get_dims")), None) if 1 in applied else None
    return DatabaseState(
        server,
        made=True,
        applied=tuple(name for number, (name, _) in known_migrations.items() if number in applied),
        pending=tuple(
            name
            for number, (name, _) in known_migrations.items()
            if number not in applied | pending_migrations(dialect, dims)
        ),
        unknown=tuple(sorted(applied - known_migrations.keys())),
        dims=dims,
        extension=installed,
        available=available,
        size=int(ask("size_in_bytes")[0][0]),
        turns=_count_turns(ask("count_turns") if 1 in applied else ()),
        counts={read_path(path): int(items) for path, items in (ask("count_by_path") if counting else ())},
    )


def _count_turns(rows: Iterable[Row]) -> dict[str, int]:
    counted = Counter[str]()
    for path, status, count in rows:
        if status is not None and read_path(path)[-1] == "pending":
            counted[str(status)] += int(count)
    return dict(counted)
