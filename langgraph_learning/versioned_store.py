"""The contract of a store with history, as `connect()` opens it: LangGraph's `BaseStore` and the methods below.

The saver, the learning layer and the stores share this one contract. Any other `BaseStore` works too; code that needs
one of these methods then raises `UnsupportedByStore`, or uses what `BaseStore` has.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias, TypeGuard, cast

from langgraph.store.base import BaseStore, Op, PutOp, Result, SearchItem, SearchOp

Namespace: TypeAlias = tuple[str, ...]
Address: TypeAlias = tuple[Namespace, str]
"""The place of an item: its namespace and its key."""
Expected: TypeAlias = Mapping[Address, int]
"""The versions that a write expects; 0 for an item that must not exist."""
Json: TypeAlias = Any  # any value that JSON can hold


class StoredState(Protocol):
    """One state of an item; `value` is None if it was deleted."""

    @property
    def value(self) -> Mapping[str, Json] | None:
        """The value of the item."""

    @property
    def version(self) -> int:
        """The version of the item, which also counts deletions."""

    @property
    def at(self) -> datetime:
        """The time of the write."""

    @property
    def source(self) -> Mapping[str, Json] | None:
        """The `source` that `transact` was given."""


class VersionedStore(Protocol):
    """A store with transactions and history.

    Each commit has a *revision*. Revisions are numbered in the order in which commits become visible, so that the store
    as it was at a revision never changes. Every method has an async twin with the prefix `a`, except those that do not
    ask the database (`last_revision`, `revision_seen_at`, `as_of`).
    """

    @property
    def database(self) -> str:
        """The identity of the database; two stores with the same one share everything but their connections."""

    @property
    def last_revision(self) -> int:
        """The newest revision that this process has seen; reading it does not ask the database."""

    def revision(self) -> int:
        """Return the revision of the newest commit."""

    async def arevision(self) -> int:
        """Run `revision()` without blocking the loop."""

    def revision_seen_at(self, at: datetime) -> int | None:
        """Return the newest revision that this process had seen at a time; None if that is too long ago."""

    def as_of(self, revision: int) -> BaseStore:
        """Return a read-only view of the store as it was at `revision`."""

    def transact(
        self,
        puts: Sequence[PutOp],
        *,
        expect: Expected | None = None,
        source: Mapping[str, object] | None = None,
        within: Callable[[object], None] | None = None,
    ) -> int:
        """Write all of `puts` or none, and return the revision.

        `within` is called with the driver's connection before the transaction ends.

        Raises:
            ConflictError: An item does not have the version in `expect`.
        """

    async def atransact(
        self,
        puts: Sequence[PutOp],
        *,
        expect: Expected | None = None,
        source: Mapping[str, object] | None = None,
        within: Callable[[object], None] | None = None,
    ) -> int:
        """Run `transact()` without blocking the loop."""

    def replay(self, states: Sequence[tuple[PutOp, datetime, Mapping[str, object] | None]]) -> int:
        """Write earlier states, each as a commit of its own time and source; return the revision."""

    def history(self, namespace: Namespace, key: str) -> Sequence[StoredState]:
        """Return all states of an item, the oldest first."""

    def count(self, prefix: Namespace, filter: Mapping[str, object] | None = None) -> int:
        """Return the number of items under `prefix`; with a filter of those that meet it, which reads all of them."""

    def all_namespaces(self, prefix: Namespace, suffix: Namespace) -> list[Namespace]:
        """Return the namespaces between `prefix` and `suffix`, including those with nothing but history."""

    def all_addresses(self, prefix: Namespace, filter: Mapping[str, object]) -> list[Address]:
        """Return the items under `prefix` of which any state, present or past, meets `filter`."""

    def purge(self, prefix: Namespace) -> dict[str, int]:
        """Erase everything under `prefix` with its history, and return the numbers of rows by kind."""

    def erase(self, addresses: Iterable[Address], *, history_only: bool = False, scrub: bool = True) -> int:
        """Erase items with their history, or only their history, and return the number of items.

        `scrub=False` is quicker: the erased text stays in the file until later writes overwrite it.
        """

    def erase_written(self, addresses: Iterable[Address], by: Mapping[str, object], *, index: list[str]) -> int:
        """Erase what one author wrote at `addresses`, and return the number of items.

        `by` is a part of the author's states, such as `{"source": {"user_id": "ada"}}`. Where another author wrote
        last, that state stays without its history. Where another author wrote before, that state is restored and
        indexed by `index`.
        """


def supports(store: object, method: Callable[..., object]) -> bool:
    """Return whether `store` has this method of `VersionedStore`: `supports(store, VersionedStore.history)`.

    It looks for the name. LangGraph's server wraps stores and savers in objects that pass attributes on, and
    `isinstance` would read `database`, which asks the database.
    """
    return callable(getattr(store, method.__name__, None))


def is_versioned(store: object) -> TypeGuard[VersionedStore]:
    """Return whether `store` keeps versions and history."""
    return supports(store, VersionedStore.transact) and supports(store, VersionedStore.as_of)


def holds(value: Mapping[str, Json], part: Mapping[str, object]) -> bool:
    """Return whether `value` contains all of `part`, including nested objects."""
    return all(
        isinstance(inner := value.get(name), Mapping) and holds(inner, wanted)
        if isinstance(wanted, Mapping)
        else value.get(name) == wanted
        for name, wanted in part.items()
    )


def split_filter(conditions: Mapping[str, object] | None) -> tuple[dict[str, object], dict[str, object]]:
    """Return the conditions that any `BaseStore` can search by, and those on a part of a value, for `holds`.

    LangGraph's SQL stores take the name in `{"source": {"thread_id": "t1"}}` for an operator, and refuse it.
    """
    flat, parts = dict[str, object](), dict[str, object]()
    for name, wanted in (conditions or {}).items():
        is_part = isinstance(wanted, Mapping) and not any(operator.startswith("$") for operator in wanted)
        (parts if is_part else flat)[name] = wanted
    return flat, parts


def searched_anywhere(ops: Sequence[Op]) -> list[Op]:
    """Return operations that any `BaseStore` can run: what they find beyond `ops`, `sift` takes out of the results."""
    return [op._replace(filter=split_filter(op.filter)[0] or None) if isinstance(op, SearchOp) else op for op in ops]


def sift(ops: Sequence[Op], results: Sequence[Result]) -> list[Result]:
    """Return the results of `searched_anywhere(ops)` as a store would give them that knows every condition of `ops`."""
    sifted = list(results)
    for place, op in enumerate(ops):
        if isinstance(op, SearchOp) and (parts := split_filter(op.filter)[1]):
            items = cast("list[SearchItem]", results[place] or [])
            sifted[place] = [item for item in items if holds(item.value, parts)]
    return sifted
