"""How much of the evidence a search finds: LoCoMo's questions over the turns of their conversations.

`python -m benchmarks.locomo --data DIR`: a turn is an item, its text has date and speaker. Recall at k is the share of
a question's evidence turns among the first k, mean over questions, evidence exactly as released (the official count).
"""

import argparse
import json
import math
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langgraph.store.base import PutOp

from benchmarks.databases import postgres
from langgraph_learning.checkpointers import PostgresHybridStore, SqliteHybridStore
from langgraph_learning.checkpointers._store.store import HybridStore

DEPTHS = (5, 10, 25, 50)
CATEGORIES = {4: "single", 1: "multi", 2: "temporal", 3: "open", 5: "adversarial"}


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the turns that answer it."""

    text: str
    evidence: list[str]
    category: int


@dataclass(frozen=True, slots=True)
class Conversation:
    """Two people over many sessions, and what is asked about them."""

    name: str
    turns: dict[str, str]
    questions: list[Question]


def read(file: Path) -> Conversation:
    data: dict[str, Any] = json.loads(file.read_text())
    talk: dict[str, Any] = data.get("conversation", data)
    turns = {}
    for number in range(1, 1_000):
        for turn in talk.get(f"session_{number}", []):
            caption = f" [shares a photo: {turn['blip_caption']}]" if turn.get("blip_caption") else ""
            date = talk[f"session_{number}_date_time"]
            turns[turn["dia_id"]] = f"({date}) {turn['speaker']}: {turn['text']}{caption}"
    questions = [Question(str(q["question"]), q.get("evidence") or [], q["category"]) for q in data["qa"]]
    return Conversation(file.stem, turns, questions)


def measures(found: list[str], evidence: list[str]) -> dict[str, float]:
    """The measures of one question; no evidence is found wherever one looks."""
    hits = [found.index(turn) + 1 for turn in evidence if turn in found]
    result = {f"R@{k}": sum(hit <= k for hit in hits) / len(evidence) if evidence else 1.0 for k in DEPTHS}
    gain = sum(1 / math.log2(hit + 1) for hit in hits if hit <= 10)
    ideal = sum(1 / math.log2(place + 2) for place in range(min(10, len(evidence))))
    result["MRR"] = (1 / min(hits) if hits else 0.0) if evidence else 1.0
    result["nDCG@10"] = gain / ideal if evidence else 1.0
    result["all@10"] = float(result["R@10"] == 1.0)
    return result


def run(store: HybridStore, conversations: list[Conversation]) -> Iterator[tuple[int, dict[str, float]]]:
    for talk in conversations:
        namespace = ("locomo", talk.name)
        store.batch([PutOp(namespace, key, {"text": text}, ["text"]) for key, text in talk.turns.items()])
    for talk in conversations:
        for question in talk.questions:
            items = store.search(("locomo", talk.name), query=question.text, limit=max(DEPTHS))
            yield question.category, measures([item.key for item in items], question.evidence)


def table(name: str, results: list[tuple[int, dict[str, float]]]) -> str:
    by_category: dict[int, list[float]] = defaultdict(list)
    for category, result in results:
        by_category[category].append(result["R@10"])
    every = [result for _, result in results]
    means = [100 * sum(result[key] for result in every) / len(every) for key in every[0]]
    parts = [100 * sum(by_category[c]) / len(by_category[c]) for c in CATEGORIES]
    return f"| {name} | {' | '.join(f'{mean:.1f}' for mean in [*means, *parts])} |"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True, help="a folder of conversations, one JSON file each")
    options.add_argument("--dsn", help="a Postgres to use instead of one started here")
    options.add_argument("--embed", default="local", help='what the hybrid runs embed with (default "local")')
    given = options.parse_args()
    conversations = [read(file) for file in sorted(given.data.glob("*.json"))]
    count = sum(len(talk.questions) for talk in conversations)
    print(f"{len(conversations)} conversations, {sum(len(t.turns) for t in conversations)} turns, {count} questions\n")
    heads = [f"R@{k}" for k in DEPTHS] + ["MRR", "nDCG@10", "all@10", *(f"R@10 {name}" for name in CATEGORIES.values())]
    print(f"| store | {' | '.join(heads)} |\n|{'---|' * (len(heads) + 1)}")
    with postgres(given.dsn) as dsn, tempfile.TemporaryDirectory() as folder:
        for label, embed in (("lexical", None), (f"hybrid ({given.embed})", given.embed)):
            with SqliteHybridStore(Path(folder) / f"{uuid.uuid4().hex}.db", embed=embed) as store:
                print(table(f"SQLite {label}", list(run(store, conversations))), flush=True)
            with PostgresHybridStore(dsn, schema=f"locomo_{uuid.uuid4().hex[:8]}", embed=embed) as store:
                print(table(f"Postgres {label}", list(run(store, conversations))), flush=True)


if __name__ == "__main__":
    main()
