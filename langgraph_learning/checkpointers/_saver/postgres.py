"""LangGraph's PostgresSaver for sync and async code, with copies and rollbacks, on a pool."""

import threading
from collections.abc import Iterable
from contextlib import nullcontext
from typing import cast

from langgraph.checkpoint.postgres import PostgresSaver

from langgraph_learning.checkpointers._postgres import Pool
from langgraph_learning.checkpointers._saver.async_saver import AsyncSaverMixin, Parameters
from langgraph_learning.checkpointers._threads import WorkerThreads


class PostgresCheckpointSaver(AsyncSaverMixin, PostgresSaver):
    """A checkpointer on Postgres for sync code and any event loop."""

    SQL = "postgres"

    def __init__(self, pool: Pool, *, threads: WorkerThreads) -> None:
        super().__init__(pool)
        self._pool = pool
        self._threads = threads
        # PostgresSaver lets one thread in at a time, which a single connection needs; each of ours has its own
        self.lock = cast(threading.Lock, nullcontext())

    def _transact(self, statements: Iterable[str], parameters: Parameters) -> None:
        with self._pool.connection() as connection, connection.transaction():
            for statement in statements:
                connection.execute(statement.encode(), parameters, prepare=False)
