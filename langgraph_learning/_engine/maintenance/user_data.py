"""All data of a user in all threads: erase it, export it, import it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import cast

from langgraph.store.base import GetOp, Item, PutOp, SearchOp
from pydantic import ValidationError

from langgraph_learning._engine.approval.proposals import PROPOSALS, read_proposal
from langgraph_learning._engine.flow import Flow, batch, call_store, write
from langgraph_learning._engine.learning.capture import key_puts
from langgraph_learning._engine.learning.commit import retry_on_conflict
from langgraph_learning._engine.maintenance.votes import BALLOTS, ballot_key
from langgraph_learning._engine.recall.vector_store import (
    UNINDEXED,
    Address,
    erase_documents,
    outbox_entries,
    sync_index,
)
from langgraph_learning._engine.repository import EVERYTHING, put_record
from langgraph_learning.errors import RecordError, ScopeError, UnsupportedByStore
from langgraph_learning.masking import Mask, mask_secrets, mask_values
from langgraph_learning.mentions import Mention, mention_of, without_mentions
from langgraph_learning.namespace_labels import COMMITS, USER, unlabel
from langgraph_learning.records import NOT_RECORDS, ROOT, Identity, Namespace, Record, Scope, Source
from langgraph_learning.stores import LearningStore
from langgraph_learning.stores.base import record_fault
from langgraph_learning.versioned_store import Json, VersionedStore

PAGE = 500
SHARED: Namespace = (ROOT, "namespace")
OWNED: Namespace = (ROOT, USER)


def forget(stores: Iterable[LearningStore], identity: Identity) -> Flow[dict[str, int]]:
    """Erase everything of a user with history and commits, and return the numbers of rows.

    What the user taught in shared namespaces is erased too, with all proposals about it, and commits of other users no
    longer name it. Where another user wrote last, the present state stays and its history goes.

    Raises:
        StoreError: The store, or a vector store, failed. Vector stores are erased first, because only the records tell
            what is left to erase there.
    """
    if identity.user_id is None:
        return {}
    prefix, taught = Scope(user_id=identity.user_id).path, (yield from _find_taught(identity.user_id))
    if indexed := [store for store in stores if store.index is not None]:
        own_records = [_address(item) for item in _under(prefix, (yield from _read(prefix, EVERYTHING)))]
        for store in indexed:
            yield from erase_documents(store, [*own_records, *taught])
    shared = yield from _forget_shared(identity.user_id, taught)
    for store in indexed:  # a record that another user wrote last stays, or is restored
        yield from _update_vector_index(store, taught)
    try:
        counts = yield from call_store(VersionedStore.purge, prefix)
    except UnsupportedByStore:  # a store without history shows all it has
        items = 0
        while page := _under(prefix, (yield from _read(prefix, PAGE))):
            yield from batch(*(PutOp(tuple(item.namespace), item.key, None) for item in page))
            items += len(page)
        counts = {"items": items}
    yield from _forget_mentions(taught)
    return {**counts, "shared": shared} if shared else counts


def _find_taught(user_id: str) -> Flow[list[Address]]:
    """Return the addresses in shared namespaces that the user has written to."""
    try:
        return (yield from call_store(VersionedStore.all_addresses, SHARED, _written_by(user_id)))
    except UnsupportedByStore:
        items = _under(SHARED, (yield from _read(SHARED, EVERYTHING)))
        authors = {(tuple(item.namespace), item.key): (item.value.get("source") or {}).get("user_id") for item in items}
        return [address for address, author in authors.items() if author == user_id]


def _find_derived(taught: Sequence[Address]) -> Flow[list[Address]]:
    """Return what refers to what the user taught: all proposals about it, and the votes on it."""
    candidates: list[Address] = []
    try:
        for namespace in dict.fromkeys(unlabel(path[2]) for path, _ in taught):
            candidates += yield from call_store(VersionedStore.all_addresses, (ROOT,), {"namespace": namespace})
    except UnsupportedByStore:
        items = _under((ROOT,), (yield from _read((ROOT,), EVERYTHING)))
        candidates = [(tuple(item.namespace), item.key) for item in items]
    addresses = [address for address in candidates if address[0][-1] == PROPOSALS]
    read = yield from batch(*(GetOp(namespace, key, refresh_ttl=False) for namespace, key in addresses))
    asked = [(item, read_proposal(item)) for item in read if isinstance(item, Item)]
    about = {(unlabel(path[2]), path[-1], key) for path, key in taught}
    repeat = [
        (tuple(item.namespace), item.key)
        for item, proposal in asked
        if any((proposal.namespace, proposal.store, key) in about for key in proposal.expects)
    ]
    votes = {((*path[:-1], BALLOTS), ballot_key((path[-1], key))) for path, key in taught}
    return [*repeat, *sorted(votes)]


def _written_by(user_id: str) -> dict[str, Json]:
    return {"source": {"user_id": user_id}}


def _forget_shared(user_id: str, taught: Sequence[Address]) -> Flow[int]:
    repeated = yield from _find_derived(taught)
    try:
        yield from call_store(VersionedStore.erase_written, taught, _written_by(user_id), index=["text"])
    except UnsupportedByStore:  # without history each record has one state, and all that were found are the user's
        yield from batch(*(PutOp(namespace, key, None) for namespace, key in (*taught, *repeated)))
        return len(taught)
    if repeated:
        yield from call_store(VersionedStore.erase, repeated)
    return len(taught)


def _forget_mentions(taught: Sequence[Address]) -> Flow[None]:
    """Take the ids of erased records out of what other users' commits say was recalled."""
    items = yield from batch(*(GetOp(namespace, key, refresh_ttl=False) for namespace, key in taught))
    gone = {mention_of(address) for address, item in zip(taught, items, strict=True) if item is None}
    if not gone:
        return
    try:
        mentions = {"provenance": {"recalled": {"$exists": True}}}
        found = yield from call_store(VersionedStore.all_addresses, OWNED, mentions)
    except UnsupportedByStore:
        found = [(tuple(item.namespace), item.key) for item in (yield from _read(OWNED, EVERYTHING))]
    commits = [address for address in found if address[0][-1] == COMMITS]
    for start in range(0, len(commits), PAGE):
        page = commits[start : start + PAGE]
        changed = yield from retry_on_conflict(partial(_take_out_mentions, page, gone))
        if changed:
            with suppress(UnsupportedByStore):
                yield from call_store(VersionedStore.erase, changed, history_only=True)


def _take_out_mentions(commits: Sequence[Address], gone: Set[Mention]) -> Flow[list[Address]]:
    """Write those of `commits` that name a record of `gone` without it, and return their addresses."""
    results = yield from batch(*(GetOp(namespace, key, refresh_ttl=False) for namespace, key in commits))
    puts, expect = without_mentions(results, gone)
    if puts:
        yield from write(puts, expect)
    return list(expect)


def _update_vector_index(store: LearningStore, taught: Sequence[Address]) -> Flow[None]:
    """Bring the vector store up to date where the user had written."""
    own_records = [(namespace[:-1], key) for namespace, key in taught if namespace[-1] == store.name]
    for path in dict.fromkeys(path for path, _ in own_records):
        _, _, namespace, *agent = path  # a namespace, or an agent in one
        scope = Scope(namespace=unlabel(namespace), agent=unlabel(agent[-1]) if agent else None)
        keys = [key for place, key in own_records if place == path]
        yield from write(outbox_entries(store, scope, keys), {})
        yield from sync_index(store, scope, keys)


def _address(item: Item) -> Address:
    """Return the address of a record, or of the record that an outbox entry names."""
    *path, last = item.namespace
    return ((*path, item.value["store"]), item.value["id"]) if last == UNINDEXED else ((*path, last), item.key)


def export(identity: Identity) -> Flow[list[dict[str, Json]]]:
    """Return the records of a user in all threads, one JSON row each."""
    if identity.user_id is None:
        return []
    prefix = Scope(user_id=identity.user_id).path
    own_items = _under(prefix, (yield from _read(prefix, EVERYTHING)))
    records = (Record.from_item(item) for item in own_items if tuple(item.namespace)[-1] not in NOT_RECORDS)
    ordered = sorted(records, key=lambda record: (record.store, record.created_at, record.id))
    return [{"id": record.id, **record.model_dump(mode="json", exclude={"id", "version"})} for record in ordered]


def load(
    stores: Sequence[LearningStore],
    identity: Identity,
    rows: Iterable[Mapping[str, Json]],
    mask: Mask = mask_secrets,
    *,
    vouched: bool = False,
) -> Flow[int]:
    """Import the rows of an `export` as this user's records, and return their number.

    A record with the same id is replaced. All rows are checked before the first one is written. A file may claim any
    source for its records, so they are marked as imported and as not approved, unless the caller vouches for the file.

    Raises:
        RecordError: A row is no record, or does not fit its learning store; nothing is written.
        ScopeError: There is no user to import for, or a row belongs to no user; nothing is written.
    """
    if identity.user_id is None:
        raise ScopeError("load() needs a user: give scoped(user_id=...)")
    by_name = {store.name: store for store in stores}
    records = [
        _as_own_record(row, f"row {number}", identity.user_id, by_name, mask, vouched=vouched)
        for number, row in enumerate(rows, 1)
    ]
    indexed = [
        (store, record.scope, record.id) for record in records if (store := by_name[record.store]).index is not None
    ]
    now = datetime.now(UTC)
    keeps_messages = any(store.captures for store in by_name.values())
    learned = [record for record in records if keeps_messages and record.source.message_ids]
    replaced = yield from batch(*(GetOp(record.namespace, record.id, refresh_ttl=False) for record in learned))
    old = [Record.from_item(item) if isinstance(item, Item) else None for item in replaced]
    puts = [put_record(record, now) for record in records]
    for page in _pages([note for store, scope, key in indexed for note in outbox_entries(store, scope, [key])] + puts):
        yield from write(page, {})
    keyed, expect = yield from key_puts(identity.user_id, zip(old, learned, strict=True), [], now)
    for page in _pages(keyed):
        yield from write(page, {(put.namespace, put.key): expect[put.namespace, put.key] for put in page})
    for store, scope in {(store.name, scope.path): (store, scope) for store, scope, _ in indexed}.values():
        yield from sync_index(store, scope, [key for _, _, key in indexed])
    return len(records)


def _as_own_record(
    row: Mapping[str, Json],
    where: str,
    user_id: str,
    stores: Mapping[str, LearningStore],
    mask: Mask,
    *,
    vouched: bool,
) -> Record:
    """Return a row as a record of this user; its texts are masked before anything repeats them."""
    if not isinstance(row, Mapping):
        raise RecordError(f"{where} is not a record: give the rows of an export, each a mapping")
    try:
        record = Record.model_validate({"source": Source(actor="import"), **row})
    except ValidationError as error:
        wrong = error.errors(include_input=False)[0]
        named = ".".join(map(str, wrong["loc"]))
        raise RecordError(f"{where} is not a record: {named}: {wrong['msg']}") from error
    if record.scope.namespace is not None or record.scope.user_id is None:
        raise ScopeError(f"{where}: the record {record.id!r} belongs to no user")
    if reason := record_fault(stores, record):
        raise RecordError(f"{where} does not fit: {reason}")
    content = {key: mask_values(value, mask) for key, value in record.content.items()}
    return record.model_copy(
        update={
            "scope": record.scope.model_copy(update={"user_id": user_id}),
            "content": content,
            "text": mask(record.text),
            "keys": {key: mask(text) for key, text in record.keys.items()},
            "source": _import_source(record.source, mask, vouched=vouched),
        }
    )


def _import_source(source: Source, mask: Mask, *, vouched: bool) -> Source:
    """Return the source of an imported record; unless vouched for, its claims about actor and approval are removed."""
    quote = mask(source.quote) if source.quote else None
    if vouched:
        return source.model_copy(update={"quote": quote})
    claims = {"actor": "import", "approved_by": None, "approved_at": None, "quote": quote}
    return source.model_copy(update=claims)


def _read(prefix: Namespace, limit: int) -> Flow[list[Item]]:
    [result] = yield from batch(SearchOp(prefix, limit=limit, refresh_ttl=False))
    return cast("list[Item]", result)


def _under(prefix: Namespace, items: Iterable[Item]) -> list[Item]:
    """Return only the items under `prefix`: a store may also return those of a namespace with a similar name."""
    return [item for item in items if tuple(item.namespace)[: len(prefix)] == prefix]


def _pages(puts: list[PutOp]) -> Iterator[list[PutOp]]:
    return (puts[start : start + PAGE] for start in range(0, len(puts), PAGE))
