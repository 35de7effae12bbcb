"""Reading and writing records: the store operations for it, and the puts for a list of changes."""

import base64
import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, cast

from langgraph.store.base import GetOp, Item, PutOp, Result, SearchItem, SearchOp
from pydantic import JsonValue

from langgraph_learning._engine.flow import Expected, Flow, batch
from langgraph_learning.namespace_labels import COMMITS
from langgraph_learning.records import (
    ACTIVE,
    DOCUMENT,
    INDEXED,
    SUPERSEDED,
    Add,
    Change,
    Commit,
    Identity,
    Namespace,
    Record,
    Remove,
    Scope,
    Update,
)
from langgraph_learning.stores import Entry, LearningStore, Ranked
from langgraph_learning.stores.base import FAULTS

log = logging.getLogger(__name__)

SEARCH_LIMIT = 200
"""The number of records that a ranking store is asked for, or that the search of another store adds."""
READ_LIMIT = 5_000
"""The largest number of records of a learning store that are read."""
PLAN_LIMIT = 1_500
"""The largest number of records that a turn is planned against: the newest, and also those that fit its words."""
EVERYTHING = 1_000_000
"""The limit for reading everything on one page: several pages would miss what is written meanwhile."""


@dataclass(frozen=True)
class ScopeSnapshot:
    """The records of a learning store in one scope, oldest first, with their short ids."""

    store: LearningStore
    scope: Scope
    records: tuple[Record, ...] = ()
    past: tuple[Record, ...] = ()
    """Replaced earlier states of records; they do not count for planning, numbering and recall of the present."""
    unread: int = 0
    """The number of further records that were not read."""
    complete: bool = True
    """Whether all records of the scope were read, of any status; False if that is unknown."""

    @cached_property
    def labels(self) -> dict[str, Record]:
        """The records by short id: m1 is the oldest of those that are recalled.

        A record gets a code instead of a number if it is not recalled, or if not all records were read and cannot be
        counted.
        """
        counted = [record for record in self.records if record.status == ACTIVE]
        counted = counted if len(counted) + self.unread <= SEARCH_LIMIT else []
        numbers = {record.id: number for number, record in enumerate(counted, 1)}
        letter = self.store.label
        shown = [record for record in self.records if record.status != DOCUMENT]
        return {f"{letter}{numbers.get(record.id) or _code(record.id)}": record for record in shown}

    def entries(self, ranked: Sequence[Ranked], query: str) -> list[Entry]:
        """Return the entries that a prompt shows of `ranked`; none if the learning store raises an error."""
        try:
            return self.store.entries(ranked, query, complete=self.complete)
        except FAULTS:
            log.exception("%s cannot be shown", self.store.name)
            return []

    @cached_property
    def by_id(self) -> dict[str, Record]:
        """The records by id."""
        return {record.id: record for record in self.records}

    def holds(self, record_id: str) -> bool:
        """Return whether there is such a record, or such an earlier state of one."""
        return record_id in self.by_id or any(record.id == record_id for record in self.past)

    @cached_property
    def ages(self) -> dict[str, int]:
        """The positions of the records by id: 0 is the oldest."""
        return {record.id: position for position, record in enumerate(self.records)}

    @property
    def short_ids(self) -> dict[str, str]:
        """The ids of the records by short id."""
        return {label: record.id for label, record in self.labels.items()}

    def without(self, ids: Iterable[str]) -> "ScopeSnapshot":
        """Return a snapshot without some records."""
        gone = set(ids)
        current, past = (
            tuple(record for record in group if record.id not in gone) for group in (self.records, self.past)
        )
        return replace(self, records=current, past=past)

    def with_changes(self, changes: Iterable[Change], at: datetime) -> "ScopeSnapshot":
        """Return the snapshot after `changes`."""
        present, past = {record.id: record for record in self.records}, {record.id: record for record in self.past}
        for change in changes:
            if isinstance(change, Remove):
                present.pop(change.id, None)
                past = {key: state for key, state in past.items() if change.id not in (key, state.past_of)}
                continue
            old = present.get(change.id)
            if change.from_now_on and old is not None and self.keeps_past:
                earlier = old.as_past(change.valid_from)
                past |= {earlier.id: earlier} if earlier is not None else {}
            # The records of one commit keep their order, because short ids depend on it.
            present[change.id] = self.record(change, old, at + timedelta(microseconds=len(present)))
        kept_past = tuple(past.values())
        return ScopeSnapshot(self.store, self.scope, tuple(present.values()), kept_past, complete=self.complete)

    @property
    def keeps_past(self) -> bool:
        """Whether earlier states are stored as records; in shared scopes, `forget` could not reach them."""
        return self.scope.namespace is None

    def record(self, change: Add | Update, old: Record | None, at: datetime) -> Record:
        """Return the record that `change` makes of `old`; a stored message keeps its time of expiry."""
        validity = change.validity
        if old is not None and self.store.captures:
            validity["expires_at"] = change.expires_at or old.expires_at
        return Record(
            id=change.id,
            store=self.store.name,
            scope=self.scope,
            content=change.content,
            text=change.text,
            status=change.status,
            version=old.version + 1 if old else 1,
            source=change.source,
            created_at=old.created_at if old else at,
            updated_at=at,
            session=change.session or (old.session if old else None),
            place=change.place if change.place is not None or old is None else old.place,
            keys=change.keys or (old.keys if old else {}),
            **validity,
        )


@dataclass(frozen=True)
class RankedSnapshot(ScopeSnapshot):
    """The records of a learning store in one scope as recall ranks them, and the ids of those that are not shown."""

    order: tuple[Ranked, ...] = ()
    """The records, best first."""
    suppressed: frozenset[str] = frozenset()
    """The ids of records that `filter_active` leaves out because of an archived record; they are read but not shown."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """The scores of the search that read the records, by id."""
    final: bool = False
    """Whether the scores are final; otherwise recall ranks the records by their words as well."""


def _code(record_id: str) -> str:
    return (
        "-" + base64.b32encode(hashlib.sha256(record_id.encode(errors="surrogatepass")).digest()[:5]).decode().lower()
    )


def commits_namespace(identity: Identity) -> Namespace:
    """Return the namespace of a user's commits."""
    return (*Scope(user_id=identity.user_id).path, COMMITS)


def scoped_to(stores: Iterable[LearningStore], identity: Identity) -> list[tuple[LearningStore, Scope]]:
    """Return the learning stores that `identity` may read and write, each with its scope."""
    scopes = ((store, store.scope(identity)) for store in stores)
    return [(store, scope) for store, scope in scopes if scope is not None]


def read_op(
    store: LearningStore,
    scope: Scope,
    query: str | None = None,
    limit: int = READ_LIMIT,
    status: str | None = None,
    session: str | None = None,
) -> SearchOp:
    """Return the operation that finds the records of `store` in `scope`, of one status and session or of all."""
    wanted = {name: value for name, value in (("status", status), ("session", session)) if value}
    return SearchOp((*scope.path, store.name), wanted or None, limit=limit, query=query or None, refresh_ttl=False)


def read_snapshot(store: LearningStore, scope: Scope, *results: Result, limit: int | None = None) -> RankedSnapshot:
    """Return the records in results of `read_op`, with their scores: only those of this scope, each once, oldest first.

    `limit` is the page size of the first result: if the page is full, there may be more records.
    """
    full = limit is not None and len(cast("list[Item]", results[0] or ())) >= limit
    items = cast("list[SearchItem]", [item for result in results for item in cast("Iterable[Item]", result or ())])
    namespace = (*scope.path, store.name)
    own_items = [item for item in items if tuple(item.namespace) == namespace]
    records = {item.key: Record.from_item(item) for item in own_items}
    ordered = sorted(records.values(), key=lambda record: (record.created_at, record.id))
    current, past = (tuple(record for record in ordered if (record.past_of is None) is now) for now in (True, False))
    scores = {item.key: item.score for item in own_items if getattr(item, "score", None) is not None}
    return RankedSnapshot(store, scope, current, past, complete=not full, scores=cast("dict[str, float]", scores))


def load_past(snapshots: Sequence[ScopeSnapshot], changes: Sequence[Change]) -> Flow[list[ScopeSnapshot]]:
    """Return the snapshots with all past states of the records that `changes` remove, in at most one round trip."""
    wanted: list[tuple[int, SearchOp]] = []
    for place, snapshot in enumerate(snapshots):
        name = snapshot.store.name
        gone = {change.id for change in changes if isinstance(change, Remove) and change.store == name}
        if gone and snapshot.keeps_past and not snapshot.complete and not snapshot.store.captures:
            filter_ = {"past_of": min(gone)} if len(gone) == 1 else {"status": SUPERSEDED}
            wanted.append((place, read_op(snapshot.store, snapshot.scope, limit=EVERYTHING)._replace(filter=filter_)))
    loaded = list(snapshots)
    for (place, _), result in zip(wanted, (yield from batch(*(op for _, op in wanted))) if wanted else (), strict=True):
        snapshot = loaded[place]
        read = read_snapshot(snapshot.store, snapshot.scope, result)
        past = {record.id: record for record in (*read.past, *snapshot.past)}
        loaded[place] = replace(snapshot, past=tuple(past.values()))
    return loaded


def find_commit(identity: Identity, commit: str) -> GetOp:
    """Return the operation that reads a commit."""
    return GetOp(commits_namespace(identity), commit, refresh_ttl=False)


def put_commit(commit: Commit) -> PutOp:
    """Return the operation that stores a commit.

    It does not repeat what other users said in a shared namespace, because `forget` would miss it there.
    """
    value = commit.model_dump(mode="json", exclude={"id", "changes"}, exclude_defaults=True)
    value["changes"] = [_written_change(_without_words(change, commit.identity), commit) for change in commit.changes]
    return PutOp(commits_namespace(commit.identity), commit.id, value, index=False)


def _without_words(change: Change, identity: Identity) -> Change:
    if isinstance(change, Remove):
        return change
    if change.session is not None:  # the record holds the message; the commit only names it
        return change.model_copy(update={"text": "", "content": {}, "keys": {}})
    if change.source.user_id in (None, identity.user_id):
        return change
    source = change.source.model_copy(update={"quote": None})
    return change.model_copy(update={"text": "", "content": {}, "source": source})


def _written_change(change: Change, commit: Commit) -> dict[str, JsonValue]:
    """Return a change without its defaults; of a message also without what follows from its id and the commit."""
    value = change.model_dump(mode="json", exclude_defaults=True) | {"kind": change.kind}
    if not isinstance(change, Remove) and _names_message(change, commit):
        value = {name: part for name, part in value.items() if name not in ("content", "text", "session", "place")}
        value.get("source", {}).pop("thread_id", None)
    return value


def _names_message(change: Add | Update, commit: Commit) -> bool:
    place_known = change.session is not None and change.id == f"{change.session}-{change.place}"
    return place_known and change.source.thread_id == commit.identity.thread_id


def read_commit(result: Result) -> Commit | None:
    """Return the commit that a result holds; None if it holds none."""
    if not isinstance(result, Item):
        return None
    thread_id = result.value.get("identity", {}).get("thread_id")
    changes = [_read_change(change, thread_id) for change in result.value.get("changes", ())]
    return Commit.model_validate({**result.value, "changes": changes, "id": result.key})


def _read_change(change: dict[str, Any], thread_id: str | None) -> dict[str, Any]:
    """Return a stored change with what `_written_change` has left out of that of a message."""
    if change.get("kind") == "remove" or "content" in change:
        return change
    session, _, place = change["id"].rpartition("-")
    source = {**change.get("source", {}), "thread_id": thread_id}
    return {**change, "content": {}, "text": "", "session": session, "place": int(place), "source": source}


def find_undo(commit: Commit) -> Flow[Commit | None]:
    """Return the commit that has undone `commit`; None if it stands, also because the undo was itself undone."""
    if commit.undone_by is None:
        return None
    [item] = yield from batch(find_commit(commit.identity, commit.undone_by))
    if (undo := read_commit(item)) is None:
        return None
    return None if (yield from find_undo(undo)) is not None else undo


def put_record(record: Record, at: datetime) -> PutOp:
    """Return the operation that stores a record; a message expires in the store too."""
    over = record.expires_at if record.session is not None else None
    minutes = (over - at).total_seconds() / 60 if over else None
    ttl = None if minutes is None else max(minutes, 0.01)
    return PutOp(record.namespace, record.id, record.value(), index=INDEXED, ttl=ttl)


def record_puts(before: ScopeSnapshot, changes: Sequence[Change], at: datetime) -> tuple[list[PutOp], Expected]:
    """Return the puts that write `changes`, and the versions that they expect."""
    after = before.with_changes(changes, at)
    old = {record.id: record for record in (*before.records, *before.past)}
    new = {record.id: record for record in (*after.records, *after.past)}
    namespace = (*before.scope.path, before.store.name)
    # Earlier states come and go with their record: no change of the commit names them.
    past = {record.id for record in (*before.past, *after.past) if old.get(record.id) != new.get(record.id)}
    touched = list(dict.fromkeys([*(change.id for change in changes), *sorted(past)]))
    operations, expect = [], {}
    for key in touched:
        if (record := new.get(key)) is not None:
            version = old[key].version + 1 if key in old else 1
            operations.append(put_record(record.model_copy(update={"version": version}), at))
        elif key in old:
            operations.append(PutOp(namespace, key, None))
        else:
            continue
        expect[namespace, key] = old[key].version if key in old else 0
    return operations, expect
