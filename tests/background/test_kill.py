"""Nothing is lost between the end of the reply and the commit, wherever the process is killed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


ROUNDS = [pytest.param("12", "15", id="12"), pytest.param("50", "600", marks=pytest.mark.long, id="50")]
"""How often a process is killed, and after how many seconds the test is content with fewer."""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the killed processes are forks: a fresh one takes seconds")
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
@pytest.mark.parametrize(("rounds", "seconds"), ROUNDS)
def test_a_process_that_is_killed_at_any_point_has_every_turn_learned_once_and_in_order(
    database: str, rounds: str, seconds: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = request.getfixturevalue("postgres_url") if database == "postgres" else f"sqlite:///{tmp_path}/a.db"
    paths = os.pathsep.join((str(TESTS), *sys.path))
    command = [sys.executable, "-m", "background.kill", str(url), rounds, seconds]
    ended = subprocess.run(
        command, cwd=TESTS, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=1_200
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found.pop("killed") > 0
    assert found.pop("replies") > 0
    assert found == {"lost": [], "twice": [], "out_of_order": []}
