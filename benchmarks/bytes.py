"""What a message and a memory take beside LangGraph's own store without search: `python -m benchmarks.bytes`.

`turns`: learned turn by turn, so with the commits that make them undoable; `records`: loaded, with nothing beside them.
LangGraph's store is given the same values under the same keys. Of Postgres all tables with their indexes count, after
`vacuum full`; of SQLite the file, after `vacuum`.
"""

import argparse
import random
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.store.base import BaseStore, PutOp
from langgraph.store.postgres import PostgresStore
from langgraph.store.sqlite import SqliteStore

from benchmarks.databases import postgres
from benchmarks.recall import WORDS, memories, said
from langgraph_learning import LearningMachine, Record, connect

START = datetime(2026, 1, 1, tzinfo=UTC)


def size(url: str) -> int:
    """Return the bytes of a database's tables and indexes, packed."""
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        with sqlite3.connect(path, isolation_level=None) as connection:
            connection.execute("vacuum")
            connection.execute("pragma wal_checkpoint(truncate)")
        return Path(path).stat().st_size
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum full")
        row = connection.execute(
            "select sum(pg_total_relation_size(c.oid)) from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = 'public' and c.relkind = 'r'"
        ).fetchone()
    return int(row[0]) if row else 0


def turns(count: int, chance: random.Random) -> Iterator[tuple[str, list[BaseMessage]]]:
    """Yield turns of two messages of twelve words, twenty-five a thread."""
    for number in range(count // 2):
        texts = [" ".join(chance.choices(WORDS, k=12)) for _ in range(2)]
        messages: list[BaseMessage] = [
            HumanMessage(texts[0], id=f"m{2 * number}"),
            AIMessage(texts[1], id=f"m{2 * number + 1}"),
        ]
        yield f"thread{number // 25}", messages


def write(url: str, kind: str, count: int) -> tuple[int, list[Record]]:
    """Learn, and return how many bytes that takes, and the records."""
    chance = random.Random(1)
    with connect(url) as db:
        pass
    empty = size(url)
    with connect(url) as db:
        machine = LearningMachine(user_memory=kind == "memories", conversations=kind != "memories", store=db.store)
        if kind == "turns":
            for number, (thread, messages) in enumerate(turns(count, chance)):
                at = START + timedelta(minutes=number)
                machine.scoped(user_id="alex", thread_id=thread).learn(messages, at=at)
        else:
            rows = memories(count, chance) if kind == "memories" else said(count, chance)
            machine.scoped(user_id="alex").load(rows)
        records = machine.scoped(user_id="alex").records()
    return size(url) - empty, records


def theirs(store: BaseStore, records: Iterable[Record]) -> None:
    """Put the same values into a store of LangGraph's."""
    store.batch([PutOp(record.namespace, record.id, record.value(), False) for record in records])


def measure(ours: str, other: str, kind: str, count: int) -> None:
    taken, records = write(ours, kind, count)
    if other.startswith("sqlite"):
        with SqliteStore.from_conn_string(other.removeprefix("sqlite:///")) as store:
            store.setup()
            empty = size(other)
            theirs(store, records)
    else:
        with PostgresStore.from_conn_string(other) as pg:
            pg.setup()
            empty = size(other)
            theirs(pg, records)
    beside = (size(other) - empty) / count
    name = ours.split(":")[0]
    print(f"| {name} | {kind} | {taken / count:,.0f} | {beside:,.0f} | {taken / count / beside:.1f} |", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--count", type=int, default=2_000)
    given = options.parse_args()
    print("| database | | bytes each | LangGraph's store | ratio |\n|---|---|---|---|---|")
    for kind in ("records", "turns", "memories"):
        with tempfile.TemporaryDirectory() as folder:
            measure(f"sqlite:///{folder}/ours.db", f"sqlite:///{folder}/theirs.db", kind, given.count)
        with postgres(None) as ours, postgres(None) as other:
            measure(ours, other, kind, given.count)


if __name__ == "__main__":
    main()
