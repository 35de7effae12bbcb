"""What a turn costs: `python -m benchmarks.turn [--postgres URL] [--memories 0 100 1000] [--takes 2] [--peers]`.

The same agent without learning, learning in the graph, and behind the reply, over a model that takes a fixed time for
an extraction and none for a reply: so what is left is ours. Median of several turns, each in a thread of its own.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import BaseMessage

from benchmarks.peers import run_beside_peers
from langgraph_learning import Background, LearningContext, LearningMachine, connect
from langgraph_learning.testing import ScriptedChatModel, op
from langgraph_learning.words import tokens

TURNS = 5
USER = {"user_id": "ada"}


class Timed:
    """A model that takes its time for an extraction, and notes when it was asked."""

    def __init__(self, takes: float) -> None:
        self.takes = takes
        self.number = 0
        self.asked: list[float] = []

    def model(self) -> ScriptedChatModel:
        return ScriptedChatModel(replies=["Noted, thank you."], extractions=[self.extract], repeat=True)

    def extract(self, _: list[BaseMessage]) -> Any:
        self.asked.append(time.monotonic())
        time.sleep(self.takes)
        self.number += 1
        return [op("add_memory", content=f"Owns bicycle number {self.number}", quote="bicycle")]


def measure(url: str, memories: int, takes: float) -> list[dict[str, Any]]:
    """Return one row per way to learn."""
    rows = []
    with connect(url) as db:
        seed = LearningMachine(user_memory=True).scoped(user_id="ada", store=db.store)
        if memories:
            seed.load(_memory(number) for number in range(memories))
        for way in ("without", "in the graph", "behind the reply"):
            timed = Timed(takes)
            model = timed.model()
            background = Background() if way == "behind the reply" else False
            machine = LearningMachine(model=model, user_memory=True, background=background)
            middleware = [] if way == "without" else machine.middleware(model)
            agent: Any = create_agent(
                model, middleware=middleware, context_schema=LearningContext,
                store=db.store, checkpointer=db.checkpointer,
            )  # fmt: skip
            asyncio.run(_one(agent, "warm", f"{way} {memories}"))
            machine.drain()
            took = [_turn(agent, machine, timed, f"{way} {memories} {turn}") for turn in range(TURNS)]
            row = {key: round(statistics.median(times[key] for times in took), 3) for key in took[0]}
            sent = max((sum(tokens(str(part.text)) for part in prompt) for prompt in model.prompts["reply"]), default=0)
            rows.append(
                {"database": url.partition(":")[0], "memories": memories, "way": way, **row, "reply_tokens": sent}
            )
    return rows


def _memory(number: int) -> dict[str, Any]:
    text = f"Keeps the book number {number} about the town of Berg-{number % 97}"
    at = "2026-01-01T00:00:00+00:00"
    return {
        "id": f"seed-{number}", "store": "user_memory", "scope": {"user_id": "ada"}, "content": {"content": text},
        "text": text, "created_at": at, "updated_at": at,
    }  # fmt: skip


async def _one(agent: Any, thread: str, text: str) -> None:
    await agent.ainvoke(_said(text), _thread(thread), context=USER)


def _said(what: str) -> dict[str, Any]:
    return {"messages": [("user", f"I own another bicycle, {what}.")]}


def _thread(name: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": name}}


class Watch:
    """Seconds since it was made: by the clock on the wall, and of the process, which others do not lengthen."""

    def __init__(self) -> None:
        self.began, self._of_process = time.monotonic(), time.process_time()

    def read(self, name: str) -> dict[str, float]:
        """Return both."""
        own = time.process_time() - self._of_process
        return {name: time.monotonic() - self.began, f"{name}_cpu": own}


def _turn(agent: Any, machine: LearningMachine, timed: Timed, name: str) -> dict[str, float]:
    timed.asked.clear()
    watch = Watch()
    agent.invoke(_said(name), _thread(name), context=USER)
    times = watch.read("invoke")
    before = sum(at < watch.began + times["invoke"] for at in timed.asked)
    machine.drain()
    times["learned"] = time.monotonic() - watch.began
    watch, first = Watch(), None
    for _ in agent.stream(_said(f"{name} s"), _thread(f"{name} s"), context=USER, stream_mode="messages"):
        first = first or time.monotonic() - watch.began
    times |= {"first_token": first or 0.0, **watch.read("stream")}
    machine.drain()
    times |= asyncio.run(_awaited(agent, f"{name} a"))
    machine.drain()
    return {**times, "calls_before_end": before, "calls": len(timed.asked) / 4}


async def _awaited(agent: Any, name: str) -> dict[str, float]:
    watch = Watch()
    await _one(agent, name, name)
    times = watch.read("ainvoke")
    watch = Watch()
    inputs = _said(f"{name} s")
    async for _ in agent.astream(inputs, _thread(f"{name} s"), context=USER, stream_mode="messages"):
        pass
    return {**times, **watch.read("astream")}


def burst(url: str) -> int:
    """Return how many extractions ten turns in a burst cost behind the reply."""
    timed = Timed(0)
    machine = LearningMachine(model=timed.model(), user_memory=True, background=Background(delay=60))
    with connect(url) as db:
        agent: Any = create_agent(
            timed.model(), middleware=machine.middleware(), context_schema=LearningContext, store=db.store
        )
        for turn in range(10):
            agent.invoke(_said(str(turn)), _thread("burst"), context={"user_id": "bo"})
        machine.drain()
    return len(timed.asked)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write a line of JSON per row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", metavar="URL", help="an empty database")
    parser.add_argument("--memories", type=int, nargs="+", default=[0, 100, 1_000, 2_000])
    parser.add_argument("--only", choices=["sqlite", "postgres"], help="one of the two databases")
    parser.add_argument("--takes", type=float, default=2.0, help="seconds an extraction takes")
    parser.add_argument(
        "--peers", action="store_true", help="Agno, LangMem and mem0 beside ours, in an environment of theirs"
    )
    given = parser.parse_args(arguments)
    if given.peers:
        sizes = [str(memories) for memories in given.memories]
        return run_beside_peers(["--memories", *sizes, "--takes", str(given.takes)])
    for memories in given.memories if given.only != "postgres" else ():
        with tempfile.TemporaryDirectory() as folder:
            for row in measure(f"sqlite:///{folder}/turn.db", memories, given.takes):
                print(json.dumps(row), flush=True)
            print(json.dumps({"database": "sqlite", "extractions_of_ten_turns": burst(f"sqlite:///{folder}/turn.db")}))
    if given.postgres and given.only != "sqlite":
        for row in measure(given.postgres, given.memories[-1], given.takes):
            print(json.dumps(row), flush=True)
        print(json.dumps({"database": "postgresql", "extractions_of_ten_turns": burst(given.postgres)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
