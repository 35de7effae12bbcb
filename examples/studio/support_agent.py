"""Any agent with `around`: the four nodes around it, the agent itself in sight, and a person who approves."""

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import tool
from pydantic import JsonValue

from examples.model import stand_in_extraction
from examples.studio.model import reads_tools, the_model
from langgraph_learning import LearnedKnowledgeConfig, LearningMachine, LearningMode
from langgraph_learning.testing import call, op

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
    matches = [word for word in MANUAL if word in question.lower()]
    return call("search_manual", word=matches[0]) if matches else None


def with_solutions(messages: list[BaseMessage]) -> list[dict[str, JsonValue]]:
    """Take what the stand-in takes; a sentence about what solved something helps the next one who asks."""
    quoted = [(operation, str(operation["quote"])) for operation in stand_in_extraction(messages)]
    return [
        op("save_learning", title=quote.rstrip("."), learning=quote, quote=quote) if "solved" in quote else operation
        for operation, quote in quoted
    ]


model = the_model(reads_tools(wants_manual), with_solutions)
agent = create_agent(model, [search_manual], name="support")

# Everybody is shown what was learned here, so a person looks at it first; what a user likes is that user's alone.
learning = LearningMachine(
    model=model, user_memory=True, learned_knowledge=LearnedKnowledgeConfig(mode=LearningMode.PROPOSE)
)

graph = learning.around(agent, name="support").compile(name="support_agent")
