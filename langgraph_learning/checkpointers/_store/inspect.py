"""What a database holds, found out without changing it: opening one makes tables and migrates."""

import math
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

from langgraph_learning.checkpointers._patience import TIMEOUT
from langgraph_learning.checkpointers._store.codec import read_path
from langgraph_learning.checkpointers._store.dialect import Row
from langgraph_learning.checkpointers._store.statements import Dialect, load_blocks, migrations, pending_migrations
from langgraph_learning.checkpointers.database import connect, postgres_url, sqlite_path
from langgraph_learning.errors import StoreError

Query: TypeAlias = Callable[[str], list[Row]]


@dataclass(frozen=True)
class DatabaseState:
    """What a database holds."""

    server: str
    """Which database it is, with its version."""
    made: bool = False
    """Whether the tables of this package are there."""
    applied: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    """The migrations that opening it would apply."""
    unknown: tuple[int, ...] = ()
    """The migrations of a newer version of this package."""
    dims: int | None = None
    """How long the vectors are, if an embedder was ever given."""
    extension: str | None = None
    """The version of pgvector that is installed in this database."""
    available: str | None = None
    """The version of pgvector that this server could install."""
    size: int = 0
    """In bytes."""
    counts: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    """How many items each namespace holds, where they were counted; what has expired counts until it is swept."""
    turns: Mapping[str, int] = field(default_factory=dict)
    """How many turns are `waiting` to be learned from, and how many `failed`."""


def inspect(url: str, schema: str | None = None, *, counting: bool = False) -> DatabaseState | None:
    """Return what the database of `url` holds; None where there is no such SQLite file.

    Args:
        url: As for `connect`.
        schema: As for `connect`.
        counting: Whether items are counted, all of them.

    Raises:
        ConfigurationError: The URL cannot be opened, as for `connect`.
        StoreError: The database does not answer.
    """
    connect(url, schema=schema)  # raises for what cannot work
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
    blocks = load_blocks("sqlite", "state")
    try:
        with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=30)) as connection:
            yield lambda name: connection.execute(blocks[name][0]).fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"cannot read the SQLite database {path!r}: {error}") from error


@contextmanager
def _query_postgres(url: str, schema: str | None) -> Iterator[Query]:
    import psycopg

    from langgraph_learning.checkpointers._postgres import is_behind_pooler
    from langgraph_learning.checkpointers._schema import find_installation

    blocks = load_blocks("postgres", "state")
    try:
        timeout = math.ceil(TIMEOUT)
        with psycopg.connect(postgres_url(url), connect_timeout=timeout, prepare_threshold=None) as connection:
            installation = find_installation(connection, schema, behind_pooler=is_behind_pooler(connection))
            # In this transaction alone: behind a pooler the session is somebody else's afterwards. Without `public` a
            # schema that is missing is no current one: nothing was made there.
            connection.execute("select set_config('search_path', %s, true)", (installation.schema,))
            yield lambda name: connection.execute(blocks[name][0].encode()).fetchall()
    except psycopg.Error as error:
        raise StoreError(f"cannot open the Postgres database: {error}") from error


def _read_state(ask: Query, dialect: Dialect, *, counting: bool) -> DatabaseState:
    [(server,)] = ask("server_version")
    installed, available = next(iter(ask("vector_version")), (None, None))
    known = migrations(dialect)
    if not ask("has_tables"):
        names = tuple(name for number, (name, _) in known.items() if number not in pending_migrations(dialect, None))
        return DatabaseState(server, pending=names, extension=installed, available=available)
    there = {int(row[0]) for row in ask("applied_migrations")}
    dims = next((int(row[0]) for row in ask("get_dims")), None) if 1 in there else None
    return DatabaseState(
        server,
        made=True,
        applied=tuple(name for number, (name, _) in known.items() if number in there),
        pending=tuple(
            name for number, (name, _) in known.items() if number not in there | pending_migrations(dialect, dims)
        ),
        unknown=tuple(sorted(there - known.keys())),
        dims=dims,
        extension=installed,
        available=available,
        size=int(ask("size_in_bytes")[0][0]),
        turns=_count_turns(ask("count_turns") if 1 in there else ()),
        counts={read_path(path): int(items) for path, items in (ask("count_by_path") if counting else ())},
    )


def _count_turns(rows: Iterable[Row]) -> dict[str, int]:
    counted = Counter[str]()
    for path, status, count in rows:
        if status is not None and read_path(path)[-1] == "pending":
            counted[str(status)] += int(count)
    return dict(counted)
