"""Kill a process that answers and learns, again and again at random points, and see what was learned.

`python -m background.kill URL ROUNDS SECONDS` (in `tests/`) ends after so many rounds or seconds. Each round is a
forked process that is killed by SIGKILL. It writes down which replies have ended; at last one that nobody kills learns
from what is left, and what is known is compared with what was said.
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.update({"MODEL_TAKES": "0.01", "DELAY": "0", "IN_PROCESS": "1"})

from background.agent import learning
from langgraph.graph import END, START, MessagesState, StateGraph

from langgraph_learning import LearningContext, connect
from langgraph_learning._engine.background import learner, lease

USERS = 2
lease.LEASE_TIME = timedelta(seconds=0.3)
learner.RESCAN = timedelta(seconds=0.2)


def graph_of(store: Any) -> Any:
    builder = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("recall", learning.recall_node())
    builder.add_node("agent", lambda _: {"messages": [("ai", "Noted.")]})
    builder.add_node("extract", learning.extract_node())
    for edge in ((START, "recall"), ("recall", "agent"), ("agent", "extract"), ("extract", END)):
        builder.add_edge(*edge)
    return builder.compile(store=store)


def answer_until_killed(url: str, ended: Path, first: int) -> None:
    """Answer turns, and write down each whose reply has ended."""
    with connect(url) as db, ended.open("a") as file:
        graph = graph_of(db.store)
        for number in range(first, first + 1_000):
            user = f"user{number % USERS}"
            config = {"configurable": {"thread_id": user}}
            said = {"messages": [{"role": "user", "content": f"My number is {number}", "id": f"m{number}"}]}
            graph.invoke(said, config, context={"user_id": user})
            file.write(f"{number}\n")
            file.flush()


def run(url: str, rounds: int, seconds: float, seed: int = 7) -> dict[str, Any]:
    """Return what came of it: how often it was killed, what was said, and what is wrong."""
    chance, stop_at = random.Random(seed), time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        ended = Path(folder) / "ended"
        ended.touch()
        for place in range(rounds):
            if time.monotonic() > stop_at:
                rounds = place
                break
            if not (child := os.fork()):
                try:
                    answer_until_killed(url, ended, 1 + 1_000 * place)
                finally:
                    os._exit(1)
            before = ended.stat().st_size
            while ended.stat().st_size == before and not os.waitpid(child, os.WNOHANG)[0]:
                time.sleep(0.005)
            time.sleep(chance.random() * 0.3)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        said = [int(line) for line in ended.read_text().splitlines()]
    with connect(url) as db:
        graph_of(db.store).invoke({"messages": [("user", "Hello.")]}, context={"user_id": "user0"})
        ends = time.monotonic() + 30
        while any(learning.scoped(user_id=f"user{place}", store=db.store).pending() for place in range(USERS)):
            assert time.monotonic() < ends, "not all was learned"
            time.sleep(0.05)
        learned = [
            int(record.text.split()[1])
            for place in range(USERS)
            for record in learning.scoped(user_id=f"user{place}", store=db.store).records("user_memory")
        ]
    per_user = [[number for number in learned if number % USERS == place] for place in range(USERS)]
    return {
        "killed": rounds,
        "replies": len(said),
        "lost": sorted(set(said) - set(learned)),
        "twice": [number for number, times in Counter(learned).items() if times > 1],
        "out_of_order": [late for numbers in per_user for early, late in pairwise(numbers) if late < early],
    }


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
