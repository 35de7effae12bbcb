"""The proposals of a turn, listed once, so that a resumed review shows the same ones in the same order."""

from typing import Any

from langgraph_learning._engine.approval.proposals import pending_proposals
from langgraph_learning._engine.flow import Flow
from langgraph_learning.nodes.run_context import Run
from langgraph_learning.nodes.state import Keys
from langgraph_learning.records import Identity


def list_proposals(run: Run, identity: Identity, turn: str) -> Flow[dict[str, Any]]:
    """Return the state update that lists the turn's pending proposals, for `review` to show."""
    if not run.settings.proposes:
        return {}
    ids = yield from proposals_of_turn(run, identity, turn)
    return {Keys(run.settings.name).proposals: {"tag": turn, "ids": ids}}


def proposals_of_turn(run: Run, identity: Identity, turn: str) -> Flow[list[str]]:
    """Return the ids of the pending proposals that this graph, or a graph inside it, made in this turn."""
    # In a shared namespace, a change of another user's record becomes a proposal even if the store does not propose.
    # A conversation does not ask about those.
    proposing = {store.name for store in run.settings.stores if store.proposes}
    within = f"{run.graph}|" if run.graph else ""
    # Background learning makes its proposals after the turn is over: the next turn of the thread shows them.
    earlier = run.settings.background is not None
    mine = [
        proposal
        for proposal in (yield from pending_proposals(identity))
        if proposal.identity.thread_id == identity.thread_id
        and (earlier or proposal.turn == turn)
        and f"{proposal.provenance.graph_ns}|".startswith(within)
        and proposal.store in proposing
    ]
    return [proposal.id for proposal in sorted(mine, key=lambda proposal: (proposal.at, proposal.provenance.position))]


def read_listed(value: object, turn: str) -> list[str] | None:
    """Return the ids that were listed for this turn; None if the list is of another turn, or there is none."""
    if not isinstance(value, dict) or value.get("tag") != turn:
        return None
    return [str(id) for id in value.get("ids") or ()]
