"""How far one Postgres goes: `python -m benchmarks.workers URL [--users 1000] [--turns 10] [--takes 0.5]`.

A web process writes turns with their jobs, two workers learn from them, and one of these is killed on the way. Needs an
empty database and the extras `worker` and `cli`.
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
from datetime import UTC, datetime, timedelta
from typing import Any

from langchain_core.messages import BaseMessage

from langgraph_learning import Background, LearningMachine, connect
from langgraph_learning._engine.background.pending import load_all_pending, schedule_turns
from langgraph_learning._engine.flow import Driver
from langgraph_learning._engine.learning.extract import turn_commit_id
from langgraph_learning._engine.learning.turn import Turn, TurnInput, TurnMessage
from langgraph_learning.records import Identity
from langgraph_learning.testing import ScriptedChatModel, op


def _answer(messages: list[BaseMessage]) -> Any:
    time.sleep(float(os.environ.get("TAKES", "0.5")))
    said = str(messages[-1].text).partition("<turn>")[2]
    numbers = [part.split("</")[0] for part in said.split("My number is ")[1:]]
    return [op("add_memory", content=f"Number {number}", quote=f"My number is {number}") for number in numbers]


learning = LearningMachine(
    model=ScriptedChatModel(extractions=[_answer], repeat=True),
    user_memory=True,
    max_updates_per_run=100,
    background=Background(delay=0, in_process=False),
)


def write_turns(store: Any, users: int, turns: int) -> float:
    """Write the turns of all users, as their replies end, and return how long that took."""
    settings, driver, queue = learning._settings, Driver(store), store.jobs(learning.name)
    works, began = settings.extractions(), time.monotonic()
    for turn in range(turns):
        for user in range(users):
            identity, now = Identity(user_id=f"user{user}", thread_id=f"t{user}"), datetime.now(UTC)
            message = TurnMessage("user", f"My number is {user}-{turn}", f"m{user}-{turn}")
            heard = TurnInput(Turn((message,)), identity, now)
            keyed = [(turn_commit_id(works, heard), heard)]
            driver.run(schedule_turns(keyed, learning.name, now, timedelta(), str, None, queue.defer))
    return time.monotonic() - began


def measure(url: str, users: int, turns: int, takes: float) -> dict[str, Any]:
    """Return how fast it went, and what is wrong."""
    command = [sys.executable, "-m", "langgraph_learning.cli", "worker", "-d", url, "benchmarks.workers:learning"]
    workers = []
    with connect(url) as db:
        store: Any = db.store
        store.jobs(learning.name)
        for _ in range(2):
            environment = {**os.environ, "TAKES": str(takes)}
            workers.append(subprocess.Popen([*command, "-c", "16"], env=environment, stderr=subprocess.DEVNULL))
        began = time.monotonic()
        writing = write_turns(store, users, turns)
        workers[0].kill()
        while any(turn.status == "waiting" for turn in Driver(store).run(load_all_pending())):
            time.sleep(1)
        took = time.monotonic() - began
        commits = [
            commit for user in range(users) for commit in learning.scoped(user_id=f"user{user}", store=store).commits()
        ]
        numbers = Counter(
            record.text
            for user in range(users)
            for record in learning.scoped(user_id=f"user{user}", store=store).records("user_memory")
        )
    workers[1].send_signal(signal.SIGTERM)
    workers[1].wait(60)
    return {
        "users": users,
        "turns": users * turns,
        "model_takes": takes,
        "written_per_second": round(users * turns / writing),
        "learned_after_seconds": round(took),
        "learned_per_second": round(users * turns / took),
        "extractions": len(commits),
        "lost": users * turns - len(numbers),
        "twice": sum(times > 1 for times in numbers.values()),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--takes", type=float, default=0.5, help="seconds an extraction takes")
    given = parser.parse_args(arguments)
    print(json.dumps(measure(given.url, given.users, given.turns, given.takes)))


if __name__ == "__main__":
    main()
