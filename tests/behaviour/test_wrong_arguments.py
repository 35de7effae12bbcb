"""Whoever calls a public method with a wrong value is told what to give, and nothing is learned in silence."""

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore

from langgraph_learning import (
    LearningMachine,
    LearningMode,
    UserMemoryConfig,
    connect,
    create_learning_agent,
)
from langgraph_learning.errors import ConfigurationError, LearningError, ScopeError
from langgraph_learning.evals import Task, evaluate
from langgraph_learning.scoped import Scoped
from langgraph_learning.stores import UserMemoryStore
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


def lookup(place: str) -> str:
    """Look a place up."""
    return place


class Upper(AgentMiddleware[Any, Any, Any]):
    """A middleware that makes the reply loud."""

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        return AIMessage(str(handler(request).result[0].text).upper())


def test_what_is_given_as_an_iterator_is_used_as_if_it_were_a_list(tmp_path: Path) -> None:
    once: Any = iter
    own = UserMemoryStore(UserMemoryConfig(mode=LearningMode.AGENTIC))
    learning = machine(user_memory=False, custom_stores=once([own]), user_tools=once(["ask_human"]))
    assert [store.name for store in learning.stores] == ["user_memory"]
    assert learning._settings.user_tools == ("ask_human",)
    scoped = learning.scoped(user_id="alex")
    scoped.apply("add_memory", content="Drinks tea")
    assert machine().scoped(user_id="bo").load(scoped.export()) == 1

    builder = StateGraph(MessagesState)
    model = ScriptedChatModel(replies=["Tea."], repeat=True)
    builder.add_node("agent", lambda state: {"messages": [model.invoke(state["messages"])]})
    builder.add_edge(START, "agent")
    graph = learning.into(builder, models=once(["agent"])).compile()
    graph.invoke({"messages": TEA}, {"configurable": {"user_id": "alex", "thread_id": "t1"}})
    assert "Drinks tea" in model.prompt()

    agent = create_learning_agent(model, once([lookup]), learning=learning, middleware=once([Upper()]))
    context: Any = {"user_id": "alex"}
    assert agent.invoke({"messages": TEA}, context=context)["messages"][-1].text == "TEA."
    assert "lookup" in model.bound[-1]

    with connect(f"sqlite:///{tmp_path}/a.db") as db:
        learning = LearningMachine(user_memory=True, store=db.store)
        learning.scoped(user_id="alex").apply("add_memory", content="Drinks tea")
        tasks = once([Task(input="Hello", user_id="alex", check=lambda text: text == "Tea.")])
        curve = evaluate(create_learning_agent(model, learning=learning), tasks, learning=learning, at=once([0, 1]))
        assert [(point.at, point.pass_rate) for point in curve.points] == [(0, 1.0), (1, 1.0)]


def test_a_limit_may_be_any_whole_number() -> None:
    scoped = alex()
    for content in ("Drinks tea", "Drinks black tea", "Drinks much tea"):
        scoped.apply("add_memory", content=content)
    limit: Any = np.int64(2)
    assert len(scoped.search("tea", limit=limit)) == 2
    assert json.dumps(machine(context_tokens=limit)._settings.context_tokens) == "2"


@pytest.mark.parametrize(
    ("message", "fix"),
    [
        ({"role": "tool", "content": "x"}, "tool_call_id"),
        ({"content": "x"}, "role"),
        ({"role": "user"}, "content"),
        ({"role": "assistant", "content": "", "tool_calls": [{"name": "x"}]}, "args"),
        (("user",), "give a list of messages"),
        ({"role": "nobody", "content": "x"}, "nobody"),
        ({"role": "user", "content": 5}, "content"),
    ],
)
def test_a_message_that_cannot_be_read_is_answered_by_what_it_lacks(message: Any, fix: str) -> None:
    with pytest.raises(ConfigurationError, match=fix):
        alex().learn([message])
