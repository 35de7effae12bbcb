"""The history of a record, and the undo of a commit, for stores that keep history."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from langgraph.store.base import Item, PutOp

from langgraph_learning._engine.flow import Expected, Flow, batch, call_store, write
from langgraph_learning._engine.learning.capture import key_puts
from langgraph_learning._engine.recall.vector_index import outbox_entries, sync_index
from langgraph_learning._engine.repository import find_commit, put_commit, read_commit, scoped_to
from langgraph_learning.errors import ConflictError, ScopeError
from langgraph_learning.records import (
    INDEXED,
    Add,
    Change,
    Commit,
    Identity,
    Namespace,
    Record,
    Refusal,
    Remove,
    Revision,
    Source,
    Update,
    derived_id,
)
from langgraph_learning.store_protocol import Json, StoredState, VersionedStore
from langgraph_learning.stores import LearningStore


def history(stores: Sequence[LearningStore], identity: Identity, record_id: str) -> Flow[list[Revision]]:
    """Return all states of a record, the oldest first; none if it does not exist or belongs to another user.

    Raises:
        UnsupportedByStore: The store keeps no history.
    """
    for store, scope in scoped_to(stores, identity):
        namespace = (*scope.path, store.name)
        if states := (yield from call_store(VersionedStore.history, namespace, record_id)):
            return [_revision(namespace, record_id, state) for state in states]
    return []


def _revision(namespace: Namespace, key: str, state: StoredState) -> Revision:
    record = _record(namespace, key, state) if state.value is not None else None
    return Revision(record=record, version=state.version, at=state.at, commit=(state.source or {}).get("commit"))


def _record(namespace: Namespace, key: str, state: StoredState) -> Record:
    value = {**(state.value or {}), "version": state.version}
    return Record.from_item(Item(value=value, key=key, namespace=namespace, created_at=state.at, updated_at=state.at))


def undo(stores: Sequence[LearningStore], identity: Identity, commit_id: str, at: datetime) -> Flow[Commit]:
    """Write back the earlier state of each record that a commit changed, as a new commit.

    A record that was erased with its history stays erased; the new commit lists it in `refused`.

    Raises:
        ScopeError: This user has no such commit.
        ConflictError: A record was changed since; nothing is undone.
        UnsupportedByStore: The store keeps no history.
    """
    [result] = yield from batch(find_commit(identity, commit_id))
    if (commit := read_commit(result)) is None:
        raise ScopeError(f"there is no commit {commit_id!r} of this user")
    own_stores = {store.name: (store, scope) for store, scope in scoped_to(stores, commit.identity)}
    operations, expect, changes, refused, pairs = [], {}, [], [], []
    changed = list(dict.fromkeys((change.store, change.id) for change in commit.changes))
    for store, key in changed:
        if store not in own_stores:
            raise ScopeError(f"commit {commit_id!r} changed {store}, which this machine does not have")
        scope = own_stores[store][1]
        if scope.namespace != commit.namespaces.get(store):
            namespace_name = commit.namespaces.get(store, "the user's own")
            raise ScopeError(
                f"commit {commit_id!r} changed {store} in another namespace than this machine's: {namespace_name}"
            )
        namespace = (*scope.path, store)
        states = yield from call_store(VersionedStore.history, namespace, key)
        if not states:  # erased with its history: nothing to restore, and no reason to leave the other changes
            refused.append(Refusal(operation=f"undo {key}", reason="the record was erased with its history"))
            continue
        before, last = _states_around(states, commit_id, key)
        if scope.namespace is None and _touches_past(commit, store, key):
            past = yield from _changed_past(namespace, key, commit_id)
            changed += [each for each in past if each not in changed]
        value = _with_keys(before.value, last.value) if before is not None else None
        operations.append(PutOp(namespace, key, value, index=INDEXED if value is not None else None))
        if own_stores[store][0].keys_messages:
            pairs.append((_state_record(namespace, key, last), _restore(namespace, key, value, last)))
        expect[namespace, key] = last.version if last.value is not None else 0
        operations += outbox_entries(*own_stores[store], [key])
        changes.append(_inverse_change(store, key, last, value))
    new_commit = _undo_commit(commit, identity, at, changes, refused)
    done = [(put.namespace, put.key) for put in operations]
    keyed, versions = yield from key_puts(commit.identity.user_id, pairs, done, at)
    operations, expect = [*operations, *keyed], {**expect, **versions}
    undone = put_commit(commit.model_copy(update={"undone_by": new_commit.id}))
    expect = {**expect, (undone.namespace, undone.key): getattr(result, "version", 0)}
    yield from _write_undo(new_commit, [*operations, undone], expect)
    for each, scope in own_stores.values():
        yield from sync_index(each, scope, [change.id for change in changes])
    return new_commit


def _states_around(states: Sequence[StoredState], commit_id: str, key: str) -> tuple[StoredState | None, StoredState]:
    """Return the state before the commit, and the last one, which must be as the commit left it."""
    places = [place for place, state in enumerate(states) if (state.source or {}).get("commit") == commit_id]
    # Later changes may have been undone: then the record is as the commit left it, under a newer version.
    if not places or _without_keys(states[places[-1]].value) != _without_keys(states[-1].value):
        raise ConflictError(f"the record {key!r} was changed after this commit: undo what came later first")
    return (states[places[0] - 1] if places[0] else None), states[-1]


def _touches_past(commit: Commit, store: str, key: str) -> bool:
    """Return whether a commit may have stored, or removed, earlier states of a record."""
    mine = [change for change in commit.changes if (change.store, change.id) == (store, key)]
    return any(isinstance(change, Remove) or change.from_now_on for change in mine)


def _changed_past(namespace: Namespace, key: str, commit_id: str) -> Flow[list[tuple[str, str]]]:
    """Return the earlier states of a record that a commit stored or removed, as learning store and id."""
    addresses = yield from call_store(VersionedStore.all_addresses, namespace, {"past_of": key})
    found: list[tuple[str, str]] = []
    for past_key in [past_key for path, past_key in addresses if path == namespace]:
        kept = yield from call_store(VersionedStore.history, namespace, past_key)
        if any((state.source or {}).get("commit") == commit_id for state in kept):
            found.append((namespace[-1], past_key))
    return found


def _without_keys(value: Mapping[str, Json] | None) -> Mapping[str, Json] | None:
    """Return a record's value without its keys: they may have changed since, and that must not prevent an undo."""
    return value and {name: part for name, part in value.items() if name not in ("keys", "version")}


def _with_keys(value: Mapping[str, Json] | None, last: Mapping[str, Json] | None) -> dict[str, Json] | None:
    """Return an earlier state with the present keys."""
    if value is None:
        return None
    keys = (last or value).get("keys")
    return {**{name: part for name, part in value.items() if name != "keys"}, **({"keys": keys} if keys else {})}


def _state_record(namespace: Namespace, key: str, state: StoredState) -> Record | None:
    return _record(namespace, key, state) if state.value is not None else None


def _restore(namespace: Namespace, key: str, value: Mapping[str, Json] | None, last: StoredState) -> Record | None:
    if value is None:
        return None
    at = last.at
    item = Item(value={**value, "version": last.version}, key=key, namespace=namespace, created_at=at, updated_at=at)
    return Record.from_item(item)


def _inverse_change(store: str, key: str, last: StoredState, value: Mapping[str, Json] | None) -> Change:
    source = Source(actor="person")
    if value is None:
        return Remove(store=store, id=key, text=str((last.value or {}).get("text", "")), source=source)
    kind = Add if last.value is None else Update
    fields = {name: value[name] for name in ("content", "text", "status")}
    return kind(store=store, id=key, source=source, **fields)


def _undo_commit(
    commit: Commit, identity: Identity, at: datetime, changes: Sequence[Change], refused: Sequence[Refusal]
) -> Commit:
    key = derived_id("undo", commit.id, at.isoformat())
    # In the thread and with the agent of the undone commit: there an undo of the undo finds its records.
    own_identity = identity.model_copy(update=commit.identity.model_dump(include={"thread_id", "agent"}))
    return Commit(
        id=key,
        identity=own_identity,
        at=at,
        changes=tuple(changes),
        refused=tuple(refused),
        namespaces=commit.namespaces,
    )


def _write_undo(new_commit: Commit, operations: Sequence[PutOp], expect: Expected) -> Flow[None]:
    marker = put_commit(new_commit)
    yield from write([marker, *operations], {**expect, (marker.namespace, marker.key): 0}, new_commit.id)
