"""What a thread left in a store, and how it is copied and erased.

The namespaces are those of the learning store of that name: `("learning", "user", <user>, "thread", <thread>,
"session_context")`, each id written as a label; a user's commits, `("learning", "user", <user>, "commits")`, repeat
what they wrote there. A store with history is asked for what is past, too.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeGuard

from langgraph.store.base import BaseStore, Item, PutOp

from langgraph_learning.checkpointers._store.items import Address

PAGE = 100
ROOT = ("learning",)
SESSION = "session_context"


class HasHistory(Protocol):
    """A store that keeps history, and can erase it."""

    def get(self, namespace: tuple[str, ...], key: str, *, refresh_ttl: bool) -> Item | None: ...
    def all_namespaces(self, prefix: tuple[str, ...], suffix: tuple[str, ...]) -> list[tuple[str, ...]]: ...
    def all_addresses(self, prefix: tuple[str, ...], filter: Mapping[str, object]) -> list[Address]: ...
    def erase(self, addresses: list[Address], *, history_only: bool = False) -> int: ...


def _has_history(store: object) -> TypeGuard[HasHistory]:
    return all(callable(getattr(store, name, None)) for name in ("all_namespaces", "all_addresses", "erase"))


def erase_sessions(store: BaseStore, thread_label: str, thread_id: str) -> None:
    """Erase what every user's session of the thread left in the store, its history too where the store keeps one."""
    for namespace in tuple(_sessions(store, thread_label)):
        if callable(purge := getattr(store, "purge", None)):
            purge(namespace)
        else:
            _delete(store, namespace)
    _erase_messages(store, thread_id)
    _strip_commits(store, thread_id)


def _erase_messages(store: BaseStore, thread_id: str) -> None:
    """Erase the messages of the thread that were kept for later conversations: records with a place in a session."""
    said = {"source": {"thread_id": thread_id}}
    if _has_history(store):
        store.erase(store.all_addresses(ROOT, {**said, "session": {"$exists": True}}))
        return
    for item in list(_find_items(store, said)):
        if item.value.get("session") is not None:
            store.delete(item.namespace, item.key)


class Thread(NamedTuple):
    """A thread, and how it is written as a label."""

    id: str
    label: str


def copy_sessions(store: BaseStore, source: Thread, target: Thread) -> None:
    """Give a thread what every user's session of another one holds now; what it already has stays."""
    puts = []
    for namespace in _sessions(store, source.label):
        there = (*namespace[:-2], target.label, SESSION)
        for item in store.search(namespace, limit=PAGE):
            if store.get(there, item.key) is None:
                puts.append(PutOp(there, item.key, _for_thread(item.value, target.id), index=["text"]))
    if puts:
        store.batch(puts)


def _for_thread(value: Mapping[str, Any], thread_id: str) -> dict[str, Any]:
    inside = ((name, value.get(name)) for name in ("scope", "source"))
    return {**value, **{name: {**part, "thread_id": thread_id} for name, part in inside if isinstance(part, dict)}}


def _sessions(store: BaseStore, thread_label: str) -> Iterator[tuple[str, ...]]:
    suffix = ("thread", thread_label, SESSION)
    if _has_history(store):
        yield from store.all_namespaces(ROOT, suffix)
        return
    offset = 0
    while found := store.list_namespaces(prefix=ROOT, suffix=suffix, limit=PAGE, offset=offset):
        yield from found
        offset += PAGE


def _delete(store: BaseStore, namespace: tuple[str, ...]) -> None:
    while found := store.search(namespace, limit=PAGE):
        for item in found:
            store.delete(item.namespace, item.key)


def _strip_commits(store: BaseStore, thread_id: str) -> None:
    """Take the words of the session out of the thread's commits; that and when something changed stays."""
    filter_ = _in_thread(thread_id)
    if _has_history(store):
        addresses = [each for each in store.all_addresses(ROOT, filter_) if _is_commits(each[0])]
    else:
        found = list(_find_items(store, filter_))
        addresses = [(item.namespace, item.key) for item in found if _is_commits(item.namespace)]
    puts = []
    for namespace, key in addresses:
        item = store.get(namespace, key, refresh_ttl=False)
        if item is not None and (value := _strip_commit(item.value)) != item.value:
            puts.append(PutOp(namespace, key, value, index=False))
    if puts:
        store.batch(puts)
    if _has_history(store):  # also when there is nothing: what an earlier try could not scrub is scrubbed now
        store.erase(addresses, history_only=True)


def _find_items(store: BaseStore, conditions: dict[str, Any]) -> Iterator[Any]:
    offset = 0
    while page := store.search(ROOT, filter=conditions, limit=PAGE, offset=offset):
        yield from page
        offset += PAGE


def _in_thread(thread_id: str) -> dict[str, Any]:
    return {"identity": {"thread_id": thread_id}}


def _is_commits(namespace: tuple[str, ...]) -> bool:
    return namespace[-1] == "commits"


def _strip_commit(value: Mapping[str, Any]) -> dict[str, Any]:
    return {**value, "changes": [_strip_change(change) for change in value.get("changes") or ()]}


def _strip_change(change: dict[str, Any]) -> dict[str, Any]:
    if change.get("store") != SESSION:
        return change
    bare = {**change, "text": ""}
    if "content" in bare:
        bare["content"] = {}
    if isinstance(source := bare.get("source"), dict):
        bare["source"] = {**source, "quote": None}
    return bare


def erase_thread_records(store: BaseStore, thread_id: str) -> None:
    """Erase every record that was learned in the thread, of whoever, and the thread's commits.

    A store with history forgets the past of these too. Of a record that another thread has changed since, the present
    state stays and its whole history goes.
    """
    taught = {"source": {"thread_id": thread_id}}
    if not _has_history(store):
        for filter_ in (taught, _in_thread(thread_id)):
            while found := store.search(ROOT, filter=filter_, limit=PAGE):
                for item in found:
                    store.delete(item.namespace, item.key)
        return
    gone = store.all_addresses(ROOT, _in_thread(thread_id))
    changed_since: list[Address] = []
    for namespace, key in store.all_addresses(ROOT, taught):
        present = store.get(namespace, key, refresh_ttl=False)
        stays = present is not None and (present.value.get("source") or {}).get("thread_id") != thread_id
        (changed_since if stays else gone).append((namespace, key))
    store.erase(changed_since, history_only=True)
    store.erase(gone)
