"""A machine that a worker in another process learns with; what its model is asked is written into a file."""

import os
import time
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage

from langgraph_learning import Background, LearningMachine
from langgraph_learning.testing import ScriptedChatModel, op


def _answer(messages: list[BaseMessage]) -> Any:
    said = str(messages[-1].text).partition("<turn>")[2].partition("</turn>")[0]
    time.sleep(float(os.environ.get("MODEL_TAKES", "0")))
    if asked := os.environ.get("ASKED"):
        with Path(asked).open("a") as file:
            file.write(f"{len(said)}\n")
    numbers = [part.split("</")[0] for part in said.split("My number is ")[1:]]
    return [op("add_memory", content=f"Number {number}", quote=f"My number is {number}") for number in numbers]


learning = LearningMachine(
    model=ScriptedChatModel(extractions=[_answer], repeat=True),
    user_memory=True,
    max_updates_per_run=100,
    background=Background(delay=float(os.environ.get("DELAY", "0")), in_process=bool(os.environ.get("IN_PROCESS"))),
)
