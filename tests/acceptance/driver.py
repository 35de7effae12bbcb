"""One agent, one `say`: every acceptance row in both colours, on every store at hand."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeVar

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from langgraph.types import Checkpointer

from langgraph_learning import LearningDB, LearningMachine, Record, Scoped, connect, create_learning_agent
from langgraph_learning.testing import ScriptedChatModel

RECALLED = re.compile("<learning_context>.*</learning_context>", re.DOTALL)

T = TypeVar("T")
Colour = Literal["sync", "async"]


@dataclass
class Agent:
    """A learning agent whose model says what a row scripts."""

    graph: CompiledStateGraph[Any, Any, Any, Any]
    model: ScriptedChatModel
    learning: LearningMachine
    store: BaseStore
    colour: Colour

    def say(self, text: str, *, thread: str = "c1", user: str | int | None = "alice") -> str:
        """Say `text` as `user` in `thread` and return the reply."""
        return str(self.turn(text, thread=thread, user=user)["messages"][-1].text)

    def turn(
        self, said: str | list[BaseMessage], *, thread: str = "c1", user: str | int | None = "alice"
    ) -> dict[str, Any]:
        """Return the whole state after one turn."""
        config: RunnableConfig = {"configurable": {"thread_id": thread}}
        given: dict[str, Any] = {"messages": [("user", said)] if isinstance(said, str) else said}
        context: Any = {} if user is None else {"user_id": user}
        if self.colour == "sync":
            return self.graph.invoke(given, config, context=context)
        return asyncio.run(self.graph.ainvoke(given, config, context=context))

    def streamed(self, text: str, *, thread: str = "c1", user: str = "alice") -> list[dict[str, Any]]:
        """Return what one turn tells the custom stream."""
        config: RunnableConfig = {"configurable": {"thread_id": thread}}
        given: dict[str, Any] = {"messages": [("user", text)]}
        context: Any = {"user_id": user}

        async def collected() -> list[dict[str, Any]]:
            stream = self.graph.astream(given, config, context=context, stream_mode="custom")
            return [part async for part in stream]

        sync = self.graph.stream
        return self.either(lambda: list(sync(given, config, context=context, stream_mode="custom")), collected)

    def of(self, user: str | int | None = "alice", thread: str | None = None) -> Scoped:
        """Return what `user` has taught."""
        return self.learning.scoped(user_id=user, thread_id=thread, store=self.store)

    def records(self, name: str | None = None, user: str = "alice", thread: str | None = None) -> list[Record]:
        """Return the records, read in the colour of the row."""
        scoped = self.of(user, thread)
        return self.either(lambda: scoped.records(name), lambda: scoped.arecords(name))

    def texts(self, name: str | None = None, user: str = "alice", thread: str | None = None) -> list[str]:
        """Return how the records read."""
        return [record.text for record in self.records(name, user, thread)]

    def shown(self, index: int = -1) -> str:
        """Return what one prompt of the agent holds besides the conversation, by default the last one."""
        prompt = self.model.prompts["reply"][index]
        texts = [str(message.text) for message in prompt if message.type in ("system", "human")]
        blocks = [RECALLED.search(text) for text in texts]
        systems = [str(message.text) for message in prompt if message.type == "system"]
        return "\n".join([*systems, *(block[0] for block in blocks if block and block[0] not in "".join(systems))])

    def either(self, sync: Callable[[], T], other: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do it in the colour of the row."""
        return sync() if self.colour == "sync" else asyncio.run(other())


@dataclass
class Home:
    """Where a row runs: a store that outlives the agents made on it."""

    colour: Colour
    url: str | None
    memory: BaseStore = field(default_factory=InMemoryStore)
    """The store where there is no URL."""
    saver: InMemorySaver = field(default_factory=InMemorySaver)
    db: LearningDB | None = None
    opened: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        if self.url:
            self.db = self.opened.enter_context(connect(self.url))
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.close()

    def restart(self) -> None:
        """Come back as a fresh process would: the database closed and opened again, nothing else kept."""
        self.opened.close()
        self.__enter__()

    @property
    def store(self) -> BaseStore:
        """The store that is open."""
        return self.db.store if self.db else self.memory

    def agent(
        self,
        learning: LearningMachine | bool = True,
        *,
        replies: Sequence[object] = (),
        extractions: Sequence[object] = (),
        repeat: bool = False,
        history: bool = True,
        tools: Sequence[Any] = (),
        **options: Any,
    ) -> Agent:
        """Return a new agent on this store.

        Args:
            learning: The machine, or True.
            replies: What the model answers.
            extractions: What it answers when asked for operations.
            repeat: Whether the last of each goes on being said.
            history: Whether the messages of a thread are kept.
            tools: The agent's own tools.
            options: Whatever else `create_learning_agent` takes.
        """
        model = ScriptedChatModel(replies=list(replies), extractions=list(extractions), repeat=repeat)
        kept: Checkpointer = (self.db.checkpointer if self.db else self.saver) if history else None
        graph = create_learning_agent(model, tools, learning=learning, store=self.store, checkpointer=kept, **options)
        machine = learning if isinstance(learning, LearningMachine) else LearningMachine(**BOTH)
        return Agent(graph, model, machine, self.store, self.colour)


BOTH: dict[str, Any] = {"user_profile": True, "user_memory": True}
