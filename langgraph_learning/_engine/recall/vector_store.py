"""An external vector store beside the records: kept in sync, searched, and each hit checked against the records.

The store keeps the records as always, so scope, history, undo and approval work as they do without a vector store. A
commit writes into an outbox, in its own transaction, the ids of the records that it changed. An entry is deleted only
after the vector store has been updated: if that fails, or the process ends, the next write tries again. Each hit of a
search is checked against the scope and the records, so a vector store that ignores filters or is out of date shows no
record of another user and no deleted one.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeAlias, cast

from langchain_core.documents import Document
from langgraph.store.base import GetOp, Item, PutOp, SearchOp

from langgraph_learning._engine.flow import Flow, batch, call_vector_store, write
from langgraph_learning._engine.recall.ranking import blend_with_nearest
from langgraph_learning._engine.repository import RankedSnapshot
from langgraph_learning.errors import ConflictError, StoreError
from langgraph_learning.records import DOCUMENT, Namespace, Record, Scope, Source, derived_id
from langgraph_learning.stores import LearningStore

log = logging.getLogger(__name__)

Address: TypeAlias = tuple[Namespace, str]

UNINDEXED = "unindexed"
"""The last label of the namespace of the outbox."""
SCOPE, RECORD, STORE = "learning_scope", "learning_id", "learning_store"
NEAREST = 20
"""How many hits a vector store returns at most."""
DOCUMENTS = 5
"""How many hits may be documents that are no records: a vector store returns the nearest even if none fits."""
AT_ONCE = 500
"""How many records one call updates at most."""
TRIES = 5
"""How often an update is tried if the records change while it runs."""
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""The date of documents that are no records: their real date is unknown."""


class MetadataFilter(dict[str, str]):
    """A filter by metadata in both forms that vector stores take: a mapping, and a function of a document."""

    def __call__(self, document: Document) -> bool:
        """Return whether the metadata of `document` have all values of the filter."""
        return all(document.metadata.get(key) == value for key, value in self.items())


def outbox_entries(store: LearningStore, scope: Scope, changed: Iterable[str]) -> list[PutOp]:
    """Return the operations that write the ids of changed records into the outbox; none without a vector store."""
    if store.index is None:
        return []
    return [
        PutOp((*scope.path, UNINDEXED), _key(scope, store.name, key), {"store": store.name, "id": key}, index=False)
        for key in dict.fromkeys(changed)
    ]


def sync_index(store: LearningStore, scope: Scope, changed: Collection[str]) -> Flow[None]:
    """Update the records in `changed` in the vector store, then those left over from earlier failures.

    An error of the vector store is logged and not raised, because the commit has succeeded. The records stay in the
    outbox, and the next write tries again.
    """
    if store.index is None:
        return
    try:
        waiting = yield from _pending_ids(store, scope)
        new = [key for key in waiting if key in changed]
        left = [key for key in waiting if key not in changed]  # apart, so that a failure here does not block new ones
        for keys in (new[:AT_ONCE], new[AT_ONCE:], left[:AT_ONCE]):
            if keys:
                yield from _sync_records(store, scope, keys)
    except StoreError:
        log.warning("the vector store of %s is behind; the next write tries again", store.name, exc_info=True)


def _pending_ids(store: LearningStore, scope: Scope) -> Flow[list[str]]:
    namespace = (*scope.path, UNINDEXED)
    [result] = yield from batch(SearchOp(namespace, {"store": store.name}, limit=4 * AT_ONCE, refresh_ttl=False))
    items = cast("list[Item]", result)
    return [str(item.value["id"]) for item in items if tuple(item.namespace) == namespace]


def _sync_records(store: LearningStore, scope: Scope, keys: Sequence[str]) -> Flow[None]:
    """Send the present state of these records, then delete their outbox entries; repeat if they changed meanwhile."""
    noted = (*scope.path, UNINDEXED)
    ids = {key: _key(scope, store.name, key) for key in keys}
    for _ in range(TRIES):
        reads = [(namespace, key) for key in keys for namespace in ((*scope.path, store.name), noted)]
        results = yield from batch(
            *(GetOp(place, ids[key] if place == noted else key, refresh_ttl=False) for place, key in reads)
        )
        items = [item for item in results if isinstance(item, Item)]
        records = [Record.from_item(item) for item in items if tuple(item.namespace) != noted]
        pending = [item for item in items if tuple(item.namespace) == noted]
        yield from _send_documents(store, records, [ids[key] for key in ids.keys() - {record.id for record in records}])
        try:
            # The versions make the write fail if a commit has changed a record, and with it its entry, meanwhile.
            yield from write(
                [PutOp(noted, item.key, None) for item in pending],
                {(noted, item.key): int(getattr(item, "version", 1)) for item in pending},
            )
        except ConflictError:
            continue
        return


def _send_documents(store: LearningStore, records: Sequence[Record], gone: Sequence[str]) -> Flow[None]:
    if store.index is None:
        return
    if records:
        documents = [as_document(record) for record in records]
        yield from call_vector_store(
            store.index, "add_documents", documents=documents, ids=[document.id for document in documents]
        )
    if gone:
        yield from call_vector_store(store.index, "delete", ids=sorted(gone))


def erase_documents(store: LearningStore, addresses: Iterable[Address]) -> Flow[None]:
    """Delete the records of `store` at these addresses from the vector store."""
    gone = {_document_id(path[:-1], store.name, key) for path, key in addresses if path[-1] == store.name}
    if gone:
        yield from _send_documents(store, [], sorted(gone))


def as_document(record: Record) -> Document:
    """Return the document of a record for the vector store: its text, and in the metadata its scope, store and id."""
    metadata = {SCOPE: record.scope.tag, STORE: record.store, RECORD: record.id}
    return Document(record.text, id=_key(record.scope, record.store, record.id), metadata=metadata)


def add_nearest(snapshot: RankedSnapshot, query: str, status: str | None) -> Flow[RankedSnapshot]:
    """Return the snapshot with the hits of the vector store added, scored by words and by position among the hits.

    Args:
        snapshot: The records that the store returned.
        query: The text to search for.
        status: The status that added records must have; None for any.
    """
    if snapshot.store.index is None:
        return snapshot
    wanted = MetadataFilter({SCOPE: snapshot.scope.tag})
    try:
        nearest = yield from call_vector_store(
            snapshot.store.index, "similarity_search", query=query, k=NEAREST, filter=wanted
        )
    except StoreError:
        log.warning("the vector store of %s was not searched; words are", snapshot.store.name, exc_info=True)
        return snapshot
    records, order = {record.id: record for record in snapshot.records}, []
    hits = [hit for hit in cast("list[Document]", nearest) if wanted(hit)]  # some vector stores ignore the filter
    documents = [hit for hit in hits if RECORD not in hit.metadata][:DOCUMENTS]
    ids = [hit.metadata[RECORD] for hit in hits if hit.metadata.get(STORE) == snapshot.store.name]
    unread = yield from _read_hits(snapshot, [key for key in ids if key not in records], status)
    records.update((record.id, record) for record in [*unread, *(_document_record(snapshot, hit) for hit in documents)])
    for hit in hits:
        key = hit.metadata.get(RECORD) or _hit_id(hit)
        order += [key] if key in records else []
    by_age = sorted(records.values(), key=lambda record: (record.created_at, record.id))
    scores, beyond = blend_with_nearest(by_age, query, order), max(0, snapshot.unread - len(unread))
    return replace(snapshot, records=tuple(by_age), scores=scores, final=True, unread=beyond)


def _read_hits(snapshot: RankedSnapshot, keys: Sequence[str], status: str | None) -> Flow[list[Record]]:
    """Return the records of hits that the store's own search did not return; a deleted one is left out."""
    if not keys:
        return []
    namespace: Namespace = (*snapshot.scope.path, snapshot.store.name)
    items = yield from batch(*(GetOp(namespace, key, refresh_ttl=False) for key in keys))
    records = [Record.from_item(item) for item in items if isinstance(item, Item)]
    return [record for record in records if status in (None, record.status)]


def _document_record(snapshot: RankedSnapshot, hit: Document) -> Record:
    """Return a record for a document that only the vector store has; no operation can change it."""
    title = hit.metadata.get("title")
    return Record(
        id=_hit_id(hit),
        store=snapshot.store.name,
        scope=snapshot.scope,
        content={"learning": hit.page_content, **({"title": title} if isinstance(title, str) else {})},
        text=f"{title}: {hit.page_content}" if isinstance(title, str) else hit.page_content,
        status=DOCUMENT,
        source=Source(actor="import"),
        created_at=BEGINNING,
        updated_at=BEGINNING,
    )


def _hit_id(hit: Document) -> str:
    return f"{DOCUMENT}:{hit.id or derived_id(DOCUMENT, hit.page_content)}"


def _key(scope: Scope, store: str, record_id: str) -> str:
    return _document_id(scope.path, store, record_id)


def _document_id(path: Iterable[str], store: str, record_id: str) -> str:
    """Return the id of a record's document: a UUID, because some vector stores need one, and unique over all scopes."""
    return derived_id("document", *path, store, record_id)
