"""Where proposals are kept: what waits for a person, and what a person said no to."""

from collections.abc import Iterable, Sequence
from typing import cast

from langgraph.store.base import GetOp, Item, Op, PutOp, Result, SearchOp

from langgraph_learning._engine.flow import Flow, batch
from langgraph_learning._engine.repository import (
    EVERYTHING,
    PLAN_LIMIT,
    ScopeSnapshot,
    find_commit,
    load_snapshots,
    read_commit,
)
from langgraph_learning.records import ROOT, Commit, Identity, Namespace, Proposal, Scope
from langgraph_learning.stores import LearningStore

PROPOSALS = "proposals"
"""Where they lie in a scope."""


def proposals_namespace(identity: Identity) -> Namespace:
    """Return where the proposals to a user lie; those to an unknown user lie apart for each thread."""
    thread = identity.thread_id if identity.user_id is None else None
    return (*Scope(user_id=identity.user_id, thread_id=thread).path, PROPOSALS)


def put_proposal(proposal: Proposal) -> PutOp:
    """Return the operation that keeps a proposal."""
    value = proposal.model_dump(mode="json", exclude={"id", "stale"})
    return PutOp(proposals_namespace(proposal.identity), proposal.id, value, index=False)


def find_proposals(identity: Identity, *, decided: bool = False) -> SearchOp:
    """Return the operation that finds what is pending, or with `decided` also what was rejected."""
    wanted = {"status": {"$ne": "approved"} if decided else "pending"}
    return SearchOp(proposals_namespace(identity), wanted, limit=EVERYTHING, refresh_ttl=False)


def read_proposal(item: Item) -> Proposal:
    """Read a proposal back."""
    return Proposal.model_validate({**item.value, "id": item.key})


def read_proposals(identity: Identity, result: Result) -> list[Proposal]:
    """Return what `find_proposals` found, in the order it was proposed."""
    items = cast("Iterable[Item]", result or ())
    mine = [read_proposal(item) for item in items if tuple(item.namespace) == proposals_namespace(identity)]
    return sorted(mine, key=lambda proposal: proposal.age)


def load_turn(
    stores: Sequence[tuple[LearningStore, Scope]],
    identity: Identity,
    commit: str,
    query: str = "",
    session: str | None = None,
) -> Flow[tuple[Commit | None, list[ScopeSnapshot], list[Proposal]]]:
    """Return the commit that a turn has already, what is known, and what was proposed before, in one round trip.

    Of a learning store that keeps messages it reads those of `session`.
    """
    proposing = any(store.proposes or scope.namespace is not None for store, scope in stores)
    first: list[Op] = [find_commit(identity, commit)]
    first += [find_proposals(identity, decided=True)] if proposing else []
    found, known = yield from load_snapshots(stores, *first, limit=PLAN_LIMIT, query=query, session=session)
    earlier = read_proposals(identity, found[1]) if proposing else []
    return read_commit(found[0]), known, earlier


def fetch_proposals(identity: Identity, ids: Sequence[str]) -> Flow[list[Proposal]]:
    """Return these proposals, in this order; what is gone is left out."""
    return (yield from fetch_each([(identity, proposal_id) for proposal_id in ids]))


def fetch_each(wanted: Sequence[tuple[Identity, str]]) -> Flow[list[Proposal]]:
    """Return proposals to several users, in this order; what is gone is left out."""
    gets = [GetOp(proposals_namespace(owner), proposal_id, refresh_ttl=False) for owner, proposal_id in wanted]
    results = yield from batch(*gets)
    return [read_proposal(item) for item in results if isinstance(item, Item)]


def find_proposal(proposal_id: str) -> Flow[Proposal | None]:
    """Return the proposal of this id, to whomever it is, decided or not; None if there is none."""
    for status in ("pending", "approved", "rejected"):
        for proposal in (yield from all_proposals(status)):
            if proposal.id == proposal_id:
                return proposal
    return None


def all_proposals(status: str = "pending") -> Flow[list[Proposal]]:
    """Return the proposals to all users, and to none, of one status, the oldest first."""
    # Records and commits lie under the same root, so the status alone does not tell.
    [result] = yield from batch(SearchOp((ROOT,), {"status": status}, limit=EVERYTHING, refresh_ttl=False))
    items = [item for item in cast("Iterable[Item]", result or ()) if tuple(item.namespace)[-1] == PROPOSALS]
    return sorted((read_proposal(item) for item in items), key=lambda proposal: proposal.age)


def pending_proposals(identity: Identity) -> Flow[list[Proposal]]:
    """Return what waits for a person, in the order it was proposed."""
    [found] = yield from batch(find_proposals(identity))
    return read_proposals(identity, found)
