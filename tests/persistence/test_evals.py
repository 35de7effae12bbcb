"""The learning curve: the same tasks on memory as it stood after so many commits, and nothing learned meanwhile."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage
from langgraph.store.memory import InMemoryStore

from langgraph_learning import (
    LearningDB,
    LearningMachine,
    LearningMode,
    UserMemoryConfig,
    connect,
    create_learning_agent,
)
from langgraph_learning.errors import ConfigurationError, UnsupportedByStore
from langgraph_learning.evals import Task, aevaluate, contains, evaluate, exact, f1, read_tasks
from langgraph_learning.testing import ScriptedChatModel, call, op

PETS = ("cat", "dog", "owl")


@pytest.fixture
def db() -> Iterator[LearningDB]:
    with connect("sqlite:///:memory:") as opened:
        yield opened


def revision(db: LearningDB) -> int:
    store: Any = db.store
    return int(store.revision())


def reads_aloud(messages: list[BaseMessage]) -> str:
    """Answer with everything that the model is shown, as a model that remembers would."""
    return "\n".join(str(message.text) for message in messages)


def world(db: LearningDB, reply: Any = reads_aloud, **options: Any) -> tuple[LearningMachine, Any, ScriptedChatModel]:
    """An agent that says what it is shown, and whose user has taught it one pet per turn."""
    extractor = ScriptedChatModel(extractions=[[op("add_memory", content=f"Has a {pet}")] for pet in PETS])
    learning = LearningMachine(model=extractor, user_memory=options.pop("user_memory", True), store=db.store)
    agent = create_learning_agent(ScriptedChatModel(replies=[reply], repeat=True), learning=learning, db=db, **options)
    for pet in PETS:
        learning.scoped(user_id="ada", thread_id=pet).learn([("user", f"I have a {pet}.")])
    return learning, agent, extractor


TASKS = [Task("Which pets do I have?", "ada", contains(f"Has a {pet}")) for pet in PETS]


def test_the_same_tasks_are_done_better_on_more_memory_and_nothing_is_learned(db: LearningDB) -> None:
    learning, agent, extractor = world(db)
    before, asked = revision(db), extractor.calls["extraction"]

    curve = evaluate(agent, TASKS, learning=learning, at=(0, 1, 2, 3))

    assert [(point.at, round(point.pass_rate, 2)) for point in curve.points] == [(0, 0), (1, 0.33), (2, 0.67), (3, 1)]
    assert all(point.model_calls == 3 and point.tokens > 0 for point in curve.points)
    assert curve.points[3].tokens > curve.points[0].tokens
    assert (revision(db), extractor.calls["extraction"]) == (before, asked)
    assert list(db.checkpointer.list(None)) == []


async def test_async_code_comes_to_the_same(db: LearningDB) -> None:
    learning, agent, _ = world(db)
    curve = await aevaluate(agent, TASKS, learning=learning, at=(1, 3))
    assert [round(point.pass_rate, 2) for point in curve.points] == [0.33, 1]


def test_what_is_more_than_there_is_comes_to_one_point_that_says_so(db: LearningDB) -> None:
    learning, agent, _ = world(db)
    curve = evaluate(agent, TASKS, learning=learning, at=(2, 10, 1000))
    assert [point.at for point in curve.points] == [2, 3]
    assert (curve.commits, curve.beyond) == (3, (10, 1000))
    assert "there are 3 commits" in str(curve)


def test_a_check_or_an_agent_that_raises_is_a_task_that_failed(db: LearningDB) -> None:
    learning, agent, _ = world(db)

    def raising(answer: str) -> bool:
        raise ZeroDivisionError("no such check")

    curve = evaluate(agent, [TASKS[0], Task("Hello", "ada", raising)], learning=learning, at=(3,))
    [point] = curve.points
    assert point.pass_rate == 0.5
    assert [result.error for result in point.errors] == ["ZeroDivisionError: no such check"]

    _, broken, _ = world(db, RuntimeError("no model"))
    [point] = evaluate(broken, TASKS[:1], learning=learning, at=(3,)).points
    assert (point.pass_rate, len(point.errors)) == (0, 1)


def test_an_agent_that_wants_to_save_something_meanwhile_is_told_no(db: LearningDB) -> None:
    saves = call("add_memory", content="Was evaluated")
    mode = UserMemoryConfig(mode=LearningMode.AGENTIC)
    learning = LearningMachine(user_memory=mode, store=db.store)
    model = ScriptedChatModel(replies=[saves, reads_aloud])
    agent = create_learning_agent(model, learning=learning, db=db)
    learning.scoped(user_id="ada").apply("add_memory", content="Has a cat")

    [point] = evaluate(agent, [Task("Hello", "ada", contains("Nothing was stored"))], learning=learning, at=(1,)).points

    assert point.pass_rate == 1
    assert [record.text for record in learning.scoped(user_id="ada").records()] == ["Has a cat"]


def test_shares_count_as_shares_and_checks_judge_words() -> None:
    assert contains("Twelve", "orders")("there are  TWELVE Orders.")
    assert not contains("12", "13")("12")
    assert exact("12 orders", "twelve")("Twelve.")
    assert not exact("12")("12 orders")
    assert f1("the red house")("red house") == pytest.approx(0.8)
    assert f1("the red house")("a boat") == 0


def test_what_cannot_be_evaluated_is_refused_with_what_to_give(db: LearningDB) -> None:
    learning, agent, _ = world(db)
    with pytest.raises(ConfigurationError, match="at least one Task"):
        evaluate(agent, [], learning=learning)
    with pytest.raises(ConfigurationError, match="numbers of commits"):
        evaluate(agent, TASKS, learning=learning, at=(-1,))
    with pytest.raises(UnsupportedByStore, match="connect"):
        evaluate(agent, TASKS, learning=learning, store=InMemoryStore())


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"input": "Hi"}', '{"input": "Hi", "expect": "x", "match": "y"}'])
def test_a_line_that_is_no_task_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text(json.dumps({"input": "Hi", "expect": "x"}) + f"\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="line 2 is no task"):
        read_tasks(file)
