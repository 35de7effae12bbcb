"""The inbox: a graph that walks a user's pending proposals through interrupts."""

import operator
from typing import Annotated, Any, cast

from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict  # pydantic draws the form of no other before Python 3.12

from langgraph_learning.config import LearningContext
from langgraph_learning.engine.deciding import marked
from langgraph_learning.engine.flow import Flow
from langgraph_learning.engine.proposals import fetch, pending
from langgraph_learning.engine.setup import Setup
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.langgraph_private import checkpointer
from langgraph_learning.nodes.around import AnyGraph
from langgraph_learning.nodes.flow_node import FlowNode
from langgraph_learning.nodes.review import reviewed
from langgraph_learning.nodes.run import Run, tag
from langgraph_learning.nodes.state import Keys
from langgraph_learning.nodes.steps import Update, guarded
from langgraph_learning.records import Identity

SHOWN = 10
"""How many proposals are shown at once."""


class Nothing(TypedDict):
    """The input: whose inbox it is stands in the context."""


class Decided(TypedDict, total=False):
    """The result: what was decided, in order."""

    decided: Annotated[list[dict[str, Any]], operator.add]


def inbox(setup: Setup, *, context_schema: type[Any] | None = None) -> AnyGraph:
    """Return a graph of two nodes: `collect` what waits, `review` it, until nothing waits."""
    keys = Keys(setup.name)

    def route(state: Update) -> str:
        return "review" if (state.get(keys.proposals) or {}).get("ids") else END

    # The nodes declare the private keys; the input and output schemas keep them out of the forms.
    builder: AnyGraph = StateGraph(
        Decided, context_schema or LearningContext, input_schema=Nothing, output_schema=Decided
    )
    builder.add_node("collect", cast("Any", FlowNode("collect", setup, _collect)))
    builder.add_node("review", cast("Any", FlowNode("review", setup, _review)))
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
    turn = {"tag": tag([]), "identity": identity.model_dump()}
    return {"decided": [], Keys(run.setup.name).turn: turn, **(yield from _page(run, identity))}


def _review(run: Run, state: Update) -> Flow[Update]:
    keys = Keys(run.setup.name)
    identity = run.identity(state.get(keys.turn), [])  # a resume may come without context
    ids = (state.get(keys.proposals) or {}).get("ids") or []
    shown = yield from marked(run.setup.stores, (yield from fetch(identity, ids)))
    outcomes = yield from reviewed(run, identity, shown)
    return {"decided": [outcome.model_dump(mode="json") for outcome in outcomes], **(yield from _page(run, identity))}


def _page(run: Run, identity: Identity) -> Flow[Update]:
    """List what is shown next."""
    waiting = yield from guarded(run, "inbox", pending(identity), [])
    return {Keys(run.setup.name).proposals: {"ids": [proposal.id for proposal in waiting[:SHOWN]]}}
