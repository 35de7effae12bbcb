"""The read side of the planner, except ranking: gets, listings and history."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from langgraph.store.base import GetOp, ListNamespacesOp, MatchCondition, SearchItem, SearchOp

from langgraph_learning.checkpointers._store.codec import (
    path_range,
    read_json,
    read_key,
    read_path,
    read_time,
    write_key,
    write_path,
)
from langgraph_learning.checkpointers._store.dialect import Row, Session
from langgraph_learning.checkpointers._store.filters import Condition
from langgraph_learning.checkpointers._store.items import FoundItem, StoredItem, StoredRevision
from langgraph_learning.versioned_store import Address

TTL, ID = 6, 7
"""Where `$columns` has the time to live and the id of an item."""


def stored_item(row: Row) -> StoredItem:
    """Return the item in a row of `$columns`."""
    path, key, value, created_at, updated_at, version, *_ = row
    return StoredItem(
        namespace=read_path(path),
        key=read_key(key),
        value=value,
        created_at=read_time(created_at),
        updated_at=read_time(updated_at),
        version=version,
    )


@dataclass(frozen=True, slots=True)
class AsOf:
    """The time of a read: now, or a revision (`now` is then the time of that commit)."""

    now: datetime
    revision: int | None = None

    @property
    def params(self) -> dict[str, object]:
        """The parameters of a statement that reads at this time."""
        return {"now": self.now, **({} if self.revision is None else {"revision": self.revision})}

    def source(self, session: Session) -> str:
        """Return the SQL of the items to read from."""
        return session.fragment("items" if self.revision is None else "items_at")


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of `$columns` with their scores; a score is None if there was no query."""

    rows: Sequence[tuple[Row, float | None]]
    by_words: Sequence[float] = ()
    """The part of the first rows' scores that comes from words; the rest comes from meaning."""

    def items(self) -> list[SearchItem]:
        """Return the items in the form that LangGraph expects."""
        parts = [*self.by_words, *(None for _ in self.rows[len(self.by_words) :])]
        return [FoundItem(stored_item(row), score, words) for (row, score), words in zip(self.rows, parts, strict=True)]


class SearchScope:
    """The items that a search may see, before ranking: a prefix of namespaces, a filter, a moment."""

    def __init__(self, session: Session, op: SearchOp, moment: AsOf) -> None:
        condition = Condition(session, op.filter)
        low, high = path_range(op.namespace_prefix)
        self.session, self.revision = session, moment.revision
        self.where, self.source = condition.text, moment.source(session)
        self.visible = session.fragment("visible_filtered" if op.filter else "visible_any", where=self.where)
        self.params = {**condition.params, **moment.params, "low": low, "high": high}

    def rows(self, name: str, **params: object) -> list[Row]:
        """Run a search statement over this scope."""
        return self.session.rows(
            name, {**self.params, **params}, where=self.where, visible=self.visible, source=self.source
        )


def browse(scope: SearchScope, limit: int, offset: int) -> Page:
    """Return a page of the scope, newest first."""
    if scope.revision is None:
        rows = scope.rows("browse", limit=limit, offset=offset, ids=[])
    else:
        rows = scope.rows("browse_as_of", limit=limit, offset=offset)
    return Page([(row, None) for row in rows])


def get_rows(session: Session, ops: Sequence[GetOp], moment: AsOf) -> dict[int, Row]:
    """Return the rows of the items that exist, by position in `ops`."""
    paths, keys = [write_path(op.namespace) for op in ops], [write_key(op.key) for op in ops]
    name = "get_items" if moment.revision is None else "get_items_at"
    rows = session.rows(name, {"paths": paths, "keys": keys, **moment.params})
    return {row[0]: row[1:] for row in rows}


def list_namespaces(session: Session, op: ListNamespacesOp, moment: AsOf) -> list[tuple[str, ...]]:
    """Return the namespaces that hold items and meet the conditions, cut at the requested depth."""
    conditions = op.match_conditions or ()
    low, high = path_range(_fixed_prefix(conditions))
    rows = session.rows("list_paths", {**moment.params, "low": low, "high": high}, source=moment.source(session))
    matching = (path for path in (read_path(row[0]) for row in rows) if all(_path_matches(path, c) for c in conditions))
    cut = sorted({path[: op.max_depth] for path in matching})
    return cut[op.offset : op.offset + op.limit]


def _fixed_prefix(conditions: Iterable[MatchCondition]) -> tuple[str, ...]:
    """Return the labels before the first wildcard of a prefix condition; they limit what is read."""
    for condition in conditions:
        if condition.match_type == "prefix":
            path = tuple(condition.path)
            return path[: path.index("*")] if "*" in path else path
    return ()


def _path_matches(path: tuple[str, ...], condition: MatchCondition) -> bool:
    wanted = tuple(condition.path)
    if len(wanted) > len(path):
        return False
    labels = path[: len(wanted)] if condition.match_type == "prefix" else path[len(path) - len(wanted) :]
    return all(want in ("*", label) for want, label in zip(wanted, labels, strict=True))


def history(session: Session, namespace: tuple[str, ...], key: str) -> list[StoredRevision]:
    """Return all states of an item, the oldest first."""
    rows = session.rows("item_history", {"path": write_path(namespace), "key": write_key(key)})
    return [
        StoredRevision(
            value=None if value is None else read_json(value),
            version=version,
            revision=revision,
            at=read_time(at),
            source=None if source is None else read_json(source),
        )
        for value, version, revision, at, source in rows
    ]


def count(session: Session, prefix: tuple[str, ...], filter: Mapping[str, object] | None) -> int:
    """Return the number of items under `prefix` that meet `filter`."""
    low, high = path_range(prefix)
    if not filter:
        return int(session.rows("count_items", {"low": low, "high": high})[0][0])
    condition = Condition(session, filter)
    params = {**condition.params, "low": low, "high": high}
    return int(session.rows("count_filtered", params, where=condition.text)[0][0])


def all_namespaces(session: Session, prefix: tuple[str, ...], suffix: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the namespaces between `prefix` and `suffix`, including those with nothing but history."""
    low, high = path_range(prefix)
    rows = session.rows("all_paths", {"low": low, "high": high, "suffix": write_path(suffix)})
    return [read_path(row[0]) for row in rows]


def all_addresses(session: Session, prefix: tuple[str, ...], filter: Mapping[str, object]) -> list[Address]:
    """Return the items under `prefix` of which any state, present or past, meets `filter`."""
    low, high = path_range(prefix)
    condition = Condition(session, filter)
    rows = session.rows("all_places", {**condition.params, "low": low, "high": high}, where=condition.text)
    return [(read_path(path), read_key(key)) for path, key in rows]
