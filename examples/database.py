"""Where the examples keep what is learned."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def database() -> Iterator[str]:
    """Return the URL in DATABASE_URL, or one of a database that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        yield os.environ.get("DATABASE_URL") or f"sqlite:///{Path(folder) / 'learning.db'}"
