"""LangGraph's SqliteSaver for sync and async code, with copies, rollbacks and pruning, on one connection."""

import json
import sqlite3
from collections.abc import Iterable, Sequence

from langgraph.checkpoint.sqlite import SqliteSaver

from langgraph_learning.checkpointers._saver.async_saver import AsyncSaverMixin, Parameters
from langgraph_learning.checkpointers._threads import WorkerThreads


class SqliteCheckpointSaver(AsyncSaverMixin, SqliteSaver):
    """A checkpointer on SQLite for sync code and any event loop."""

    SQL = "sqlite"

    def __init__(self, conn: sqlite3.Connection, *, threads: WorkerThreads) -> None:
        super().__init__(conn)
        self._threads = threads

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete all but each namespace's latest checkpoint of the threads, or everything of them.

        Raises:
            ValueError: The strategy is neither `"keep_latest"` nor `"delete"`.
            NotImplementedError: `"keep_latest"` of a thread whose latest checkpoint needs its older ones, as a
                `DeltaChannel` does.
        """
        if strategy not in ("keep_latest", "delete"):
            raise ValueError(f"unknown strategy {strategy!r}: use 'keep_latest' or 'delete'")
        if isinstance(thread_ids, str):
            raise TypeError("thread_ids is a sequence of thread ids, not one of them")
        parameters = {"threads": json.dumps([str(thread) for thread in thread_ids])}
        if strategy == "delete":
            return self._transact(self._block("delete_threads", "prune"), parameters)
        self._refuse_deltas(parameters)
        selection = (*self._block("create_selection"), *self._block("select_superseded", "prune"))
        self._transact((*selection, *self._block("delete_selection")), parameters)

    def _refuse_deltas(self, parameters: Parameters) -> None:
        [query] = self._block("threads_with_deltas", "prune")
        with self.cursor(transaction=False) as cursor:
            if found := cursor.execute(query, parameters).fetchall():
                names = ", ".join(thread for (thread,) in found)
                raise NotImplementedError(f"keep_latest cannot prune threads that use a DeltaChannel: {names}")

    def _transact(self, statements: Iterable[str], parameters: Parameters) -> None:
        with self.lock:
            self.setup()
            self.conn.execute("begin immediate")
            with self.conn:  # commits, or rolls back when a statement fails
                for statement in statements:
                    self.conn.execute(statement, parameters)
