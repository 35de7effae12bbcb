"""What anybody may read tells no secret: events, tool results, the command line."""

from pathlib import Path
from typing import Any

import pytest
from graphs.world import ADA, FailingStore, by_hand, said
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from typer.testing import CliRunner

from langgraph_learning import LearningMachine, LearningMode, UserMemoryConfig
from langgraph_learning.cli.app import app
from langgraph_learning.testing import ScriptedChatModel, call

KEY = "sk-proj-abcdefghijklmnop1234567890"


class Revealing(ScriptedChatModel):
    """A model whose client puts its key into its errors."""

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(f"401: key {KEY} refused")


def test_an_event_of_a_failure_names_its_type_and_no_text_of_the_exception(caplog: pytest.LogCaptureFixture) -> None:
    learning = LearningMachine(model=Revealing(), user_memory=True)
    graph = by_hand(learning, lambda state: {"messages": [AIMessage("Ok.")]}).compile(store=FailingStore())
    events = list(graph.stream(said("Hi"), context=ADA, stream_mode="custom"))
    [failed] = [event for event in events if event.get("learning") == "failed"]
    assert failed["error"].startswith("RuntimeError: ")
    assert KEY not in str(events)
    assert KEY in caplog.text  # the log has the details


def test_a_tool_that_fails_tells_the_model_no_text_of_the_exception() -> None:
    store = FailingStore()
    learning = LearningMachine(user_memory=UserMemoryConfig(mode=LearningMode.AGENTIC), store=store)
    model = ScriptedChatModel(replies=[call("add_memory", content="Likes tea"), "Done."])
    agent: Any = create_agent(model, tools=learning.tools(), middleware=[*learning.middleware()])
    store.failing = "write"
    state = agent.invoke(said("I like tea"), context=ADA)
    told = str(state["messages"][-2].content)
    assert "Nothing was stored: the store failed." in told
    assert "the disk is gone" not in told


@pytest.mark.parametrize(
    "source", ["postgres//u:hunter2@h/db", "postgresql:/u:hunter2@h/db", "mysql://u:hunter2@h/db", "u:hunter2@h"]
)
def test_an_import_prints_no_password_of_a_url_it_cannot_read(source: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["import", source, "-d", f"sqlite:///{tmp_path}/a.db", "-u", "ada"])
    assert result.exit_code == 1
    assert "hunter2" not in result.output
    assert "***" in result.output
