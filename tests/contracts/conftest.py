"""Every store under one roof: ours in three shapes, LangGraph's own in three, each in both colours."""

import itertools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from contracts.stores import Clock, Coloured, WordEmbeddings
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from langgraph.store.postgres import AsyncPostgresStore, PostgresStore
from langgraph.store.sqlite import AsyncSqliteStore, SqliteStore
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier
from psycopg_pool import ConnectionPool

from langgraph_learning.checkpointers import PostgresHybridStore, SqliteHybridStore
from langgraph_learning.checkpointers._store.store import HybridStore

OURS = ["sqlite", "sqlite-memory", "postgres"]
THEIRS = ["memory", "their-sqlite", "their-postgres"]
COLOURS = ["sync", "async"]
_numbers = itertools.count()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "fails_on(backend=reason): what one of LangGraph's own stores is known to get wrong"
    )


@pytest.fixture(scope="session")
def pool(postgres_server: str) -> Iterator["ConnectionPool[Any]"]:
    """One pool for all tests; each store has a schema of its own."""
    kwargs = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    with ConnectionPool(postgres_server, min_size=1, max_size=8, kwargs=kwargs) as pool:
        yield pool


@pytest.fixture
def clock() -> Clock:
    return Clock()


Make = Callable[..., HybridStore]


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Open a store of ours by the name of its backend; it is closed and its schema dropped afterwards."""
    opened: list[HybridStore] = []
    schemas: list[str] = []

    def open_store(backend: str, **options: Any) -> HybridStore:
        if backend == "postgres":
            schemas.append(f"s{next(_numbers)}")
            pool = request.getfixturevalue("pool")
            opened.append(PostgresHybridStore(pool, schema=schemas[-1], **options))
        else:
            path = ":memory:" if backend == "sqlite-memory" else tmp_path / f"store{next(_numbers)}.db"
            opened.append(SqliteHybridStore(path, **options))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("hybrid-store")]
    for schema in schemas:
        with request.getfixturevalue("pool").connection() as connection:
            connection.execute(SQL("drop schema if exists {} cascade").format(Identifier(schema)))


@asynccontextmanager
async def _theirs(backend: str, colour: str, url: str | None, index: Any = None) -> AsyncIterator[BaseStore]:
    if backend == "memory":
        yield InMemoryStore(index=index)
    elif backend == "their-sqlite" and colour == "async":
        async with AsyncSqliteStore.from_conn_string(":memory:") as asqlite:
            await asqlite.setup()
            yield asqlite
    elif backend == "their-sqlite":
        with SqliteStore.from_conn_string(":memory:") as sqlite:
            sqlite.setup()
            yield sqlite
    elif colour == "async":
        async with AsyncPostgresStore.from_conn_string(str(url), index=index) as apostgres:
            await apostgres.setup()
            yield apostgres
    else:
        with PostgresStore.from_conn_string(str(url), index=index) as postgres:
            postgres.setup()
            yield postgres


@pytest.fixture(params=[f"{backend}-{colour}" for backend in OURS + THEIRS for colour in COLOURS])
async def any_store(request: pytest.FixtureRequest, make: Make, clock: Clock) -> AsyncIterator[Coloured]:
    """Every store, ours and LangGraph's; what is known to fail there is marked, and must fail."""
    backend, colour = _parts(request)
    if backend in OURS:
        yield Coloured(make(backend, clock=clock), colour)
        return
    url = request.getfixturevalue("postgres_url") if backend == "their-postgres" else None
    async with _theirs(backend, colour, url) as store:
        yield Coloured(store, colour)


# Their SqliteStore has vectors only where Python's sqlite3 can load extensions.
VECTORED = [*OURS, "memory", "their-postgres"]


@pytest.fixture(params=[f"{backend}-{colour}" for backend in VECTORED for colour in COLOURS])
async def any_embedded(
    request: pytest.FixtureRequest, make: Make, clock: Clock, embedder: WordEmbeddings
) -> AsyncIterator[Coloured]:
    """Every store that can be had with an embedder here, over the field `text`."""
    backend, colour = _parts(request)
    if backend in OURS:
        yield Coloured(make(backend, clock=clock, embed=embedder, fields=["text"]), colour)
        return
    index = {"embed": embedder, "dims": embedder.dims, "fields": ["text"]}
    url = request.getfixturevalue("postgres_url") if backend == "their-postgres" else None
    async with _theirs(backend, colour, url, index) as store:
        yield Coloured(store, colour)


def _parts(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Backend and colour of a parameter; what is known to fail there is marked, and must fail."""
    backend, _, colour = str(request.param).rpartition("-")
    known = request.node.get_closest_marker("fails_on")
    names = [name.replace("-", "_") for name in (f"{backend}-{colour}", backend)]
    if reason := next((known.kwargs[name] for name in names if known and name in known.kwargs), None):
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    return backend, colour


@pytest.fixture(params=[f"{backend}-{colour}" for backend in OURS for colour in COLOURS])
def ours(request: pytest.FixtureRequest, make: Make, clock: Clock) -> Coloured:
    """Our stores, without an embedder."""
    backend, _, colour = request.param.rpartition("-")
    return Coloured(make(backend, clock=clock), colour)


@pytest.fixture
def embedder() -> WordEmbeddings:
    return WordEmbeddings()


@pytest.fixture(params=[f"{backend}-{colour}" for backend in OURS for colour in COLOURS])
def embedded(request: pytest.FixtureRequest, make: Make, clock: Clock, embedder: WordEmbeddings) -> Coloured:
    """Our stores, with an embedder."""
    backend, _, colour = request.param.rpartition("-")
    return Coloured(make(backend, clock=clock, embed=embedder), colour)


@pytest.fixture(params=OURS)
def store(request: pytest.FixtureRequest, make: Make, clock: Clock) -> HybridStore:
    """Our stores, for what has one colour or mixes both."""
    return make(request.param, clock=clock)
