"""The worker: another process learns from what waits, and ends when it is asked to."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from background.agent import learning
from background.test_background import graph_of
from graphs.world import memories, said, thread
from typer.testing import CliRunner

from langgraph_learning import connect
from langgraph_learning.cli.app import app

TESTS = str(Path(__file__).parents[1])


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    found = request.getfixturevalue("postgres_url") if request.param == "postgres" else f"sqlite:///{tmp_path}/a.db"
    return str(found)


@contextmanager
def worker(url: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a worker, ask it to end by SIGTERM, and see that it ends well."""
    command = [sys.executable, "-m", "langgraph_learning.cli", "worker", "-d", url, "background.agent:learning"]
    paths = os.pathsep.join((TESTS, *sys.path))
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": paths, **environment}, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told


def test_a_worker_learns_what_another_process_scheduled_and_ends_well(url: str) -> None:
    with connect(url) as db:
        graph = graph_of(learning, db.store)
        for user in ("ada", "bob"):
            graph.invoke(said(f"My number is {user}", "m1"), thread(user), context={"user_id": user})
        with worker(url):
            assert learning.drain(60)
            graph.invoke(said("My number is 2", "m2"), thread("ada"), context={"user_id": "ada"})
            assert learning.drain(60)
        assert memories(db.store, "ada") == ["Number ada", "Number 2"]
        assert memories(db.store, "bob") == ["Number bob"]


def test_what_failed_is_shown_and_tried_again_by_command(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    with connect(url) as db:
        graph_of(learning, db.store).invoke(said("My number is 1", "m1"), thread(), context={"user_id": "ada"})
        [waiting] = learning.scoped(user_id="ada", store=db.store).pending()
        failed = waiting.model_copy(update={"status": "failed", "attempts": 5, "error": "ExtractionError: no JSON"})
        db.store.batch([failed.put()])
    [row] = map(json.loads, run("pending", "-d", url, "--json").splitlines())
    assert (row["status"], row["error"], row["identity"]["user_id"]) == ("failed", "ExtractionError: no JSON", "ada")
    assert "1 failed turns" in run("doctor", "-d", url)
    assert "turns failed" in run("stats", "-d", url)
    run("pending", "-d", url, "-u", "ada", "--retry")
    [row] = map(json.loads, run("pending", "-d", url, "--json").splitlines())
    assert (row["status"], row["attempts"]) == ("waiting", 0)
    assert "1 wait to be learned from" in run("doctor", "-d", url)


def run(*arguments: str) -> str:
    return str(CliRunner().invoke(app, arguments).stdout)
