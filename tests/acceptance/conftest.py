from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from acceptance.driver import Colour, Home
from postgres_server import a_database, empty_database


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Colour:
    """The colour of the code that runs the row."""
    return "sync" if request.param == "sync" else "async"


@pytest.fixture(scope="session")
def emptied(postgres_server: str) -> Iterator[Callable[[], str]]:
    """One database for all rows, as one costs more than a row; called, it is empty, and says its URL."""
    with a_database(postgres_server) as url:

        def empty() -> str:
            empty_database(url)
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
