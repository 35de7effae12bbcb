"""The edge between the planner, which names statements, and a dialect, which runs them."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from langgraph_learning.errors import StoreError

Row = tuple[Any, ...]
Params = Mapping[str, object]
Floats = NDArray[np.float32]
# Items and their scores, as two columns of one array.
Scores = NDArray[np.void]
SCORES = np.dtype([("item", "<i8"), ("score", "<f8")])
EVERYTHING = 2**62


class RetryableError(StoreError):
    """The database has undone a transaction for the sake of another one, and asks to try it again."""


class Session(Protocol):
    """A connection that runs statements by name; `parts` fill the fragments of a statement."""

    @property
    def connection(self) -> object:
        """The driver's connection."""

    def rows(self, name: str, params: Params, **parts: str) -> list[Row]:
        """Return the rows of a query."""

    def run(self, name: str, params: Params) -> int:
        """Run a statement and return how many rows it touched."""

    def many(self, name: str, rows: Sequence[Params]) -> None:
        """Run a statement for all `rows`."""

    def scores(self, name: str, params: Params, **parts: str) -> Scores:
        """Return items and scores."""

    def fragment(self, name: str, **parts: str) -> str:
        """Return a fragment of SQL."""

    def path(self, keys: Sequence[str]) -> object:
        """Return the place of a value inside JSON as a parameter."""

    def vector(self, vector: Floats) -> object:
        """Return an embedding as a parameter."""


class Dialect(Protocol):
    """A database: hands out sessions, and knows how to set itself up."""

    has_vectors: bool
    threads: int

    def reading(self, *, snapshot: bool = False) -> AbstractContextManager[Session]:
        """Give a session to read with; with `snapshot`, all its statements see one state."""

    def writing(self, *, unhurried: bool = False) -> AbstractContextManager[Session]:
        """Give a session in a transaction that no other writer shares the database with.

        With `unhurried` its statements may take as long as they need, as the erasing of much does.
        """

    def setup(self, dims: int | None) -> None:
        """Bring the tables up to date, those for vectors too if `dims` is given."""

    def scrub(self) -> None:
        """Take care that what was purged is not left in files either, where that can be done."""

    def close(self) -> None:
        """Give back what was opened."""
