"""Is the evidence in the prompt? LoCoMo's questions after 10, 100 and all messages of a user's life.

`python -m benchmarks.budget --data DIR` learns each conversation as a user's (sessions are threads), and after so many
messages asks the same questions: the share of a question's evidence turns that the recalled text holds within 500,
1,000 and 2,000 tokens, mean over questions, of all its evidence, also of what was not said yet. No model is asked, so
none is needed; answers by a model are judged with `langgraph-learning eval`. With user memory, the data set's own
observations of the sessions so far are loaded: one that is recalled counts for the turns that it cites.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path

from benchmarks.locomo import NOTED, Conversation, Session, read
from langgraph_learning import LearningMachine, connect
from langgraph_learning.checkpointers import LearningDB

BUDGETS = (500, 1_000, 2_000)
ADVERSARIAL = 5


def parts(talk: Conversation, counts: Sequence[int]) -> Iterator[tuple[Session, slice]]:
    """Yield the messages session by session, cut where one of `counts` is reached."""
    done = 0
    for session in talk.sessions:
        length = len(session.messages)
        cuts = sorted({0, length, *(count - done for count in counts if 0 < count - done < length)})
        yield from ((session, slice(*pair)) for pair in pairwise(cuts))
        done += length


def memories(talk: Conversation, session: Session) -> list[dict[str, object]]:
    """Return what somebody noted down of a session."""
    when = {"created_at": session.at.isoformat(), "updated_at": session.at.isoformat()}
    return [
        {
            "id": f"{session.name}-{number}",
            "store": "user_memory",
            "scope": {"user_id": talk.name},
            "content": {"content": fact},
            "text": fact,
            "source": {"thread_id": session.name, "message_ids": about},
            **when,
        }
        for number, (fact, about) in enumerate(session.facts)
    ]


def found(db: LearningDB, talk: Conversation, every: int, options: dict[str, object]) -> list[float]:
    """Return the share of the evidence that is recalled within each budget."""
    shares: list[float] = []
    questions = [question for question in talk.questions if question.category != ADVERSARIAL and question.evidence]
    for budget in BUDGETS:
        machine = LearningMachine(store=db.store, context_tokens=budget, **options)  # type: ignore[arg-type]
        scoped = machine.scoped(user_id=talk.name, thread_id="question")
        total = []
        for question in islice(questions, 0, None, every):
            shown = {key for record in scoped.recall(question.text).records for key in record.source.message_ids}
            total.append(len(shown & set(question.evidence)) / len(set(question.evidence)))
        shares.append(sum(total) / len(total))
    return shares


def live(talk: Conversation, counts: Sequence[int], every: int, options: dict[str, object]) -> dict[int, list[float]]:
    """Return the shares after so many messages; the last is after all."""
    result: dict[int, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, connect(f"sqlite:///{folder}/curve.db") as db:
        machine = LearningMachine(store=db.store, **options)  # type: ignore[arg-type]
        done = 0
        for session, part in parts(talk, counts):
            scoped = machine.scoped(user_id=talk.name, thread_id=session.name)
            if "conversations" in options:
                scoped.learn(session.messages[part], at=session.at)
            if "user_memory" in options and part.stop == len(session.messages):
                scoped.load(memories(talk, session))
            done += part.stop - part.start
            if done in counts:
                result[done] = found(db, talk, every, options)
        result[max(counts)] = found(db, talk, every, options)
    return result


RUNS: dict[str, dict[str, object]] = {
    "conversations": {"conversations": True},
    "user memory": {"user_memory": NOTED},
    "both": {"conversations": True, "user_memory": NOTED},
}


def final(talk: Conversation, every: int) -> dict[str, list[float]]:
    """Return the shares after all messages, each conversation learned once; the memories come last."""
    with tempfile.TemporaryDirectory() as folder, connect(f"sqlite:///{folder}/curve.db") as db:
        machine = LearningMachine(conversations=True, user_memory=NOTED, store=db.store)
        for session in talk.sessions:
            machine.scoped(user_id=talk.name, thread_id=session.name).learn(session.messages, at=session.at)
        shares = {"conversations": found(db, talk, every, RUNS["conversations"])}
        for session in talk.sessions:
            machine.scoped(user_id=talk.name, thread_id=session.name).load(memories(talk, session))
        return shares | {name: found(db, talk, every, RUNS[name]) for name in ("user memory", "both")}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True, help="a folder of conversations, one JSON file each")
    options.add_argument("--only", default="*", help="which files, as a pattern (default all)")
    options.add_argument("--every", type=int, default=1, help="ask every so manyth question (default 1)")
    options.add_argument("--final", action="store_true", help="only after all messages, mean over conversations")
    given = options.parse_args()
    talks = [read(file) for file in sorted(given.data.glob(f"{given.only}.json"))]
    print(f"| learning stores | after | {' | '.join(f'{budget:,} tokens' for budget in BUDGETS)} |\n|{'---|' * 5}")
    if given.final:
        ends = [final(talk, given.every) for talk in talks]
        for name in RUNS:
            means = [100 * sum(end[name][place] for end in ends) / len(ends) for place in range(len(BUDGETS))]
            print(f"| {name} | all | {' | '.join(f'{mean:.1f}' for mean in means)} |", flush=True)
        return
    for name, learning in RUNS.items():
        curves = [live(talk, (10, 100, 1_000), given.every, learning) for talk in talks]
        for count in (10, 100, 1_000):
            means = [sum(curve[count][place] for curve in curves) / len(curves) for place in range(len(BUDGETS))]
            print(f"| {name} | {count:,} | {' | '.join(f'{100 * mean:.1f}' for mean in means)} |", flush=True)


if __name__ == "__main__":
    main()
