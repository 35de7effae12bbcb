"""What fails is seen, claims nothing and loses nothing; what was learned says where it comes from."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from acceptance.driver import Agent, Home
from graphs.world import FailingStore
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import AIMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.tools import tool
from langgraph.store.memory import InMemoryStore

from langgraph_learning import (
    LearningMachine,
    LearningMode,
    UserMemoryConfig,
    UserProfileConfig,
    connect,
    create_learning_agent,
)
from langgraph_learning.errors import ConfigurationError, StoreError, UnsupportedByStore
from langgraph_learning.testing import ScriptedChatModel, call, op

AGENTIC = UserMemoryConfig(mode=LearningMode.AGENTIC)
THREE = [op("add_memory", content=f"Likes {what}", quote=what) for what in ("tea", "cake", "bees")]
KEPT = ["Likes tea", "Likes cake", "Likes bees"]
FAULTS = {
    "read": ("alter table hybrid_items rename to hybrid_gone", "alter table hybrid_gone rename to hybrid_items"),
    "write": (
        "create trigger full before insert on hybrid_items begin select raise(abort, 'the disk is full'); end",
        "drop trigger full",
    ),
}


class Breakable(Home):
    """A home whose store can be made to fail: by a store that raises, and by a database that really cannot."""

    @contextmanager
    def failing(self, what: Any) -> Iterator[None]:
        if isinstance(self.store, FailingStore):
            self.store.failing = what
            yield
            self.store.failing = ""
        else:
            breaks, mends = FAULTS[what]
            self._execute(breaks)
            yield
            self._execute(mends)

    def _execute(self, statement: str) -> None:
        database = sqlite3.connect(str(self.url).removeprefix("sqlite:///"))
        database.execute(statement)
        database.close()


@pytest.fixture(params=["memory-async", "sqlite-sync", "sqlite-async"])
def frail(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Breakable]:
    kind, colour = request.param.split("-")
    url = f"sqlite:///{tmp_path / 'learning.db'}" if kind == "sqlite" else None
    with Breakable("sync" if colour == "sync" else "async", url, memory=FailingStore()) as opened:
        yield opened


def told(state: dict[str, Any]) -> list[tuple[str, str]]:
    return [(message.status, message.text) for message in state["messages"] if isinstance(message, ToolMessage)]


def three_memories(home: Home) -> Agent:
    agent = home.agent(LearningMachine(user_memory=True), replies=["Ok."], extractions=[THREE])
    agent.say("I like tea, cake and bees.")
    assert agent.texts() == KEPT
    return agent


@pytest.mark.parametrize("learning", [True, AGENTIC], ids=["extraction", "tool"])
def test_a_failed_read_never_becomes_an_empty_write(frail: Breakable, learning: Any) -> None:
    before = three_memories(frail)
    adds = [call("add_memory", content="Likes chess"), "Sorry."] if learning is AGENTIC else ["Sorry."]
    agent = frail.agent(LearningMachine(user_memory=learning), replies=adds, extractions=[[]])
    with frail.failing("read"):
        assert agent.say("I like chess.", thread="c2") == "Sorry."
    assert before.texts() == KEPT
    with frail.failing("read"), pytest.raises(StoreError):
        before.records()
    with frail.failing("read"), pytest.raises(StoreError):
        LearningMachine(model=agent.model, user_memory=True).scoped(user_id="alice", store=frail.store).learn(
            [("user", "I like chess.")]
        )
    assert before.texts() == KEPT


def test_a_tool_whose_write_failed_says_so_to_the_model_and_leaves_no_commit(frail: Breakable) -> None:
    agent = frail.agent(
        LearningMachine(user_memory=AGENTIC), replies=[call("add_memory", content="Likes tea"), "I could not."]
    )
    agent.records()  # the tables are there
    with frail.failing("write"):
        [(status, text)] = told(agent.turn("I like tea."))
    assert status == "error"
    assert text.startswith("Nothing was stored: ")
    assert "Do not say that you will remember" in text
    assert (agent.records(), agent.of().commits()) == ([], [])


def test_an_extraction_whose_write_failed_is_reported_and_leaves_no_commit(frail: Breakable) -> None:
    agent = frail.agent(LearningMachine(user_memory=True), replies=["Ok."] * 2, extractions=[THREE, THREE])
    agent.records()
    with frail.failing("write"):
        events = agent.streamed("I like tea, cake and bees.")
    assert [event["learning"] for event in events] == ["recalled", "failed"]
    assert (agent.records(), agent.of().commits()) == ([], [])
    agent.say("As I said.")
    assert agent.texts() == KEPT


SLOTS = ("user_profile", "user_memory", "session_context", "entity_memory", "learned_knowledge", "decision_log")


@pytest.mark.parametrize("mode", list(LearningMode))
@pytest.mark.parametrize("slot", SLOTS)
def test_a_mode_in_the_place_of_a_learning_store_is_refused(slot: str, mode: LearningMode) -> None:
    with pytest.raises(ConfigurationError, match=slot):
        LearningMachine(**{slot: mode})  # type: ignore[arg-type]


def test_a_call_that_failed_is_not_told_as_learned_and_its_sibling_is(home: Home) -> None:
    two = AIMessage(
        "",
        tool_calls=[
            ToolCall(name="update_memory", args={"id": "m9", "content": "Likes chess"}, id="1"),
            ToolCall(name="add_memory", args={"content": "Likes tea"}, id="2"),
        ],
    )
    agent = home.agent(LearningMachine(user_memory=AGENTIC), replies=[two, "Tea."])
    events = [event for event in agent.streamed("Chess and tea.") if event["learning"] == "learned"]
    assert [[change["text"] for change in event["commit"]["changes"]] for event in events] == [["Likes tea"]]


def test_every_revision_keeps_the_source_of_who_wrote_it(keeping: Home) -> None:
    learning = LearningMachine(user_memory=UserMemoryConfig(enable_agent_tools=True))
    agent = keeping.agent(
        learning,
        replies=["Ok.", call("update_memory", id="m1", content="Likes coffee"), "Ok."],
        extractions=[[op("add_memory", content="Likes tea", quote="I like tea")], []],
    )
    agent.turn([HumanMessage("I like tea.", id="h1")], thread="c1")
    [first] = agent.records()
    agent.turn([HumanMessage("Coffee now.", id="h2")], thread="c2")
    [record] = agent.records()
    sources = [revision.record.source for revision in agent.of().history(record.id) if revision.record]
    assert [(source.actor, source.thread_id, source.message_ids, source.quote) for source in sources] == [
        ("user", "c1", ("h1",), "I like tea"),
        ("agent", "c2", ("h2",), None),
    ]
    assert record.source == sources[-1]
    assert record.created_at == first.created_at < record.updated_at


def test_two_tenants_with_one_configuration_write_into_a_database_each(tmp_path: Path) -> None:
    shared = UserMemoryConfig(max_updates_per_run=5)
    before = repr(shared)
    with connect(f"sqlite:///{tmp_path / 'one.db'}") as one, connect(f"sqlite:///{tmp_path / 'two.db'}") as two:
        machines = []
        for db, word in ((one, "tea"), (two, "cake")):
            model = ScriptedChatModel(extractions=[[op("add_memory", content=f"Likes {word}")]])
            machines.append(LearningMachine(model=model, user_memory=shared, store=db.store))
        for learning in reversed(machines):  # the last one made learns first
            learning.scoped(user_id="alice").learn([("user", "hello")])
        found = [[record.text for record in each.scoped(user_id="alice").records()] for each in machines]
    assert found == [["Likes tea"], ["Likes cake"]]
    assert repr(shared) == before
    with pytest.raises(AttributeError):
        shared.mode = LearningMode.AGENTIC  # type: ignore[misc]


def test_a_record_knows_its_thread_message_words_and_dates_and_can_be_taken_back(keeping: Home) -> None:
    agent = keeping.agent(
        LearningMachine(user_memory=True),
        replies=["Ok."] * 2,
        extractions=[
            [
                op("add_memory", content="Likes tea", quote="I like tea"),
                op("add_memory", content="Is calm", quote="om"),
            ],
            [op("update_memory", id="m1", content="Likes coffee", quote="coffee now")],
        ],
    )
    agent.turn([HumanMessage("Long ago it was cake. I like tea.", id="h1")], thread="c1")
    tea, calm = agent.records()
    assert (tea.source.thread_id, tea.source.message_ids, tea.source.quote) == ("c1", ("h1",), "I like tea")
    assert tea.source.checkpoint_id
    assert not tea.source.inferred
    assert (calm.source.quote, calm.source.inferred) == (None, True)  # nobody said it
    agent.turn([HumanMessage("It's coffee now.", id="h2")], thread="c2")
    past = agent.of().history(tea.id)
    assert [revision.record and revision.record.text for revision in past] == ["Likes tea", "Likes coffee"]
    assert past[0].at < past[1].at
    agent.of().undo(agent.of().commits()[-1].id)
    assert agent.texts() == ["Likes tea", "Is calm"]
    assert agent.records()[0].source == tea.source


def test_a_failure_is_told_on_the_custom_stream_logged_with_its_cause_and_typed(
    frail: Breakable, caplog: pytest.LogCaptureFixture
) -> None:
    learning = LearningMachine(user_memory=True)
    agent = frail.agent(learning, replies=["Ok."] * 2, extractions=[THREE] * 2)
    agent.records()
    with frail.failing("write"):
        [failed] = [event for event in agent.streamed("Tea, cake, bees.") if event["learning"] == "failed"]
        assert (failed["step"], failed["error"].partition(":")[0]) == ("extract", "StoreError")
        assert any(record.exc_info for record in caplog.records)
        loud = frail.agent(LearningMachine(user_memory=True, on_error="raise"), replies=["Ok."], extractions=[THREE])
        with pytest.raises(StoreError) as raised:
            loud.say("Tea, cake, bees.", thread="c2")
    assert raised.value.__cause__ is not None


def test_a_turn_that_taught_something_hands_out_its_commit(home: Home) -> None:
    agent = home.agent(LearningMachine(user_memory=True), replies=["Ok."], extractions=[THREE])
    [event] = [event for event in agent.streamed("Tea, cake, bees.") if event["learning"] == "learned"]
    [commit] = agent.of().commits()
    assert event["commit"]["id"] == commit.id
    assert [change.text for change in commit.changes] == KEPT
    assert commit.usage.calls == 1
    if home.db is None:
        with pytest.raises(UnsupportedByStore, match="connect"):
            agent.of().undo(commit.id)


@tool
def add_memory(content: str) -> str:
    """Clash with a learning tool."""
    return content


def update_user_profile(name: str) -> str:
    """Clash with a learning tool, as a plain function."""
    return name


class Bringing(AgentMiddleware[Any, Any, Any]):
    """Middleware of the user's that brings a tool along."""

    tools = (add_memory,)


PROFILE_AND_MEMORY = LearningMachine(
    user_profile=UserProfileConfig(mode=LearningMode.AGENTIC), user_memory=UserMemoryConfig(mode=LearningMode.AGENTIC)
)
CLASHES: dict[str, dict[str, Any]] = {
    "tool": {"tools": [add_memory]},
    "function": {"tools": [update_user_profile]},
    "dict": {"tools": [{"name": "delete_memory"}]},
    "middleware": {"middleware": [Bringing()]},
}


@pytest.mark.parametrize("yours", CLASHES.values(), ids=CLASHES.keys())
def test_a_tool_with_the_name_of_a_learning_tool_is_refused_when_the_agent_is_built(yours: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="is the name of a learning tool"):
        create_learning_agent(ScriptedChatModel(), learning=PROFILE_AND_MEMORY, **yours)


def test_so_is_one_that_took_the_place_of_a_learning_tool_in_an_agent_built_by_hand() -> None:
    tools: list[Any] = [*PROFILE_AND_MEMORY.tools(), add_memory]
    model = ScriptedChatModel(replies=["Ok."])
    agent: Any = create_agent(model, tools, middleware=PROFILE_AND_MEMORY.middleware(), store=InMemoryStore())
    with pytest.raises(ConfigurationError, match="'add_memory' has the name of a learning tool"):
        agent.invoke({"messages": [("user", "Hi")]}, context={"user_id": "alice"})
    assert model.calls == {}
