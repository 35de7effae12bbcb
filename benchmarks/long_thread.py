"""One thread of 100,000 messages: `python -m benchmarks.long_thread [--messages 100000]`, on SQLite, without a model.

First `scoped().learn` takes the whole history, part by part: milliseconds a message after each tenth, the peak of the
process, then recalls and one more turn. Then a graph whose state holds all these messages takes one more
turn, with recall and extraction around its node and without. Times are the processor's, those of recalls by the clock.
"""

import argparse
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.base import BaseStore

from benchmarks.recall import WORDS, spent, told
from langgraph_learning import LearningContext, LearningMachine, connect

START_AT = datetime(2026, 1, 1, tzinfo=UTC)
TURNS = 5


def history(count: int, chance: random.Random) -> list[AnyMessage]:
    """Return messages of twelve words, by user and assistant in turn."""
    texts = [" ".join(chance.choices(WORDS, k=12)) for _ in range(count)]
    kinds = (HumanMessage, AIMessage)
    return [kinds[number % 2](text, id=f"m{number}") for number, text in enumerate(texts)]


def peak() -> float:
    """Return the peak of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def learn(store: BaseStore, messages: Sequence[AnyMessage], chance: random.Random) -> None:
    """Learn the history in one call, then recall and learn one more turn."""
    alex = LearningMachine(conversations=True, store=store).scoped(user_id="alex", thread_id="long")
    before, since, reached = peak(), time.process_time(), 0

    def progress(done: int, total: int) -> None:
        nonlocal since, reached
        if done - reached >= total // 10:
            now = time.process_time()
            print(f"to {done:,}: {1_000 * (now - since) / (done - reached):.1f} ms a message", flush=True)
            since, reached = now, done

    alex.learn(messages, at=START_AT, progress=progress)
    print(f"peak {before:.0f} MB before, {peak():.0f} after")
    questions = [" ".join(chance.choices(WORDS, k=4)) for _ in range(50)]
    print(f"recall, median / p95 in ms: {told(spent(alex.recall, questions))}")
    times = []
    for number in range(TURNS):
        turn = [HumanMessage("One more question", id=f"q{number}"), AIMessage("One more answer", id=f"a{number}")]
        start = time.process_time()
        alex.learn(turn)
        times.append(1_000 * (time.process_time() - start))
    print(f"one more turn, median in ms: {statistics.median(times):.1f}", flush=True)


def turns(graph: Any, messages: Sequence[AnyMessage]) -> list[float]:
    """Take turns in a thread that holds `messages`, and return their milliseconds."""
    thread = {"configurable": {"thread_id": "long"}}
    graph.update_state(thread, {"messages": list(messages)}, as_node="agent")
    times = []
    for turn in range(TURNS + 1):
        start = time.process_time()
        question = HumanMessage("What about word7 and word8?", id=f"q{turn}")
        graph.invoke({"messages": [question]}, thread, context={"user_id": "alex"})
        times.append(1_000 * (time.process_time() - start))
    return times[1:]


def compare(store: BaseStore, messages: Sequence[AnyMessage]) -> None:
    """Take turns with and without the steps of learning."""

    def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("Noted.")]}

    machine = LearningMachine(conversations=True, store=store)
    bare = StateGraph(MessagesState, context_schema=LearningContext)
    bare.add_node("agent", answer)
    bare.add_edge(START, "agent")
    learning = machine.around(answer)
    alone = statistics.median(turns(bare.compile(checkpointer=InMemorySaver()), messages))
    own = statistics.median(turns(learning.compile(checkpointer=InMemorySaver()), messages))
    print(f"a turn of a graph whose state holds {len(messages):,} messages: {alone:.0f} ms, with learning {own:.0f} ms")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure on a SQLite file that is thrown away."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--parts", default="learn,graph", help="what to measure, by comma")
    given = parser.parse_args(arguments)
    chance = random.Random(1)
    messages = history(given.messages, chance)
    parts = {"learn": lambda store: learn(store, messages, chance), "graph": lambda store: compare(store, messages)}
    for part in given.parts.split(","):
        with tempfile.TemporaryDirectory() as folder, connect(f"sqlite:///{folder}/learning.db") as db:
            parts[part](db.store)


if __name__ == "__main__":
    main()
