"""What a thread left in a store, and how it is erased.

The namespaces are those of the learning store of that name: `("learning", "user", <user>, "thread", <thread>,
"session_context")`, each id written as a label.
"""

from collections.abc import Iterator

from langgraph.store.base import BaseStore

PAGE = 100


def erase_sessions(store: BaseStore, thread_label: str) -> None:
    """Erase what every user's session of the thread left in the store, its history too where the store keeps one."""
    for namespace in tuple(_sessions(store, thread_label)):
        if callable(purge := getattr(store, "purge", None)):
            purge(namespace)
        else:
            _delete(store, namespace)


def _sessions(store: BaseStore, thread_label: str) -> Iterator[tuple[str, ...]]:
    suffix = ("thread", thread_label, "session_context")
    offset = 0
    while found := store.list_namespaces(prefix=("learning",), suffix=suffix, limit=PAGE, offset=offset):
        yield from found
        offset += PAGE


def _delete(store: BaseStore, namespace: tuple[str, ...]) -> None:
    while found := store.search(namespace, limit=PAGE):
        for item in found:
            store.delete(item.namespace, item.key)


def erase_taught(store: BaseStore, thread_id: str) -> None:
    """Delete every record that was learned in the thread, of whoever; a store with history still has what it was."""
    while found := store.search(("learning",), filter={"source": {"thread_id": thread_id}}, limit=PAGE):
        for item in found:
            store.delete(item.namespace, item.key)
