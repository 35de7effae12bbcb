"""The storage of proposals: those that wait for a person, and those that a person rejected."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias, cast

from langgraph.store.base import GetOp, Item, Op, PutOp, Result, SearchOp

from langgraph_learning._engine.flow import Expected, Flow, batch
from langgraph_learning._engine.repository import EVERYTHING, PLAN_LIMIT, ScopeSnapshot, find_commit, read_commit
from langgraph_learning._engine.snapshots import SessionPart, load_snapshots
from langgraph_learning.records import ROOT, Commit, Identity, Namespace, Proposal, Scope
from langgraph_learning.stores import LearningStore

ProposalsById: TypeAlias = Mapping[str, tuple[Proposal, int]]
"""Proposals with their versions in the store."""
PROPOSALS = "proposals"
"""The label under which they lie in a scope."""
EDITED = "the message that it rests on was edited"


def proposals_namespace(identity: Identity) -> Namespace:
    """Return the namespace of a user's proposals; those of runs without a user lie apart for each thread."""
    thread = identity.thread_id if identity.user_id is None else None
    return (*Scope(user_id=identity.user_id, thread_id=thread).path, PROPOSALS)


def put_proposal(proposal: Proposal) -> PutOp:
    """Return the operation that stores a proposal."""
    value = proposal.model_dump(mode="json", exclude={"id", "stale"})
    return PutOp(proposals_namespace(proposal.identity), proposal.id, value, index=False)


def withdraw_proposals(edited: Sequence[Proposal], at: datetime) -> Flow[tuple[list[PutOp], Expected]]:
    """Return the puts that withdraw proposals whose message was edited, and the versions that they expect."""
    if not edited:
        return [], {}
    places = [(proposals_namespace(proposal.identity), proposal.id) for proposal in edited]
    items = yield from batch(*(GetOp(*place, refresh_ttl=False) for place in places))
    puts, versions = list[PutOp](), dict[tuple[Namespace, str], int]()
    for place, item in zip(places, items, strict=True):
        if isinstance(item, Item) and (proposal := read_proposal(item)).status == "pending":
            withdrawn = {"status": "withdrawn", "message": EDITED, "decided_at": at}
            puts.append(put_proposal(proposal.model_copy(update=withdrawn)))
            versions[place] = getattr(item, "version", 0)
    return puts, versions


def find_proposals(identity: Identity, *, decided: bool = False) -> SearchOp:
    """Return the operation that finds pending proposals, and with `decided` also rejected ones."""
    wanted = {"status": {"$ne": "approved"} if decided else "pending"}  # LangGraph's filters know no list
    return SearchOp(proposals_namespace(identity), wanted, limit=EVERYTHING, refresh_ttl=False)


def read_proposal(item: Item) -> Proposal:
    """Return the proposal that an item holds."""
    return Proposal.model_validate({**item.value, "id": item.key})


def read_proposals(identity: Identity, result: Result) -> list[Proposal]:
    """Return the proposals in a result of `find_proposals`, oldest first."""
    items = cast("Iterable[Item]", result or ())
    proposals_of_user = [
        read_proposal(item) for item in items if tuple(item.namespace) == proposals_namespace(identity)
    ]
    there = [proposal for proposal in proposals_of_user if proposal.status != "withdrawn"]
    return sorted(there, key=lambda proposal: proposal.age)


def load_turn(
    stores: Sequence[tuple[LearningStore, Scope]],
    identity: Identity,
    commit: str,
    query: str = "",
    session: SessionPart | None = None,
) -> Flow[tuple[Commit | None, list[ScopeSnapshot], list[Proposal]]]:
    """Return the commit that a turn may already have, the records, and the earlier proposals, in one round trip.

    From a learning store that keeps messages it reads only those of `session`.
    """
    proposing = any(store.proposes or scope.namespace is not None for store, scope in stores)
    first: list[Op] = [find_commit(identity, commit)]
    first += [find_proposals(identity, decided=True)] if proposing else []
    results, snapshots = yield from load_snapshots(stores, *first, limit=PLAN_LIMIT, query=query, session=session)
    earlier = read_proposals(identity, results[1]) if proposing else []
    return read_commit(results[0]), snapshots, earlier


def load_proposals(wanted: Iterable[tuple[Identity, str]]) -> Flow[ProposalsById]:
    """Return proposals, each named by whom it belongs to and its id, in this order; missing ones are left out."""
    gets = [GetOp(proposals_namespace(owner), proposal_id, refresh_ttl=False) for owner, proposal_id in wanted]
    return _by_id((yield from batch(*gets)))


def find_proposal(proposal_id: str) -> Flow[ProposalsById]:
    """Return the proposal with this id, whoever it belongs to and decided or not."""
    for status in ("pending", "approved", "rejected", "withdrawn"):
        if named := [item for item in (yield from _find_items(status)) if item.key == proposal_id]:
            return _by_id(named)
    return {}


def _by_id(results: Iterable[Result]) -> ProposalsById:
    items = [result for result in results if isinstance(result, Item)]
    return {item.key: (read_proposal(item), int(getattr(item, "version", 1))) for item in items}


def all_proposals() -> Flow[list[Proposal]]:
    """Return the pending proposals of all users and of runs without a user, oldest first."""
    items = yield from _find_items("pending")
    return sorted((read_proposal(item) for item in items), key=lambda proposal: proposal.age)


def _find_items(status: str) -> Flow[list[Item]]:
    # Records and commits lie under the same root and may have a status too.
    [result] = yield from batch(SearchOp((ROOT,), {"status": status}, limit=EVERYTHING, refresh_ttl=False))
    return [item for item in cast("Iterable[Item]", result or ()) if tuple(item.namespace)[-1] == PROPOSALS]


def pending_proposals(identity: Identity) -> Flow[list[Proposal]]:
    """Return the pending proposals of a user, oldest first."""
    [result] = yield from batch(find_proposals(identity))
    return read_proposals(identity, result)
