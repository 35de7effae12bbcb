"""Where the LangGraph nodes are: a signpost to `langgraph_learning.nodes`, which holds the code.

    from langgraph_learning import LearningMachine

    learning = LearningMachine(user_memory=True)
    learning.recall_node(), learning.extract_node(), learning.review_node()

A machine makes the nodes; what this package names are their classes, each the same object as in `langgraph_learning`.
"""

from langgraph_learning.nodes import *  # noqa: F403 - what a reader may use stands in one place, in its __all__
from langgraph_learning.nodes import __all__ as __all__
