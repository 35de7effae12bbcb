"""One atomic write of what a plan comes to, and again on a lost race."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from langgraph.store.base import GetOp, PutOp
from pydantic import JsonValue

from langgraph_learning._engine.approval.proposals import load_turn, put_proposal
from langgraph_learning._engine.flow import Expected, Flow, batch, write
from langgraph_learning._engine.learning.capture import commit_keys
from langgraph_learning._engine.learning.commit_plan import CommitPlan
from langgraph_learning._engine.learning.draft import CommitKind, Draft
from langgraph_learning._engine.recall.vector_index import outbox_entries, sync_index
from langgraph_learning._engine.repository import ScopeSnapshot, put_commit, record_puts
from langgraph_learning.errors import ConflictError, LearningError
from langgraph_learning.records import Change, Commit, Proposal, Refusal, Source
from langgraph_learning.stores import LearningStore

log = logging.getLogger(__name__)
T = TypeVar("T")


class TurnGone(LearningError):
    """A turn that waited to be learned from is not there any more; nothing is written."""


TRIES = 50
"""How often a commit is planned anew: of so many writers of one record, each loses to every other once at most."""
TRIED = 10
"""How many operations are looked at for each change that the limit allows: some change nothing, or are refused."""


def cut_operations(
    asked: Sequence[JsonValue], stores: Sequence[LearningStore], limits: Mapping[str, int]
) -> tuple[list[JsonValue], list[Refusal]]:
    """Return the operations that are worth looking at, and one refusal for the others of each learning store.

    An answer may hold a hundred thousand operations where ten are kept: to read, check and plan each of them would
    stop the process for minutes.
    """
    store_of = {kind.__name__: store.name for store in stores for kind in store.operations}
    kept: list[JsonValue] = []
    seen, dropped = Counter[str](), Counter[str]()
    for item in asked:
        name = item.get("operation") if isinstance(item, dict) else None
        store = store_of.get(name, "") if isinstance(name, str) else ""
        seen[store] += 1
        if seen[store] <= limits.get(store, 10) * TRIED:
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
    known: Sequence[ScopeSnapshot],
    earlier: Sequence[Proposal] = (),
    withdrawn: Sequence[Change] = (),
) -> Flow[Commit]:
    """Write what `draft` asks for, given what is `known`; a lost race is planned again on what is there now.

    Args:
        draft: What to commit.
        known: What is stored.
        earlier: What was proposed before.
        withdrawn: Changes that come first and ask nobody: they take back what an edited message had taught.

    Raises:
        ConflictError: Others were first every time.
    """
    scopes = [(snapshot.store, snapshot.scope) for snapshot in known]
    first_try = iter([(None, known, earlier)])
    session = draft.captured.session if draft.captured else None

    def attempt() -> Flow[Commit]:
        existing, snapshots, before = next(first_try, None) or (
            yield from load_turn(scopes, draft.identity, draft.id, draft.query, session)
        )
        if existing is not None:
            return existing
        plan = CommitPlan(draft, {snapshot.store.name: snapshot for snapshot in snapshots}, before)
        for snapshot in snapshots:
            gone = [one for one in withdrawn if one.store == snapshot.store.name and snapshot.holds(one.id)]
            plan.add_changes(snapshot, gone, Source())
        for request in draft.requests:
            plan.add(request)
        plan.capture()
        made = to_commit(plan)
        if made.changes or made.proposed or draft.kind is CommitKind.TURN:
            removed, expects = yield from _take_pending(draft)
            yield from write_commit(made, snapshots, plan.proposed, removed, expects)
        return made

    return (yield from retry_on_conflict(attempt))


def _take_pending(draft: Draft) -> Flow[tuple[list[PutOp], Expected]]:
    """Return what removes the turns that waited, and writes down under the id of each that it is learned.

    Turns that were joined are one commit. A replay brings one of them alone, and finds it learned by its own id.

    Raises:
        TurnGone: One does not wait any more: its user was forgotten, its thread deleted, or it is learned.
    """
    if not draft.pending:
        return [], {}
    there = yield from batch(*(GetOp(*place, refresh_ttl=False) for place in draft.pending))
    if any(item is None for item in there):
        raise TurnGone("the turn does not wait any more: it was learned, or its user was forgotten")
    learned = [
        put_commit(Commit(id=key, identity=draft.identity, at=draft.at)) for _, key in draft.pending if key != draft.id
    ]
    versions = {place: getattr(item, "version", 0) for place, item in zip(draft.pending, there, strict=True)}
    return [*learned, *(PutOp(*place, None) for place in draft.pending)], versions


def retry_on_conflict(attempt: Callable[[], Flow[T]]) -> Flow[T]:
    """Return what `attempt` comes to; when it loses a race it is made again, on what is there then.

    Raises:
        ConflictError: Others were first every time.
    """
    for left in reversed(range(TRIES)):
        try:
            return (yield from attempt())
        except ConflictError:
            if not left:
                raise
    raise AssertionError("unreachable")


def to_commit(plan: CommitPlan) -> Commit:
    """Return the commit that a plan comes to."""
    return Commit(
        id=plan.draft.id,
        identity=plan.draft.identity,
        at=plan.draft.at,
        changes=tuple(plan.changes),
        refused=(*plan.draft.refused, *plan.refused),
        proposed=tuple(proposal.id for proposal in plan.proposed),
        usage=plan.draft.usage,
        provenance=plan.draft.provenance,
        trajectory=plan.draft.trajectory,
        namespaces={
            name: namespace
            for name, snapshot in plan.known.items()
            if (namespace := snapshot.scope.namespace) is not None
        },
    )


def write_commit(
    made: Commit,
    known: Sequence[ScopeSnapshot],
    proposed: Sequence[Proposal] = (),
    more: Sequence[PutOp] = (),
    expects: Expected | None = None,
) -> Flow[None]:
    """Write a commit with its changes, what it proposes, and `more`, all or nothing, if nobody was first."""
    new = [put_commit(made), *map(put_proposal, proposed)]
    operations, expect = [*new, *more], {**{(put.namespace, put.key): 0 for put in new}, **(expects or {})}
    for snapshot in known:
        store, scope = snapshot.store, snapshot.scope
        mine = [change for change in made.changes if change.store == store.name]
        changed, versions = record_puts(snapshot, mine, made.at)
        operations += [*changed, *outbox_entries(store, scope, (change.id for change in mine))]
        expect.update(versions)
    keyed, versions = yield from commit_keys(made, known, made.at)
    operations, expect = [*operations, *keyed], {**expect, **versions}
    yield from write(operations, expect, made.id)
    for snapshot in known:
        yield from sync_index(snapshot.store, snapshot.scope, [change.id for change in made.changes])
