import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp
from web.world import app_for, opened, teach

from langgraph_learning import LearningMachine

pytest.importorskip("fastapi", reason="the pages need the extra `web`")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that was learned into once; each test has a copy of its own."""
    path = tmp_path_factory.mktemp("web") / "web.db"
    teach(f"sqlite:///{path}")
    return path


@pytest.fixture
def database(template: Path, tmp_path: Path) -> str:
    for file in template.parent.iterdir():
        shutil.copy(file, tmp_path / file.name)
    return f"sqlite:///{tmp_path / template.name}"


@pytest.fixture
def world(database: str) -> Iterator[tuple[LearningMachine, Any]]:
    with opened(database) as made:
        yield made


@pytest.fixture
def app(world: tuple[LearningMachine, Any]) -> ASGIApp:
    return app_for(*world)
