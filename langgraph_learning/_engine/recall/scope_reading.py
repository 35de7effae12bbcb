"""Read from each learning store the records that may fit a text; recall then ranks them and chooses among them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from langgraph.store.base import SearchOp

from langgraph_learning._engine.flow import Flow, StoreInfo, batch, call_store, describe_store
from langgraph_learning._engine.maintenance.votes import find_ballots, read_ballots, tallies
from langgraph_learning._engine.recall.ranked_snapshot import RankedSnapshot, read_ranked
from langgraph_learning._engine.recall.session_search import find_ordered, read_ordered
from langgraph_learning._engine.recall.vector_index import add_nearest
from langgraph_learning._engine.repository import SEARCH_LIMIT, read_op
from langgraph_learning.records import ACTIVE, ARCHIVED, DOCUMENT, Scope
from langgraph_learning.store_protocol import VersionedStore
from langgraph_learning.stores import LearningStore


def read_stores(
    stores: Sequence[tuple[LearningStore, Scope]],
    query: str,
    status: str | None = ACTIVE,
    at: datetime | None = None,
) -> Flow[list[RankedSnapshot]]:
    """Return the records of each learning store that may fit `query`.

    One round trip reads all of them and the votes. More are needed for neighbours in sessions, for records of another
    status (`_reread_status`), for counts of unread records, and for a vector store.

    Args:
        stores: The learning stores with their scopes.
        query: The text to search for.
        status: The status of the records; None for any.
        at: A time in the past whose records are wanted; None for now.
    """
    stand = yield from describe_store()
    asked = [
        find_ordered(store, scope, query, stand, at) if store.captures else _read_ops(store, scope, query, stand)
        for store, scope in stores
    ]
    voting = list(dict.fromkeys(scope for store, scope in stores if store.recalled == "relevant"))
    every = [*(op for ops in asked for op in ops), *map(find_ballots, voting)]
    results = iter((yield from batch(*every, as_of=stand.revision)))
    read_here = []
    for (store, scope), ops in zip(stores, asked, strict=True):
        mine = [next(results) for _ in ops]
        if store.captures:
            read_here.append((yield from read_ordered(store, scope, query, mine, stand, at)))
        else:
            read_here.append(read_ranked(store, scope, *mine, limit=ops[0].limit))
    ballots = {scope: read_ballots(scope, next(results)) for scope in voting}
    found = []
    for each, ops in zip(read_here, asked, strict=True):
        if status is not None and each.order is None:
            each = yield from _reread_status(each, ops[0], stand, status)
        each = replace(each, votes=tallies(each.records, ballots.get(each.scope, {})))
        if stand.ranks and each.order is None:
            unread = yield from _count_unread(each, ops[0], stand)
            # A read that reached its limit is complete if nothing is left to count; the past has no count.
            complete = each.complete or (stand.revision is None and unread == 0)
            each = replace(each, ranked=ops[0].query is not None, unread=unread, complete=complete)
        if status is not None:
            each = _filter_status(each, status, at)
        if query and stand.revision is None:  # a vector store has no past
            each = yield from add_nearest(each, query, status)
        found.append(each)
    return found


def _read_ops(store: LearningStore, scope: Scope, query: str, stand: StoreInfo) -> list[SearchOp]:
    """Return the searches that read a learning store.

    A store that ranks returns the best fits, then the newest. Any other store returns all records, to be ranked here.
    """
    if store.recalled == "always":
        return [read_op(store, scope)]
    if stand.ranks:
        return [read_op(store, scope, query, store.recall_limit)]
    return [read_op(store, scope), *([read_op(store, scope, query, SEARCH_LIMIT)] if query else [])]


def _reread_status(each: RankedSnapshot, op: SearchOp, stand: StoreInfo, status: str) -> Flow[RankedSnapshot]:
    """Read once more, by status, if the first read reached its limit and records of another status are part of it.

    A read with a status costs more, so it is not the first one; this case is rare.
    """
    fitting = sum(record.status == status for record in each.records)
    read, store = len(each.records) + len(each.past), each.store
    all_read = read < op.limit
    # Crowded: more than a quarter has another status. With `reads_archived` one such record is enough.
    crowded = fitting < read if store.reads_archived else fitting * 4 < read * 3
    more = [op._replace(filter={"status": status})] if crowded and not all_read else []
    more += [read_op(store, each.scope, status=ARCHIVED)] if store.reads_archived and not all_read else []
    if not more:
        return each
    results = yield from batch(*more, as_of=stand.revision)
    again = read_ranked(store, each.scope, *results)
    kept = {record.id: record for record in (*each.records, *again.records)}
    ordered = sorted(kept.values(), key=lambda record: (record.created_at, record.id))
    past = tuple({record.id: record for record in (*each.past, *again.past)}.values())
    return replace(each, records=tuple(ordered), past=past, scores={**each.scores, **again.scores})


def _filter_status(each: RankedSnapshot, status: str, at: datetime | None) -> RankedSnapshot:
    """Return the snapshot without records that have another status or do not hold; mark those to be suppressed.

    For a past moment (`at`), a record that was superseded or archived later is kept as well, if it has an end date and
    held at that moment.
    """
    moment = at or datetime.now(UTC)
    wanted = tuple(
        record if record.status in (status, DOCUMENT) else record.model_copy(update={"status": status})  # as then
        for record in (*each.records, *(each.past if at else ()))
        if (record.status in (status, DOCUMENT) or (at and record.valid_to)) and record.holds_at(moment)
    )
    archived = [record for record in each.records if record.status == ARCHIVED]
    standing = {record.id for record in each.store.filter_active(wanted, archived)}
    ids = {record.id for record in wanted}
    order = None if each.order is None else tuple(ranked for ranked in each.order if ranked.record.id in ids)
    aside = frozenset(record.id for record in wanted if record.id not in standing)
    return replace(each, records=wanted, suppressed=aside, order=order)


def _count_unread(each: RankedSnapshot, op: SearchOp, stand: StoreInfo) -> Flow[int]:
    """Return how many records of the present were not read; 0 for a read of the past, which cannot be counted."""
    read = len(each.records) + len(each.past)
    if read < op.limit or stand.revision is not None:
        return 0
    if not each.past:  # as quick for many records as for few
        return max(0, (yield from call_store(VersionedStore.count, op.namespace_prefix)) - read)
    total = yield from call_store(VersionedStore.count, op.namespace_prefix, {"past_of": None})
    return max(0, total - len(each.records))
