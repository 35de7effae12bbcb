"""Connections to a SQLite file, shared by the store and the checkpointer."""

import sqlite3
import time
from typing import Literal

from langgraph_learning.checkpointers._timeouts import SHARE, TIMEOUT


def connect(
    path: str, *, timeout: float = TIMEOUT, isolation_level: Literal["IMMEDIATE"] | None = None
) -> sqlite3.Connection:
    """Open a connection that any thread may use; without `isolation_level` no transaction begins by itself.

    SQLite waits for a writer in another process, which may hang, for a share of `timeout`.
    """
    return sqlite3.connect(path, timeout=timeout * SHARE, check_same_thread=False, isolation_level=isolation_level)


def enable_wal(connection: sqlite3.Connection, timeout: float = TIMEOUT) -> None:
    """Switch to write-ahead logging; SQLite ignores its own timeout for this switch, so the loop here waits instead."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            connection.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
