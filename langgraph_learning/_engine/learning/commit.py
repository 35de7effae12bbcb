"""The flow that plans and writes a commit in one transaction, and plans it again after a lost race."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from langgraph.store.base import GetOp, PutOp

from langgraph_learning._engine.approval.proposals import load_turn, put_proposal, withdraw_proposals
from langgraph_learning._engine.flow import Expected, Flow, batch, write
from langgraph_learning._engine.learning.capture import commit_keys
from langgraph_learning._engine.learning.commit_draft import CommitDraft, CommitKind
from langgraph_learning._engine.learning.commit_plan import CommitPlan
from langgraph_learning._engine.recall.vector_store import outbox_entries, sync_index
from langgraph_learning._engine.repository import ScopeSnapshot, commits_namespace, load_past, put_commit, record_puts
from langgraph_learning.errors import ConflictError, LearningError
from langgraph_learning.records import Change, Commit, Identity, Proposal, Source
from langgraph_learning.versioned_store import Address

log = logging.getLogger(__name__)
T = TypeVar("T")


class TurnGone(LearningError):
    """An error: the turn that waited to be learned from no longer exists, and nothing is written."""


TRIES = 50
"""How often a commit is planned again: of so many writers of one record, each loses to every other at most once."""


def commit(
    draft: CommitDraft,
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
        removed, expects = yield from _take_pending(draft)
        closed, versions = yield from withdraw_proposals(edited, draft.at)
        return (yield from write_commit(plan, snapshots, [*removed, *closed], {**expects, **versions}))

    return (yield from retry_on_conflict(attempt))


def _take_pending(draft: CommitDraft) -> Flow[tuple[list[PutOp], Expected]]:
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
    results = yield from batch(*(GetOp(*place, refresh_ttl=False) for place in (*places, *marks)))
    items, marked = results[: len(places)], results[len(places) :]
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


def write_commit(
    plan: CommitPlan, snapshots: Sequence[ScopeSnapshot], more: Sequence[PutOp] = (), expects: Expected | None = None
) -> Flow[Commit]:
    """Write what is planned, and `more`, all or nothing, unless another writer was first; return the commit.

    A plan that neither changes nor proposes anything leaves no commit, unless it is a turn's: a turn is learned once.

    Args:
        plan: The plan of the commit.
        snapshots: The records that it was planned against.
        more: Further items to write, in any case.
        expects: The versions that these must have in the store.

    Raises:
        ConflictError: Another writer was first.
    """
    new_commit, at = plan.to_commit(), plan.draft.at
    operations, expect = list(more), dict(expects or {})
    if not (plan.changes or plan.proposed or plan.draft.kind is CommitKind.TURN):
        if operations:
            yield from write(operations, expect)
        return new_commit
    for put in (put_commit(new_commit), *map(put_proposal, plan.proposed)):
        operations.append(put)
        expect[put.namespace, put.key] = 0
    for snapshot in (yield from load_past(snapshots, plan.changes)):
        own_changes = [change for change in plan.changes if change.store == snapshot.store.name]
        changed, versions = record_puts(snapshot, own_changes, at)
        operations += [*changed, *outbox_entries(snapshot.store, snapshot.scope, (change.id for change in own_changes))]
        expect.update(versions)
    keyed, versions = yield from commit_keys(new_commit, snapshots, at)
    yield from write([*operations, *keyed], {**expect, **versions}, new_commit.id)
    for snapshot in snapshots:
        yield from sync_index(snapshot.store, snapshot.scope, [change.id for change in new_commit.changes])
    return new_commit
