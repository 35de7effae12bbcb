"""How the parts work together: streams, stores without async, scripted models, guards, long sessions, groups."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, HumanInTheLoopMiddleware, hook_config
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.store.sqlite import SqliteStore
from langgraph.types import Command
from pydantic import BaseModel

from langgraph_learning import (
    LearningContext,
    LearningMachine,
    LearningMode,
    UserMemoryConfig,
    connect,
    create_learning_agent,
)
from langgraph_learning._engine.learning.answer_parsing import UnusableAnswer, read_answer
from langgraph_learning.records import Add, Change, Identity, Record, Scope
from langgraph_learning.stores import LearningStore, Operation, operation
from langgraph_learning.testing import ScriptedChatModel, UnscriptedCall, call, op

TEA = op("add_memory", content="Likes green tea", quote="green tea")
ALEX: Any = {"user_id": "alex"}
THREAD: Any = {"configurable": {"thread_id": "t1"}}
AGENTIC = UserMemoryConfig(mode=LearningMode.AGENTIC)


def said(text: str) -> Any:
    return {"messages": [HumanMessage(text)]}


class Streams(ScriptedChatModel):
    """Notes whether it was asked to stream."""

    streamed: list[str] = []  # noqa: RUF012 - pydantic copies it

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        purpose: Any = "reply",
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        self.streamed.append(purpose)
        yield from super()._stream(messages, stop, run_manager, purpose=purpose, **kwargs)


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_an_extraction_is_never_streamed_also_when_the_reply_is(colour: str) -> None:
    model = Streams(replies=["Noted, green tea"], extractions=[[TEA]], streamed=[])
    agent = create_learning_agent(model, store=InMemoryStore())

    async def live() -> list[Any]:
        stream = agent.astream(said("I like green tea"), context=ALEX, stream_mode="messages")
        return [part async for part in stream]

    if colour == "async":
        parts = asyncio.run(live())
    else:
        parts = list(agent.stream(said("I like green tea"), context=ALEX, stream_mode="messages"))
    assert model.calls["extraction"] == 1
    assert model.streamed == ["reply"]
    assert "operations" not in "".join(part[0].text for part in parts)


def test_a_model_that_was_told_to_stream_gives_extractions_whole() -> None:
    class Streaming(Streams):
        streaming: bool = True

    model = Streaming(replies=["ok"], extractions=[[TEA]], streamed=[], streaming=True)
    create_learning_agent(model, store=InMemoryStore()).invoke(said("I like green tea"), context=ALEX)
    assert model.calls["extraction"] == 1
    assert model.streamed == ["reply"]


def test_tools_in_a_graph_inside_around_know_the_user_after_a_resume_without_context() -> None:
    store = InMemoryStore()
    learning = LearningMachine(user_memory=AGENTIC)
    model = ScriptedChatModel(replies=[call("add_memory", content="Likes green tea"), "done"])
    asked = HumanInTheLoopMiddleware(interrupt_on={"add_memory": True}, interrupt_mode="batched")
    inner: Any = create_agent(model, learning.tools(), middleware=[asked], context_schema=LearningContext)
    graph = learning.around(inner).compile(store=store, checkpointer=InMemorySaver())
    graph.invoke(said("I like green tea"), THREAD, context=ALEX)
    learning._settings.turns.clear()  # as in another process
    graph.invoke(Command(resume={"decisions": [{"type": "approve"}]}), THREAD)
    records = learning.scoped(user_id="alex", store=store).records()
    assert [record.text for record in records] == ["Likes green tea"]


def test_a_store_that_is_sync_only_learns_and_recalls_in_async_runs(tmp_path: Path) -> None:
    async def live() -> None:
        with SqliteStore.from_conn_string(str(tmp_path / "store.db")) as store:
            store.setup()
            model = ScriptedChatModel(replies=["ok", "tea"], extractions=[[TEA], []])
            agent = create_learning_agent(model, store=store)
            await agent.ainvoke(said("I like green tea"), context=ALEX)
            await agent.ainvoke(said("What do I like?"), context=ALEX)
            assert "Likes green tea" in model.prompt("reply")

    asyncio.run(live())


def test_an_extraction_that_is_not_scripted_fails_the_test_that_forgot_it() -> None:
    agent = create_learning_agent(ScriptedChatModel(replies=["hi"]), store=InMemoryStore())
    with pytest.raises(UnscriptedCall):
        agent.invoke(said("Hello"), context=ALEX)


def test_a_scripted_model_serves_the_structured_output_of_others_from_its_replies() -> None:
    class Weather(BaseModel):
        city: str

    model = ScriptedChatModel(replies=['{"city": "Ulm"}'])
    assert model.with_structured_output(Weather).invoke("Where?") == Weather(city="Ulm")  # type: ignore[arg-type]


def test_a_guard_that_ends_the_first_turn_does_not_cost_its_answer() -> None:
    class Guard(AgentMiddleware[Any, Any, Any]):
        @hook_config(can_jump_to=["end"])
        def before_agent(self, state: Any, runtime: Any) -> dict[str, Any]:
            return {"jump_to": "end", "messages": [AIMessage("Not today")]}

    learning = LearningMachine(user_memory=True)
    agent: Any = create_agent(ScriptedChatModel(), middleware=[*learning.middleware(), Guard()], store=InMemoryStore())
    result = agent.invoke(said("Hello"), context=ALEX)
    assert result["messages"][-1].text == "Not today"


def test_a_long_session_is_shortened_and_never_left_out() -> None:
    long = "部署计划" * 500
    model = ScriptedChatModel(extractions=[[op("update_session_context", summary=long)]])
    learning = LearningMachine(model=model, session_context=True, store=InMemoryStore())
    scoped = learning.scoped(user_id="alex", thread_id="t1")
    scoped.learn([("user", "部署")])
    recalled = scoped.recall("下一步")
    assert "部署计划" in recalled.text
    assert recalled.receipt.left_out == {}
    assert recalled.receipt.tokens <= 2_000


class NoteStore(LearningStore):
    """Notes of a group, whoever is in it."""

    name = "notes"

    def __init__(self) -> None:
        super().__init__()
        self.operations = (operation("add_note", "Add a note.", content=(str, ...)),)

    def scope(self, identity: Identity) -> Scope:
        return Scope(namespace="group")

    def plan(self, operation: Operation, records: Any) -> list[Change]:
        text = str(operation.model_dump()["content"])
        if "fault" in text:
            raise KeyError("a fault of the learning store")
        return [Add(store=self.name, content={"content": text}, text=text)]


def test_what_belongs_to_a_group_is_learned_from_unknown_users_only_where_the_application_allows_it() -> None:
    store = InMemoryStore()
    model = ScriptedChatModel(replies=["ok"], extractions=[[op("add_note", content="Ship on Friday")]])
    create_learning_agent(model, learning=LearningMachine(custom_stores=[NoteStore()]), store=store).invoke(said("Fri"))
    assert store.search(("learning", "namespace")) == []
    model = ScriptedChatModel(replies=["ok"], extractions=[[op("add_note", content="Ship on Friday")]])
    learning = LearningMachine(custom_stores=[NoteStore()], shared="write")
    create_learning_agent(model, learning=learning, store=store).invoke(said("Fri"))
    assert [Record.from_item(item).text for item in store.search(("learning", "namespace"))] == ["Ship on Friday"]


def test_a_fault_of_one_learning_store_costs_the_others_nothing(caplog: pytest.LogCaptureFixture) -> None:
    answer = [op("add_note", content="fault"), TEA, op("add_note", content="Ship on Friday")]
    learning = LearningMachine(
        model=ScriptedChatModel(extractions=[answer]),
        user_memory=True,
        custom_stores=[NoteStore()],
        store=InMemoryStore(),
    )
    commit = learning.scoped(user_id="alex").learn([("user", "I like green tea")])
    assert commit
    assert [change.text for change in commit.changes] == ["Likes green tea", "Ship on Friday"]
    assert [refusal.operation for refusal in commit.refused] == ["add_note"]
    assert "a fault of the learning store" in caplog.text


def test_a_replayed_turn_is_not_reported_as_learned_again() -> None:
    model = ScriptedChatModel(replies=["ok", "ok"], extractions=[[TEA]])
    agent = create_learning_agent(model, store=InMemoryStore(), checkpointer=InMemorySaver())
    first = list(agent.stream(said("I like green tea"), THREAD, context=ALEX, stream_mode="custom"))
    start = list(agent.get_state_history(THREAD))[-2].config
    again = list(agent.stream(None, start, context=ALEX, stream_mode="custom"))
    assert [event["learning"] for event in first] == ["recalled", "learned"]
    assert [event["learning"] for event in again] == ["recalled"]


def test_the_limit_of_changes_holds_for_the_tools_of_a_turn() -> None:
    store = InMemoryStore()
    calls = [
        {"name": "add_memory", "args": {"content": f"Likes number {number}"}, "id": str(number), "type": "tool_call"}
        for number in range(6)
    ]
    model = ScriptedChatModel(replies=[AIMessage("", tool_calls=calls), "ok", call("add_memory", content="One"), "ok"])
    learning = LearningMachine(user_memory=UserMemoryConfig(mode=LearningMode.AGENTIC, max_updates_per_run=2))
    agent = create_learning_agent(model, learning=learning, store=store, checkpointer=InMemorySaver())
    result = agent.invoke(said("Six numbers"), THREAD, context=ALEX)
    assert [message.status for message in result["messages"] if message.type == "tool"] == ["success"] * 2 + [
        "error"
    ] * 4
    agent.invoke(said("And one more"), THREAD, context=ALEX)  # another turn
    assert len(learning.scoped(user_id="alex", store=store).records()) == 3


@pytest.mark.parametrize(
    "text",
    [
        'Sure!\n```json\n{"operations": []}\n```',
        '{"operations": "[]"}',
        '```\n{"operations": []}\n```',
    ],
)
def test_an_answer_in_a_small_models_wrapping_is_read(text: str) -> None:
    assert read_answer(text).operations == []


def test_one_operation_is_read_as_a_list_of_one_and_prose_is_refused() -> None:
    assert read_answer(json.dumps({"operations": TEA})).operations == [TEA]
    with pytest.raises(UnusableAnswer):
        read_answer("I like { and }")


class Answers(BaseModel):
    operations: list[dict[str, Any]]


@pytest.mark.parametrize(
    "answer",
    [
        {"raw": AIMessage("ok"), "parsed": {"operations": [TEA]}},
        {"raw": AIMessage(""), "parsed": Answers(operations=[TEA])},
        {"operations": [TEA]},
    ],
)
def test_an_integration_may_hand_over_its_object_in_its_own_way(answer: Any) -> None:
    class Own(BaseChatModel):
        @property
        def _llm_type(self) -> str:
            return "own"

        def with_structured_output(self, schema: Any = None, **kwargs: Any) -> Runnable[Any, Any]:
            return RunnableLambda(lambda _: answer)

        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
            return ChatResult(generations=[ChatGeneration(message=AIMessageChunk(content="ok"))])

    learning = LearningMachine(model=Own(), user_memory=True, store=InMemoryStore())
    scoped = learning.scoped(user_id="alex")
    scoped.learn([("user", "I like green tea")])
    assert [record.text for record in scoped.records()] == ["Likes green tea"]


def test_the_same_words_in_another_run_without_thread_and_ids_are_another_turn() -> None:
    class State(TypedDict):
        messages: list[BaseMessage]

    model = ScriptedChatModel(extractions=[[TEA], []])
    learning = LearningMachine(model=model, user_memory=True)
    builder = StateGraph(State, context_schema=LearningContext)
    builder.add_node("extract", learning.extract_node())
    builder.add_edge(START, "extract")
    builder.add_edge("extract", END)
    graph = builder.compile(store=InMemoryStore())
    for _ in range(2):
        graph.invoke({"messages": [HumanMessage("yes, book it")]}, context=ALEX)
    assert model.calls["extraction"] == 2


def test_everything_is_listed_also_beyond_what_one_search_reads(tmp_path: Path) -> None:
    with connect(f"sqlite:///{tmp_path / 'l.db'}") as db:
        scoped = LearningMachine(user_memory=True).scoped(user_id="alex", store=db.store)
        row = {"store": "user_memory", "scope": ALEX, "content": {"content": "x"}}
        moment = {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
        scoped.load({**row, **moment, "id": f"r{number}", "text": f"Owns item {number}"} for number in range(5_050))
        assert len(scoped.records("user_memory")) == 5_050
        assert len(list(scoped.export())) == 5_050


def test_the_middleware_learns_whatever_key_other_graphs_keep_their_messages_under() -> None:
    store = InMemoryStore()
    learning = LearningMachine(user_memory=True, messages_key="chat")
    model = ScriptedChatModel(replies=["ok"], extractions=[[TEA]])
    create_learning_agent(model, learning=learning, store=store).invoke(said("I like green tea"), context=ALEX)
    assert [record.text for record in learning.scoped(user_id="alex", store=store).records()] == ["Likes green tea"]


def test_a_state_without_the_key_of_the_messages_is_said(caplog: pytest.LogCaptureFixture) -> None:
    class State(TypedDict):
        chat: list[BaseMessage]

    learning = LearningMachine(user_memory=True, model=ScriptedChatModel())
    builder = StateGraph(State, context_schema=LearningContext)
    builder.add_node("extract", learning.extract_node())
    builder.add_edge(START, "extract")
    builder.compile(store=InMemoryStore()).invoke({"chat": [HumanMessage("I like tea")]}, context=ALEX)
    assert "messages_key" in caplog.text


def test_what_a_node_copies_from_its_messages_holds_nothing_that_was_recalled() -> None:
    class State(TypedDict, total=False):
        messages: list[BaseMessage]
        copy: list[BaseMessage]

    store = InMemoryStore()
    learning = LearningMachine(user_memory=True, model=ScriptedChatModel(extractions=[[TEA]]))
    learning.scoped(user_id="alex", store=store).learn([("user", "I like green tea")])
    shown = []

    def node(state: State) -> State:
        shown.append(len(state["messages"]))
        return {"copy": state["messages"]}

    builder = StateGraph(State, context_schema=LearningContext)
    builder.add_node("agent", learning.wrap(node))
    builder.add_edge(START, "agent")
    result = builder.compile(store=store).invoke({"messages": [HumanMessage("Hi")]}, context=ALEX)
    assert shown == [2]
    assert [message.text for message in result["copy"]] == ["Hi"]
