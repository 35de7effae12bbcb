from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from acceptance.driver import Colour, Home
from langgraph.store.postgres import PostgresStore
from langgraph.store.sqlite import SqliteStore

OURS = ["memory-async", "sqlite-sync", "sqlite-async", "postgres-sync"]
LANGGRAPHS = ["langgraph_sqlite-async", "langgraph_postgres-sync"]


@contextmanager
def open_home(request: pytest.FixtureRequest, folder: Path) -> Iterator[Home]:
    """Open an empty store of the kind that the fixture's parameter names, with the colour of the code that uses it."""
    kind, _, name = request.param.partition("-")
    colour: Colour = "sync" if name == "sync" else "async"
    url = request.getfixturevalue("postgres_url") if kind.endswith("postgres") else None
    if kind == "langgraph_sqlite":
        with SqliteStore.from_conn_string(str(folder / "store.db")) as store:
            store.setup()
            yield Home(colour, None, store)
    elif kind == "langgraph_postgres":
        with PostgresStore.from_conn_string(str(url)) as store:
            store.setup()
            yield Home(colour, None, store)
    else:
        with Home(colour, f"sqlite:///{folder / 'learning.db'}" if kind == "sqlite" else url) as opened:
            yield opened


@pytest.fixture(params=OURS)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """An empty store of each kind: a weakness may hide behind one of them, and behind one colour."""
    with open_home(request, tmp_path) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, for what takes compare-and-set or history."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'learning.db'}"


@pytest.fixture
def keeping(url: str) -> Iterator[Home]:
    """An empty database that keeps history."""
    with Home("sync", url) as opened:
        yield opened
