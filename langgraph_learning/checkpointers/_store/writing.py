"""The write side of the planner: puts become one commit with a revision, written completely or not at all."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from langgraph.store.base import PutOp, get_text_at_path, tokenize_path

from langgraph_learning.checkpointers._store.codec import (
    Json,
    read_key,
    read_path,
    read_time,
    write_json,
    write_key,
    write_path,
)
from langgraph_learning.checkpointers._store.dialect import Params, Row, Session
from langgraph_learning.checkpointers._store.embedding import Vectors
from langgraph_learning.errors import ConflictError
from langgraph_learning.words import query_terms, terms

_LONGEST_TERM = 64  # an index of Postgres cannot hold a word of thousands of letters
LONGEST_PLACE = 2_000  # bytes of a key, and of all labels of a namespace; an index of Postgres refuses more
ItemPlace = tuple[str, str]  # a path and a key in their stored form


def index_terms(text: str) -> list[str]:
    """Return the terms of `text` in the form of the index."""
    return [term[:_LONGEST_TERM] for term in terms(text)]


def index_query_terms(text: str) -> list[str]:
    """Return the terms of a query in the form of the index."""
    return [term.term[:_LONGEST_TERM] for term in query_terms(text)]


def _iter_texts(value: Json) -> Iterator[str]:
    """Yield the texts and numbers inside `value`; its keys are not searched."""
    if isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _iter_texts(inner)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)


def _texts(value: Mapping[str, Json], fields: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yield each field with its text for the words and its text for the vector."""
    for field in fields:
        if field == "$":
            yield field, "\n".join(_iter_texts(value)), get_text_at_path(value, field)[0]
            continue
        for number, text in enumerate(get_text_at_path(value, tokenize_path(field))):
            yield f"{field}.{number}", text, text


def texts_to_embed(value: Mapping[str, Json], fields: Sequence[str]) -> list[tuple[str, str]]:
    """Return each field with the text that is embedded for it."""
    return [(field, text) for field, _, text in _texts(value, fields) if text.strip()]


def analyze(value: Mapping[str, Json], fields: Sequence[str]) -> list[str]:
    """Return the terms of `fields` of a value, in the order in which they are stored."""
    return sorted(term for _, text, _ in _texts(value, fields) for term in index_terms(text))


def words_row(ns: int | None, item: int, terms: Sequence[str]) -> dict[str, object]:
    """Return the row that adds the terms of an item to the index of words, or deletes them from it."""
    counts = write_json(Counter(terms))
    return {"ns": ns, "item": item, "length": len(terms), "terms": " ".join(terms), "counts": counts}


@dataclass(frozen=True, slots=True)
class ItemWrite:
    """One put or delete, checked and encoded for the database."""

    place: ItemPlace
    value: str | None
    ttl: float | None
    terms: tuple[str, ...] | None
    texts: tuple[tuple[str, str], ...]  # the field, and the text to embed

    @classmethod
    def of(cls, op: PutOp, fields: Sequence[str]) -> "ItemWrite":
        """Check and encode `op`; `fields` are indexed unless it names its own."""
        place = write_path(op.namespace), write_key(op.key)
        if op.value is None:
            return cls(place, None, None, None, ())
        if not isinstance(op.value, Mapping):
            raise TypeError(f"a value is a dictionary, not a {type(op.value).__name__}")
        _check_length(place, op)
        value = write_json(op.value)
        chosen = fields if op.index is None else op.index or ()
        texts = list(_texts(op.value, chosen))
        words = tuple(sorted(term for _, text, _ in texts for term in index_terms(text))) if chosen else None
        embedded = tuple((field, text) for field, _, text in texts if text.strip())
        return cls(place, value, op.ttl, words, embedded)


def _check_length(place: ItemPlace, op: PutOp) -> None:
    for written, what in zip(place, ("labels of the namespace", "key"), strict=True):
        if (size := len(written.encode())) > LONGEST_PLACE:
            start = f"{op.namespace if what != 'key' else op.key!r}"[:60]
            raise ValueError(f"the {what} {start}... take {size} bytes of UTF-8; a store takes {LONGEST_PLACE}")


@dataclass(slots=True)
class _CurrentRow:
    """The present row of an item: `version` counts deletions too, `live` is what a reader sees (0: nothing)."""

    ns: int | None
    id: int | None
    version: int
    created_at: datetime | None
    live: int
    terms: list[str] | None

    @classmethod
    def of(cls, row: Row, now: datetime) -> "_CurrentRow":
        _, ns, item, version, created_at, expires_at, stored, last, *_ = row
        alive = item is not None and (expires_at is None or read_time(expires_at) > now)
        words = None if stored is None else stored.split()
        created = read_time(created_at) if alive else None
        return cls(ns, item, max(version or 0, last or 0), created, version if alive else 0, words)


_ORDER = (
    "add_namespaces",
    "supersede",
    "delete_items",
    "add_tombstones",
    "put_items",
    "delete_words",
    "put_words",
    "delete_vectors",
    "put_vectors",
    "add_to_counts",
)


class WriteTransaction:
    """One write transaction: read the present rows, refuse a lost race, then write everything."""

    def __init__(self, session: Session, now: datetime, *, vectors: Vectors, has_vectors: bool) -> None:
        self._session, self._now = session, now
        self._vectors, self._has_vectors = vectors, has_vectors
        self._rows: dict[str, list[Params]] = {}

    def run(self, writes: Iterable[ItemWrite], expect: Mapping[ItemPlace, int], source: object) -> int:
        """Write `writes` if every expectation holds, and return the revision."""
        last = {write.place: write for write in writes}  # of two writes to one key, the later one counts
        places = [*last, *(place for place in expect if place not in last)]
        asked = {"paths": [path for path, _ in places], "keys": [key for _, key in places]}
        rows = self._session.rows("read_current", asked)
        if not rows:
            return _revision(self._session)
        current = {place: _CurrentRow.of(row, self._now) for place, row in zip(places, rows, strict=True)}
        _check_expected(expect, current)
        changed = [write for write in last.values() if write.value is not None or current[write.place].id is not None]
        revision, ns, item, floor = rows[0][-4:]
        if not changed:
            return int(revision)
        revision += 1
        self._add_namespaces(changed, current, ns)
        for write in changed:
            now = current[write.place]
            item += now.id is None
            self._write_item(write, now, now.id or item, max(now.version, floor) + 1, revision)
        self._count(changed, current)
        self._flush(revision, source)
        return int(revision)

    def _queue(self, name: str, **row: object) -> None:
        self._rows.setdefault(name, []).append(row)

    def _add_namespaces(
        self, changed: Sequence[ItemWrite], current: Mapping[ItemPlace, _CurrentRow], last: int
    ) -> None:
        new: dict[str, int] = {}
        for write in changed:
            if (row := current[write.place]).ns is None:
                path = write.place[0]
                if path not in new:
                    new[path] = last + len(new) + 1
                    self._queue("add_namespaces", id=new[path], path=path)
                row.ns = new[path]

    def _write_item(self, write: ItemWrite, now: _CurrentRow, item: int, version: int, revision: int) -> None:
        key, moment = write.place[1], self._now
        if now.id is not None:
            self._queue("supersede", id=item, revision=revision)
            if self._has_vectors:
                self._queue("delete_vectors", ns=now.ns, item=item)
        if write.value is None:
            self._queue("delete_items", id=item)
            self._queue("add_tombstones", ns=now.ns, key=key, version=version, item=item, revision=revision, at=moment)
        else:
            expires = None if write.ttl is None else moment + timedelta(minutes=write.ttl)
            self._queue(
                "put_items", id=item, ns=now.ns, key=key, value=write.value, version=version, recorded_from=revision,
                created_at=now.created_at or moment, updated_at=moment, expires_at=expires, ttl=write.ttl,
            )  # fmt: skip
        self._index(write, now, item)

    def _index(self, write: ItemWrite, now: _CurrentRow, item: int) -> None:
        terms = None if write.terms is None else list(write.terms)
        if now.terms != terms:
            if now.terms is not None:
                self._queue("delete_words", **words_row(now.ns, item, now.terms))
            if terms is not None:
                self._queue("put_words", **words_row(now.ns, item, terms))
        for field, text in write.texts:
            if (vector := self._vectors.documents.get(text)) is not None:
                embedding = self._session.vector(vector)
                self._queue("put_vectors", ns=now.ns, item=item, field=field, embedding=embedding)

    def _count(self, changed: Sequence[ItemWrite], current: Mapping[ItemPlace, _CurrentRow]) -> None:
        items: Counter[int | None] = Counter()
        length: Counter[int | None] = Counter()
        for write in changed:
            now = current[write.place]
            items[now.ns] += (write.terms is not None) - (now.terms is not None)
            length[now.ns] += len(write.terms or ()) - len(now.terms or ())
        for ns in items:
            if items[ns] or length[ns]:
                self._queue("add_to_counts", id=ns, items=items[ns], length=length[ns])

    def _flush(self, revision: int, source: object) -> None:
        written = None if source is None else write_json(source)
        self._session.run("add_commit", {"revision": revision, "at": self._now, "source": written})
        if self._rows.get("delete_items"):
            self._session.run("save_last_ids", {})
        for name in _ORDER:
            if rows := self._rows.get(name):
                self._session.many(name, rows)


def _check_expected(expect: Mapping[ItemPlace, int], current: Mapping[ItemPlace, _CurrentRow]) -> None:
    for place, version in expect.items():
        if current[place].live != version:
            where = f"{read_key(place[1])!r} in {read_path(place[0])}"
            raise ConflictError(f"{where} is at version {current[place].live}, not {version} (0: it does not exist)")


def sweep(session: Session, now: datetime, *, has_vectors: bool) -> int:
    """Erase the expired items with their history, and return their number."""
    expired = session.rows("expired_items", {"now": now})
    _erase(session, expired, has_vectors=has_vectors)
    session.run("erase_orphan_sources", {})
    return len(expired)


def erase(session: Session, places: Iterable[ItemPlace], *, has_vectors: bool, history_only: bool) -> int:
    """Erase items with their history, or only their history, and return the number of items."""
    asked = list(dict.fromkeys(places))
    params = {"paths": [path for path, _ in asked], "keys": [key for _, key in asked]}
    rows = [row for row in session.rows("read_places", params) if row[1] is not None] if asked else []
    if history_only:
        for _, ns, key, *_ in rows:
            session.many("delete_versions", [{"ns": ns, "key": key}])
        _raise_floor(session, bool(rows))
    else:
        _erase(session, rows, has_vectors=has_vectors)
    session.run("erase_orphan_sources", {})
    return len(rows)


def _erase(session: Session, rows: Sequence[Row], *, has_vectors: bool) -> None:
    session.run("save_last_ids", {})
    for item, ns, key, stored, length in rows:
        session.many("delete_versions", [{"ns": ns, "key": key}])
        if item is None:  # only its history was left
            continue
        if stored is not None:
            session.many("delete_words", [words_row(ns, item, stored.split())])
        if has_vectors:
            session.many("delete_vectors", [{"ns": ns, "item": item}])
        session.many("add_to_counts", [{"id": ns, "items": -(stored is not None), "length": -length}])
    session.many("delete_items", [{"id": row[0]} for row in rows if row[0] is not None])
    _raise_floor(session, bool(rows))


def purge(session: Session, bounds: Params, *, has_vectors: bool) -> dict[str, int]:
    """Erase everything in a range of paths, and return the number of rows by kind."""
    session.run("save_last_ids", {})
    session.run("erase_sources", bounds)
    kinds = ["words", *(["vectors"] if has_vectors else []), "versions", "items", "namespaces"]
    counts = {kind: session.run(f"purge_{kind}", bounds) for kind in kinds}
    _raise_floor(session, any(counts.values()))
    return counts


def _raise_floor(session: Session, erased: bool) -> None:
    """Start new versions above all erased ones, so that a stale writer cannot take a new item for the erased one."""
    if erased:
        session.run("set_mark", {"name": "floor", "value": _revision(session)})


def _revision(session: Session) -> int:
    return int(session.rows("last_revision", {})[0][0])
