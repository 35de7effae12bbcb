"""An external vector store beside the records: kept in sync, searched, and each hit checked against the records.

The records stay where all records are, so scope, history, undo and approval hold as they do without one. A commit notes
in its own transaction what the vector store has to be told, and a note stays until it was: a failure, or a process that
ends, costs nothing, since the next write tells it again. What a search finds counts only where the scope and the record
say the same, so a vector store that ignores filters, or is behind, shows nobody what is not theirs or is gone.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeAlias, cast

from langchain_core.documents import Document
from langgraph.store.base import GetOp, Item, PutOp, SearchOp

from langgraph_learning._engine.flow import Flow, batch, call_vector_store, write
from langgraph_learning._engine.learning.turn import derived_id
from langgraph_learning._engine.recall.ranked_snapshot import RankedSnapshot
from langgraph_learning._engine.recall.ranking import blend_with_nearest
from langgraph_learning.errors import ConflictError, StoreError
from langgraph_learning.records import DOCUMENT, Namespace, Record, Scope, Source
from langgraph_learning.stores import LearningStore

log = logging.getLogger(__name__)

Address: TypeAlias = tuple[Namespace, str]

PENDING = "unindexed"
SCOPE, RECORD, STORE = "learning_scope", "learning_id", "learning_store"
NEAREST = 20
"""How many candidates a vector store is asked for."""
DOCUMENTS = 5
"""How many of them may be documents that are no records: those come without asking whether they fit."""
AT_ONCE = 500
"""How many records it is told of in one call."""
TRIES = 5
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class MetadataFilter(dict[str, str]):
    """A filter by metadata in both forms that vector stores take: a mapping, and a predicate of a document."""

    def __call__(self, document: Document) -> bool:
        """Whether `document` belongs."""
        return all(document.metadata.get(key) == value for key, value in self.items())


def outbox_entries(store: LearningStore, scope: Scope, changed: Iterable[str]) -> list[PutOp]:
    """Return the operations that note which records the vector store has to be told of."""
    if store.index is None:
        return []
    return [
        PutOp((*scope.path, PENDING), _key(scope, store.name, key), {"store": store.name, "id": key}, index=False)
        for key in dict.fromkeys(changed)
    ]


def sync_index(store: LearningStore, scope: Scope, changed: Collection[str]) -> Flow[None]:
    """Tell the vector store what was `changed`, then what it was not told before; what fails stays noted.

    It was committed: that the vector store is behind is logged, and no reason to say that nothing was stored.
    """
    if store.index is None:
        return
    try:
        waiting = yield from _pending_ids(store, scope)
        new = [key for key in waiting if key in changed]
        left = [key for key in waiting if key not in changed]  # apart, so that one that cannot be told holds up no new
        for keys in (new[:AT_ONCE], new[AT_ONCE:], left[:AT_ONCE]):
            if keys:
                yield from _sync_records(store, scope, keys)
    except StoreError:
        log.warning("the vector store of %s is behind; the next write tries again", store.name, exc_info=True)


def _pending_ids(store: LearningStore, scope: Scope) -> Flow[list[str]]:
    namespace = (*scope.path, PENDING)
    [found] = yield from batch(SearchOp(namespace, {"store": store.name}, limit=4 * AT_ONCE, refresh_ttl=False))
    items = cast("list[Item]", found)
    return [str(item.value["id"]) for item in items if tuple(item.namespace) == namespace]


def _sync_records(store: LearningStore, scope: Scope, keys: Sequence[str]) -> Flow[None]:
    """Tell it how these records are now, and strike the notes; if they have changed again meanwhile, once more."""
    noted = (*scope.path, PENDING)
    ids = {key: _key(scope, store.name, key) for key in keys}
    for _ in range(TRIES):
        reads = [(namespace, key) for key in keys for namespace in ((*scope.path, store.name), noted)]
        found = yield from batch(
            *(GetOp(place, ids[key] if place == noted else key, refresh_ttl=False) for place, key in reads)
        )
        items = [item for item in found if isinstance(item, Item)]
        records = [Record.from_item(item) for item in items if tuple(item.namespace) != noted]
        pending = [item for item in items if tuple(item.namespace) == noted]
        yield from _send_documents(store, records, [ids[key] for key in ids.keys() - {record.id for record in records}])
        try:
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
            store.index, "add_documents", documents=documents, ids=[each.id for each in documents]
        )
    if gone:
        yield from call_vector_store(store.index, "delete", ids=sorted(gone))


def erase_documents(store: LearningStore, addresses: Iterable[Address]) -> Flow[None]:
    """Take the records of `store` at these addresses out of the vector store."""
    gone = {_document_id(path[:-1], store.name, key) for path, key in addresses if path[-1] == store.name}
    if gone:
        yield from _send_documents(store, [], sorted(gone))


def as_document(record: Record) -> Document:
    """Return what a vector store keeps of a record: its text, and whose it is."""
    metadata = {SCOPE: record.scope.tag, STORE: record.store, RECORD: record.id}
    return Document(record.text, id=_key(record.scope, record.store, record.id), metadata=metadata)


def add_nearest(each: RankedSnapshot, query: str, status: str | None) -> Flow[RankedSnapshot]:
    """Return what is known with what the vector store finds for `query`, ranked by both its words and its place there.

    Args:
        each: What the store found.
        query: What to look for.
        status: The status that records have to have; None for any.
    """
    if each.store.index is None:
        return each
    wanted = MetadataFilter({SCOPE: each.scope.tag})
    try:
        found = yield from call_vector_store(
            each.store.index, "similarity_search", query=query, k=NEAREST, filter=wanted
        )
    except StoreError:
        log.warning("the vector store of %s was not searched; words are", each.store.name, exc_info=True)
        return each
    known, order = {record.id: record for record in each.records}, []
    hits = [hit for hit in cast("list[Document]", found) if wanted(hit)]
    documents = [hit for hit in hits if RECORD not in hit.metadata][:DOCUMENTS]
    ids = [hit.metadata[RECORD] for hit in hits if hit.metadata.get(STORE) == each.store.name]
    unread = yield from _read_hits(each, [key for key in ids if key not in known], status)
    known.update((record.id, record) for record in [*unread, *(_document_record(each, hit) for hit in documents)])
    for hit in hits:
        key = hit.metadata.get(RECORD) or _hit_id(hit)
        order += [key] if key in known else []
    records = sorted(known.values(), key=lambda record: (record.created_at, record.id))
    scores, beyond = blend_with_nearest(records, query, order), max(0, each.unread - len(unread))
    return replace(each, records=tuple(records), scores=scores, ranked=True, unread=beyond)


def _read_hits(each: RankedSnapshot, keys: Sequence[str], status: str | None) -> Flow[list[Record]]:
    """Read what the vector store found and the store's own search did not: it may be gone since."""
    if not keys:
        return []
    namespace: Namespace = (*each.scope.path, each.store.name)
    found = yield from batch(*(GetOp(namespace, key, refresh_ttl=False) for key in keys))
    records = [Record.from_item(item) for item in found if isinstance(item, Item)]
    return [record for record in records if status in (None, record.status)]


def _document_record(each: RankedSnapshot, hit: Document) -> Record:
    """Show a document that the vector store brought along as a record is shown; it cannot be changed."""
    title = hit.metadata.get("title")
    return Record(
        id=_hit_id(hit),
        store=each.store.name,
        scope=each.scope,
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
    """A UUID, as some vector stores ask for, that no record of another scope has."""
    return derived_id("document", *path, store, record_id)
