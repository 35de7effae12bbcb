"""`around`: a graph of recall, a node or compiled graph, extraction and review, to compile or to build on."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeAlias, cast, get_type_hints

from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph

from langgraph_learning._engine.settings import MachineSettings
from langgraph_learning.config import LearningContext
from langgraph_learning.nodes.flow_node import FlowNode, Node
from langgraph_learning.nodes.wrap import Wrapped, hints, show_to_graph

AnyGraph: TypeAlias = StateGraph[Any, Any, Any, Any]


def around(
    inner: object,
    nodes: tuple[FlowNode, FlowNode, FlowNode],
    settings: MachineSettings,
    *,
    name: str,
    state_schema: type | None,
    context_schema: type | None,
) -> AnyGraph:
    """Return a graph, not compiled yet, of four steps: recall, `inner`, extraction and review.

    If `inner` is a compiled graph, the new graph takes over its schemas, unless `state_schema` or `context_schema`
    replaces them.
    """
    if isinstance(inner, CompiledStateGraph):
        own: AnyGraph = inner.builder
        node: Node = show_to_graph(inner, settings, name, deletes=_can_delete(own, settings.messages_key))
        if settings.messages_key not in own.schemas[own.input_schema]:
            settings.warn_once(
                f"input of {name}",
                f"the graph in around() takes no {settings.messages_key!r}: it is shown nothing, and nothing is learned"
                " from it. Give LearningMachine(messages_key=...) the key it has, or its chat model to"
                " learning.model(...)",
            )
        schemas = {"input_schema": own.input_schema, "output_schema": own.output_schema}
        schemas = schemas if state_schema is None else {}
        builder: AnyGraph = StateGraph(
            state_schema or own.state_schema, context_schema or own.context_schema or LearningContext, **schemas
        )
    else:
        node = Wrapped(inner, settings)
        state, _ = hints(inner)
        # `Any` and `dict` are types too, but they declare no fields: then the state is `MessagesState`.
        own_state = state if isinstance(state, type) and get_type_hints(state) else MessagesState
        schema = state_schema or own_state
        builder = StateGraph(schema, context_schema or LearningContext)
    recall, extract, review = nodes
    steps: list[tuple[str, Node]] = [
        ("recall", recall),
        (name, node),
        ("extract", extract),
        ("review", review),
    ]
    for step, runnable in steps:
        builder.add_node(step, cast("Callable[..., Any]", runnable))
    ends = [START, *(step for step, _ in steps), END]
    for start, end in pairwise(ends):
        builder.add_edge(start, end)
    return builder


def _can_delete(own: AnyGraph, key: str) -> bool:
    """Return whether a graph keeps its messages with `add_messages`, the reducer that handles `RemoveMessage`."""
    return getattr(own.channels.get(key), "operator", None) is add_messages
