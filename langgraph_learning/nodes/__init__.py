"""Learning as LangGraph nodes: recall before the model, extraction after it, review where a person decides.

A `LearningMachine` makes the nodes: `learning.recall_node()`, `learning.wrap(node)`, `learning.into(builder)`. This
package exports the types that these methods return.
"""

from langgraph_learning.nodes.around import AnyGraph
from langgraph_learning.nodes.flow_node import FlowNode
from langgraph_learning.nodes.wrap import Wrapped

__all__ = ["AnyGraph", "FlowNode", "Wrapped"]
