"""What was: the history of a record, and the undoing of a commit. For stores that keep history."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from langgraph.store.base import Item, PutOp

from langgraph_learning._engine.flow import Expected, Flow, batch, call_store, write
from langgraph_learning._engine.learning.capture import key_puts
from langgraph_learning._engine.learning.turn import derived_id
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
    past_id,
)
from langgraph_learning.stores import LearningStore
from langgraph_learning.versioned_store import Json, StoredState, VersionedStore


def history(stores: Sequence[LearningStore], identity: Identity, record_id: str) -> Flow[list[Revision]]:
    """Return all states of a record, the oldest first; none for a record that is not there or not theirs.

    Raises:
        UnsupportedByStore: The store keeps no history.
    """
    for store, scope in scoped_to(stores, identity):
        namespace = (*scope.path, store.name)
        if kept := (yield from call_store(VersionedStore.history, namespace, record_id)):
            return [_revision(namespace, record_id, each) for each in kept]
    return []


def _revision(namespace: Namespace, key: str, kept: StoredState) -> Revision:
    record = _record(namespace, key, kept) if kept.value is not None else None
    return Revision(record=record, version=kept.version, at=kept.at, commit=(kept.source or {}).get("commit"))


def _record(namespace: Namespace, key: str, kept: StoredState) -> Record:
    value = {**(kept.value or {}), "version": kept.version}
    return Record.from_item(Item(value=value, key=key, namespace=namespace, created_at=kept.at, updated_at=kept.at))


def undo(stores: Sequence[LearningStore], identity: Identity, commit_id: str, at: datetime) -> Flow[Commit]:
    """Put every record that a commit changed back to what it was before, as a commit of its own.

    A record that was erased with its history stays away: the commit says so in `refused`.

    Raises:
        ScopeError: There is no such commit of this user.
        ConflictError: A record was changed since; nothing is undone.
        UnsupportedByStore: The store keeps no history.
    """
    [found] = yield from batch(find_commit(identity, commit_id))
    if (commit := read_commit(found)) is None:
        raise ScopeError(f"there is no commit {commit_id!r} of this user")
    theirs = {store.name: (store, scope) for store, scope in scoped_to(stores, commit.identity)}
    operations, expect, changes, refused, pairs = [], {}, [], [], []
    changed = list(dict.fromkeys((change.store, change.id) for change in commit.changes))
    for store, key in changed:
        if store not in theirs:
            raise ScopeError(f"commit {commit_id!r} changed {store}, which this machine does not have")
        scope = theirs[store][1]
        if scope.namespace != commit.namespaces.get(store):
            place = commit.namespaces.get(store, "the user's own")
            raise ScopeError(f"commit {commit_id!r} changed {store} in another namespace than this machine's: {place}")
        namespace = (*scope.path, store)
        states = yield from call_store(VersionedStore.history, namespace, key)
        if not states:  # erased with its history: nothing to put back, and no reason to keep the rest
            refused.append(Refusal(operation=f"undo {key}", reason="the record was erased with its history"))
            continue
        before, last = _states_around(states, commit_id, key)
        if before is not None and scope.namespace is None:  # what the commit kept of the past is the present again
            kept = sum(one.from_now_on for one in _updates_of(commit, store, key))
            changed += [(store, past_id(key, before.version + number)) for number in range(kept)]
        value = _with_keys(before.value, last.value) if before is not None else None
        operations.append(PutOp(namespace, key, value, index=INDEXED if value is not None else None))
        if theirs[store][0].keys_messages:
            pairs.append((_state_record(namespace, key, last), _restore(namespace, key, value, last)))
        expect[namespace, key] = last.version if last.value is not None else 0
        operations += outbox_entries(*theirs[store], [key])
        changes.append(_inverse_change(store, key, last, value))
    made = _undo_commit(commit, identity, at, changes, refused)
    done = [(put.namespace, put.key) for put in operations]
    keyed, versions = yield from key_puts(commit.identity.user_id, pairs, done, at)
    operations, expect = [*operations, *keyed], {**expect, **versions}
    yield from _write_undo(made, operations, expect)
    for each, scope in theirs.values():
        yield from sync_index(each, scope, [change.id for change in changes])
    return made


def _states_around(states: Sequence[StoredState], commit_id: str, key: str) -> tuple[StoredState | None, StoredState]:
    """Return the state before the commit, and the last one, which must be as the commit left it."""
    places = [place for place, kept in enumerate(states) if (kept.source or {}).get("commit") == commit_id]
    # What came later may have been undone: then the record stands as the commit left it, under a newer version.
    if not places or _without_keys(states[places[-1]].value) != _without_keys(states[-1].value):
        raise ConflictError(f"the record {key!r} was changed after this commit: undo what came later first")
    return (states[places[0] - 1] if places[0] else None), states[-1]


def _updates_of(commit: Commit, store: str, key: str) -> list[Update]:
    return [one for one in commit.changes if isinstance(one, Update) and (one.store, one.id) == (store, key)]


def _without_keys(value: Mapping[str, Json] | None) -> Mapping[str, Json] | None:
    """Return what a record says: what else it is found by may have changed since, that is no reason to keep it."""
    return value and {name: part for name, part in value.items() if name not in ("keys", "version")}


def _with_keys(value: Mapping[str, Json] | None, last: Mapping[str, Json] | None) -> dict[str, Json] | None:
    """Return an earlier state as it is put back: found by what it is found by now."""
    if value is None:
        return None
    keys = (last or value).get("keys")
    return {**{name: part for name, part in value.items() if name != "keys"}, **({"keys": keys} if keys else {})}


def _state_record(namespace: Namespace, key: str, kept: StoredState) -> Record | None:
    return _record(namespace, key, kept) if kept.value is not None else None


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
    kept = {name: value[name] for name in ("content", "text", "status")}
    return kind(store=store, id=key, source=source, **kept)


def _undo_commit(
    commit: Commit, identity: Identity, at: datetime, changes: Sequence[Change], refused: Sequence[Refusal]
) -> Commit:
    key = derived_id("undo", commit.id, at.isoformat())
    # In the thread and of the agent of what is undone: its records are found there when this is undone in turn.
    theirs = identity.model_copy(update=commit.identity.model_dump(include={"thread_id", "agent"}))
    return Commit(
        id=key,
        identity=theirs,
        at=at,
        changes=tuple(changes),
        refused=tuple(refused),
        namespaces=commit.namespaces,
    )


def _write_undo(made: Commit, operations: Sequence[PutOp], expect: Expected) -> Flow[None]:
    marker = put_commit(made)
    yield from write([marker, *operations], {**expect, (marker.namespace, marker.key): 0}, made.id)
