"""The inbox: a graph that interrupts to ask a person about the waiting proposals, page by page."""

import operator
from typing import Annotated, Any, cast

from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict  # pydantic accepts no other TypedDict before Python 3.12

from langgraph_learning._engine.approval.approval import mark_stale, review_queue
from langgraph_learning._engine.approval.proposals import load_proposals, pending_proposals
from langgraph_learning._engine.flow import Flow
from langgraph_learning._engine.settings import MachineSettings
from langgraph_learning.config import LearningContext
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.langgraph_private import checkpointer
from langgraph_learning.nodes.around import AnyGraph
from langgraph_learning.nodes.channel import PrivateUpdate
from langgraph_learning.nodes.flow_node import FlowNode
from langgraph_learning.nodes.review import identify_reviewed, review_proposals
from langgraph_learning.nodes.run_context import Run, run_guarded
from langgraph_learning.nodes.state_keys import Keys, Update
from langgraph_learning.records import Identity

SHOWN = 10
"""How many proposals one interrupt shows."""


class InboxInput(TypedDict):
    """The input, which is empty: the context names the person whose inbox it is."""


class InboxOutput(TypedDict, total=False):
    """The result: the decisions, in order."""

    decided: Annotated[list[dict[str, Any]], operator.add]


def inbox(settings: MachineSettings, *, context_schema: type[Any] | None = None) -> AnyGraph:
    """Return a graph of two nodes: `collect` lists the waiting proposals, `review` asks until none is left."""
    keys = Keys(settings.name)

    def route(_: Update) -> str:
        listed = Run.current(settings).read_private(keys.proposals, fresh=True)
        return "review" if listed and cast("Update", listed.value).get("ids") else END

    # The nodes declare the private keys; the input and output schemas keep them out of the forms.
    builder: AnyGraph = StateGraph(
        InboxOutput, context_schema or LearningContext, input_schema=InboxInput, output_schema=InboxOutput
    )
    builder.add_node("collect", cast("Any", FlowNode("collect", settings, _collect)))
    builder.add_node("review", cast("Any", FlowNode("review", settings, _review)))
    builder.add_edge(START, "collect")
    builder.add_conditional_edges("collect", cast("Any", route), ["review", END])
    builder.add_conditional_edges("review", cast("Any", route), ["review", END])
    return builder


def _collect(run: Run, state: Update) -> Flow[Update]:
    if checkpointer(run.config) is None:
        raise ConfigurationError(
            "the inbox asks a person, which takes a checkpointer: builder.compile(checkpointer=...)"
        )
    identity = run.identity()
    frozen = {"turn_id": "", "identity": identity.model_dump()}
    turn = PrivateUpdate(frozen, frozen)
    return {"decided": [], Keys(run.settings.name).turn: turn, **(yield from _page(run, identity))}


def _review(run: Run, state: Update) -> Flow[Update]:
    keys = Keys(run.settings.name)
    identity = yield from identify_reviewed(run, [], reviewing=False)  # a resume may come without context
    listed = (state.get(keys.proposals) or {}).get("ids") or []
    approver = run.approver(identity)
    # On resume the list must be the same, or an answer would go to the wrong proposal. The state may be forged, so
    # each proposal is loaded again and checked.
    held = yield from load_proposals((Identity.model_validate(owner), proposal_id) for proposal_id, owner in listed)
    shown = [proposal for proposal, _ in held.values() if approver.may_decide(proposal, "reject")]
    outcomes = yield from review_proposals(run, identity, (yield from mark_stale(run.settings.stores, shown)))
    return {"decided": [outcome.model_dump(mode="json") for outcome in outcomes], **(yield from _page(run, identity))}


def _page(run: Run, identity: Identity) -> Flow[Update]:
    """Return the update that lists the next page: the user's own proposals, or those that a reviewer may decide."""
    waiting = (
        pending_proposals(identity)
        if run.settings.reviewers is None
        else review_queue(run.settings.stores, run.approver(identity))
    )
    listed = (yield from run_guarded(run, "inbox", waiting, []))[:SHOWN]
    return {
        Keys(run.settings.name).proposals: {
            "ids": [[proposal.id, proposal.identity.model_dump()] for proposal in listed]
        }
    }
