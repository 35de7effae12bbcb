"""All that belongs to a user, over all threads: erased, handed out, taken in."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from langgraph.store.base import Item, PutOp, SearchOp
from pydantic import ValidationError

from langgraph_learning.engine.flow import Flow, batch, beyond, write
from langgraph_learning.engine.index import erased, mirrored, notes
from langgraph_learning.engine.records import EVERYTHING
from langgraph_learning.errors import RecordError, ScopeError, UnsupportedByStore
from langgraph_learning.records import NOT_RECORDS, Identity, Namespace, Record, Scope, Source
from langgraph_learning.stores import LearningStore

PAGE = 500


def forget(stores: Iterable[LearningStore], identity: Identity) -> Flow[dict[str, int]]:
    """Erase everything of a user, history and commits included, and return how many rows that were.

    Raises:
        StoreError: The store, or a vector store, failed. What is erased from a vector store goes first: as long as that
            fails, it is known here what is left to erase.
    """
    if identity.user_id is None:
        return {}
    prefix = Scope(user_id=identity.user_id).path
    if indexed := [store for store in stores if store.index is not None]:
        mine = _under(prefix, (yield from _read(prefix, EVERYTHING)))
        for store in indexed:
            yield from erased(store, mine)
    try:
        return cast("dict[str, int]", (yield from beyond("purge", prefix)))
    except UnsupportedByStore:  # a store without history: what it shows is all there is
        items = 0
        while found := _under(prefix, (yield from _read(prefix, PAGE))):
            yield from batch(*(PutOp(tuple(item.namespace), item.key, None) for item in found))
            items += len(found)
        return {"items": items}


def export(identity: Identity) -> Flow[list[dict[str, Any]]]:
    """Return the records of a user in all threads, one JSON row each."""
    if identity.user_id is None:
        return []
    prefix = Scope(user_id=identity.user_id).path
    mine = _under(prefix, (yield from _read(prefix, EVERYTHING)))
    records = (Record.from_item(item) for item in mine if tuple(item.namespace)[-1] not in NOT_RECORDS)
    ordered = sorted(records, key=lambda record: (record.store, record.created_at, record.id))
    return [{"id": record.id, **record.model_dump(mode="json", exclude={"id", "version"})} for record in ordered]


def load(stores: Iterable[LearningStore], identity: Identity, rows: Iterable[Mapping[str, Any]]) -> Flow[int]:
    """Take in what `export` handed out, as this user's, and return how many records that were.

    A record of the same id is replaced. All rows are read before one is written.

    Raises:
        RecordError: A row is no record; nothing is written.
        ScopeError: It is not known for whom, or a row belongs to no user; nothing is written.
    """
    if identity.user_id is None:
        raise ScopeError("load() needs to know for whom: give scoped(user_id=...)")
    records = [_owned(row, identity.user_id) for row in rows]
    ours = {store.name: store for store in stores if store.index is not None}
    indexed = [(ours[record.store], record.scope, record.id) for record in records if record.store in ours]
    puts = [PutOp(record.namespace, record.id, record.value(), index=["text"]) for record in records]
    for page in _pages([note for store, scope, key in indexed for note in notes(store, scope, [key])] + puts):
        yield from write(page, {})
    for store, scope in {(store.name, scope.path): (store, scope) for store, scope, _ in indexed}.values():
        yield from mirrored(store, scope, [key for _, _, key in indexed])
    return len(records)


def _owned(row: Mapping[str, Any], user_id: str) -> Record:
    try:
        record = Record.model_validate({"source": Source(actor="import"), **row})
    except ValidationError as error:
        raise RecordError(f"the row {dict(row)!r:.200} is not a record: {error}") from error
    if record.scope.namespace is not None or record.scope.user_id is None:
        raise ScopeError(f"the record {record.id!r} belongs to no user")
    return record.model_copy(update={"scope": record.scope.model_copy(update={"user_id": user_id})})


def _read(prefix: Namespace, limit: int) -> Flow[list[Item]]:
    [found] = yield from batch(SearchOp(prefix, limit=limit, refresh_ttl=False))
    return cast("list[Item]", found)


def _under(prefix: Namespace, items: Iterable[Item]) -> list[Item]:
    """Leave out the items of a neighbour, whose name a store may take for the prefix."""
    return [item for item in items if tuple(item.namespace)[: len(prefix)] == prefix]


def _pages(puts: list[PutOp]) -> Iterator[list[PutOp]]:
    return (puts[start : start + PAGE] for start in range(0, len(puts), PAGE))
