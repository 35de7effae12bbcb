"""A proposal outlives the process that made it: one process shows it and is killed, another one takes the answer."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from langgraph_learning import LearningMachine, LearningMode, UserMemoryConfig, connect

AGENT = """
import sys, time
from langgraph.types import Command
from langgraph_learning import LearningMachine, LearningMode, UserMemoryConfig, connect, create_learning_agent
from langgraph_learning.testing import ScriptedChatModel, op

url, step = sys.argv[1:]
machine = LearningMachine(user_memory=UserMemoryConfig(mode=LearningMode.PROPOSE))
thread = {"configurable": {"thread_id": "t1"}}
scripts = {"ask": dict(replies=["Ok."], extractions=[[op("add_memory", content="Keeps bees")]]), "answer": {}}
with connect(url) as db:
    model = ScriptedChatModel(**scripts[step])
    agent = create_learning_agent(model, learning=machine, db=db)
    if step == "ask":
        state = agent.invoke({"messages": [("user", "I keep bees.")]}, thread, context={"user_id": "alex"})
        print(len(state["__interrupt__"]), flush=True)
        time.sleep(600)
    agent.invoke(Command(resume={"decisions": [{"type": "approve"}]}), thread)
    print(dict(model.calls), flush=True)
"""


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "postgres":
        yield request.getfixturevalue("postgres_url")
    else:
        yield f"sqlite:///{tmp_path / 'learning.db'}"


def test_a_process_killed_between_showing_and_answering_loses_nothing_and_asks_no_model_again(url: str) -> None:
    asking = subprocess.Popen([sys.executable, "-c", AGENT, url, "ask"], stdout=subprocess.PIPE, text=True)
    assert asking.stdout is not None
    try:
        assert asking.stdout.readline() == "1\n"
    finally:
        asking.kill()
        asking.wait()
        asking.stdout.close()
    machine = LearningMachine(user_memory=UserMemoryConfig(mode=LearningMode.PROPOSE))
    with connect(url) as db:
        scoped = machine.scoped(user_id="alex", store=db.store)
        assert scoped.records() == []
        assert len(scoped.proposals()) == 1
    for expected in ("{}\n", "{}\n"):  # the second resume changes nothing
        done = subprocess.run([sys.executable, "-c", AGENT, url, "answer"], capture_output=True, text=True, check=True)
        assert done.stdout == expected
    with connect(url) as db:
        scoped = machine.scoped(user_id="alex", store=db.store)
        assert [record.text for record in scoped.records()] == ["Keeps bees"]
        assert scoped.proposals() == []
