"""What a process of its own does to a store: `python worker.py JOB BACKEND ADDRESS ARGUMENT`."""

import sys

from langgraph.store.base import PutOp

from langgraph_learning.checkpointers import PostgresHybridStore, SqliteHybridStore
from langgraph_learning.checkpointers._store.store import HybridStore
from langgraph_learning.errors import ConflictError

NS = ("users", "ada")


def open_store(backend: str, address: str) -> HybridStore:
    if backend == "postgres":
        return PostgresHybridStore(address, schema="raced")
    return SqliteHybridStore(address)


def increment(store: HybridStore, key: str) -> int:
    """Add one to a counter by read, compare and set; return how many tries were lost."""
    lost = 0
    while True:
        item = store.get(NS, key)
        count, version = (item.value["n"], getattr(item, "version", 0)) if item else (0, 0)
        try:
            store.transact([PutOp(NS, key, {"n": count + 1})], expect={(NS, key): version})
            return lost
        except ConflictError:
            lost += 1


def count(store: HybridStore, times: str) -> None:
    for _ in range(int(times)):
        increment(store, "counter")


def commit_pairs(store: HybridStore, times: str) -> None:
    """Write two items in each commit and say so, until somebody kills us."""
    for n in range(int(times)):
        puts = [PutOp(NS, "left", {"n": n, "text": f"tea {n}"}), PutOp(("elsewhere",), "right", {"n": n})]
        print(store.transact(puts, source={"n": n}), flush=True)


if __name__ == "__main__":
    job, backend, address, argument = sys.argv[1:]
    store = open_store(backend, address)
    {"count": count, "pairs": commit_pairs}[job](store, argument)
    store.close()
