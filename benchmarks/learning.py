"""What learning costs beside the model call: by operations in one answer, and by records that are known already.

Run it with `python -m benchmarks.learning`; the times are of the process, so that a busy machine changes little.
"""

import logging
import tempfile
import time
from collections.abc import Callable
from typing import Any

from langgraph.store.memory import InMemoryStore

from langgraph_learning import LearningMachine, Scoped, connect
from langgraph_learning.testing import ScriptedChatModel, op

OPERATIONS = (1_000, 4_000, 20_000, 100_000)
RECORDS = (100, 1_000, 5_000, 20_000)
KINDS = "apple bridge candle dragon ember forest garden harbor island jungle kettle lantern meadow needle".split()
DATE = "2026-01-01T00:00:00+00:00"


def measure(step: Callable[[], object], times: int = 3) -> float:
    """Return the seconds of the process that `step` takes, the best of some times."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        step()
        taken.append(time.process_time() - start)
    return min(taken)


def answer_of(count: int) -> float:
    """Return what a turn costs whose answer holds `count` operations."""
    operations: list[Any] = [{"operation": "add_memory", "content": f"Owns item {number}"} for number in range(count)]
    model = ScriptedChatModel(extractions=[operations], repeat=True)
    learning = LearningMachine(model=model, user_memory=True)

    def learn() -> None:
        learning.scoped(user_id="ada", store=InMemoryStore()).learn([("user", "I own things")])

    return measure(learn)


def known(scoped: Scoped, count: int) -> None:
    """Let a user have taught so much."""
    texts = [f"Owns {KINDS[n % 14]} {KINDS[n // 14 % 14]} {KINDS[n // 196 % 14]} number {n}" for n in range(count)]
    dates = {"created_at": DATE, "updated_at": DATE}
    place = {"store": "user_memory", "scope": {"user_id": "ada"}}
    scoped.load(
        {"id": f"r{n}", **place, "content": {"content": text}, "text": text, **dates} for n, text in enumerate(texts)
    )


def turn_beside(count: int) -> float:
    """Return what a turn costs of a user who has taught `count` memories."""
    with tempfile.TemporaryDirectory() as folder, connect(f"sqlite:///{folder}/learning.db") as db:
        model = ScriptedChatModel(extractions=[[op("add_memory", content=f"Owns a new thing {n}")] for n in range(9)])
        scoped = LearningMachine(model=model, user_memory=True, store=db.store).scoped(user_id="ada")
        known(scoped, count)
        turns = iter(range(9))
        return measure(lambda: scoped.learn([("user", f"I own the apple and thing {next(turns)}")]), 5)


if __name__ == "__main__":
    logging.disable()  # that an answer asks for too much is said once for each operation
    for count in OPERATIONS:
        print(f"{count:>7} operations in one answer: {answer_of(count):.3f} s")
    for count in RECORDS:
        print(f"{count:>7} memories on SQLite: {turn_beside(count):.3f} s")
