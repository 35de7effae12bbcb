"""Nothing is lost between the end of the reply and the commit, wherever the process is killed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the killed processes are forks: a fresh one takes seconds")
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_process_that_is_killed_at_any_point_has_every_turn_learned_once_and_in_order(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = request.getfixturevalue("postgres_url") if database == "postgres" else f"sqlite:///{tmp_path}/a.db"
    paths = os.pathsep.join((str(TESTS), *sys.path))
    command = [sys.executable, "-m", "background.kill", str(url), "12", "15"]
    ended = subprocess.run(
        command, cwd=TESTS, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found.pop("killed") > 0
    assert found.pop("replies") > 0
    assert found == {"lost": [], "twice": [], "out_of_order": []}
