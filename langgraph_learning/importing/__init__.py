"""Import from other memories, as rows for `scoped(...).load()`.

A module per source, each a plain generator over what was read: a row, or a `Skipped` that says what was left out and
why. Ids follow from the source's own, so that the same source twice is one import. `threads` reads
the conversations that a checkpointer keeps: they are learned from.
"""

from langgraph_learning.importing.preview import ImportPreview, preview_rows
from langgraph_learning.importing.rows import Found, Row, Skipped
from langgraph_learning.importing.sources import KINDS, read
from langgraph_learning.importing.threads import StoredThread, StoredTurn, read_thread

__all__ = [
    "KINDS",
    "Found",
    "ImportPreview",
    "Row",
    "Skipped",
    "StoredThread",
    "StoredTurn",
    "preview_rows",
    "read",
    "read_thread",
]
