from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance.driver import Home


@pytest.fixture(params=["memory-async", "sqlite-sync", "sqlite-async", "postgres-sync"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """An empty store of each kind: a weakness may hide behind one of them, and behind one colour."""
    kind, colour = request.param.split("-")
    urls = {"sqlite": f"sqlite:///{tmp_path / 'learning.db'}", "memory": None}
    url = request.getfixturevalue("postgres_url") if kind == "postgres" else urls[kind]
    with Home("sync" if colour == "sync" else "async", url) as opened:
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
