"""Learning as LangGraph nodes: recall before the model, extract after it, review where a person decides.

A machine makes them: `learning.recall_node()`, `learning.wrap(node)`, `learning.into(builder)`. This package names
the types of what it hands out.
"""

from langgraph_learning.nodes.around import AnyGraph
from langgraph_learning.nodes.flow_node import FlowNode
from langgraph_learning.nodes.wrap import Wrapped

__all__ = ["AnyGraph", "FlowNode", "Wrapped"]
