"""A thousand turns of one user in one process: memory, threads, files and connections on the way.

`python -m benchmarks.growth [--turns 1000] [--database sqlite|postgres] [--behind]`. What the process does once, and
what it keeps of the first turns, is over after a tenth of them: growth is counted from there.
"""

import argparse
import gc
import os
import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from benchmarks.databases import postgres
from langgraph_learning import LearningMachine, connect, create_learning_agent
from langgraph_learning.testing import ScriptedChatModel, op


def open_files() -> int:
    """Return how many files and sockets the process holds, where the system tells."""
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0


def connections(url: str) -> int:
    """Return how many connections the Postgres server has besides the one that asks."""
    if not url.startswith("postgresql"):
        return 0
    with psycopg.connect(url) as asking:
        row = asking.execute("select count(*) from pg_stat_activity where datname = current_database()").fetchone()
    return row[0] - 1 if row else 0


@contextmanager
def database(kind: str) -> Iterator[str]:
    """Give the URL of an empty database."""
    if kind == "postgres":
        with postgres(None) as url:
            yield url
    else:
        with TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/learning.db"


def hold(url: str, turns: int, background: bool) -> None:
    """Hold the turns, and print what the process holds after each tenth."""
    answers = [
        [op("add_memory", content=f"Likes tea number {n}", quote=f"I like tea number {n}")] for n in range(turns)
    ]
    model = ScriptedChatModel(replies=["Noted."], extractions=answers, repeat=True)
    learning = LearningMachine(user_memory=True, background=background)
    with connect(url) as db:
        agent: Any = create_learning_agent(model, learning=learning, db=db)
        for turn in range(1, turns + 1):
            agent.invoke(
                {"messages": [("user", f"I like tea number {turn - 1}")]},
                {"configurable": {"thread_id": f"t{turn}"}},
                context={"user_id": "alex"},
            )
            learning.drain()
            model.prompts.clear()  # what the scripted model keeps for tests is not ours to measure
            model.schemas.clear()
            if turn == turns // 10:
                gc.collect()
                tracemalloc.start()
            elif turn % (turns // 10) == 0:
                gc.collect()
                size = tracemalloc.get_traced_memory()[0] / 2**20
                held = f"{threading.active_count()} threads, {open_files()} files, {connections(url)} connections"
                print(f"{turn} turns: {size:.2f} MB more than after {turns // 10}, {held}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure on one database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=1_000)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--behind", action="store_true", help="learn behind the reply")
    given = parser.parse_args(arguments)
    with database(given.database) as url:
        hold(url, given.turns, given.behind)


if __name__ == "__main__":
    main()
