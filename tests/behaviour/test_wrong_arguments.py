"""Whoever calls a public method with a wrong value is told what to give, and nothing is learned in silence."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.store.memory import InMemoryStore

from langgraph_learning import (
    LearningMachine,
    LearningMode,
    UserMemoryConfig,
    connect,
    create_learning_agent,
)
from langgraph_learning.errors import ConfigurationError, LearningError, ScopeError
from langgraph_learning.scoped import Scoped
from langgraph_learning.testing import ScriptedChatModel, op

TEA: list[Any] = [HumanMessage("I drink tea", id="h1")]
WRONG: Any = [None, 5, b"x", object()]


def alex(**options: Any) -> Scoped:
    return machine(**options).scoped(user_id="alex", thread_id="t1")


def machine(**options: Any) -> LearningMachine:
    model = ScriptedChatModel(extractions=[[]], repeat=True)
    return LearningMachine(**{"user_memory": True, **options}, model=model, store=InMemoryStore())


CALLS: dict[str, tuple[Callable[[Any], object], Any]] = {
    "search": (lambda given: alex().search(given), [*WRONG, [], {}]),
    "asearch": (lambda given: asyncio.run(alex().asearch(given)), [None]),
    "search limit": (lambda given: alex().search("x", limit=given), [*WRONG[:1], "", [], 0, -1, True]),
    "recall": (lambda given: alex().recall(given), [*WRONG, [], {}]),
    "learn": (lambda given: alex().learn(given), [*WRONG, "", "I drink tea", {}, [5], [None], TEA[0]]),
    "learn progress": (lambda given: alex().learn(TEA, progress=given), [5, "", []]),
    "load": (lambda given: alex().load(given), [None, 5, "", "rows"]),
    "load vouched": (lambda given: alex().load([], vouched=given), [None, "no", 1]),
    "review_queue": (lambda given: alex().review_queue(given), [5, "", []]),
    "feedback": (lambda given: machine().feedback(given, True), [None, 5, [], {}]),
    "reflect namespace": (lambda given: machine(procedures=True).reflect(namespace=given), [5, "", []]),
    "reflect dry_run": (lambda given: machine(procedures=True).reflect(dry_run=given), [None, "no"]),
    "drain": (lambda given: machine().drain(given), ["", [], -1, True]),
    "wrap": (lambda given: machine().wrap(given), [None, 5, "x", []]),
    "around": (lambda given: machine().around(given), [None, 5, "x", []]),
    "around name": (lambda given: machine().around(lambda state: state, name=given), [None, 5, "", []]),
    "around schema": (lambda given: machine().around(lambda state: state, state_schema=given), [5, "x", []]),
    "model": (lambda given: machine().model(given), [None, 5, "", []]),
    "user_tools": (lambda given: machine(user_tools=given), [None, 5, "ask", [5]]),
    "timeout": (lambda given: connect("sqlite:///:memory:", timeout=given), [None, "", "5", [], True]),
    "agent tools": (lambda given: create_learning_agent(ScriptedChatModel(), given), [None, 5, "x"]),
    "agent middleware": (lambda given: create_learning_agent(ScriptedChatModel(), middleware=given), [None, 5, "x"]),
    "agent prompt": (lambda given: create_learning_agent(ScriptedChatModel(), system_prompt=given), [5, {}]),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_value_is_answered_by_what_to_give(name: str) -> None:
    call, wrong = CALLS[name]
    for given in wrong:
        with pytest.raises(ConfigurationError, match=r"give|take|is a |no chat model"):
            call(given)


@pytest.mark.parametrize("content", ["", None])
def test_an_operation_with_an_empty_argument_says_which_one(content: Any) -> None:
    with pytest.raises(ValueError, match=r"add_memory\(content\): content must be given and not empty"):
        alex().apply("add_memory", content=content)


@pytest.mark.parametrize("content", [b"x", object(), {1, 2}])
def test_an_argument_that_is_no_json_is_named(content: Any) -> None:
    with pytest.raises(ValueError, match="add_memory: arguments are plain JSON values"):
        alex().apply("add_memory", content=content)


@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize(
    ("options", "scope", "fix"),
    [
        ({}, {}, r"user_memory cannot learn without a user_id: give scoped\(user_id="),
        ({}, {"thread_id": "t1"}, "without a user_id"),
        (
            {"user_memory": False, "session_context": True},
            {"user_id": "alex"},
            "session_context .* without a thread_id",
        ),
        ({"user_memory": False, "conversations": True}, {}, "conversations .* without a user_id"),
        ({"user_memory": False, "entity_memory": True}, {}, "entity_memory .* without a user_id"),
    ],
)
def test_who_learns_for_nobody_is_told(colour: str, options: Any, scope: Any, fix: str) -> None:
    scoped = machine(**options).scoped(**scope)
    with pytest.raises(ScopeError, match=fix):
        scoped.learn(TEA) if colour == "sync" else asyncio.run(scoped.alearn(TEA))


def test_what_learns_nothing_beside_what_learns_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    scoped = machine(session_context=True).scoped(user_id="alex")
    with caplog.at_level(logging.WARNING):
        scoped.learn(TEA)
        scoped.learn(TEA)
    assert caplog.text.count("session_context cannot learn without a thread_id: give scoped(thread_id=...)") == 1


def test_a_machine_that_learns_nothing_from_messages_says_so(caplog: pytest.LogCaptureFixture) -> None:
    scoped = alex(user_memory=UserMemoryConfig(mode=LearningMode.AGENTIC))
    assert scoped.learn(TEA) is None
    assert "no learning store of this machine learns from messages" in caplog.text


def test_what_a_shared_namespace_may_learn_of_nobody_is_learned() -> None:
    bob = op("remember_about", entity="Bob", entity_type="person", facts=["Keeps bees"], quote="Bob keeps bees")
    learning = LearningMachine(
        model=ScriptedChatModel(extractions=[[bob]]), entity_memory=True, shared="write", store=InMemoryStore()
    )
    assert learning.scoped().learn([("user", "Bob keeps bees")])


def test_a_record_that_does_not_exist_has_no_history(tmp_path: Any) -> None:
    with connect(f"sqlite:///{tmp_path}/a.db") as db:
        scoped = LearningMachine(user_memory=True, store=db.store).scoped(user_id="alex")
        unknowns: list[Any] = ["nope", "", None, 5, []]
        for unknown in unknowns:
            with pytest.raises(ScopeError, match="there is no record"):
                scoped.history(unknown)
            with pytest.raises(LearningError):
                scoped.undo(unknown)
