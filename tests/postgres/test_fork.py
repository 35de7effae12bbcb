"""A server that loads the application and then forks its workers, as `gunicorn --preload` does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

SCRIPT = """
import asyncio, os, sys, traceback
from contracts.savers import learner, thread, turn
from langgraph_learning import connect

with connect(sys.argv[1], timeout=10) as db:
    graph = learner(db.checkpointer)

    def work(name):
        graph.invoke(turn("one"), thread(name))
        asyncio.run(graph.ainvoke(turn("two"), thread(name)))
        db.store.put((name,), "k", {"text": "tea"})
        assert asyncio.run(db.store.aget((name,), "k")) is not None
        assert len(db.store.search((name,), query="tea")) == 1
        assert graph.get_state(thread(name)).values["said"] == ["one", "two"]

    work("parent")
    children = []
    for number in range(3):
        if (child := os.fork()) == 0:
            try:
                work(f"child {number}")
                code = 0
            except BaseException:
                traceback.print_exc()
                code = 1
            os._exit(code)
        children.append(child)
    work("parent meanwhile")
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 3
    work("parent afterwards")
    for number in range(3):
        assert db.store.get((f"child {number}",), "k") is not None
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_workers_that_were_forked_after_opening_and_their_parent_all_work(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    url = f"sqlite:///{tmp_path / 'learning.db'}" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    tests = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, [tests, os.environ.get("PYTHONPATH")]))
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, url], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": path}, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "")
