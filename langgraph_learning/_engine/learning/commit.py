"""The flow that plans and writes a commit in one transaction, and plans it again after a lost race."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from langgraph.store.base import GetOp, PutOp
from pydantic import JsonValue

from langgraph_learning._engine.approval.proposals import load_turn, put_proposal, withdraw_proposals
from langgraph_learning._engine.flow import Expected, Flow, batch, write
from langgraph_learning._engine.learning.capture import commit_keys
from langgraph_learning._engine.learning.commit_plan import CommitPlan
from langgraph_learning._engine.learning.draft import CommitKind, Draft
from langgraph_learning._engine.recall.vector_index import outbox_entries, sync_index
from langgraph_learning._engine.repository import ScopeSnapshot, commits_namespace, load_past, put_commit, record_puts
from langgraph_learning.errors import ConflictError, LearningError
from langgraph_learning.records import Change, Commit, Identity, Proposal, Refusal, Source
from langgraph_learning.store_protocol import Address
from langgraph_learning.stores import LearningStore

log = logging.getLogger(__name__)
T = TypeVar("T")


class TurnGone(LearningError):
    """An error: the turn that waited to be learned from no longer exists, and nothing is written."""


TRIES = 50
"""How often a commit is planned again: of so many writers of one record, each loses to every other at most once."""
TRIED = 10
"""The number of operations that are read for each change the limit allows: some change nothing, or are refused."""


def cut_operations(
    asked: Sequence[JsonValue], stores: Sequence[LearningStore], limits: Mapping[str, int]
) -> tuple[list[JsonValue], list[Refusal]]:
    """Return the operations that are worth reading, and one refusal for the others of each learning store.

    An answer may hold a hundred thousand operations where ten are allowed. Reading, checking and planning each of them
    would block the process for minutes.
    """
    store_of = {kind.__name__: store.name for store in stores for kind in store.operations}
    kept: list[JsonValue] = []
    counted, dropped = Counter[str](), Counter[str]()
    for item in asked:
        name = item.get("operation") if isinstance(item, dict) else None
        store = store_of.get(name, "") if isinstance(name, str) else ""
        counted[store] += 1
        if counted[store] <= limits.get(store, 10) * TRIED:
            kept.append(item)
        else:
            dropped[store] += 1
    refused = [
        Refusal(operation=store or "?", reason=f"{count} more operations were not looked at: too many for one turn")
        for store, count in dropped.items()
    ]
    if refused:
        log.warning("%d operations were not looked at: too many for one turn", sum(dropped.values()))
    return kept, refused


def commit(
    draft: Draft,
    first_snapshots: Sequence[ScopeSnapshot],
    earlier: Sequence[Proposal] = (),
    withdrawn: Sequence[Change] = (),
    edited: Sequence[Proposal] = (),
) -> Flow[Commit]:
    """Write the changes that `draft` asks for; after a lost race, plan them again from the present records.

    Args:
        draft: The commit to make.
        first_snapshots: The records as they were read for the first attempt.
        earlier: The proposals made before.
        withdrawn: Changes that come first and need no approval: they take back what an edited message had taught.
        edited: Proposals that rest on what an edited message had said: they are withdrawn, and no more in the way.

    Raises:
        ConflictError: Other writers were first every time.
    """
    scopes = [(snapshot.store, snapshot.scope) for snapshot in first_snapshots]
    first_try = iter([(None, first_snapshots, earlier)])
    session = draft.captured.session if draft.captured else None

    def attempt() -> Flow[Commit]:
        existing, snapshots, before = next(first_try, None) or (
            yield from load_turn(scopes, draft.identity, draft.id, draft.query, session)
        )
        if existing is not None:
            return existing
        gone_ids = {proposal.id for proposal in edited}
        before = [proposal for proposal in before if proposal.id not in gone_ids]
        plan = CommitPlan(draft, {snapshot.store.name: snapshot for snapshot in snapshots}, before)
        for snapshot in snapshots:
            gone = [change for change in withdrawn if change.store == snapshot.store.name and snapshot.holds(change.id)]
            plan.add_changes(snapshot, gone, Source())
        for request in draft.requests:
            plan.add(request)
        plan.capture()
        new_commit = to_commit(plan)
        if new_commit.changes or new_commit.proposed or draft.kind is CommitKind.TURN:
            removed, expects = yield from _take_pending(draft)
            closed, versions = yield from withdraw_proposals(edited, draft.at)
            more = [*removed, *closed]
            yield from write_commit(new_commit, snapshots, plan.proposed, more, {**expects, **versions})
        return new_commit

    return (yield from retry_on_conflict(attempt))


def _take_pending(draft: Draft) -> Flow[tuple[list[PutOp], Expected]]:
    """Return the puts that delete the waiting turns, and mark the id of each as learned, also of those begun.

    Turns that were joined become one commit. A replay brings back one of them alone, and finds its own id learned. What
    has begun stays until its subgraph erases it: should its process die before, that tells the next turn of the thread
    which words are no longer its own.

    Raises:
        TurnGone: One no longer waits: its user was forgotten, its thread deleted, or it is already learned.
    """
    places = (*draft.pending, *draft.begun)
    learned, versions = yield from mark_learned(places, draft.identity, draft.at, draft.heard, draft.id)
    return [*learned, *(PutOp(*place, None) for place in draft.pending)], versions


def mark_learned(
    places: Sequence[Address], identity: Identity, at: datetime, heard: Sequence[str], own: str | None = None
) -> Flow[tuple[list[PutOp], Expected]]:
    """Return the puts that mark the turns at `places` as learned, and the versions that they expect.

    Args:
        places: Where the turns wait, or lie as begun.
        identity: Their user.
        at: The present time.
        heard: The ids of their messages; what a turn begun in a subgraph has beyond these is still to be learned.
        own: The id of the commit that learns them, if there is one; it needs no mark.

    Raises:
        TurnGone: One no longer waits: its user was forgotten, its thread deleted, or it is already learned.
    """
    if not places:
        return [], {}
    joined = [key for _, key in places if key != own]
    marks = [(commits_namespace(identity), key) for key in joined]
    found = yield from batch(*(GetOp(*place, refresh_ttl=False) for place in (*places, *marks)))
    items, marked = found[: len(places)], found[len(places) :]
    if any(item is None for item in items) or any(mark is not None for mark in marked):
        raise TurnGone("the turn no longer waits: it was learned, or its user was forgotten")
    learned = [put_commit(Commit(id=key, identity=identity, at=at, message_ids=tuple(heard))) for key in joined]
    versions = {place: getattr(item, "version", 0) for place, item in zip(places, items, strict=True)}
    return learned, {**versions, **dict.fromkeys(marks, 0)}


def retry_on_conflict(attempt: Callable[[], Flow[T]]) -> Flow[T]:
    """Return the result of `attempt`; after a lost race, run it again on the present state.

    Raises:
        ConflictError: Other writers were first every time.
    """
    for tries_left in reversed(range(TRIES)):
        try:
            return (yield from attempt())
        except ConflictError:
            if not tries_left:
                raise
    raise AssertionError("unreachable")


def to_commit(plan: CommitPlan) -> Commit:
    """Return the commit that a plan results in."""
    return Commit(
        id=plan.draft.id,
        identity=plan.draft.identity,
        at=plan.draft.at,
        changes=tuple(plan.changes),
        refused=(*plan.draft.refused, *plan.refused),
        proposed=tuple(proposal.id for proposal in plan.proposed),
        usage=plan.draft.usage,
        costs=dict(plan.draft.costs),
        provenance=plan.draft.provenance,
        trajectory=plan.draft.trajectory,
        namespaces={
            name: namespace
            for name, snapshot in plan.known.items()
            if (namespace := snapshot.scope.namespace) is not None
        },
    )


def write_commit(
    new_commit: Commit,
    snapshots: Sequence[ScopeSnapshot],
    proposed: Sequence[Proposal] = (),
    more: Sequence[PutOp] = (),
    expects: Expected | None = None,
) -> Flow[None]:
    """Write a commit with its changes, its proposals and `more`, all or nothing, unless another writer was first."""
    new = [put_commit(new_commit), *map(put_proposal, proposed)]
    operations, expect = [*new, *more], {**{(put.namespace, put.key): 0 for put in new}, **(expects or {})}
    for snapshot in (yield from load_past(snapshots, new_commit.changes)):
        store, scope = snapshot.store, snapshot.scope
        own_changes = [change for change in new_commit.changes if change.store == store.name]
        changed, versions = record_puts(snapshot, own_changes, new_commit.at)
        operations += [*changed, *outbox_entries(store, scope, (change.id for change in own_changes))]
        expect.update(versions)
    keyed, versions = yield from commit_keys(new_commit, snapshots, new_commit.at)
    operations, expect = [*operations, *keyed], {**expect, **versions}
    yield from write(operations, expect, new_commit.id)
    for snapshot in snapshots:
        yield from sync_index(snapshot.store, snapshot.scope, [change.id for change in new_commit.changes])
