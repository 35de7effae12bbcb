"""Learning as LangGraph nodes: recall before the model, extract after it, review where a person decides."""

from langgraph_learning.nodes.around import AnyGraph, around
from langgraph_learning.nodes.flow_node import FlowNode
from langgraph_learning.nodes.run_context import Run
from langgraph_learning.nodes.wrap import Wrapped

__all__ = ["AnyGraph", "FlowNode", "Run", "Wrapped", "around"]
