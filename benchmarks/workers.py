"""How far one Postgres goes: `python -m benchmarks.workers URL [--users 1000] [--turns 10] [--takes 0.5]`.

A web process writes turns with their jobs while two workers learn from them; when half are written one is killed by
SIGKILL. Needs an empty database and the extras `worker` and `cli`.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from langchain_core.messages import BaseMessage

from langgraph_learning import Background, LearningMachine, connect
from langgraph_learning._engine.background.pending import schedule_turns
from langgraph_learning._engine.flow import Driver
from langgraph_learning._engine.learning.extract import turn_commit_id
from langgraph_learning._engine.learning.turn import Turn, TurnInput, TurnMessage
from langgraph_learning.records import Identity
from langgraph_learning.testing import ScriptedChatModel, op


def _answer(messages: list[BaseMessage]) -> Any:
    time.sleep(float(os.environ.get("TAKES", "0.5")))
    text = str(messages[-1].text).partition("<turn>")[2]
    numbers = [part.split("</")[0] for part in text.split("My number is ")[1:]]
    return [op("add_memory", content=f"Number {number}", quote=f"My number is {number}") for number in numbers]


learning = LearningMachine(
    model=ScriptedChatModel(extractions=[_answer], repeat=True),
    user_memory=True,
    max_updates_per_run=100,
    background=Background(delay=0, in_process=False),
)


def write_turns(store: Any, users: int, turns: int, written: dict[str, datetime]) -> float:
    """Write the turns of all users, as their replies end, note when, and return how long that took."""
    settings, driver, queue = learning._settings, Driver(store), store.jobs(learning.name)
    works, began = settings.extractions(), time.monotonic()
    for turn in range(turns):
        for user in range(users):
            identity, now = Identity(user_id=f"user{user}", thread_id=f"t{user}"), datetime.now(UTC)
            message = TurnMessage("user", f"My number is {user}-{turn}", f"m{user}-{turn}")
            turn_input = TurnInput(Turn((message,)), identity, now)
            keyed = [(turn_commit_id(works, turn_input), turn_input)]
            driver.run(schedule_turns(keyed, learning.name, now, timedelta(), str, None, queue.defer))
            written[f"Number {user}-{turn}"] = datetime.now(UTC)
    return time.monotonic() - began


def count_waiting(url: str) -> int:
    """Return how many turns wait."""
    with psycopg.connect(url) as connection:
        spaces = "select id from hybrid_namespaces where path like '%pending%'"
        row = connection.execute(f"select count(*) from hybrid_items where ns in ({spaces})").fetchone()  # noqa: S608
    return int(row[0]) if row else 0


def start_worker(url: str, takes: float, concurrency: int) -> "subprocess.Popen[bytes]":
    """Start a worker in a process of its own."""
    command = [sys.executable, "-m", "langgraph_learning.cli", "worker", "-d", url, "benchmarks.workers:learning"]
    environment = {**os.environ, "TAKES": str(takes)}
    return subprocess.Popen([*command, "-c", str(concurrency)], env=environment, stderr=subprocess.DEVNULL)


def learned_of(store: Any, users: int) -> list[tuple[str, datetime]]:
    """Return what was learned, and when."""
    scopes = (learning.scoped(user_id=f"user{user}", store=store) for user in range(users))
    return [(record.text, record.created_at) for scoped in scopes for record in scoped.records("user_memory")]


def measure(url: str, users: int, turns: int, takes: float, concurrency: int) -> dict[str, Any]:
    """Return how fast it went, how long a turn waited, and what is wrong."""
    with connect(url) as db, ThreadPoolExecutor(1) as web:
        store: Any = db.store
        store.jobs(learning.name)
        workers = [start_worker(url, takes, concurrency) for _ in range(2)]
        time.sleep(5)
        began, written = time.monotonic(), dict[str, datetime]()
        writing = web.submit(write_turns, store, users, turns, written)
        while not writing.done() or count_waiting(url):
            if len(written) >= users * turns // 2:
                workers[0].kill()
            time.sleep(1)
        took, written_in = time.monotonic() - began, writing.result()
        learned = learned_of(store, users)
    workers[1].send_signal(signal.SIGTERM)
    ended = workers[1].wait(120)
    workers[0].wait(10)
    numbers = Counter(text for text, _ in learned)
    waits = sorted((at - written[text]).total_seconds() for text, at in learned)
    return {
        "users": users,
        "turns": users * turns,
        "model_takes": takes,
        "concurrency": f"2 x {concurrency}",
        "written_per_second": round(users * turns / written_in),
        "learned_after_seconds": round(took),
        "learned_per_second": round(users * turns / took),
        "median_wait": round(waits[len(waits) // 2], 1),
        "longest_wait": round(waits[-1], 1),
        "lost": users * turns - len(numbers),
        "twice": sum(times > 1 for times in numbers.values()),
        "other_worker_ended_with": ended,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--takes", type=float, default=0.5, help="seconds an extraction takes")
    parser.add_argument("--concurrency", type=int, default=16, help="from how many users each worker learns at once")
    given = parser.parse_args(arguments)
    print(json.dumps(measure(given.url, given.users, given.turns, given.takes, given.concurrency)))


if __name__ == "__main__":
    main()
