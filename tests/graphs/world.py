"""What the tests of graphs share: somebody who is known, a machine, both colours, and a search of all checkpoints."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal, TypeAlias

from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.store.base import BaseStore, Op, PutOp, Result
from langgraph.store.memory import InMemoryStore

from langgraph_learning import LearningContext, LearningMachine
from langgraph_learning.records import Record
from langgraph_learning.testing import ScriptedChatModel, op

Colour: TypeAlias = Literal["sync", "async"]
COLOURS: tuple[Colour, ...] = ("sync", "async")

FACT = "Keeps bees on the roof"
ADA = {"user_id": "ada"}
BOB = {"user_id": "bob"}


class Mooded(MessagesState):
    """A state of the user's own, with a key that is no message."""

    mood: str


def known(*facts: str, user: str = "ada", store: InMemoryStore | None = None) -> InMemoryStore:
    """Return a store that knows `facts` (by default FACT) about a user."""
    store = store if store is not None else InMemoryStore()
    learned = [op("add_memory", content=fact) for fact in facts or (FACT,)]
    model = ScriptedChatModel(extractions=[learned])
    LearningMachine(model=model, user_memory=True).scoped(user_id=user, store=store).learn([("user", "hello")])
    return store


def memories(store: BaseStore, user: str | int | None = "ada") -> list[str]:
    """Return what is remembered about a user and holds now."""
    found: list[Record] = LearningMachine(user_memory=True).scoped(user_id=user, store=store).records("user_memory")
    return [record.text for record in found if record.valid_to is None]


def machine(*extractions: Any, repeat: bool = False, **options: Any) -> tuple[LearningMachine, ScriptedChatModel]:
    """Return a machine with user memory, and the model it extracts with."""
    model = ScriptedChatModel(extractions=extractions, repeat=repeat)
    return LearningMachine(**{"model": model, "user_memory": True, **options}), model


def thread(name: str = "t1", **configurable: object) -> RunnableConfig:
    """Return the configuration of a thread."""
    return {"configurable": {"thread_id": name, **configurable}}


def said(text: str, id: str | None = None) -> dict[str, Any]:
    """Return the input of a turn."""
    return {"messages": [HumanMessage(text, id=id)]}


async def invoked(graph: Any, colour: Colour, given: Any, config: RunnableConfig | None = None, **options: Any) -> Any:
    """Run a graph in one colour; the sync one inside the running loop of the test, as in a notebook."""
    if colour == "sync":
        return graph.invoke(given, config, **options)
    return await graph.ainvoke(given, config, **options)


async def streamed(graph: Any, colour: Colour, given: Any, config: RunnableConfig | None = None, **options: Any) -> Any:
    """Return all that a graph streams, in one colour."""
    if colour == "sync":
        stream: Iterator[Any] = graph.stream(given, config, **options)
        return list(stream)
    events: AsyncIterator[Any] = graph.astream(given, config, **options)
    return [event async for event in events]


def kept(saver: InMemorySaver) -> str:
    """Return everything a saver holds, as text."""
    return repr((dict(saver.storage), dict(saver.blobs), dict(saver.writes)))


def private(graph: Any, key: str, config: RunnableConfig | None = None) -> Any:
    """Return what a graph's checkpoints hold under a private key: no output, stream or snapshot shows it."""
    found = graph.checkpointer.get_tuple(config or thread())
    return found.checkpoint["channel_values"].get(key)


def texts(messages: Sequence[BaseMessage]) -> list[str]:
    """Return what was said, without ids."""
    return [str(message.text) for message in messages]


class FailingStore(InMemoryStore):
    """A store that fails on reading or on writing, as long as it is told to."""

    failing: Literal["", "read", "write"] = ""

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        return super().batch(self._checked(ops))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        return await super().abatch(self._checked(ops))

    def _checked(self, ops: Iterable[Op]) -> list[Op]:
        listed = list(ops)
        writing = any(isinstance(op, PutOp) for op in listed)
        if self.failing == ("write" if writing else "read"):
            raise OSError("the disk is gone")
        return listed


def by_hand(
    learning: LearningMachine, *agents: Any, schema: type[Any] = MessagesState
) -> StateGraph[Any, Any, Any, Any]:
    """Return the graph that a user builds by hand: recall, their nodes as they are, extract, review."""
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(schema, context_schema=LearningContext)
    steps = [("recall", learning.recall_node())]
    steps += [(f"agent{number or ''}", agent) for number, agent in enumerate(agents)]
    steps += [("extract", learning.extract_node()), ("review", learning.review_node())]
    for name, node in steps:
        builder.add_node(name, node)
    names = [START, *(name for name, _ in steps), END]
    for start, end in pairwise(names):
        builder.add_edge(start, end)
    return builder
