"""Any agent with `around`: the four nodes around it, the agent itself in sight, and a person who approves."""

from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from examples.studio.model import reads_tools, the_model
from langgraph_learning import LearningMachine, LearningMode, UserMemoryConfig
from langgraph_learning.testing import call

MANUAL = {
    "refund": "Refunds reach the account within five working days.",
    "password": "A new password is set under Settings, Security.",
}


@tool
def search_manual(word: str) -> str:
    """Return what the manual says about a word."""
    return MANUAL.get(word.lower(), "The manual says nothing about that.")


def wants_manual(question: str) -> AIMessage | None:
    """Read the tool call a model would make: a word the manual has."""
    known = [word for word in MANUAL if word in question.lower()]
    return call("search_manual", word=known[0]) if known else None


model = the_model(reads_tools(wants_manual))
agent = create_agent(model, [search_manual], name="support")

# The place to switch what waits for a person: learned knowledge goes here when it is there.
learning = LearningMachine(model=model, user_memory=UserMemoryConfig(mode=LearningMode.PROPOSE))

graph = learning.around(agent, name="support").compile(name="support_agent")
