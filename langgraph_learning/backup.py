"""A complete backup: everything learned, of all users and shared namespaces, as JSON rows.

Example:
    ```python
    from langgraph_learning import backup, connect

    with connect("sqlite:///learning.db") as old, connect("postgresql://localhost/app") as new:
        print(backup.load(new.store, backup.export(old.store)))
    ```
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from langgraph.store.base import BaseStore

from langgraph_learning._engine.flow import Driver
from langgraph_learning._engine.maintenance.backup import (
    PAGE,
    Restored,
    Row,
    find_keys,
    find_snapshot,
    read_rows,
    restore_rows,
)
from langgraph_learning.masking import Mask, mask_secrets
from langgraph_learning.records import ROOT, Scope
from langgraph_learning.stores import LearningStore

__all__ = ["Restored", "aexport", "aload", "export", "load", "pages"]

T = TypeVar("T")


def export(store: BaseStore, *, user_id: str | None = None, history: bool = False) -> Iterator[Row]:
    """Yield everything in `store` as it is now, one JSON row each, in a fixed order.

    Args:
        store: A store that `connect()` opens, or any other of LangGraph's stores.
        user_id: The user to back up; by default all users and the shared namespaces.
        history: Whether each row contains its earlier states, and removed items have a row too.

    Raises:
        UnsupportedByStore: History is requested, and the store keeps none.
    """
    driver = Driver(store)
    snapshot = driver.run(find_snapshot(_prefix(user_id)))
    for namespace in snapshot.namespaces:
        for keys in pages(driver.run(find_keys(snapshot, namespace))):
            yield from driver.run(read_rows(snapshot, namespace, keys, history=history))


async def aexport(store: BaseStore, *, user_id: str | None = None, history: bool = False) -> AsyncIterator[Row]:
    """Yield the same as `export`."""
    driver = Driver(store)
    snapshot = await driver.arun(find_snapshot(_prefix(user_id)))
    for namespace in snapshot.namespaces:
        for keys in pages(await driver.arun(find_keys(snapshot, namespace))):
            for row in await driver.arun(read_rows(snapshot, namespace, keys, history=history)):
                yield row


def load(
    store: BaseStore,
    rows: Iterable[Mapping[str, object]],
    *,
    stores: Sequence[LearningStore] = (),
    mask: Mask = mask_secrets,
) -> Restored:
    """Write the rows of an `export`, page by page, and return the numbers of rows.

    Rows that are already there are skipped, so an interrupted load can simply be run again. An item with another value
    is replaced; its earlier states stay in the history.

    Args:
        store: The store to write to.
        rows: The rows, in any number.
        stores: The learning stores whose vector stores are to be updated.
        mask: The function that masks secrets in what is stored.

    Raises:
        RecordError: A row does not belong to a backup; the pages before it are written.
    """
    driver, total, stores = Driver(store), Restored(), tuple(stores)
    for page in pages(rows):
        total += driver.run(restore_rows(page, stores, mask))
    return total


async def aload(
    store: BaseStore,
    rows: Iterable[Mapping[str, object]],
    *,
    stores: Sequence[LearningStore] = (),
    mask: Mask = mask_secrets,
) -> Restored:
    """Run `load` without blocking the event loop."""
    driver, total, stores = Driver(store), Restored(), tuple(stores)
    for page in pages(rows):
        total += await driver.arun(restore_rows(page, stores, mask))
    return total


def _prefix(user_id: str | None) -> tuple[str, ...]:
    return (ROOT,) if user_id is None else Scope(user_id=user_id).path


def pages(things: Iterable[T]) -> Iterator[list[T]]:
    """Yield `things` in pages, the unit of reading and writing."""
    remaining = iter(things)
    while page := list(islice(remaining, PAGE)):
        yield page
