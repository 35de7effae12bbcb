"""Level 1: an agent that learns, in one line. The server brings the store and the checkpointer."""

from examples.studio.model import the_model
from langgraph_learning import create_learning_agent

graph = create_learning_agent(the_model(), learning=True, name="assistant")
