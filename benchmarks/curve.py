"""Is what helps in the prompt? The same questions after 0, 10, 100 and 1,000 interactions of a user's life.

`python -m benchmarks.curve --data DIR` lets one user a conversation live 1,000 interactions (`benchmarks/life.py`), and
asks the same questions after so many of them: the share of a question's evidence that the recalled text holds within
500, 1,000 and 2,000 tokens, mean over questions and lives, also of what was not said yet.

- *talk*: LoCoMo's questions; the evidence are the turns that answer one. A record counts for the turns it rests on.
- *tasks*: for each thing that was, or will be, counted, how many there are; the evidence is the query that works.

No model is asked. Conversations are kept as they are; the memories and facts are the data set's own observations,
which stand for what a model would have noted down; the procedures go through the whole extraction, with scripted
operations in the place of a model's answer. "All but" one asks a machine without it about the same memory. `--costs`
lets everything go through the extraction, and counts the tokens of its prompts.
"""

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.life import THINGS, Interaction, live, query_of
from benchmarks.locomo import NOTED, Conversation, read
from langgraph_learning import (
    EntityMemoryConfig,
    LearningDB,
    LearningMachine,
    LearningMode,
    ProceduresConfig,
    connect,
)
from langgraph_learning._engine.flow import Driver
from langgraph_learning._engine.maintenance.learning_stats import load_figures
from langgraph_learning.records import ROOT
from langgraph_learning.testing import ScriptedChatModel

BUDGETS = (500, 1_000, 2_000)
COUNTS = (10, 100, 1_000)
ADVERSARIAL = 5
ENTITIES = EntityMemoryConfig(namespace="user", mode=LearningMode.AGENTIC)
ALL: dict[str, Any] = {
    "conversations": True,
    "user_memory": NOTED,
    "entity_memory": ENTITIES,
    "procedures": ProceduresConfig(mode=LearningMode.ALWAYS, namespace="user"),
}
RUNS: dict[str, tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]] = {
    **{name: ({name: config}, [(name, {name: config})]) for name, config in ALL.items()},
    "all": (
        ALL,
        [("all", ALL), *((f"all but {name}", {each: ALL[each] for each in ALL if each != name}) for name in ALL)],
    ),
}
"""What is learned into one store, and which machines are then asked, each with a name."""


class Scribe:
    """A scripted model that notes down what `benchmarks/life.py` says of the interaction at hand."""

    def __init__(self) -> None:
        self.now: Interaction | None = None
        self.model = ScriptedChatModel(extractions=[lambda _: self.now.operations if self.now else []], repeat=True)


def observed(talk: Conversation, interaction: Interaction, number: int) -> Iterator[dict[str, Any]]:
    """Yield the observations of an interaction as memories, and as facts of the person they are about."""
    at = interaction.at.isoformat()
    shared = {"scope": {"user_id": talk.name}, "created_at": at, "updated_at": at}
    for place, (who, fact, about) in enumerate(interaction.facts):
        source = {"thread_id": interaction.thread, "message_ids": about}
        row = {**shared, "source": source, "id": f"{number}-{place}"}
        yield {**row, "store": "user_memory", "content": {"content": fact}, "text": fact}
        entity: dict[str, Any] = {
            "kind": "entity",
            "name": who,
            "type": "person",
            "description": None,
            "aliases": [],
            "properties": {},
        }
        yield {**shared, "store": "entity_memory", "id": who, "content": entity, "text": f"{who} (person)"}
        content = {"kind": "fact", "entity": who, "content": fact}
        yield {**row, "store": "entity_memory", "content": content, "text": f"{who}: {fact}"}


def experience(db: LearningDB, talk: Conversation, life: list[Interaction], begin: int, stores: dict[str, Any]) -> None:
    """Learn some interactions, the first of which is number `begin` of the life."""
    scribe = Scribe()
    machine = LearningMachine(store=db.store, model=scribe.model, **stores)
    for number, interaction in enumerate(life, begin):
        scoped = machine.scoped(user_id=talk.name, thread_id=interaction.thread)
        scribe.now = interaction if interaction.thing is not None else None
        if "conversations" in stores or (interaction.thing and "procedures" in stores):
            scoped.learn(interaction.messages, at=interaction.at)
            scribe.model.prompts.clear()
        if rows := [row for row in observed(talk, interaction, number) if row["store"] in stores]:
            scoped.load(rows, vouched=True)


def evidence(db: LearningDB, talk: Conversation, every: int, stores: dict[str, Any]) -> list[float]:
    """Return the share of the evidence that is recalled within each budget, of talk and then of tasks."""
    questions = [each for each in talk.questions if each.category != ADVERSARIAL and each.evidence]
    said, done = [], []
    for budget in BUDGETS:
        machine = LearningMachine(store=db.store, context_tokens=budget, model=ScriptedChatModel(), **stores)
        scoped = machine.scoped(user_id=talk.name, thread_id="question")
        total = []
        for question in islice(questions, 0, None, every):
            message_ids = {key for record in scoped.recall(question.text).records for key in record.source.message_ids}
            total.append(len(message_ids & set(question.evidence)) / len(set(question.evidence)))
        said.append(sum(total) / len(total))
        answers = [query_of(thing) in scoped.recall(f"What is the number of {thing}?").text for thing in THINGS[::2]]
        done.append(sum(answers) / len(answers))
    return [*said, *done]


def curves(talk: Conversation, every: int, run: str) -> dict[tuple[str, int], list[float]]:
    """Return the evidence after each of the counts, by the name of who is asked, and the count."""
    learned, questions = RUNS[run]
    life, begin, result = live(talk, max(COUNTS)), 0, {}
    with tempfile.TemporaryDirectory() as folder, connect(f"sqlite:///{folder}/curve.db") as db:
        for count in (0, *COUNTS):
            experience(db, talk, life[begin:count], begin, learned)
            begin = count
            for name, stores in questions:
                result[name, count] = evidence(db, talk, every, stores)
    return result


def costs(talk: Conversation) -> dict[str, dict[str, int]]:
    """Return the figures of each learning store after a life in which every interaction is learned from by a call."""
    scribe = Scribe()
    modes = {name: replace(config, mode=LearningMode.ALWAYS) for name, config in ALL.items() if config is not True}
    stores: dict[str, Any] = {"conversations": True, "user_profile": True, **modes}
    with tempfile.TemporaryDirectory() as folder, connect(f"sqlite:///{folder}/curve.db") as db:
        machine = LearningMachine(store=db.store, model=scribe.model, **stores)
        for interaction in live(talk, max(COUNTS)):
            scribe.now = interaction
            machine.scoped(user_id=talk.name, thread_id=interaction.thread).learn(
                interaction.messages, at=interaction.at
            )
            scribe.model.prompts.clear()
        figures = Driver(db.store).run(load_figures((ROOT,)))
        return {**figures, "calls": {"tokens": scribe.model.calls["extraction"]}}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True, help="a folder of conversations, one JSON file each")
    options.add_argument("--only", default="*", help="which files, as a pattern (default all)")
    options.add_argument("--every", type=int, default=1, help="ask every so manyth question (default 1)")
    options.add_argument("--runs", default=",".join(RUNS), help="which learning stores, by comma")
    options.add_argument("--costs", action="store_true", help="count the tokens of learning instead")
    given = options.parse_args()
    talks = [read(file) for file in sorted(given.data.glob(f"{given.only}.json"))]
    if given.costs:
        _tell_costs([costs(talk) for talk in talks])
        return
    heads = [f"{kind}, {budget:,}" for kind in ("talk", "tasks") for budget in BUDGETS]
    print(f"| learning stores | after | {' | '.join(heads)} |\n|{'---|' * (2 + len(heads))}")
    for run in given.runs.split(","):
        lives = [curves(talk, given.every, run) for talk in talks]
        for name, count in lives[0]:
            cells = [sum(each) / len(lives) for each in zip(*(life[name, count] for life in lives), strict=True)]
            print(f"| {name} | {count:,} | {' | '.join(f'{100 * cell:.1f}' for cell in cells)} |", flush=True)


def _tell_costs(lives: list[dict[str, dict[str, int]]]) -> None:
    total: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for life in lives:
        for store, counts in life.items():
            for name in ("learned", "changed", "tokens"):
                total[store][name] += counts.get(name, 0) / len(lives)
    print("| learning store | learned | changed | tokens |\n|---|---|---|---|")
    for store, figures in total.items():
        if store != "calls":
            print(f"| {store} | {' | '.join(f'{figures[name]:,.0f}' for name in ('learned', 'changed', 'tokens'))} |")
    print(f"\n{total['calls']['tokens']:,.0f} calls")


if __name__ == "__main__":
    main()
