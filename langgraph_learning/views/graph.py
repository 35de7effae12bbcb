"""A view of the running graph, as a picture that needs no browser and no network."""

from langchain_core.runnables.graph import Graph

from langgraph_learning.views.drawing import Box, drawing
from langgraph_learning.views.markup import Html, with_style

COLOUR = "#4c8fd6"


def graph_picture(graph: Graph) -> Html:
    """Return the nodes and edges of `compiled.get_graph()` as a picture; its own `draw_mermaid_png` asks a server."""
    ends = {node.id for node in (graph.first_node(), graph.last_node()) if node is not None}
    boxes = {key: Box(_name(key), colour=None if key in ends else COLOUR) for key in graph.nodes}
    return with_style(drawing(boxes, [(edge.source, _name(str(edge.data or "")), edge.target) for edge in graph.edges]))


def _name(key: str) -> str:
    """Return a node's name without the marks of LangGraph's own: `support:__start__` is the start of `support`."""
    return ":".join(part.strip("_") for part in key.split(":"))
