"""What other memories hold, as rows that `scoped(...).load()` takes in.

A module per source, each a plain generator over what was read: a row, or a `Skipped` that says what was left out and
why. Ids follow from the source's own, so that the same source twice is one import.
"""

from langgraph_learning.importing.preview import ImportPreview, preview_rows
from langgraph_learning.importing.rows import Found, Row, Skipped
from langgraph_learning.importing.sources import KINDS, read

__all__ = ["KINDS", "Found", "ImportPreview", "Row", "Skipped", "preview_rows", "read"]
