"""A graph whose agent waits for ever when it is told to: what a second run rolls back."""

import asyncio

from langchain_core.messages import AIMessage
from langgraph.graph import MessagesState

from examples.model import stand_in_extraction
from langgraph_learning import LearningMachine
from langgraph_learning.testing import ScriptedChatModel


async def agent(state: MessagesState) -> dict[str, list[AIMessage]]:
    if "wait" in str(state["messages"][-1].text):
        await asyncio.Event().wait()
    return {"messages": [AIMessage("Done.")]}


model = ScriptedChatModel(extractions=[stand_in_extraction], repeat=True)
graph = LearningMachine(model=model, user_memory=True).around(agent).compile()
