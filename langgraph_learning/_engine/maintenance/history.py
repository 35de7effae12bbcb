"""The history of a record, and the undo of a commit, for stores that keep history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from langgraph.store.base import GetOp, Item, PutOp

from langgraph_learning._engine.flow import Flow, batch, call_store, write
from langgraph_learning._engine.learning.capture import key_puts
from langgraph_learning._engine.recall.vector_store import outbox_entries, sync_index
from langgraph_learning._engine.repository import find_commit, put_commit, read_commit, scoped_to
from langgraph_learning.errors import ConflictError, ScopeError
from langgraph_learning.records import (
    ACTIVE,
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
    Scope,
    Source,
    Update,
    derived_id,
)
from langgraph_learning.stores import LearningStore
from langgraph_learning.versioned_store import Json, StoredState, VersionedStore


def history(stores: Sequence[LearningStore], identity: Identity, record_id: str) -> Flow[list[Revision]]:
    """Return all states of a record, the oldest first.

    Raises:
        ScopeError: This user has no such record, and had none.
        UnsupportedByStore: The store keeps no history.
    """
    for store, scope in scoped_to(stores, identity) if isinstance(record_id, str) else ():
        namespace = (*scope.path, store.name)
        if states := (yield from call_store(VersionedStore.history, namespace, record_id)):
            return [_revision(namespace, record_id, state) for state in states]
    raise ScopeError(f"there is no record {record_id!r} of this user: give an id, as `records()` lists them")


def _revision(namespace: Namespace, key: str, state: StoredState) -> Revision:
    record = _record(namespace, key, state.value, state)
    return Revision(record=record, version=state.version, at=state.at, commit=(state.source or {}).get("commit"))


def _record(namespace: Namespace, key: str, value: Mapping[str, Json] | None, state: StoredState) -> Record | None:
    """Return the record with `value` as of the version and time of `state`; None without a value."""
    if value is None:
        return None
    with_version = {**value, "version": state.version}
    item = Item(value=with_version, key=key, namespace=namespace, created_at=state.at, updated_at=state.at)
    return Record.from_item(item)


@dataclass(frozen=True)
class Reversal:
    """One record that an undo brings back: the put, the change for the new commit, and the record's last state."""

    put: PutOp
    change: Change
    last: StoredState

    @property
    def records(self) -> tuple[Record | None, Record | None]:
        """The record before the undo and after it."""
        namespace, key = self.put.namespace, self.put.key
        return _record(namespace, key, self.last.value, self.last), _record(namespace, key, self.put.value, self.last)

    @property
    def key_names(self) -> list[str]:
        """The names of the keys that a message had before the commit or has now; none if it goes away."""
        states = (self.put.value, self.last.value or {}) if self.put.value is not None else ()
        return list(dict.fromkeys(name for state in states for name in state.get("keys", ())))

    def with_keys(self, records: Mapping[str, Record | None]) -> "Reversal":
        """Return the reversal with the keys that `records` have: those of the records that rest on the message."""
        message = self.records[1]
        if self.put.value is None or message is None or not self.key_names:
            return self
        named = ((name, records.get(name)) for name in self.key_names)
        keys = {name: record.text for name, record in named if record and _rests_on(record, message)}
        value = {name: part for name, part in self.put.value.items() if name != "keys"}
        return replace(self, put=self.put._replace(value={**value, "keys": keys} if keys else value))


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
    reversals, refused = list[Reversal](), list[Refusal]()
    changed = list(dict.fromkeys((change.store, change.id) for change in commit.changes))
    for name, key in changed:
        scope = _check_scope(commit, name, own_stores)
        namespace = (*scope.path, name)
        states = yield from call_store(VersionedStore.history, namespace, key)
        if not states:  # erased with its history: nothing to restore, and no reason to leave the other changes
            refused.append(Refusal(operation=f"undo {key}", reason="the record was erased with its history"))
            continue
        reversals.append(_reverse(namespace, key, states, commit_id))
        past = yield from _changed_past(commit, scope, name, key)
        changed += [address for address in past if address not in changed]
    reversals = yield from _with_current_keys(reversals, own_stores)
    # In the thread and with the agent of the undone commit: there an undo of the undo finds its records.
    own_identity = identity.model_copy(update=commit.identity.model_dump(include={"thread_id", "agent"}))
    new_commit = Commit(
        id=derived_id("undo", commit.id, at.isoformat()),
        identity=own_identity,
        at=at,
        changes=tuple(reversal.change for reversal in reversals),
        refused=tuple(refused),
        namespaces=commit.namespaces,
    )
    undone = commit.model_copy(update={"undone_by": new_commit.id})
    yield from _write_undo(new_commit, undone, getattr(result, "version", 0), reversals, own_stores)
    return new_commit


def _check_scope(commit: Commit, name: str, own_stores: Mapping[str, tuple[LearningStore, Scope]]) -> Scope:
    """Return the scope of a learning store, in which the commit has changed it.

    Raises:
        ScopeError: The machine has no such learning store, or has it in another namespace.
    """
    if name not in own_stores:
        raise ScopeError(f"commit {commit.id!r} changed {name}, which this machine does not have")
    scope = own_stores[name][1]
    if scope.namespace != commit.namespaces.get(name):
        namespace_name = commit.namespaces.get(name, "the user's own")
        raise ScopeError(
            f"commit {commit.id!r} changed {name} in another namespace than this machine's: {namespace_name}"
        )
    return scope


def _reverse(namespace: Namespace, key: str, states: Sequence[StoredState], commit_id: str) -> Reversal:
    """Return what brings a record back to its state before the commit; its keys are decided by `_with_current_keys`.

    Raises:
        ConflictError: Its last state is not as the commit left it.
    """
    places = [place for place, state in enumerate(states) if (state.source or {}).get("commit") == commit_id]
    last = states[-1]
    # Later changes may have been undone: then the record is as the commit left it, under a newer version.
    if not places or _without_keys(states[places[-1]].value) != _without_keys(last.value):
        raise ConflictError(f"the record {key!r} was changed after this commit: undo what came later first")
    store, source = namespace[-1], Source(actor="person")
    before = states[places[0] - 1].value if places[0] else None
    if before is None:
        gone = Remove(store=store, id=key, text=str((last.value or {}).get("text", "")), source=source)
        return Reversal(PutOp(namespace, key, None), gone, last)
    kind = Add if last.value is None else Update
    change = kind(store=store, id=key, source=source, **{name: before[name] for name in ("content", "text", "status")})
    return Reversal(PutOp(namespace, key, dict(before), index=INDEXED), change, last)


def _with_current_keys(
    reversals: Sequence[Reversal], own_stores: Mapping[str, tuple[LearningStore, Scope]]
) -> Flow[list[Reversal]]:
    """Return the reversals; a message that comes back is found by those records that rest on it after the undo.

    The keys of neither state are right as they stand: since the commit, records may have been added, changed and
    removed, and the last state may be that of another message, which took the place of this one.
    """
    records = {f"{reversal.change.store}/{reversal.change.id}": reversal.records[1] for reversal in reversals}
    unread = {key for reversal in reversals for key in reversal.key_names} - records.keys()
    names = [(store, record_id) for store, _, record_id in (key.partition("/") for key in sorted(unread))]
    gets = [
        GetOp((*own_stores[store][1].path, store), record_id, refresh_ttl=False)
        for store, record_id in names
        if store in own_stores
    ]
    items = (yield from batch(*gets)) if gets else []
    read = [Record.from_item(item) for item in items if isinstance(item, Item)]
    records |= {f"{record.store}/{record.id}": record for record in read}
    return [reversal.with_keys(records) for reversal in reversals]


def _rests_on(record: Record | None, message: Record) -> bool:
    """Return whether an active record names the message in its source."""
    if record is None or record.status != ACTIVE or record.source.thread_id != message.source.thread_id:
        return False
    return not set(message.source.message_ids).isdisjoint(record.source.message_ids)


def _changed_past(commit: Commit, scope: Scope, store: str, key: str) -> Flow[list[tuple[str, str]]]:
    """Return the earlier states of a record that a commit stored or removed, as learning store and id."""
    mine = [change for change in commit.changes if (change.store, change.id) == (store, key)]
    if scope.namespace is not None or not any(isinstance(change, Remove) or change.from_now_on for change in mine):
        return []  # shared scopes keep no earlier states, and other changes leave them as they are
    namespace = (*scope.path, store)
    addresses = yield from call_store(VersionedStore.all_addresses, namespace, {"past_of": key})
    changed: list[tuple[str, str]] = []
    for past_key in [past_key for path, past_key in addresses if path == namespace]:
        states = yield from call_store(VersionedStore.history, namespace, past_key)
        if any((state.source or {}).get("commit") == commit.id for state in states):
            changed.append((store, past_key))
    return changed


def _without_keys(value: Mapping[str, Json] | None) -> Mapping[str, Json] | None:
    """Return a record's value without its keys: they may have changed since, and that must not prevent an undo."""
    return value and {name: part for name, part in value.items() if name not in ("keys", "version")}


def _write_undo(
    new_commit: Commit,
    undone: Commit,
    version: int,
    reversals: Sequence[Reversal],
    own_stores: Mapping[str, tuple[LearningStore, Scope]],
) -> Flow[None]:
    """Write the commit of an undo, its reversals and the undone commit; then update vector stores.

    Nothing is written if another writer was first. `version` is the one that the undone commit was read at.
    """
    new, old = put_commit(new_commit), put_commit(undone)
    puts = [reversal.put for reversal in reversals]
    expect = {
        (reversal.put.namespace, reversal.put.key): reversal.last.version if reversal.last.value is not None else 0
        for reversal in reversals
    }
    outbox = [
        put for reversal in reversals for put in outbox_entries(*own_stores[reversal.change.store], [reversal.put.key])
    ]
    pairs = [reversal.records for reversal in reversals if own_stores[reversal.change.store][0].keys_messages]
    keyed, versions = yield from key_puts(undone.identity.user_id, pairs, expect, new_commit.at)
    expect = {**expect, **versions, (new.namespace, new.key): 0, (old.namespace, old.key): version}
    yield from write([new, old, *puts, *outbox, *keyed], expect, new_commit.id)
    for store, scope in own_stores.values():
        yield from sync_index(store, scope, [change.id for change in new_commit.changes])
