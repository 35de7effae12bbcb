"""All that belongs to a user, over all threads: erased, handed out, taken in."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from langgraph.store.base import GetOp, Item, PutOp, SearchOp
from pydantic import ValidationError

from langgraph_learning._engine.approval.proposals import PROPOSALS, read_proposal
from langgraph_learning._engine.flow import Flow, batch, call_store, write
from langgraph_learning._engine.learning.capture import key_puts
from langgraph_learning._engine.maintenance.votes import BALLOTS, ballot_key
from langgraph_learning._engine.recall.vector_index import PENDING, Address, erase_documents, outbox_entries, sync_index
from langgraph_learning._engine.repository import EVERYTHING, put_record
from langgraph_learning.errors import RecordError, ScopeError, UnsupportedByStore
from langgraph_learning.labels import unlabel
from langgraph_learning.masking import Mask, mask_secrets, mask_values
from langgraph_learning.records import NOT_RECORDS, ROOT, Identity, Namespace, Record, Scope, Source
from langgraph_learning.stores import LearningStore

PAGE = 500
SHARED: Namespace = (ROOT, "namespace")


def forget(stores: Iterable[LearningStore], identity: Identity) -> Flow[dict[str, int]]:
    """Erase everything of a user, history and commits included, and return how many rows that were.

    What the user taught in namespaces shared with others goes, too, with what anybody proposed about it. Where somebody
    else wrote last, that stays, without its past.

    Raises:
        StoreError: The store, or a vector store, failed. A vector store is erased from first: as long as that fails, it
            is known here what is left to erase.
    """
    if identity.user_id is None:
        return {}
    prefix, taught = Scope(user_id=identity.user_id).path, (yield from _find_taught(identity.user_id))
    if indexed := [store for store in stores if store.index is not None]:
        mine = [_address(item) for item in _under(prefix, (yield from _read(prefix, EVERYTHING)))]
        for store in indexed:
            yield from erase_documents(store, [*mine, *taught])
    shared = yield from _forget_shared(identity.user_id, taught)
    for store in indexed:  # what somebody else wrote stays, or is put back
        yield from _update_vector_index(store, taught)
    try:
        counts = cast("dict[str, int]", (yield from call_store("purge", prefix)))
    except UnsupportedByStore:  # a store without history: what it shows is all there is
        items = 0
        while found := _under(prefix, (yield from _read(prefix, PAGE))):
            yield from batch(*(PutOp(tuple(item.namespace), item.key, None) for item in found))
            items += len(found)
        counts = {"items": items}
    return {**counts, "shared": shared} if shared else counts


def _find_taught(user_id: str) -> Flow[list[Address]]:
    """Return where in shared namespaces the user has written."""
    try:
        return cast("list[Address]", (yield from call_store("all_addresses", SHARED, {"source": {"user_id": user_id}})))
    except UnsupportedByStore:
        items = _under(SHARED, (yield from _read(SHARED, EVERYTHING)))
        return [(tuple(item.namespace), item.key) for item in items if _author_of(item.value) == user_id]


def _find_derived(taught: Sequence[Address]) -> Flow[list[Address]]:
    """Return what repeats what the user taught, or is named after it: anybody's proposals about it, and its votes."""
    found: list[Address] = []
    try:
        for namespace in dict.fromkeys(unlabel(path[-2]) for path, _ in taught):
            found += yield from call_store("all_addresses", (ROOT,), {"namespace": namespace})
    except UnsupportedByStore:
        items = _under((ROOT,), (yield from _read((ROOT,), EVERYTHING)))
        found = [(tuple(item.namespace), item.key) for item in items]
    places = [address for address in found if address[0][-1] == PROPOSALS]
    read = yield from batch(*(GetOp(namespace, key, refresh_ttl=False) for namespace, key in places))
    asked = [(item, read_proposal(item)) for item in read if isinstance(item, Item)]
    about = {(unlabel(path[-2]), path[-1], key) for path, key in taught}
    repeat = [
        (tuple(item.namespace), item.key)
        for item, proposal in asked
        if any((proposal.namespace, proposal.store, key) in about for key in proposal.expects)
    ]
    votes = {((*path[:-1], BALLOTS), ballot_key((path[-1], key))) for path, key in taught}
    return [*repeat, *sorted(votes)]


def _forget_shared(user_id: str, taught: Sequence[Address]) -> Flow[int]:
    repeated = yield from _find_derived(taught)
    found = yield from batch(*(GetOp(namespace, key, refresh_ttl=False) for namespace, key in taught))
    others = [isinstance(item, Item) and _author_of(item.value) != user_id for item in found]
    stays = [address for address, other in zip(taught, others, strict=True) if other]
    goes = [address for address, other in zip(taught, others, strict=True) if not other]
    try:
        before = yield from _restore_previous(goes, user_id)
    except UnsupportedByStore:  # all of it is the user's
        yield from batch(*(PutOp(namespace, key, None) for namespace, key in (*goes, *repeated)))
        return len(taught)
    if stays:
        yield from call_store("erase_history", stays)
    if goes or repeated:
        yield from call_store("erase", [*goes, *repeated])
    yield from write(before, {})
    return len(taught)


def _restore_previous(addresses: Iterable[Address], user_id: str) -> Flow[list[PutOp]]:
    """Return what puts the records back that others had written before the user first touched them."""
    puts = []
    for namespace, key in addresses:
        states = yield from call_store("history", namespace, key)
        mine = next((place for place, kept in enumerate(states) if _author_of(kept.value or {}) == user_id), 0)
        if mine and (value := states[mine - 1].value) is not None:
            puts.append(PutOp(namespace, key, value, index=["text"]))
    return puts


def _update_vector_index(store: LearningStore, taught: Sequence[Address]) -> Flow[None]:
    """Tell the vector store what is left where the user had written."""
    mine = [(namespace[:-1], key) for namespace, key in taught if namespace[-1] == store.name]
    for path in dict.fromkeys(path for path, _ in mine):
        scope, keys = Scope(namespace=unlabel(path[-1])), [key for place, key in mine if place == path]
        yield from write(outbox_entries(store, scope, keys), {})
        yield from sync_index(store, scope, keys)


def _address(item: Item) -> Address:
    """Return where a record lies, or the one that a note is about."""
    *path, last = item.namespace
    return ((*path, item.value["store"]), item.value["id"]) if last == PENDING else ((*path, last), item.key)


def _author_of(value: Mapping[str, Any]) -> object:
    return (value.get("source") or {}).get("user_id")


def export(identity: Identity) -> Flow[list[dict[str, Any]]]:
    """Return the records of a user in all threads, one JSON row each."""
    if identity.user_id is None:
        return []
    prefix = Scope(user_id=identity.user_id).path
    mine = _under(prefix, (yield from _read(prefix, EVERYTHING)))
    records = (Record.from_item(item) for item in mine if tuple(item.namespace)[-1] not in NOT_RECORDS)
    ordered = sorted(records, key=lambda record: (record.store, record.created_at, record.id))
    return [{"id": record.id, **record.model_dump(mode="json", exclude={"id", "version"})} for record in ordered]


def load(
    stores: Iterable[LearningStore],
    identity: Identity,
    rows: Iterable[Mapping[str, Any]],
    mask: Mask = mask_secrets,
) -> Flow[int]:
    """Take in what `export` handed out, as this user's, and return how many records that were.

    A record of the same id is replaced. All rows are read before one is written.

    Raises:
        RecordError: A row is no record; nothing is written.
        ScopeError: It is not known for whom, or a row belongs to no user; nothing is written.
    """
    if identity.user_id is None:
        raise ScopeError("load() needs to know for whom: give scoped(user_id=...)")
    records = [_as_own_record(row, identity.user_id, mask) for row in rows]
    stores = tuple(stores)
    ours = {store.name: store for store in stores if store.index is not None}
    indexed = [(ours[record.store], record.scope, record.id) for record in records if record.store in ours]
    now = datetime.now(UTC)
    keeps_messages = any(store.captures for store in stores)
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


def _as_own_record(row: Mapping[str, Any], user_id: str, mask: Mask) -> Record:
    if not isinstance(row, Mapping):
        raise RecordError(f"the row {row!r:.200} is not a record: give the rows of an export, each a mapping")
    try:
        record = Record.model_validate({"source": Source(actor="import"), **row})
    except ValidationError as error:
        raise RecordError(f"the row {dict(row)!r:.200} is not a record: {error}") from error
    if not record.store.isidentifier() or record.store in NOT_RECORDS:
        raise RecordError(f"the row {dict(row)!r:.200} is not a record: {record.store!r} names no learning store")
    if record.scope.namespace is not None or record.scope.user_id is None:
        raise ScopeError(f"the record {record.id!r} belongs to no user")
    content = {key: mask_values(value, mask) for key, value in record.content.items()}
    keys = {key: mask(text) for key, text in record.keys.items()}
    scope = record.scope.model_copy(update={"user_id": user_id})
    return record.model_copy(update={"scope": scope, "content": content, "text": mask(record.text), "keys": keys})


def _read(prefix: Namespace, limit: int) -> Flow[list[Item]]:
    [found] = yield from batch(SearchOp(prefix, limit=limit, refresh_ttl=False))
    return cast("list[Item]", found)


def _under(prefix: Namespace, items: Iterable[Item]) -> list[Item]:
    """Leave out the items of a neighbour, whose name a store may take for the prefix."""
    return [item for item in items if tuple(item.namespace)[: len(prefix)] == prefix]


def _pages(puts: list[PutOp]) -> Iterator[list[PutOp]]:
    return (puts[start : start + PAGE] for start in range(0, len(puts), PAGE))
