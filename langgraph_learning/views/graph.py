"""A view of the running graph, as a picture that needs no browser and no network."""

from langchain_core.runnables.graph import Graph

from langgraph_learning.views.drawing import Box, drawing
from langgraph_learning.views.markup import Html, with_style

COLOUR = "#4c8fd6"


def graph_picture(graph: Graph) -> Html:
    """Return the nodes and edges of `compiled.get_graph()` as a picture; its own `draw_mermaid_png` calls a server."""
    ends = {graph.first_node(), graph.last_node()}
    boxes = {key: Box(key.strip("_"), colour=None if node in ends else COLOUR) for key, node in graph.nodes.items()}
    return with_style(drawing(boxes, [(edge.source, str(edge.data or ""), edge.target) for edge in graph.edges]))
