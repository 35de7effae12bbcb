"""The main job: two conversations of one user and one of another, then what was learned, recalled, and paid."""

import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from langgraph_learning import LearningDB, LearningMachine, Scoped, SessionContextConfig, connect, create_learning_agent
from langgraph_learning.testing import model_or_script, op

CONVERSATIONS = [
    ("alex@example.com", "monday", "Hi, I'm Alex Rivera, data engineer at a climate start-up. Short answers, please."),
    ("alex@example.com", "monday", "We are moving our pipelines from Airflow to Dagster. Where do I begin?"),
    ("alex@example.com", "thursday", "Some pipelines must run every night. How do I do that?"),
    ("sam@example.com", "hello", "What do you know about me?"),
]
REPLIES = [
    "Hi Alex! Short it is.",
    "Three steps: 1. wrap one DAG as a Dagster asset, 2. run both side by side, 3. move the schedules.",
    "In Dagster: ScheduleDefinition(job=nightly, cron_schedule='0 2 * * *').",
    "Nothing yet. Tell me what you work on!",
]
EXTRACTIONS = [
    [
        op("update_user_profile", name="Alex Rivera", quote="I'm Alex Rivera"),
        op(
            "add_memory",
            content="Is a data engineer at a climate start-up",
            quote="data engineer at a climate start-up",
        ),
        op("add_memory", content="Prefers short answers", quote="Short answers, please"),
        op("update_session_context", summary="Alex introduced themself; the assistant will answer briefly."),
    ],
    [
        op(
            "add_memory",
            content="Is moving the team's pipelines from Airflow to Dagster",
            quote="We are moving our pipelines from Airflow to Dagster",
        ),
        op("add_memory", content="Prefers short answers.", quote="Short answers"),  # known: it is not stored twice
        op(
            "update_session_context",
            summary="Alex moves pipelines from Airflow to Dagster and got a plan of three steps.",
            goal="Move the pipelines to Dagster",
            plan=["Wrap one DAG as an asset", "Run both side by side", "Move the schedules"],
        ),
    ],
    [op("update_session_context", summary="Alex asked for nightly pipelines; a Dagster schedule at 02:00 was shown.")],
    [op("update_session_context", summary="Sam asked what is known about them: nothing yet.")],
]


def main(keep: Path | None = None) -> None:
    """Hold the conversations; `keep` names a file for what is learned, else it is gone afterwards."""
    console = Console(highlight=False)
    model, model_note = model_or_script(REPLIES, EXTRACTIONS)
    console.print(model_note)
    learning = LearningMachine(
        user_profile=True, user_memory=True, session_context=SessionContextConfig(enable_planning=True)
    )
    with _database(keep) as path, connect(f"sqlite:///{path}") as db:
        agent = create_learning_agent(model, learning=learning, db=db)
        events, paid = [], Table("turn", "reply: calls", "tokens", "learning: calls", "tokens", title="What it cost")
        for user, thread, text in CONVERSATIONS:
            console.print(f"\n[bold]{user}[/] in {thread!r}: {text}")
            texts = {record.id: record.text for record in _scoped(learning, db, user, thread).records()}
            turn = list(_turn(agent, user, thread, text, console))
            events.append((text, turn, texts))
            paid.add_row(text[:36], *_cost(agent, thread, turn))
        for user in dict.fromkeys(user for user, _, _ in CONVERSATIONS):
            threads = dict.fromkeys(thread for whose, thread, _ in CONVERSATIONS if whose == user)
            records = [record for thread in threads for record in _scoped(learning, db, user, thread).records()]
            own = list({(record.scope, record.id): record for record in records}.values())
            console.print("\n", _learned(own, user))
        for text, turn, texts in events:
            console.print("\n", _recalled(text, turn, texts))
        console.print("\n", paid)


@contextmanager
def _database(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.parent.mkdir(parents=True, exist_ok=True)
        for old in keep.parent.glob(f"{keep.name}*"):  # the demo begins anew, and SQLite keeps files beside its own
            old.unlink()
        yield keep
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "learning.db"


def _scoped(learning: LearningMachine, db: LearningDB, user: str, thread: str) -> Scoped:
    return learning.scoped(user_id=user, thread_id=thread, store=db.store)


def _turn(agent: Any, user: str, thread: str, text: str, console: Console) -> Iterator[dict[str, Any]]:
    """Stream one turn to the terminal and yield what the machine reported."""
    config: dict[str, Any] = {"configurable": {"thread_id": thread}}
    stream = agent.stream(
        {"messages": [HumanMessage(text)]}, config, context={"user_id": user}, stream_mode=["messages", "custom"]
    )
    for mode, part in stream:
        if mode == "messages":
            console.print(part[0].text, end="", markup=False)
        else:
            console.print(f"[dim]{_progress(part)}[/]")
            yield part


def _progress(event: dict[str, Any]) -> str:
    if event["learning"] == "recalled":
        return f"recalled {len(event['receipt']['shown'])} records"
    if event["learning"] == "learned":
        return f"\nchanges learned: {len(event['commit']['changes'])}"
    return f"\nlearning failed: {event.get('error')}"


def _cost(agent: Any, thread: str, turn: list[dict[str, Any]]) -> list[str]:
    messages = agent.get_state({"configurable": {"thread_id": thread}}).values["messages"]
    start = max(index for index, message in enumerate(messages) if isinstance(message, HumanMessage))
    replies: list[Any] = [
        message.usage_metadata or {} for message in messages[start:] if isinstance(message, AIMessage)
    ]
    replied = sum(usage.get("total_tokens", 0) for usage in replies)
    learning = [event["commit"]["usage"] for event in turn if event["learning"] == "learned"]
    tokens = sum(usage["input_tokens"] + usage["output_tokens"] for usage in learning)
    return [str(len(replies)), str(replied), str(sum(usage["calls"] for usage in learning)), str(tokens)]


def _learned(records: list[Any], user: str) -> Table:
    table = Table("learning store", "record", "because of", title=f"What was learned about {user}")
    for record in records:
        text = "; ".join(f"{name}: {value}" for name, value in record.content.items() if value)
        text = record.text if record.store != "session_context" else f"[{record.scope.thread_id}] {text}"
        table.add_row(record.store, escape(text), f'"{record.source.quote}"' if record.source.quote else "(inferred)")
    return table


def _recalled(text: str, turn: list[dict[str, Any]], texts: dict[str, str]) -> Table:
    [receipt] = [event["receipt"] for event in turn if event["learning"] == "recalled"]
    table = Table("learning store", "record", "why", "score", "tokens", title=f"Recalled for: {text[:48]}")
    for entry in receipt["shown"]:
        table.add_row(
            entry["store"],
            texts.get(entry["id"], entry["label"]),
            entry["reason"],
            f"{entry['score']:.2f}",
            str(entry["tokens"]),
        )
    table.add_section()
    table.add_row("", "", "the whole text", "", str(receipt["tokens"]))
    return table


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep what is learned in this SQLite file")
    main(parser.parse_args().keep)
