"""Backup and restore of everything that was learned, for all users, page by page.

A backup consists of JSON rows. A record becomes the same row as in `export`; anything else (commits, proposals, votes)
names its namespace and key. Each namespace is read in the order of its keys, as of one revision. So two databases with
the same content give the same rows, whatever is written meanwhile, and only one page of values is in memory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias, cast

from langgraph.store.base import GetOp, Item, PutOp, SearchOp
from pydantic import ValidationError

from langgraph_learning._engine.approval.proposals import PROPOSALS
from langgraph_learning._engine.background.pending import LEASE
from langgraph_learning._engine.flow import Flow, batch, call_store, write
from langgraph_learning._engine.recall.vector_store import UNINDEXED, Address, outbox_entries, sync_index
from langgraph_learning._engine.repository import EVERYTHING
from langgraph_learning.errors import RecordError, UnsupportedByStore
from langgraph_learning.masking import Mask, mask_values
from langgraph_learning.records import INDEXED, NOT_RECORDS, ROOT, Namespace, Record, Scope, Source
from langgraph_learning.stores import LearningStore
from langgraph_learning.stores.decision_log import AGENT
from langgraph_learning.versioned_store import Json, VersionedStore

PAGE = 500
"""The number of items that are read or written at once."""
_WORDS = frozenset({"content", "text", "quote", "args", "message", "description"})
"""The names of the fields that hold somebody's words; ids and dates are not masked."""
_CHANGED = -1
"""A version that no record has, so that a proposal which expects it is stale."""
Row: TypeAlias = dict[str, Json]
Value: TypeAlias = Mapping[str, Json]


@dataclass(frozen=True)
class Snapshot:
    """The namespaces of a backup, as of a revision; in a store without revisions, the items themselves."""

    namespaces: tuple[Namespace, ...]
    revision: int | None = None
    items: Mapping[Namespace, Sequence[Item]] = field(default_factory=dict)


@dataclass(frozen=True)
class Restored:
    """The numbers of rows that a restore wrote and left unchanged."""

    written: int = 0
    unchanged: int = 0
    """The rows that were already there; after an interruption, those restored before it."""

    def __add__(self, other: "Restored") -> "Restored":
        return Restored(self.written + other.written, self.unchanged + other.unchanged)


def find_snapshot(prefix: Namespace = (ROOT,)) -> Flow[Snapshot]:
    """Return what there is to back up under `prefix`; proposals come last, because they refer to records."""
    try:
        revision = yield from call_store(VersionedStore.revision)
        namespaces = yield from call_store(VersionedStore.all_namespaces, prefix, ())
        return Snapshot(tuple(_in_order(namespaces)), revision)
    except UnsupportedByStore:  # one page with everything: several pages would miss what is written meanwhile
        [items] = yield from batch(SearchOp(prefix, limit=EVERYTHING, refresh_ttl=False))
        items_by_namespace: dict[Namespace, list[Item]] = {}
        for item in sorted(cast("list[Item]", items), key=lambda item: item.key):
            if (namespace := tuple(item.namespace))[: len(prefix)] == prefix:
                items_by_namespace.setdefault(namespace, []).append(item)
        return Snapshot(tuple(_in_order(items_by_namespace)), items=items_by_namespace)


def _in_order(namespaces: Iterable[Namespace]) -> list[Namespace]:
    listed = (tuple(namespace) for namespace in namespaces if namespace[-1] != UNINDEXED)
    return sorted(listed, key=lambda namespace: (namespace[-1] == PROPOSALS, namespace))


def find_keys(snapshot: Snapshot, namespace: Namespace) -> Flow[list[str]]:
    """Return the keys of all items that are or were in `namespace`, in order."""
    if snapshot.revision is None:
        return [item.key for item in snapshot.items[namespace]]
    addresses = yield from call_store(VersionedStore.all_addresses, namespace, {})
    # The lease of a learner is valid for two minutes only and means nothing in a backup.
    return sorted(key for path, key in addresses if tuple(path) == namespace and key != LEASE)


def read_rows(snapshot: Snapshot, namespace: Namespace, keys: Sequence[str], *, history: bool) -> Flow[list[Row]]:
    """Return the rows of some items of a namespace; with `history`, also those of removed items.

    Raises:
        UnsupportedByStore: History is requested, and the store keeps none.
    """
    items = yield from _read_items(snapshot, [(namespace, key) for key in keys])
    rows = []
    for key, item in zip(keys, items, strict=True):
        row = (yield from _row(snapshot, item)) if item is not None else None
        if history:
            row = yield from _with_history(namespace, key, item, row)
        rows += [row] if row is not None else []
    return rows


def _read_items(snapshot: Snapshot, places: Sequence[Address]) -> Flow[list[Item | None]]:
    if snapshot.revision is None:
        items_by_address = {
            (namespace, item.key): item for namespace, _ in places[:1] for item in snapshot.items[namespace]
        }
        return [items_by_address[place] for place in places]
    asked = (GetOp(namespace, key, refresh_ttl=False) for namespace, key in places)
    return cast("list[Item | None]", (yield from batch(*asked, as_of=snapshot.revision)))


def _row(snapshot: Snapshot, item: Item) -> Flow[Row]:
    namespace = tuple(item.namespace)
    if namespace[-1] not in NOT_RECORDS:
        try:
            record = Record.from_item(item)
            if record.namespace == namespace:
                return {"id": record.id, **record.model_dump(mode="json", exclude={"id", "version"})}
        except RecordError:  # stored as it is: a backup leaves nothing out
            pass
    value = dict(item.value)
    row: Row = {"namespace": list(namespace), "key": item.key, "value": value}
    if namespace[-1] == PROPOSALS and item.value.get("expects"):
        # Another database counts other versions. What matters is whether the records are still those of the proposal.
        expects = cast("dict[str, int]", value.pop("expects"))
        versions = yield from _versions(snapshot, item.value, expects)
        row["expects"] = {key: versions[key] == version for key, version in expects.items()}
    return row


def _with_history(namespace: Namespace, key: str, item: Item | None, row: Row | None) -> Flow[Row | None]:
    states = yield from call_store(VersionedStore.history, namespace, key)
    if item is None:
        if not states or states[-1].value is not None:  # written after the snapshot
            return None
        row = {"namespace": list(namespace), "key": key, "value": None}
    else:
        newest = getattr(item, "version", 0)
        states = [state for state in states if state.version <= newest]
    *earlier, last = states
    entries = [{"value": state.value, "at": state.at.isoformat(), "source": state.source} for state in earlier]
    return {**cast("Row", row), "history": [*entries, {"at": last.at.isoformat(), "source": last.source}]}


def _versions(snapshot: Snapshot, proposal: Value, ids: Iterable[str]) -> Flow[dict[str, int]]:
    """Return the versions of the records that a proposal expects; 0 for a missing one."""
    versions = {}
    for key in ids:
        places = [(namespace, key) for namespace in _places(proposal)]
        if snapshot.revision is None and snapshot.items:
            items = [item for path, _ in places for item in snapshot.items.get(path, ()) if item.key == key]
        else:
            asked = (GetOp(*place, refresh_ttl=False) for place in places)
            items = [item for item in (yield from batch(*asked, as_of=snapshot.revision)) if isinstance(item, Item)]
        versions[key] = next((getattr(item, "version", item.value.get("version", 1)) for item in items), 0)
    return versions


def _places(proposal: Value) -> list[Namespace]:
    """Return the possible namespaces of a proposal's records; only its learning store knows the right one."""
    if (shared := proposal.get("namespace")) is not None:
        named = proposal["identity"].get("agent")
        scopes = [
            Scope(namespace=shared),
            *(Scope(namespace=shared, agent=agent_name) for agent_name in (named, AGENT) if agent_name),
        ]
    else:
        of = proposal["identity"]
        user, thread, agent = of.get("user_id"), of.get("thread_id"), of.get("agent")
        scopes = [Scope(user_id=user), Scope(user_id=user, thread_id=thread), Scope(user_id=user, agent=agent)]
    return list(dict.fromkeys((*scope.path, proposal["store"]) for scope in scopes))


@dataclass(frozen=True)
class _Restorable:
    """An item of a backup, checked and masked."""

    namespace: Namespace
    key: str
    value: Value | None
    history: Sequence[Mapping[str, Json]] = ()
    expects: Mapping[str, bool] | None = None
    """For a proposal: its records, and whether they were still those it was made for."""

    @classmethod
    def of(cls, row: Mapping[str, Json], mask: Mask) -> "_Restorable":
        try:
            history = [{**state, "value": _mask_row(state.get("value"), mask)} for state in row.get("history", ())]
            for state in history:
                datetime.fromisoformat(state["at"])
            if "namespace" not in row:
                record = Record.model_validate({"source": Source(actor="import"), **row})
                if not record.store.isidentifier() or record.store in NOT_RECORDS:
                    raise ValueError(f"{record.store!r} names no learning store")
                return cls(record.namespace, record.id, cast("Value", _mask_row(record.value(), mask)), history)
            namespace, value = tuple(map(str, row["namespace"])), row["value"]
            if namespace[:1] != (ROOT,) or len(namespace) < 2 or namespace[-1] == UNINDEXED:
                raise ValueError(f"{namespace} is no namespace of this package")
            if value is not None and not isinstance(value, Mapping):
                raise ValueError("its value is no object")
            return cls(namespace, str(row["key"]), cast("Value", _mask_row(value, mask)), history, row.get("expects"))
        except (ValidationError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise RecordError(f"the row {row!r:.200} does not belong to a backup: {error}") from error

    def put(self, value: Value | None, at: datetime) -> PutOp:
        """Return the operation that writes one of its states; a record is indexed by its text, and may expire."""
        written = cast("dict[str, Json] | None", value)
        if self.namespace[-1] in NOT_RECORDS or written is None:
            return PutOp(self.namespace, self.key, written, index=False)
        expires = written.get("expires_at")
        minutes_left = (datetime.fromisoformat(expires) - at).total_seconds() / 60 if expires else None
        return PutOp(
            self.namespace,
            self.key,
            written,
            index=INDEXED,
            ttl=None if minutes_left is None else max(minutes_left, 0.01),
        )


def _mask_row(value: Json, mask: Mask) -> Json:
    if isinstance(value, Mapping):
        return {
            name: mask_values(inner, mask) if name in _WORDS else _mask_row(inner, mask)
            for name, inner in value.items()
        }
    return [_mask_row(inner, mask) for inner in value] if isinstance(value, list) else value


def restore_rows(rows: Iterable[Mapping[str, Json]], stores: Sequence[LearningStore], mask: Mask) -> Flow[Restored]:
    """Write the rows of a backup that are missing; all rows are checked before the first one is written.

    Raises:
        RecordError: A row does not belong to a backup.
        UnsupportedByStore: A row has a history, and the store keeps none.
    """
    items = [_Restorable.of(row, mask) for row in rows]
    records = yield from _restore([item for item in items if not item.expects], stores)
    proposals = []  # they refer to records that may be among the same rows
    for item in items:
        if item.expects:
            proposals.append((yield from _with_versions(item)))
    return records + (yield from _restore(proposals, stores))


def _restore(items: Sequence[_Restorable], stores: Iterable[LearningStore]) -> Flow[Restored]:
    if not items:
        return Restored()
    present = yield from batch(*(GetOp(item.namespace, item.key, refresh_ttl=False) for item in items))
    missing = [item for item, item_now in zip(items, present, strict=True) if not _says(item_now, item.value)]
    absent = {(item.namespace, item.key) for item, item_now in zip(items, present, strict=True) if item_now is None}
    states: list[tuple[PutOp, datetime, Mapping[str, Json] | None]] = []
    puts: list[PutOp] = []
    for item in missing:
        fresh = item.history and (item.namespace, item.key) in absent
        if fresh and not (yield from call_store(VersionedStore.history, item.namespace, item.key)):
            states += _replay(item)
        elif item.value is not None:
            puts.append(item.put(item.value, datetime.now(UTC)))
        # A removed item stays removed, and one that was written again since keeps its present state.
    if states:
        yield from call_store(VersionedStore.replay, states)
    yield from _write(puts, missing, stores)
    written = len({(put.namespace, put.key) for put in [*puts, *(state[0] for state in states)]})
    return Restored(written, len(items) - written)


def _replay(item: _Restorable) -> Iterator[tuple[PutOp, datetime, Mapping[str, Json] | None]]:
    *earlier, last = item.history
    for state, value in [*((state, state.get("value")) for state in earlier), (last, item.value)]:
        at = datetime.fromisoformat(state["at"])
        yield item.put(value, at), at, state.get("source")


def _write(puts: Sequence[PutOp], items: Iterable[_Restorable], stores: Iterable[LearningStore]) -> Flow[None]:
    """Write `puts`, and bring the vector stores up to date with the records among the items."""
    by_name = {store.name: store for store in stores if store.index is not None}
    indexed: dict[Namespace, list[_Restorable]] = {}
    for item in items:
        if item.namespace[-1] in by_name and item.value is not None:
            indexed.setdefault(item.namespace, []).append(item)
    tasks = [
        (
            by_name[namespace[-1]],
            Scope.model_validate(cast("Value", items[0].value)["scope"]),
            [item.key for item in items],
        )
        for namespace, items in indexed.items()
    ]
    outbox = [entry for store, scope, keys in tasks for entry in outbox_entries(store, scope, keys)]
    if outbox or puts:
        yield from write([*outbox, *puts], {})
    for store, scope, keys in tasks:
        yield from sync_index(store, scope, keys)


def _with_versions(item: _Restorable) -> Flow[_Restorable]:
    """Return a proposal that expects the versions of this database; a stale one stays stale."""
    holds, value = cast("Mapping[str, bool]", item.expects), cast("Value", item.value)
    versions = yield from _versions(Snapshot(()), value, holds)
    expects = {key: versions[key] if same else _CHANGED for key, same in holds.items()}
    return _Restorable(item.namespace, item.key, {**value, "expects": expects}, item.history)


def _says(item: object, value: Value | None) -> bool:
    """Return whether an item holds this value; the version number does not count."""
    if not isinstance(item, Item) or value is None:
        return False
    return {**item.value, "version": None} == {**value, "version": None}
