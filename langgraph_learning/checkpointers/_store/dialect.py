"""The interface between the planner, which names statements, and a dialect, which runs them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from langgraph_learning.errors import StoreError

T = TypeVar("T")
Row = tuple[Any, ...]
Params = Mapping[str, object]
Floats = NDArray[np.float32]
# Items with their scores, as two columns of one array.
Scores = NDArray[np.void]
SCORES = np.dtype([("item", "<i8"), ("score", "<f8")])
EVERYTHING = 2**62


TRIES = 3
"""How often a transaction is tried if the database rolls it back in favour of another one."""


class RetryableError(StoreError):
    """An error after which the database asks to repeat the transaction: it rolled it back in favour of another one."""


def repeat(attempt: Callable[[], T]) -> T:
    """Run a transaction, and run it again if the database prefers another one."""
    for tries_left in reversed(range(TRIES)):
        try:
            return attempt()
        except RetryableError:
            if not tries_left:
                raise
    raise AssertionError("unreachable")


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
        """Return the parameter that names a position inside a JSON value."""

    def vector(self, vector: Floats) -> object:
        """Return the parameter that holds an embedding."""


class Dialect(Protocol):
    """A database that opens sessions and creates its own tables."""

    has_vectors: bool
    threads: int

    def reading(self, *, snapshot: bool = False) -> AbstractContextManager[Session]:
        """Open a session that reads; with `snapshot`, all its statements see one state."""

    def writing(self, *, unhurried: bool = False) -> AbstractContextManager[Session]:
        """Open a session in a transaction, while no other writer works on the database.

        With `unhurried` its statements have no time limit, because erasing or migrating many rows takes long.
        """

    def erasing(self, *, scrub: bool = True) -> AbstractContextManager[Session]:
        """Open a session in a transaction, to erase many rows.

        With `scrub` the erased text is then removed from the files of the database, where it would stay.
        """

    def setup(self, dims: int | None) -> None:
        """Create or migrate the tables; with `dims`, also those for vectors."""

    def close(self) -> None:
        """Close what this dialect opened."""
