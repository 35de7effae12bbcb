"""Connections to a SQLite file, for the store and the checkpointer alike."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Literal

PATIENCE = 30.0  # seconds that a connection waits for another one to finish writing


def connect(path: str, *, isolation_level: Literal["IMMEDIATE"] | None = None) -> sqlite3.Connection:
    """Open a connection that any thread may use; without `isolation_level` nothing begins a transaction by itself."""
    return sqlite3.connect(path, timeout=PATIENCE, check_same_thread=False, isolation_level=isolation_level)


@contextmanager
def open_saver_connection(path: str) -> Iterator[sqlite3.Connection]:
    """Open the connection of a checkpointer, in WAL mode where there is a file, and close it."""
    with closing(connect(path, isolation_level="IMMEDIATE")) as connection:
        enable_wal(connection)
        yield connection


def enable_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging; SQLite does not wait its timeout for this switch, so we do."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
