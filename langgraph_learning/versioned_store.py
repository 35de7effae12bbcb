"""What a store offers that keeps history, as `connect()` opens it: LangGraph's `BaseStore` and the methods below.

The saver, the learning layer and the stores themselves share this one contract. Any other `BaseStore` works, too: what
needs one of these methods then raises `UnsupportedByStore`, or does with what `BaseStore` has.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias, TypeGuard

from langgraph.store.base import BaseStore, PutOp

Namespace: TypeAlias = tuple[str, ...]
Address: TypeAlias = tuple[Namespace, str]
"""Where an item lies: its namespace and its key."""
Expected: TypeAlias = Mapping[Address, int]
"""The versions that a write rests on; 0 for an item that must not exist."""
Json: TypeAlias = Any  # whatever JSON can say


class StoredState(Protocol):
    """One state of an item; `value` is None where it was deleted."""

    @property
    def value(self) -> Mapping[str, Json] | None:
        """What the item held."""

    @property
    def version(self) -> int:
        """The version of the item, which counts on through deletions."""

    @property
    def at(self) -> datetime:
        """When it was written."""

    @property
    def source(self) -> Mapping[str, Json] | None:
        """What `transact(source=...)` was given."""


class VersionedStore(Protocol):
    """A store with transactions and history.

    A commit has a *revision*: revisions are numbered in the order in which commits become visible, so that the store as
    it stood at one of them never changes. Every method has an async twin under the same name with an `a` before it,
    but for those that ask nothing of the database (`last_revision`, `revision_seen_at`, `as_of`).
    """

    @property
    def database(self) -> str:
        """Which database this is: two stores with the same one share everything but their connections."""

    @property
    def last_revision(self) -> int:
        """The newest revision that this process has seen, without asking the database."""

    def revision(self) -> int:
        """Return the revision of the newest commit."""

    async def arevision(self) -> int:
        """`revision()` without blocking the loop."""

    def revision_seen_at(self, at: datetime) -> int | None:
        """Return the newest revision that this process had seen by then; None if it does not remember."""

    def as_of(self, revision: int) -> BaseStore:
        """Return a read-only view of the store as it stood at `revision`."""

    def transact(
        self,
        puts: Sequence[PutOp],
        *,
        expect: Expected | None = None,
        source: Mapping[str, object] | None = None,
        within: Callable[[object], None] | None = None,
    ) -> int:
        """Write all of `puts` or nothing, and return the revision.

        `within` is called with the driver's connection before the transaction ends.

        Raises:
            ConflictError: An item has another version than `expect` says.
        """

    async def atransact(
        self,
        puts: Sequence[PutOp],
        *,
        expect: Expected | None = None,
        source: Mapping[str, object] | None = None,
        within: Callable[[object], None] | None = None,
    ) -> int:
        """`transact()` without blocking the loop."""

    def replay(self, states: Sequence[tuple[PutOp, datetime, Mapping[str, object] | None]]) -> int:
        """Write states as they were written before, each a commit of its own time and source; return the revision."""

    def history(self, namespace: Namespace, key: str) -> Sequence[StoredState]:
        """Return all states of an item, the oldest first."""

    def count(self, prefix: Namespace) -> int:
        """Return how many items lie under `prefix`."""

    def all_namespaces(self, prefix: Namespace, suffix: Namespace) -> list[Namespace]:
        """Return the namespaces between `prefix` and `suffix`, also those of which only history is left."""

    def all_addresses(self, prefix: Namespace, filter: Mapping[str, object]) -> list[Address]:
        """Return the items under `prefix` of which any state, present or past, meets `filter`."""

    def purge(self, prefix: Namespace) -> dict[str, int]:
        """Erase everything under `prefix` with its history, and return how many rows of each kind that were."""

    def erase(self, addresses: Iterable[Address], *, history_only: bool = False) -> int:
        """Erase items with their history, or their history alone, and return how many there were."""

    def erase_written(self, addresses: Iterable[Address], by: Mapping[str, object], *, index: list[str]) -> int:
        """Erase what one author wrote at `addresses`, and return how many items there were.

        `by` is what the author's states hold, such as `{"source": {"user_id": "ada"}}`. Where another author wrote
        last, that state stays, without its past; where one wrote before, that state is put back, indexed by `index`.
        """


def supports(store: object, method: Callable[..., object]) -> bool:
    """Return whether `store` has this method of `VersionedStore`: `supports(store, VersionedStore.history)`.

    It goes by name: LangGraph's server wraps stores and savers in objects that pass attributes on, and `isinstance`
    would read `database`, which asks the database.
    """
    return callable(getattr(store, method.__name__, None))


def is_versioned(store: object) -> TypeGuard[VersionedStore]:
    """Return whether `store` keeps versions and history."""
    return supports(store, VersionedStore.transact) and supports(store, VersionedStore.as_of)
