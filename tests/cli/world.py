"""What the commands are run on, and how they end."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from examples.custom_store import Todos
from langgraph_learning import LearningMachine, connect
from langgraph_learning.config import LearningMode, StoreConfig
from langgraph_learning.testing import ScriptedChatModel, op

ALEX = "alex@example.com"
DATE = "2025-03-01T09:00:00+00:00"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ended]


def memory(id: str, text: str) -> dict[str, Any]:
    scope = {"user_id": ALEX}
    dates = {"created_at": DATE, "updated_at": DATE}
    return {"id": id, "store": "user_memory", "scope": scope, "content": {"content": text}, "text": text, **dates}


def learned(url: str) -> None:
    """Let Alex teach something in two threads, also a learning store of their own, and Bo something else."""
    extractions = [
        [
            op("update_user_profile", name="Alex", quote="I'm Alex"),
            op("add_todo", task="Buy tea"),
            op("update_session_context", summary="Alex said hello."),
        ],
        [op("update_user_profile", name="Alexandra"), op("update_session_context", summary="The name was corrected.")],
    ]
    machine = LearningMachine(
        model=ScriptedChatModel(extractions=extractions),
        user_profile=True,
        user_memory=True,
        session_context=True,
        custom_stores=[Todos(StoreConfig(mode=LearningMode.ALWAYS))],
    )
    with connect(url) as db:
        machine.scoped(user_id=ALEX, store=db.store).load([memory("tea", "Drinks tea"), memory("rust", "Writes Rust")])
        machine.scoped(user_id="bo", store=db.store).load([memory("go", "Writes Go")])
        for thread, text in (("monday", "Hi, I'm Alex, I need tea"), ("friday", "It is Alexandra")):
            machine.scoped(user_id=ALEX, thread_id=thread, store=db.store).learn([("user", text)])
