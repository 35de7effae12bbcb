"""Where proposals are kept: what waits for a person, and what a person said no to."""

from collections.abc import Iterable, Sequence
from typing import cast

from langgraph.store.base import GetOp, Item, Op, PutOp, Result, SearchOp

from langgraph_learning._engine.flow import Flow, batch
from langgraph_learning._engine.repository import EVERYTHING, ScopeSnapshot, find_commit, load_snapshots, read_commit
from langgraph_learning.records import Commit, Identity, Namespace, Proposal, Scope
from langgraph_learning.stores import LearningStore

PROPOSALS = "proposals"
"""Where they lie in a scope."""


def proposals_namespace(identity: Identity) -> Namespace:
    """Where the proposals to a user lie; of nobody known, those of each thread by themselves."""
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
    return sorted(mine, key=lambda proposal: (proposal.at, proposal.place, proposal.id))


def load_turn(
    stores: Sequence[tuple[LearningStore, Scope]], identity: Identity, commit: str, session: str | None = None
) -> Flow[tuple[Commit | None, list[ScopeSnapshot], list[Proposal]]]:
    """Return the commit that a turn has already, what is known, and what was proposed before, in one round trip.

    Of a learning store that keeps messages it reads those of `session`.
    """
    proposing = any(store.proposes for store, _ in stores)
    first: list[Op] = [find_commit(identity, commit)]
    first += [find_proposals(identity, decided=True)] if proposing else []
    found, known = yield from load_snapshots(stores, *first, session=session)
    earlier = read_proposals(identity, found[1]) if proposing else []
    return read_commit(found[0]), known, earlier


def fetch_proposals(identity: Identity, ids: Sequence[str]) -> Flow[list[Proposal]]:
    """Return these proposals, in this order; what is gone is left out."""
    namespace = proposals_namespace(identity)
    found = yield from batch(*(GetOp(namespace, key, refresh_ttl=False) for key in ids))
    return [read_proposal(item) for item in found if isinstance(item, Item)]


def pending_proposals(identity: Identity) -> Flow[list[Proposal]]:
    """Return what waits for a person, in the order it was proposed."""
    [found] = yield from batch(find_proposals(identity))
    return read_proposals(identity, found)
