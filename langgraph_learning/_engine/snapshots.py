"""The records that a plan is made against, and how much of a long session is read for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from langgraph.store.base import Op, Result

from langgraph_learning._engine.flow import Flow, batch, describe_store
from langgraph_learning._engine.repository import (
    EVERYTHING,
    READ_LIMIT,
    SEARCH_LIMIT,
    ScopeSnapshot,
    read_op,
    read_snapshot,
)
from langgraph_learning.records import Scope
from langgraph_learning.stores import LearningStore

SESSION_TAIL = 500
"""The number of the newest messages of a session that a turn is planned against, if it goes on from one of them."""
MOST_SOUGHT = 8
"""The number of messages of a session that are looked up one by one; for more, the whole session is read."""


@dataclass(frozen=True)
class SessionPart:
    """The part of a session that a turn is planned against: from the messages that it goes on from to the newest."""

    code: str
    after: tuple[str, ...] = ()
    """The ids of the last messages before the turn."""
    messages: tuple[str, ...] = ()
    """The ids of the turn's own messages."""

    def is_cut(self, snapshot: ScopeSnapshot) -> bool:
        """Return whether a snapshot of the newest messages may lack some that are stored after the turn's beginning.

        A message that is stored comes after those that precede it in the thread. So if one of these is among the
        newest, a message that is not is new. Only the newer half counts: an old message whose record was written
        again is read in place of newer ones.
        """
        if not snapshot.store.captures or len(snapshot.records) < SESSION_TAIL:
            return False
        newest = max(record.place or 0 for record in snapshot.records) - SESSION_TAIL // 2
        return not any(
            (record.place or 0) > newest and not set(self.after).isdisjoint(record.source.message_ids)
            for record in snapshot.records
        )


def load_snapshots(
    stores: Sequence[tuple[LearningStore, Scope]],
    *first: Op,
    limit: int = READ_LIMIT,
    query: str = "",
    session: SessionPart | None = None,
) -> Flow[tuple[list[Result], list[ScopeSnapshot]]]:
    """Run `first` and read the records of `stores`, in one round trip: the newest `limit`, and those that fit `query`.

    From a learning store that keeps messages, it reads only those of `session` if one is given: the newest, or after
    further round trips all of them if those do not reach back to where the turn begins.
    """
    of_session = limit
    if session is not None and any(store.captures for store, _ in stores):
        info = yield from describe_store()  # a store that does not rank may return the oldest first
        of_session = SESSION_TAIL if info.ranks else EVERYTHING
    code = session.code if session is not None else None
    within = [code if store.captures else None for store, _ in stores]
    limits = [of_session if store.captures else limit for store, _ in stores]
    newest = [
        read_op(store, scope, limit=most, session=session_only)
        for (store, scope), most, session_only in zip(stores, limits, within, strict=True)
    ]
    fitting = [
        # No turn is planned against messages, and ranking a long thread by the turn's words takes long.
        read_op(store, scope, limit=1, session=session_only)
        if store.captures
        else read_op(store, scope, query, SEARCH_LIMIT)
        for (store, scope), session_only in zip(stores, within, strict=True)
        if query
    ]
    results = yield from batch(*first, *newest, *fitting)
    own_results = results[len(first) :]
    snapshots: list[ScopeSnapshot] = [
        read_snapshot(store, scope, *own_results[position :: len(stores)], limit=limit)
        for position, (store, scope) in enumerate(stores)
    ]
    if session is not None and of_session == SESSION_TAIL:
        for place, snapshot in enumerate(snapshots):
            snapshots[place] = yield from _reach_back(session, snapshot)
    return results[: len(first)], snapshots


def _reach_back(session: SessionPart, snapshot: ScopeSnapshot) -> Flow[ScopeSnapshot]:
    """Return a snapshot of the newest messages with all of the session if the turn may begin further back."""
    if not session.is_cut(snapshot):
        return snapshot
    store, scope, ids = snapshot.store, snapshot.scope, (*session.after, *session.messages)
    if len(ids) <= MOST_SOUGHT:
        newest = read_op(store, scope, limit=1, session=session.code)
        stored = [{**(newest.filter or {}), "source": {"message_ids": {"$contains": id}}} for id in ids]
        if not any((yield from batch(*(newest._replace(filter=filter_) for filter_ in stored))) if stored else ()):
            return snapshot
    [result] = yield from batch(read_op(store, scope, limit=EVERYTHING, session=session.code))
    return read_snapshot(store, scope, result)
