from pathlib import Path

import pytest
from cli.world import Ended, Run, learned
from typer.testing import CliRunner

from langgraph_learning.cli.app import app


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process, as a script would: without a terminal."""
    for name in ("LANGGRAPH_LEARNING_DB", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)

    def ran(*arguments: str, input: str | None = None) -> Ended:
        result = CliRunner().invoke(app, list(map(str, arguments)), input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    return ran


@pytest.fixture
def empty(tmp_path: Path) -> str:
    """The URL of a SQLite file that is not there."""
    return f"sqlite:///{tmp_path / 'learning.db'}"


@pytest.fixture
def url(empty: str) -> str:
    """The URL of a SQLite file with what Alex and Bo taught."""
    learned(empty)
    return empty
