"""The data of a thread in a store: copied to another thread, or erased.

`langgraph_learning.namespace_labels` defines where it lies. In a store with history, the history is erased too.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from functools import partial
from typing import NamedTuple, cast

from langgraph.store.base import BaseStore, GetOp, Item, PutOp

from langgraph_learning.errors import ConflictError
from langgraph_learning.mentions import Mention, mention_of, without_mentions
from langgraph_learning.namespace_labels import COMMITS, PENDING, ROOT, SESSION_CONTEXT, THREAD
from langgraph_learning.versioned_store import (
    Address,
    Json,
    VersionedStore,
    holds,
    is_versioned,
    split_filter,
    supports,
)

PAGE = 100
TRIES = 5
LEARNED = (ROOT,)


def erase_sessions(store: BaseStore, thread_label: str, thread_id: str) -> None:
    """Erase what the sessions of all users in the thread left in the store, with its history."""
    can_purge = supports(store, VersionedStore.purge)
    purge = cast("VersionedStore", store).purge if can_purge else partial(_delete, store)
    for namespace in tuple(_sessions(store, thread_label)):
        purge(namespace)
    _erase_pending(store, thread_id)
    _erase_messages(store, thread_id)
    _strip_commits(store, thread_id)


def _erase_pending(store: BaseStore, thread_id: str) -> None:
    """Erase the turns of the thread that wait to be learned from: a deleted thread must teach nothing more."""
    if is_versioned(store):
        addresses = store.all_addresses(LEARNED, _in_thread(thread_id))
        if pending := [address for address in addresses if address[0][-1] == PENDING]:
            store.erase(pending)
        return
    for item in list(_find_items(store, _in_thread(thread_id))):
        if item.namespace[-1] == PENDING:
            store.delete(item.namespace, item.key)


def _erase_messages(store: BaseStore, thread_id: str) -> None:
    """Erase the stored messages of the thread (records that have a position in a session)."""
    of_thread = {"source": {"thread_id": thread_id}}
    if is_versioned(store):
        store.erase(store.all_addresses(LEARNED, {**of_thread, "session": {"$exists": True}}))
        return
    for item in list(_find_items(store, of_thread)):
        if item.value.get("session") is not None:
            store.delete(item.namespace, item.key)


class Thread(NamedTuple):
    """A thread id, and the label that stands for it in a namespace."""

    id: str
    label: str


def copy_sessions(store: BaseStore, source: Thread, target: Thread) -> None:
    """Copy the present session records of all users from one thread to another; what the target already has stays."""
    puts = []
    for namespace in _sessions(store, source.label):
        destination = (*namespace[:-2], target.label, SESSION_CONTEXT)
        for item in store.search(namespace, limit=PAGE):
            if store.get(destination, item.key) is None:
                puts.append(PutOp(destination, item.key, _for_thread(item.value, target.id), index=["text"]))
    if puts:
        store.batch(puts)


def _for_thread(value: Mapping[str, Json], thread_id: str) -> dict[str, Json]:
    inside = ((name, value.get(name)) for name in ("scope", "source"))
    return {**value, **{name: {**part, "thread_id": thread_id} for name, part in inside if isinstance(part, dict)}}


def _sessions(store: BaseStore, thread_label: str) -> Iterator[tuple[str, ...]]:
    suffix = (THREAD, thread_label, SESSION_CONTEXT)
    if is_versioned(store):
        yield from store.all_namespaces(LEARNED, suffix)
        return
    offset = 0
    while page := store.list_namespaces(prefix=LEARNED, suffix=suffix, limit=PAGE, offset=offset):
        yield from page
        offset += PAGE


def _delete(store: BaseStore, namespace: tuple[str, ...]) -> None:
    while page := store.search(namespace, limit=PAGE):
        for item in page:
            store.delete(item.namespace, item.key)


def _strip_commits(store: BaseStore, thread_id: str) -> None:
    """Remove the texts of the session from the thread's commits; the fact and time of each change stay."""
    filter_ = _in_thread(thread_id)
    if is_versioned(store):
        addresses = store.all_addresses(LEARNED, filter_)
    else:
        addresses = [(item.namespace, item.key) for item in _find_items(store, filter_)]
    addresses = [(namespace, key) for namespace, key in addresses if namespace[-1] == COMMITS]
    puts = []
    for namespace, key in addresses:
        item = store.get(namespace, key, refresh_ttl=False)
        if item is None:
            continue
        value = {**item.value, "changes": [_strip_change(change) for change in item.value.get("changes") or ()]}
        if value != item.value:
            puts.append(PutOp(namespace, key, value, index=False))
    if puts:
        store.batch(puts)
    if is_versioned(store):  # always, even for no address: it scrubs what an earlier attempt could not
        store.erase(addresses, history_only=True)


def _find_items(store: BaseStore, conditions: dict[str, Json], prefix: tuple[str, ...] = LEARNED) -> Iterator[Item]:
    """Yield the items that meet `conditions`, for stores without history."""
    flat, parts = split_filter(conditions)
    offset = 0
    while page := store.search(prefix, filter=flat or None, limit=PAGE, offset=offset):
        yield from (item for item in page if holds(item.value, parts))
        offset += PAGE


def _in_thread(thread_id: str) -> dict[str, Json]:
    return {"identity": {"thread_id": thread_id}}


def _strip_change(change: dict[str, Json]) -> dict[str, Json]:
    if change.get("store") != SESSION_CONTEXT:
        return change
    bare = {**change, "text": ""}
    if "content" in bare:
        bare["content"] = {}
    if isinstance(source := bare.get("source"), dict):
        bare["source"] = {**source, "quote": None}
    return bare


def erase_thread_records(store: BaseStore, thread_id: str) -> None:
    """Erase every record that was learned in the thread, whoever it belongs to, and the thread's commits.

    What another thread had taught before is restored. In a store with history, their history is erased too. Where
    another thread has changed a record since, its present state stays and its history goes. Other commits no longer say
    that what was erased was recalled.
    """
    taught, reading = {"source": {"thread_id": thread_id}}, store
    if is_versioned(store):
        written = store.all_addresses(LEARNED, taught)
        store.erase_written(written, taught, index=["text"])
        if twice := list(_find_restored_past(store, reading, written)):
            store.erase(twice)
        store.erase(store.all_addresses(LEARNED, _in_thread(thread_id)))
        _forget_mentions(reading, written)
        return
    gone = [item for filter_ in (taught, _in_thread(thread_id)) for item in _find_items(store, filter_)]
    for item in gone:
        store.delete(item.namespace, item.key)
    addresses = {(tuple(item.namespace), item.key) for item in gone}
    _restore_replaced(store, addresses)
    _forget_mentions(store, addresses)


def _restore_replaced(store: BaseStore, gone: Collection[Address]) -> None:
    """In a store without history, bring back the states that the erased records had replaced."""
    for namespace in dict.fromkeys(namespace for namespace, _ in gone):
        past = [
            item
            for item in _find_items(store, {"status": "superseded"}, namespace)
            if (tuple(item.namespace), str(item.value.get("past_of"))) in gone
        ]
        newest = {item.value["past_of"]: item for item in sorted(past, key=lambda item: str(item.value["updated_at"]))}
        for key, item in newest.items():
            value = {name: part for name, part in item.value.items() if name not in ("past_of", "valid_to")}
            store.put(namespace, key, {**value, "status": "active"}, index=["text"])
            store.delete(namespace, item.key)


def _forget_mentions(store: BaseStore, addresses: Collection[Address]) -> None:
    """Take the ids of erased records out of what commits say was recalled."""
    present = {address for address, _ in _states(store, addresses)}
    gone = {mention_of(address) for address in addresses if address not in present}
    if not gone:
        return
    if is_versioned(store):
        found = store.all_addresses(LEARNED, {"provenance": {"recalled": {"$exists": True}}})
    else:
        found = [(tuple(item.namespace), item.key) for item in _find_items(store, {})]
    commits = [address for address in found if address[0][-1] == COMMITS]
    for start in range(0, len(commits), PAGE):
        _take_out_mentions(store, commits[start : start + PAGE], gone)


def _take_out_mentions(store: BaseStore, commits: Collection[Address], gone: Set[Mention]) -> None:
    """Write those of `commits` that name a record of `gone` without it.

    Raises:
        ConflictError: Other writers were first every time.
    """
    for tries_left in reversed(range(TRIES)):
        results = store.batch([GetOp(*address, refresh_ttl=False) for address in commits])
        puts, expect = without_mentions(results, gone)
        if not puts or not is_versioned(store):
            store.batch(puts)
            return
        try:
            store.transact(puts, expect=expect)
        except ConflictError:  # an undo has marked one of them meanwhile
            if not tries_left:
                raise
        else:
            store.erase(expect, history_only=True)
            return


def _find_restored_past(store: VersionedStore, reading: BaseStore, addresses: Iterable[Address]) -> Iterator[Address]:
    """Yield the past records whose states are present again at `addresses`: nothing has replaced them any more."""
    present = {place: state for place, state in _states(reading, addresses) if state.get("past_of") is None}
    for namespace in dict.fromkeys(namespace for namespace, _ in present):
        keys = [key for path, key in present if path == namespace]
        found = store.all_addresses(namespace, {"past_of": {"$in": keys}})
        for place, past in _states(reading, found):
            now = present.get((namespace, str(past.get("past_of"))), {})
            if place[0] == namespace and all(now.get(name) == past.get(name) for name in ("text", "updated_at")):
                yield place


def _states(store: BaseStore, addresses: Iterable[Address]) -> list[tuple[Address, dict[str, Json]]]:
    """Return the present values at those of `addresses` that hold a record."""
    items = store.batch([GetOp(*address, refresh_ttl=False) for address in addresses])
    read = [(item.namespace, item.key, item.value) for item in items if isinstance(item, Item)]
    return [((tuple(namespace), key), value) for namespace, key, value in read if "updated_at" in value]
