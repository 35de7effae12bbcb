"""Import from other memories, as rows for `scoped(...).load()`.

There is one module for each source: a plain generator over what was read. It yields a row, or a `Skipped` that says
what was left out and why. Ids follow from those of the source, so that importing the same source twice changes nothing.
`threads` is different: it reads the conversations in a checkpointer, to learn from them.
"""

from langgraph_learning.importing.build_row import Found, Row, Skipped
from langgraph_learning.importing.preview import ImportPreview, preview_rows
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
