"""Questions answered from memory: LoCoMo and LongMemEval, for whoever has the data and a model.

`python -m benchmarks.answers --locomo DIR --model openai:gpt-5.2` and `--longmemeval FILE` learn each history as a
user's, put its questions to the model with what is recalled for them, and print how many answers are exact, and their
mean F1, by the kind of question. Messages are kept without a model; with `--extract` the same model also learns user
memory from every session. A local server is `--model openai:NAME` with OPENAI_BASE_URL set.
"""

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage, convert_to_messages

from benchmarks.locomo import CATEGORIES, read
from langgraph_learning import LearningMachine, connect
from langgraph_learning.evals import exact, f1

ADVERSARIAL = 5
ASK = "Answer in as few words as the question allows, from what you remember alone; if you do not know, say: unknown."


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, what is right, of which kind it is, and when it is asked."""

    text: str
    answer: str
    kind: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class History:
    """What a user said, session by session, and what is asked then."""

    name: str
    sessions: list[tuple[str, datetime, list[BaseMessage]]]
    questions: list[Asked]


def locomo(folder: Path) -> Iterator[History]:
    """Yield the conversations of a folder; questions that have no answer are left out."""
    for file in sorted(folder.glob("*.json")):
        talk, rows = read(file), json.loads(file.read_text())["qa"]
        questions = [
            Asked(str(row["question"]), str(row["answer"]), CATEGORIES[row["category"]])
            for row in rows
            if row["category"] != ADVERSARIAL and "answer" in row
        ]
        yield History(talk.name, [(session.name, session.at, session.messages) for session in talk.sessions], questions)


def longmemeval(file: Path) -> Iterator[History]:
    """Yield the instances of LongMemEval, each with one question."""
    for row in json.loads(file.read_text()):
        sessions = [
            (
                str(key),
                _day(day),
                convert_to_messages([{"role": message["role"], "content": message["content"]} for message in messages]),
            )
            for key, day, messages in zip(
                row["haystack_session_ids"], row["haystack_dates"], row["haystack_sessions"], strict=True
            )
        ]
        question = Asked(
            str(row["question"]), str(row["answer"]), str(row["question_type"]), _day(row["question_date"])
        )
        yield History(str(row["question_id"]), sessions, [question])


def _day(written: str) -> datetime:
    return datetime.strptime(written, "%Y/%m/%d (%a) %H:%M").replace(tzinfo=UTC)


def answer(machine: LearningMachine, model: BaseChatModel, user: str, asked: Asked) -> str:
    """Return what the model answers, given what is recalled."""
    recalled = machine.scoped(user_id=user, thread_id="question").recall(asked.text).text
    today = f"Today is {asked.at:%A, %d %B %Y}. " if asked.at else ""
    question = [SystemMessage(f"{recalled}\n\n{today}{ASK}"), HumanMessage(asked.text)]
    return str(model.invoke(question).text)


def judged(
    history: History, model: BaseChatModel, budget: int, every: int, *, extract: bool
) -> Iterator[tuple[str, float, float]]:
    """Learn a history, and yield the kind of each question, whether its answer is exact, and its F1."""
    with tempfile.TemporaryDirectory() as folder, connect(f"sqlite:///{folder}/answers.db") as db:
        machine = LearningMachine(
            model=model, store=db.store, conversations=True, user_memory=extract, context_tokens=budget
        )
        for thread, at, messages in history.sessions:
            machine.scoped(user_id=history.name, thread_id=thread).learn(messages, at=at)
        for question in islice(history.questions, 0, None, every):
            reply = answer(machine, model, history.name, question)
            yield question.kind, float(exact(question.answer)(reply)), float(f1(question.answer)(reply))


def table(results: Sequence[tuple[str, float, float]]) -> str:
    """Return how the answers are judged, by kind and in all."""
    kinds: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for kind, is_exact, share in results:
        kinds[kind].append((is_exact, share))
        kinds["all"].append((is_exact, share))
    lines = ["| questions | number | exact | F1 |", "|---|---|---|---|"]
    for kind in [*sorted(kinds.keys() - {"all"}), *(["all"] if results else [])]:
        scores = kinds[kind]
        means = [100 * sum(score[place] for score in scores) / len(scores) for place in (0, 1)]
        lines.append(f"| {kind} | {len(scores)} | {means[0]:.1f} | {means[1]:.1f} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None, model: Any = None) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = options.add_mutually_exclusive_group(required=True)
    data.add_argument("--locomo", type=Path, help="a folder of conversations, one JSON file each")
    data.add_argument("--longmemeval", type=Path, help="a file of LongMemEval, such as longmemeval_s.json")
    options.add_argument("--model", required=model is None, help="provider:name, what answers")
    options.add_argument("--tokens", type=int, default=2_000, help="how much is recalled at most (default 2,000)")
    options.add_argument("--every", type=int, default=1, help="ask every so manyth question (default 1)")
    options.add_argument("--extract", action="store_true", help="also learn user memory, by the same model")
    args = options.parse_args(arguments)
    chat = model if model is not None else init_chat_model(args.model)
    histories = locomo(args.locomo) if args.locomo else longmemeval(args.longmemeval)
    if args.longmemeval:  # one question each
        histories, args.every = islice(histories, 0, None, args.every), 1
    results = [
        result
        for history in histories
        for result in judged(history, chat, args.tokens, args.every, extract=args.extract)
    ]
    print(table(results))


if __name__ == "__main__":
    main()
