"""A store that counts its commits, a graph that learns, and the savers to hold them to."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Annotated, Any, TypedDict
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.store.base import Op, PutOp, Result
from langgraph.store.memory import InMemoryStore
from langgraph.types import interrupt

from langgraph_learning.checkpointers import LearningSaver, connect


class CountingStore(InMemoryStore):
    """A store of which each batch with a write is one revision, as the hybrid stores count."""

    def __init__(self) -> None:
        super().__init__()
        self.last_revision = 0

    def revision(self) -> int:
        return self.last_revision

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        ops = tuple(ops)
        self.last_revision += any(isinstance(op, PutOp) for op in ops)
        return super().batch(ops)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        return self.batch(ops)


class State(TypedDict):
    said: Annotated[list[str], list.__add__]
    recalled: Annotated[list[int | None], list.__add__]


def learner(saver: LearningSaver, *, colour: str = "sync", learned: Callable[[], None] = lambda: None) -> Any:
    """A graph whose turn asks which revision to recall, and then learns what was said."""

    def recall(state: State, config: RunnableConfig) -> dict[str, list[int | None]]:
        return {"recalled": [saver.revision_of(config)]}

    async def arecall(state: State, config: RunnableConfig) -> dict[str, list[int | None]]:
        return {"recalled": [await saver.arevision_of(config)]}

    def learn(state: State) -> None:
        saver.store.put(("learned",), state["said"][-1], {})
        learned()

    builder = StateGraph(State)
    builder.add_node("recall", recall if colour == "sync" else arecall)
    builder.add_node("learn", learn)
    builder.add_edge(START, "recall")
    builder.add_edge("recall", "learn")
    return builder.compile(checkpointer=saver, store=saver.store)


def interrupting(saver: LearningSaver, *, colour: str = "sync", answers: int = 1) -> Any:
    """A graph whose turn recalls, asks a person, recalls again, and then learns."""

    def ask(state: State) -> None:
        for number in range(answers):
            interrupt(number)

    steps = learner(saver, colour=colour).builder.nodes
    builder = StateGraph(State)
    for name, step in (
        ("recall", steps["recall"]),
        ("ask", None),
        ("again", steps["recall"]),
        ("learn", steps["learn"]),
    ):
        builder.add_node(name, step.runnable if step else ask)
    builder.add_edge(START, "recall")
    for one, next_ in pairwise(("recall", "ask", "again", "learn")):
        builder.add_edge(one, next_)
    return builder.compile(checkpointer=saver, store=saver.store)


def turn(text: str) -> State:
    return {"said": [text], "recalled": []}


def thread(name: str = "t", **more: str) -> RunnableConfig:
    return {"configurable": {"thread_id": name, **more}}


@asynccontextmanager
async def fresh_saver(backend: str, url: str | None) -> AsyncIterator[LearningSaver]:
    """An empty saver of the backend, around a store that counts."""
    if backend == "memory":
        yield LearningSaver(InMemorySaver(), CountingStore())
    else:
        schema = f"s{uuid4().hex}" if url else None
        async with connect(url or "sqlite:///:memory:", schema=schema) as db:
            yield LearningSaver(db.checkpointer.saver, CountingStore())
