"""How long a recall takes, and how much of that is the database: `python -m benchmarks.recall`.

With `--hybrid` also by meaning: the vectors of what is kept are made up, the question is embedded by `embed="local"`.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.databases import postgres
from langgraph_learning import LearningMachine, connect
from langgraph_learning.checkpointers._store.local_embedding import LocalEmbeddings
from langgraph_learning.checkpointers._store.store import HybridStore

WORDS = [f"word{number}" for number in range(3_000)]
QUESTIONS = 100


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


class MadeUpVectors(LocalEmbeddings):
    """Made-up vectors of what is kept, since embedding it takes minutes; questions are embedded as they are."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return vectors in no direction in particular."""
        chance = np.random.default_rng(len(texts))
        return [list(row) for row in chance.standard_normal((len(texts), 384)).tolist()]


@contextmanager
def timing(store: HybridStore) -> Iterator[list[float]]:
    """Add up what the store takes, embedding aside: the statements, and reading their rows."""
    times, execute = [0.0], store._execute

    def timed(*args: Any) -> Any:
        start = time.perf_counter()
        try:
            return execute(*args)
        finally:
            times[0] += time.perf_counter() - start

    store._execute = timed  # type: ignore[method-assign, assignment]
    yield times
    store._execute = execute  # type: ignore[method-assign]


def spent(step: Callable[[str], object], questions: list[str]) -> list[float]:
    """Return the milliseconds of each question, the slowest last."""
    step(questions[0])
    times = []
    for question in questions:
        start = time.perf_counter()
        step(question)
        times.append(1_000 * (time.perf_counter() - start))
    return sorted(times)


def told(times: list[float]) -> str:
    """Median / p95."""
    return f"{statistics.median(times):5.1f} / {statistics.quantiles(times, n=20)[-1]:5.1f}"


def measure(url: str, kind: str, count: int, *, hybrid: bool) -> None:
    """Load `count` memories or messages of one user, and ask."""
    chance = random.Random(1)
    options = {"conversations": True} if kind == "messages" else {"user_memory": True}
    with connect(url, embed=MadeUpVectors() if hybrid else None) as db:
        assert isinstance(db.store, HybridStore)
        alex = LearningMachine(**options).scoped(user_id="alex", store=db.store)  # type: ignore[arg-type]
        alex.load(said(count, chance) if kind == "messages" else memories(count, chance))
        questions = [" ".join(chance.choices(WORDS, k=4)) for _ in range(QUESTIONS)]
        namespace = ("learning", "user", "alex", "conversations" if kind == "messages" else "user_memory")
        searched = spent(lambda question: db.store.search(namespace, query=question, limit=200), questions)
        with timing(db.store) as times:
            recalled = spent(alex.recall, questions)
        share = 1_000 * times[0] / (sum(recalled) + recalled[0])
    how = "hybrid" if hybrid else "words"
    name = url.split(":")[0]
    print(
        f"{name:<11}{count:>7} {kind:<9}{how:<7} search {told(searched)}   recall {told(recalled)}   store {share:.0%}",
        flush=True,
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--hybrid", action="store_true", help="also with vectors")
    options.add_argument("--counts", default="2000,10000", help="how many records, by comma")
    given = options.parse_args()
    for count in map(int, given.counts.split(",")):
        for hybrid in (False, True) if given.hybrid else (False,):
            for kind in ("memories", "messages"):
                with tempfile.TemporaryDirectory() as folder:
                    measure(f"sqlite:///{Path(folder) / 'learning.db'}", kind, count, hybrid=hybrid)
                with postgres(None) as url:
                    measure(url, kind, count, hybrid=hybrid)


if __name__ == "__main__":
    main()
