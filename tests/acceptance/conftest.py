from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance.driver import Colour, Home


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Colour:
    """The colour of the code that runs the row."""
    return "sync" if request.param == "sync" else "async"


@pytest.fixture(params=["memory", "sqlite"])
def home(request: pytest.FixtureRequest, colour: Colour, tmp_path: Path) -> Iterator[Home]:
    """An empty store of each kind, to make agents on."""
    url = f"sqlite:///{tmp_path / 'learning.db'}" if request.param == "sqlite" else None
    with Home(colour, url) as opened:
        yield opened
