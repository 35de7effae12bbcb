"""A thousand turns of one user in one process: memory, threads and connections at the beginning and at the end.

python -m benchmarks.growth
"""

import gc
import os
import threading
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory

from langgraph_learning import LearningMachine, connect, create_learning_agent
from langgraph_learning.testing import ScriptedChatModel, op

TURNS, STEP = 1_000, 250


def open_files() -> int:
    """How many files and sockets the process holds, where the system tells."""
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0


def main() -> None:
    """Hold the turns, and print what the process holds after each quarter."""
    answers = [
        [op("add_memory", content=f"Likes tea number {n}", quote=f"I like tea number {n}")] for n in range(TURNS)
    ]
    model = ScriptedChatModel(replies=["Noted."], extractions=answers, repeat=True)
    with TemporaryDirectory() as folder, connect(f"sqlite:///{folder}/learning.db") as db:
        agent = create_learning_agent(model, learning=LearningMachine(user_memory=True), db=db)
        for turn in range(1, TURNS + 1):
            agent.invoke(
                {"messages": [("user", f"I like tea number {turn - 1}")]},
                {"configurable": {"thread_id": f"t{turn}"}},
                context={"user_id": "alex"},
            )
            model.prompts.clear()  # what the scripted model keeps for tests is not ours to measure
            model.schemas.clear()
            if turn == 50:
                gc.collect()
                tracemalloc.start()
            if turn % STEP == 0:
                gc.collect()
                size = tracemalloc.get_traced_memory()[0] / 2**20
                held = f"{threading.active_count()} threads, {open_files()} files"
                print(f"{turn} turns: {size:.1f} MB more than after 50, {held}")


if __name__ == "__main__":
    main()
