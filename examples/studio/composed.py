"""A tool-calling graph as you may have one already; what learns is three nodes around it, and `wrap`."""

import re
from datetime import date

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from examples.studio.model import reads_tools, the_model, with_summary
from langgraph_learning import LearningContext, LearningMachine
from langgraph_learning.testing import call


@tool
def days_between(start: date, end: date) -> int:
    """Return the number of days from one date to another."""
    return (end - start).days


def wants_days(question: str) -> AIMessage | None:
    """Read the tool call a model would make: two ISO dates are a start and an end."""
    days = re.findall(r"\d{4}-\d{2}-\d{2}", question)
    return call("days_between", start=days[0], end=days[1]) if len(days) == 2 else None


model = the_model(reads_tools(wants_days), with_summary)
learning = LearningMachine(model=model, user_profile=True, user_memory=True, session_context=True)


async def call_model(state: MessagesState) -> dict[str, list[BaseMessage]]:
    """Answer; the first message is what was recalled."""
    return {"messages": [await model.bind_tools([days_between]).ainvoke(state["messages"])]}


builder = StateGraph(MessagesState, context_schema=LearningContext)
builder.add_node("recall", learning.recall_node())
builder.add_node("agent", learning.wrap(call_model))
builder.add_node("tools", ToolNode([days_between]))
builder.add_node("extract", learning.extract_node())
builder.add_node("review", learning.review_node())
builder.add_edge(START, "recall")
builder.add_edge("recall", "agent")
builder.add_conditional_edges("agent", tools_condition, {"tools": "tools", END: "extract"})
builder.add_edge("tools", "agent")
builder.add_edge("extract", "review")
builder.add_edge("review", END)

graph = builder.compile(name="composed")
