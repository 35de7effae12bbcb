"""Read from each learning store the records that may fit a text, and rank them; recall then chooses among them."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from langgraph.store.base import SearchOp

from langgraph_learning._engine.flow import Flow, StoreInfo, batch, call_store, describe_store
from langgraph_learning._engine.maintenance.votes import find_ballots, read_ballots, tallies
from langgraph_learning._engine.recall.ranking import apply_vote, rank_records
from langgraph_learning._engine.recall.session_search import NEWEST, read_sessions
from langgraph_learning._engine.recall.vector_store import add_nearest
from langgraph_learning._engine.repository import (
    EVERYTHING,
    READ_LIMIT,
    SEARCH_LIMIT,
    RankedSnapshot,
    read_op,
    read_snapshot,
)
from langgraph_learning.records import ACTIVE, ARCHIVED, DOCUMENT, Scope
from langgraph_learning.stores import LearningStore
from langgraph_learning.versioned_store import VersionedStore


def read_stores(
    stores: Sequence[tuple[LearningStore, Scope]],
    query: str,
    status: str | None = ACTIVE,
    at: datetime | None = None,
    seen: Collection[tuple[str | None, str]] = (),
) -> Flow[list[RankedSnapshot]]:
    """Return the records of each learning store that may fit `query`, ranked.

    One round trip reads all of them and the votes. More are needed for neighbours in sessions, for records of another
    status (`_reread_status`), for counts of unread records, and for a vector store.

    Args:
        stores: The learning stores with their scopes.
        query: The text to search for.
        status: The status of the records; None for any.
        at: A time in the past whose records are wanted; None for now.
        seen: Messages, by thread and id, that need not be found: the model gets them anyway.
    """
    info = yield from describe_store()
    searches = [_read_ops(store, scope, query, info, at) for store, scope in stores]
    voting = list(dict.fromkeys(scope for store, scope in stores if store.recalled == "relevant"))
    every_op = [*(op for ops in searches for op in ops), *map(find_ballots, voting)]
    results = yield from batch(*every_op, as_of=info.revision)
    vote_results = results[len(results) - len(voting) :]
    ballots = {scope: read_ballots(scope, result) for scope, result in zip(voting, vote_results, strict=True)}
    remaining, snapshots = iter(results), []
    for (store, scope), ops in zip(stores, searches, strict=True):
        own = [next(remaining) for _ in ops]
        if store.captures:
            snapshot = yield from read_sessions(store, scope, query, own, info, at)
        else:
            snapshot = read_snapshot(store, scope, *own, limit=ops[0].limit)
            snapshot = yield from _complete(snapshot, ops[0], info, status)
        votes = tallies(snapshot.records, ballots.get(scope, {}))
        if status is not None:
            snapshot = _select_records(snapshot, status, at, seen if store.captures else ())
        if query and info.revision is None:  # a vector store has no past
            snapshot = yield from add_nearest(snapshot, query, status)
        if store.captures:
            order = sorted((apply_vote(item, votes) for item in snapshot.order), key=lambda item: -item.score)
        else:
            order = rank_records(snapshot.records, query, snapshot.scores, final=snapshot.final, votes=votes)
        snapshots.append(replace(snapshot, order=tuple(order)))
    return snapshots


def _read_ops(store: LearningStore, scope: Scope, query: str, info: StoreInfo, at: datetime | None) -> list[SearchOp]:
    """Return the searches that read a learning store.

    A store that ranks returns the best fits, then the newest. Any other store returns all records, to be ranked here.
    """
    everything = read_op(store, scope, limit=EVERYTHING if store.captures else READ_LIMIT)
    if store.recalled == "always":
        return [everything]
    if info.ranks:
        most = NEWEST if store.captures and not query else store.recall_limit
        # What was said after `at` is sorted out later, so it must not fill the places of what was said before.
        most = EVERYTHING if store.captures and at is not None else most
        return [everything._replace(query=query or None, limit=most)]
    return [everything, *([everything._replace(query=query, limit=SEARCH_LIMIT)] if query else [])]


def _complete(snapshot: RankedSnapshot, op: SearchOp, info: StoreInfo, status: str | None) -> Flow[RankedSnapshot]:
    """Return the snapshot with what its first read left out: records of `status`, and how many more there are."""
    if status is not None:
        snapshot = yield from _reread_status(snapshot, op, info, status)
    if not info.ranks:
        return snapshot
    unread = yield from _count_unread(snapshot, op, info)
    # A read that reached its limit is complete if nothing is left to count; the past has no count.
    complete = snapshot.complete or (info.revision is None and unread == 0)
    return replace(snapshot, final=op.query is not None, unread=unread, complete=complete)


def _reread_status(snapshot: RankedSnapshot, op: SearchOp, info: StoreInfo, status: str) -> Flow[RankedSnapshot]:
    """Read once more, by status, if the first read reached its limit and records of another status are part of it.

    A read with a status costs more, so it is not the first one; this case is rare.
    """
    fitting = sum(record.status == status for record in snapshot.records)
    read, store = len(snapshot.records) + len(snapshot.past), snapshot.store
    all_read = read < op.limit
    # Crowded: more than a quarter has another status. With `reads_archived` one such record is enough.
    crowded = fitting < read if store.reads_archived else fitting * 4 < read * 3
    more = [op._replace(filter={"status": status})] if crowded and not all_read else []
    more += [read_op(store, snapshot.scope, status=ARCHIVED)] if store.reads_archived and not all_read else []
    if not more:
        return snapshot
    again = read_snapshot(store, snapshot.scope, *(yield from batch(*more, as_of=info.revision)))
    records = {record.id: record for record in (*snapshot.records, *again.records)}
    ordered = sorted(records.values(), key=lambda record: (record.created_at, record.id))
    past = tuple({record.id: record for record in (*snapshot.past, *again.past)}.values())
    return replace(snapshot, records=tuple(ordered), past=past, scores={**snapshot.scores, **again.scores})


def _select_records(
    snapshot: RankedSnapshot, status: str, at: datetime | None, seen: Collection[tuple[str | None, str]]
) -> RankedSnapshot:
    """Return the snapshot with the records that may be shown: they have the status, hold, and are not seen anyway.

    For a past moment (`at`), a record that was superseded or archived later is kept as well, if it has an end date and
    held at that moment. Records that `filter_active` leaves out are marked as suppressed.
    """
    moment = at or datetime.now(UTC)
    wanted = tuple(
        record if record.status in (status, DOCUMENT) else record.model_copy(update={"status": status})  # as then
        for record in (*snapshot.records, *(snapshot.past if at else ()))
        if (record.status in (status, DOCUMENT) or (at and record.valid_to))
        and record.holds_at(moment)
        and not any((record.source.thread_id, message_id) in seen for message_id in record.source.message_ids)
    )
    archived = [record for record in snapshot.records if record.status == ARCHIVED]
    ids = {record.id for record in wanted}
    suppressed = ids - {record.id for record in snapshot.store.filter_active(wanted, archived)}
    order = tuple(item for item in snapshot.order if item.record.id in ids)
    return replace(snapshot, records=wanted, suppressed=frozenset(suppressed), order=order)


def _count_unread(snapshot: RankedSnapshot, op: SearchOp, info: StoreInfo) -> Flow[int]:
    """Return how many records of the present were not read; 0 for a read of the past, which cannot be counted."""
    read = len(snapshot.records) + len(snapshot.past)
    if read < op.limit or info.revision is not None:
        return 0
    if not snapshot.past:  # as quick for many records as for few; it may count old states that lie further back
        return max(0, (yield from call_store(VersionedStore.count, op.namespace_prefix)) - read)
    total = yield from call_store(VersionedStore.count, op.namespace_prefix, {"past_of": None})
    return max(0, total - len(snapshot.records))
