"""A graph that learns behind the reply; its model notes in which thread it is asked, and beside which event loop."""

import asyncio
import threading
from pathlib import Path

from langchain_core.messages import AIMessage, BaseMessage
from langgraph.graph import MessagesState
from pydantic import JsonValue

from examples.model import stand_in_extraction
from langgraph_learning import Background, LearningMachine
from langgraph_learning.testing import ScriptedChatModel


async def agent(_: MessagesState) -> dict[str, list[AIMessage]]:
    return {"messages": [AIMessage("Noted.")]}


def note_thread(messages: list[BaseMessage]) -> list[dict[str, JsonValue]]:
    try:
        beside = f"on {asyncio.get_running_loop()}"
    except RuntimeError:
        beside = "on no loop"
    Path("learned-in").write_text(f"{threading.current_thread().name} {beside}")
    return stand_in_extraction(messages)


model = ScriptedChatModel(extractions=[note_thread], repeat=True)
graph = LearningMachine(model=model, user_memory=True, background=Background(delay=0)).around(agent).compile()
