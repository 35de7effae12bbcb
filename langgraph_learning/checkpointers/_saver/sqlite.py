"""LangGraph's SqliteSaver for sync and async code, with thread copies, run rollbacks and pruning, on one connection."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.sqlite import SqliteSaver

from langgraph_learning.checkpointers._after_fork import abandon, renew_in_child
from langgraph_learning.checkpointers._executor import WorkerThreads
from langgraph_learning.checkpointers._saver.async_saver import AsyncSaverMixin, Parameters
from langgraph_learning.checkpointers._sqlite import connect, enable_wal
from langgraph_learning.checkpointers._timeouts import TIMEOUT, Patience, PatientLock


class SqliteCheckpointSaver(AsyncSaverMixin, SqliteSaver):
    """A checkpointer on SQLite for sync code and any event loop."""

    SQL = "sqlite"

    def __init__(
        self, path: str, *, threads: WorkerThreads, timeout: float = TIMEOUT, serde: SerializerProtocol | None = None
    ) -> None:
        super().__init__(_open(path, timeout), serde=serde)
        self._path, self._threads, self._patience = path, threads, Patience(timeout)
        self._make_lock()
        renew_in_child(self)

    def _make_lock(self) -> None:
        self.lock = cast("threading.Lock", PatientLock(self._patience))

    def renew(self) -> None:
        """Open the file again in a forked process; a database in memory was copied by the fork and stays as it is."""
        self._make_lock()
        if self._path != ":memory:":
            abandon(self.conn)
            self.conn = _open(self._path, self._patience.timeout)

    def close(self) -> None:
        """Close the connection."""
        self.conn.close()

    @contextmanager
    def cursor(self, transaction: bool = True) -> Iterator[sqlite3.Cursor]:
        """Lend a cursor; after a failed wait for the file, the next waits are short."""
        try:
            with super().cursor(transaction) as cursor:
                yield cursor
        except sqlite3.OperationalError:
            self._patience.note_failure()
            raise

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete all but the latest checkpoint of each namespace of the threads, or everything of them.

        Raises:
            ValueError: The strategy is neither `"keep_latest"` nor `"delete"`.
            NotImplementedError: `"keep_latest"` of a thread whose latest checkpoint needs its older ones, as with a
                `DeltaChannel`.
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
            if rows := cursor.execute(query, parameters).fetchall():
                names = ", ".join(thread for (thread,) in rows)
                raise NotImplementedError(f"keep_latest cannot prune threads that use a DeltaChannel: {names}")

    def _query(self, statement: str) -> list[str]:
        with self.cursor(transaction=False) as cursor:
            return [str(thread) for (thread,) in cursor.execute(statement)]

    def _transact(self, statements: Iterable[str], parameters: Parameters) -> None:
        with self.lock:
            self.setup()
            self.conn.execute("begin immediate")
            with self.conn:  # commits, or rolls back when a statement fails
                for statement in statements:
                    self.conn.execute(statement, parameters)


def _open(path: str, timeout: float) -> sqlite3.Connection:
    connection = connect(path, timeout=timeout, isolation_level="IMMEDIATE")
    try:
        enable_wal(connection, timeout)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
