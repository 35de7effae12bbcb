"""How long a recall takes, and what it costs beside the store's own search: `python -m benchmarks.recall`."""

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.databases import postgres
from langgraph_learning import LearningMachine, connect

WORDS = [f"word{number}" for number in range(3_000)]
QUESTIONS = 40


def memories(count: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    """Made-up memories of twelve words, one a second."""
    for number in range(count):
        text = " ".join(chance.choices(WORDS, k=12))
        at = f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"
        scope, content = {"user_id": "alex"}, {"content": text}
        row = {"id": f"r{number}", "store": "user_memory", "scope": scope, "content": content, "text": text}
        yield {**row, "created_at": at, "updated_at": at}


def said(count: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    """Made-up messages of twelve words, fifty a thread."""
    for number in range(count):
        text, session, place = " ".join(chance.choices(WORDS, k=12)), f"thread{number // 50}", number % 50
        at = f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"
        speaker = "user" if number % 2 == 0 else "assistant"
        row = {"id": f"{session}-{place}", "store": "conversations", "scope": {"user_id": "alex"}}
        content = {"speaker": speaker, "text": text, "said_at": at}
        source = {"thread_id": session, "message_ids": [f"m{number}"], "actor": speaker}
        ordered = {"session": session, "place": place, "created_at": at, "updated_at": at}
        yield {**row, **ordered, "content": content, "text": f"(1 January 2026) {speaker}: {text}", "source": source}


def spent(step: Callable[[str], object], questions: list[str]) -> str:
    """Median / p95 in milliseconds."""
    times = []
    for question in questions:
        start = time.perf_counter()
        step(question)
        times.append(1_000 * (time.perf_counter() - start))
    return f"{statistics.median(times):.1f} / {statistics.quantiles(times, n=20)[-1]:.1f}"


def measure(url: str, count: int) -> None:
    chance = random.Random(1)
    with connect(url) as db:
        alex = LearningMachine(user_profile=True, user_memory=True).scoped(user_id="alex", store=db.store)
        alex.load(memories(count, chance))
        questions = [" ".join(chance.choices(WORDS, k=4)) for _ in range(QUESTIONS)]
        namespace = ("learning", "user", "alex", "user_memory")
        searched = spent(lambda question: db.store.search(namespace, query=question, limit=200), questions)
        recalled = spent(alex.recall, questions)
    print(f"{url.split(':')[0]:<11} {count:>6} memories   store's search {searched}   recall {recalled}")


def measure_messages(url: str, count: int) -> None:
    """How long a recall over messages takes: search, ranking with neighbours, reading those, rendering."""
    chance = random.Random(1)
    with connect(url) as db:
        alex = LearningMachine(conversations=True).scoped(user_id="alex", store=db.store)
        alex.load(said(count, chance))
        questions = [" ".join(chance.choices(WORDS, k=4)) for _ in range(QUESTIONS)]
        namespace = ("learning", "user", "alex", "conversations")
        searched = spent(lambda question: db.store.search(namespace, query=question, limit=200), questions)
        recalled = spent(alex.recall, questions)
    print(f"{url.split(':')[0]:<11} {count:>6} messages   store's search {searched}   recall {recalled}")


def main() -> None:
    for count in (2_000, 10_000):
        with tempfile.TemporaryDirectory() as folder:
            measure(f"sqlite:///{Path(folder) / 'learning.db'}", count)
            measure_messages(f"sqlite:///{Path(folder) / 'messages.db'}", count)
        with postgres(None) as url:
            measure(url, count)
        with postgres(None) as url:
            measure_messages(url, count)


if __name__ == "__main__":
    main()
