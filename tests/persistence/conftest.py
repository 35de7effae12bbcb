from collections.abc import Iterator
from pathlib import Path

import pytest

from langgraph_learning import LearningDB, connect


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LearningDB]:
    """An open database of each kind that `connect` opens."""
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    else:
        url = "sqlite:///:memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'learning.db'}"
    with connect(url) as opened:
        yield opened
