from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from acceptance.driver import Colour, Home
from postgres_server import a_database
from psycopg.sql import SQL, Identifier


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Colour:
    """The colour of the code that runs the row."""
    return "sync" if request.param == "sync" else "async"


@pytest.fixture(scope="session")
def emptied(postgres_server: str) -> Iterator[Callable[[], str]]:
    """One database for all rows, as one costs more than a row; called, it is empty, and says its URL."""
    with a_database(postgres_server) as url:

        def empty() -> str:
            with psycopg.connect(url, autocommit=True) as connection:
                found = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
                kept = ("hybrid_commits", "hybrid_marks", "hybrid_facts")  # revisions go on; what made it stays
                names = [SQL("{}").format(Identifier(name)) for (name,) in found if name not in kept]
                names = [name for name in names if "migrations" not in name.as_string()]
                if names:
                    connection.execute(SQL("truncate {}").format(SQL(", ").join(names)))
                    connection.execute("delete from hybrid_marks where name = 'floor'")  # versions begin at 1
            return url

        yield empty


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def home(request: pytest.FixtureRequest, colour: Colour, tmp_path: Path) -> Iterator[Home]:
    """An empty store of each kind, to make agents on."""
    if request.param == "memory":
        url = None
    else:
        sqlite = f"sqlite:///{tmp_path / 'learning.db'}"
        url = sqlite if request.param == "sqlite" else request.getfixturevalue("emptied")()
    with Home(colour, url) as opened:
        yield opened
