"""Connections to a SQLite file, for the store and the checkpointer alike."""

import sqlite3
import time
from typing import Literal

from langgraph_learning.checkpointers._patience import SHARE, TIMEOUT


def connect(
    path: str, *, timeout: float = TIMEOUT, isolation_level: Literal["IMMEDIATE"] | None = None
) -> sqlite3.Connection:
    """Open a connection that any thread may use; without `isolation_level` nothing begins a transaction by itself.

    SQLite waits for another process that writes, which may have been stopped in the middle, for a share of `timeout`.
    """
    return sqlite3.connect(path, timeout=timeout * SHARE, check_same_thread=False, isolation_level=isolation_level)


def enable_wal(connection: sqlite3.Connection, timeout: float = TIMEOUT) -> None:
    """Switch to write-ahead logging; SQLite does not wait its timeout for this switch, so we do."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            connection.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
