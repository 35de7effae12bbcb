"""Which proposals are a turn's own: listed once, so that a resumed review shows the same ones in the same order."""

from typing import Any

from langgraph_learning._engine.approval.proposals import pending_proposals
from langgraph_learning._engine.flow import Flow
from langgraph_learning.nodes.run_context import Run
from langgraph_learning.nodes.state import Keys
from langgraph_learning.records import Identity


def list_proposals(run: Run, identity: Identity, turn: str) -> Flow[dict[str, Any]]:
    """List what waits of this turn, for `review` to show."""
    if not run.settings.proposes:
        return {}
    ids = yield from proposals_of_turn(run, identity, turn)
    return {Keys(run.settings.name).proposals: {"tag": turn, "ids": ids}}


def proposals_of_turn(run: Run, identity: Identity, turn: str) -> Flow[list[str]]:
    """Return what this graph, or a graph within it, proposed in this turn and waits.

    Not what would change the words of others: nobody is asked in the middle of a conversation whose learning stores
    do not propose.
    """
    proposing = {store.name for store in run.settings.stores if store.proposes}
    within = f"{run.graph}|" if run.graph else ""
    mine = [
        proposal
        for proposal in (yield from pending_proposals(identity))
        if (proposal.identity.thread_id, proposal.turn) == (identity.thread_id, turn)
        and f"{proposal.provenance.graph_ns}|".startswith(within)
        and proposal.store in proposing
    ]
    return [proposal.id for proposal in sorted(mine, key=lambda proposal: proposal.provenance.position)]


def read_listed(value: object, turn: str) -> list[str] | None:
    """Return the ids that were listed for this turn; None under another message, or where nothing was listed."""
    if not isinstance(value, dict) or value.get("tag") != turn:
        return None
    return [str(each) for each in value.get("ids") or ()]
