"""What is refused before anything is done, and what a checkpoint may build when it is read."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from contracts.savers import thread
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.store.memory import InMemoryStore

from langgraph_learning import LearningMachine, connect, create_learning_agent
from langgraph_learning.checkpointers import LearningSaver
from langgraph_learning.checkpointers._saver.serializer import OURS, strict_serializer
from langgraph_learning.errors import ScopeError
from langgraph_learning.namespace_labels import LONGEST_ID, fault_of_id
from langgraph_learning.records import Scope
from langgraph_learning.testing import ScriptedChatModel, op


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Any, Any]]:
    """A store and a checkpointer of each kind."""
    if request.param == "memory":
        yield (store := InMemoryStore()), LearningSaver(InMemorySaver(), store)
        return
    postgres = request.param == "postgres"
    url = request.getfixturevalue("postgres_url") if postgres else f"sqlite:///{tmp_path / 'learning.db'}"
    with connect(url) as db:
        yield db.store, db.checkpointer


@pytest.mark.parametrize(
    ("user", "conversation", "told"),
    [
        ("u" * 256, "t", "at most 255"),
        ("u" * 10_000, "t", "user id"),
        ("u", "t" * 3_000, "thread id"),
        ("😀" * 200, "t", "bytes as a label"),
    ],
)
def test_an_id_that_is_too_long_is_refused_before_anything_is_done_on_every_store(
    opened: tuple[Any, Any], user: str, conversation: str, told: str
) -> None:
    store, saver = opened
    model = ScriptedChatModel(replies=["Hello"], repeat=True)
    agent = create_learning_agent(
        model, learning=LearningMachine(user_memory=True, session_context=True), store=store, checkpointer=saver
    )
    given: Any = {"messages": [("user", "I like tea")]}
    with pytest.raises(ScopeError, match=told):
        agent.invoke(given, thread(conversation), context={"user_id": user})
    with pytest.raises(ScopeError, match=told):
        LearningMachine(user_memory=True, store=store, model=model).scoped(user_id=user, thread_id=conversation)
    assert model.prompts.get("reply", []) == []
    assert store.search(("learning",)) == []


@pytest.mark.parametrize("letter", ["a", "Z", "é", "日", "."])
def test_the_longest_ids_are_kept_on_every_store(opened: tuple[Any, Any], letter: str) -> None:
    longest = letter * next(n for n in range(LONGEST_ID, 0, -1) if fault_of_id("user id", letter * n) is None)
    assert len(longest) > 190
    store, saver = opened
    agent = create_learning_agent(
        ScriptedChatModel(replies=["Hello"], extractions=[[op("update_session_context", summary="Likes tea")]]),
        learning=(learning := LearningMachine(user_memory=True, session_context=True, on_error="raise")),
        store=store,
        checkpointer=saver,
    )
    given: Any = {"messages": [("user", "I like tea")]}
    said = agent.invoke(given, thread(longest), context={"user_id": longest})
    assert said["messages"][-1].text == "Hello"
    known = learning.scoped(user_id=longest, thread_id=longest, store=store).records("session_context")
    assert [record.text for record in known] == ["Likes tea"]


@dataclass
class Unknown:
    """A class that no checkpoint may build by itself."""

    said: str


def test_a_checkpoint_builds_no_class_that_the_application_does_not_allow(tmp_path: Path) -> None:
    written = JsonPlusSerializer().dumps_typed(Unknown("hello"))
    assert strict_serializer(()).loads_typed(written) == {"said": "hello"}
    assert strict_serializer([Unknown]).loads_typed(written) == Unknown("hello")
    for allowed, wanted in (((), {"said": "hello"}), ((Unknown,), Unknown("hello"))):
        with connect(f"sqlite:///{tmp_path / 'learning.db'}", allowed_types=allowed) as db:
            checkpoint = empty_checkpoint()
            checkpoint["channel_values"] = {"answer": Unknown("hello")}
            config = db.checkpointer.put(thread(checkpoint_ns=""), checkpoint, {}, {"answer": 1})
            found = db.checkpointer.get_tuple(config)
            assert found is not None
            assert found.checkpoint["channel_values"]["answer"] == wanted


def test_no_function_is_called_that_stands_in_a_checkpoint(tmp_path: Path) -> None:
    import ormsgpack

    target = tmp_path / "hacked"
    call = ormsgpack.packb(("pathlib", "Path.touch", str(target), "x"))
    forged = ormsgpack.packb(ormsgpack.Ext(1, ormsgpack.packb(("os", "system", f"touch {target}"))))
    for data in (forged, ormsgpack.packb(ormsgpack.Ext(0, call))):
        strict_serializer(()).loads_typed(("msgpack", data))
    assert not target.exists()


def test_our_own_types_are_allowed_under_the_names_that_a_checkpoint_gives_them_and_gave_them_before() -> None:
    for module, name in OURS:
        found = getattr(importlib.import_module(module), name)
        assert (found.__module__, found.__name__) in OURS
    scope = Scope(user_id="ada")
    assert strict_serializer(()).loads_typed(strict_serializer(()).dumps_typed(scope)) == scope


@pytest.mark.parametrize("text", ["I like \ud83d tea", "I like te\x00a", "I like \uffff tea", "I like \ufdd0 tea"])
def test_a_turn_whose_text_no_database_takes_as_it_is_is_learned_on_every_store(
    opened: tuple[Any, Any], text: str
) -> None:
    store, _ = opened
    model = ScriptedChatModel(replies=["Hello"], extractions=[[op("add_memory", content=text, quote=text)]])
    learning = LearningMachine(user_memory=True, on_error="raise")
    agent: Any = create_learning_agent(model, learning=learning, store=store)
    agent.invoke({"messages": [("user", text)]}, thread(), context={"user_id": "ada"})
    [record] = learning.scoped(user_id="ada", store=store).records()
    assert record.text.startswith("I like")
