"""How much of the evidence a search finds: LoCoMo's questions over the turns of their conversations.

`python -m benchmarks.locomo --data DIR` learns each conversation with a learning machine, as a user's (sessions are
threads, turns are messages with their day), and searches it with `scoped().search(question, store="conversations")`.
Recall at k is the share of a question's evidence turns among the first k, mean over questions, evidence exactly as
released (the official count). With facts, the data set's own observations are loaded as memories that cite their turns.
"""

import argparse
import json
import math
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from benchmarks.databases import postgres
from benchmarks.vector_cache import CachedEmbeddings
from langgraph_learning import LearningMachine, LearningMode, Scoped, UserMemoryConfig, connect

DEPTHS = (5, 10, 25, 50)
NOTED = UserMemoryConfig(mode=LearningMode.AGENTIC)
"""The facts are there already: no model is asked for them."""
CATEGORIES = {4: "single", 1: "multi", 2: "temporal", 3: "open", 5: "adversarial"}


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the turns that answer it."""

    text: str
    evidence: list[str]
    category: int


@dataclass(frozen=True, slots=True)
class Session:
    """What was said at one time, and the facts that somebody noted down, each with the turns it rests on."""

    name: str
    at: datetime
    messages: list[BaseMessage]
    facts: list[tuple[str, list[str]]] = field(default_factory=list)
    speakers: dict[str, str] = field(default_factory=dict)
    """Of whom each of the facts is."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Two people over many sessions, and what is asked about them."""

    name: str
    sessions: list[Session]
    questions: list[Question]


def read(file: Path) -> Conversation:
    data: dict[str, Any] = json.loads(file.read_text())
    talk: dict[str, Any] = data.get("conversation", data)
    sessions = []
    for number in range(1, 1_000):
        if turns := talk.get(f"session_{number}"):
            at = datetime.strptime(talk[f"session_{number}_date_time"], "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
            noted = data.get("observation", data).get(f"session_{number}_observation") or {}
            facts = [(str(fact), _ids(about)) for notes in noted.values() for fact, about in notes]
            speakers = {str(fact): who for who, notes in noted.items() for fact, _ in notes}
            messages = [_message(turn, talk["speaker_a"]) for turn in turns]
            sessions.append(Session(f"session_{number}", at, messages, facts, speakers))
    questions = [Question(str(q["question"]), q.get("evidence") or [], q["category"]) for q in data["qa"]]
    return Conversation(file.stem, sessions, questions)


def _message(turn: dict[str, Any], user: str) -> BaseMessage:
    caption = f" [shares a photo: {turn['blip_caption']}]" if turn.get("blip_caption") else ""
    kind = HumanMessage if turn["speaker"] == user else AIMessage
    return kind(f"{turn['text']}{caption}", id=turn["dia_id"], name=turn["speaker"])


def _ids(about: object) -> list[str]:
    return [str(about)] if isinstance(about, str) else [str(part) for part in about]  # type: ignore[attr-defined]


def learn(scoped_for: "Scopes", talk: Conversation, *, facts: bool) -> None:
    """Learn a conversation; there is no model to ask."""
    for session in talk.sessions:
        scoped_for(talk, session).learn(session.messages, at=session.at)
    if facts:
        scoped_for(talk, talk.sessions[0]).load(_memories(talk))


def _memories(talk: Conversation) -> Iterator[dict[str, Any]]:
    for session in talk.sessions:
        for number, (fact, about) in enumerate(session.facts):
            yield {
                "id": f"{session.name}-{number}",
                "store": "user_memory",
                "scope": {"user_id": talk.name},
                "content": {"content": fact},
                "text": fact,
                "source": {"thread_id": session.name, "message_ids": about},
                "created_at": session.at.isoformat(),
                "updated_at": session.at.isoformat(),
            }


@dataclass(frozen=True)
class Scopes:
    """The data API of the user of a conversation, in a session."""

    machine: LearningMachine

    def __call__(self, talk: Conversation, session: Session) -> Scoped:
        return self.machine.scoped(user_id=talk.name, thread_id=session.name)


def measures(results: list[str], evidence: list[str]) -> dict[str, float]:
    """The measures of one question; no evidence is found wherever one looks."""
    hits = [results.index(turn) + 1 for turn in evidence if turn in results]
    result = {f"R@{k}": sum(hit <= k for hit in hits) / len(evidence) if evidence else 1.0 for k in DEPTHS}
    gain = sum(1 / math.log2(hit + 1) for hit in hits if hit <= 10)
    ideal = sum(1 / math.log2(place + 2) for place in range(min(10, len(evidence))))
    result["MRR"] = (1 / min(hits) if hits else 0.0) if evidence else 1.0
    result["nDCG@10"] = gain / ideal if evidence else 1.0
    result["all@10"] = float(result["R@10"] == 1.0)
    return result


def run(
    url: str, embed: Embeddings | str | None, conversations: list[Conversation], *, facts: bool
) -> Iterator[tuple[int, dict[str, float]]]:
    with connect(url, embed=embed, schema=f"locomo_{uuid.uuid4().hex[:8]}" if "postgres" in url else None) as db:
        scoped_for = Scopes(LearningMachine(conversations=True, user_memory=NOTED, store=db.store))
        for talk in conversations:
            learn(scoped_for, talk, facts=facts)
        for talk in conversations:
            scoped = scoped_for(talk, talk.sessions[-1])
            for question in talk.questions:
                records = scoped.search(question.text, limit=max(DEPTHS), store="conversations")
                ids = [record.source.message_ids[0] for record in records]
                yield question.category, measures(ids, question.evidence)


def table(name: str, results: list[tuple[int, dict[str, float]]]) -> str:
    by_category: dict[int, list[float]] = defaultdict(list)
    for category, result in results:
        by_category[category].append(result["R@10"])
    every = [result for _, result in results]
    means = [100 * sum(result[key] for result in every) / len(every) for key in every[0]]
    parts = [100 * sum(by_category[c]) / max(len(by_category[c]), 1) for c in CATEGORIES]
    return f"| {name} | {' | '.join(f'{mean:.1f}' for mean in [*means, *parts])} |"


BUDGETS = (500, 1_000, 2_000)
RECALLED: dict[str, dict[str, Any]] = {
    "conversations": {"conversations": True},
    "user memory": {"user_memory": NOTED},
    "both": {"conversations": True, "user_memory": NOTED},
}


def budgets(conversations: list[Conversation], every: int) -> Iterator[str]:
    """Yield rows: the share of the evidence that a recall of so many tokens holds, by what is recalled, in per cent.

    A record counts for the turns it rests on; adversarial questions, which nothing answers, are left out.
    """
    shares: dict[tuple[str, int], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, connect(f"sqlite:///{folder}/budgets.db") as db:
        scoped_for = Scopes(LearningMachine(conversations=True, user_memory=NOTED, store=db.store))
        for talk in conversations:
            learn(scoped_for, talk, facts=False)
        for name, kinds in RECALLED.items():
            for talk in conversations:
                if name == "user memory":  # not before: messages would be found by them
                    scoped_for(talk, talk.sessions[0]).load(_memories(talk))
                questions = [question for question in talk.questions if question.evidence and question.category != 5]
                for budget in BUDGETS:
                    scoped = LearningMachine(store=db.store, context_tokens=budget, **kinds).scoped(user_id=talk.name)
                    for question in questions[::every]:
                        held = {
                            id for record in scoped.recall(question.text).records for id in record.source.message_ids
                        }
                        evidence = set(question.evidence)
                        shares[name, budget].append(100 * len(held & evidence) / len(evidence))
            means = [sum(shares[name, budget]) / len(shares[name, budget]) for budget in BUDGETS]
            yield f"| {name} | {' | '.join(f'{mean:.1f}' for mean in means)} |"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True, help="a folder of conversations, one JSON file each")
    options.add_argument("--dsn", help="a Postgres to use instead of one started here")
    options.add_argument("--embed", default="local", help='what the runs with vectors embed with (default "local")')
    options.add_argument("--cache", type=Path, help="a file in which vectors are kept from run to run")
    options.add_argument("--only", default="*", help="which files, as a pattern (default all)")
    options.add_argument("--runs", default="words,words+facts,vectors,vectors+facts", help="which runs, by comma")
    options.add_argument("--databases", default="sqlite,postgres", help="which databases, by comma")
    options.add_argument("--budgets", type=int, metavar="N", help="instead, what recalls hold: every N-th question")
    given = options.parse_args()
    conversations = [read(file) for file in sorted(given.data.glob(f"{given.only}.json"))]
    cached = CachedEmbeddings(given.embed, given.cache) if given.cache else None
    count = sum(len(talk.questions) for talk in conversations)
    turns = sum(len(session.messages) for talk in conversations for session in talk.sessions)
    print(f"{len(conversations)} conversations, {turns} turns, {count} questions\n")
    if given.budgets:
        print(f"| recalled | {' | '.join(f'{budget:,} tokens' for budget in BUDGETS)} |\n|{'---|' * 4}")
        for row in budgets(conversations, given.budgets):
            print(row, flush=True)
        return
    heads = [f"R@{k}" for k in DEPTHS] + ["MRR", "nDCG@10", "all@10", *(f"R@10 {name}" for name in CATEGORIES.values())]
    print(f"| | {' | '.join(heads)} |\n|{'---|' * (len(heads) + 1)}")
    with (
        postgres(given.dsn) if "postgres" in given.databases else nullcontext("") as dsn,
        tempfile.TemporaryDirectory() as folder,
    ):
        for kind in given.runs.split(","):
            embed = (cached or given.embed) if "vectors" in kind else None
            for database in given.databases.split(","):
                url = dsn if database == "postgres" else f"sqlite:///{Path(folder) / uuid.uuid4().hex}.db"
                results = list(run(url, embed, conversations, facts="facts" in kind))
                print(table(f"{database} {kind}", results), flush=True)


if __name__ == "__main__":
    main()
