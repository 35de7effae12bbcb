"""Each library as its own documentation wires it, behind one face: one turn, what it knows, and its memories put in."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableConfig
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore

from benchmarks.peers.server import DIMS, embed
from langgraph_learning import Background, LearningContext, LearningMachine, UserProfileConfig, connect
from langgraph_learning.schemas import UserProfile

MODEL, KEY, USER = "gpt-4o-mini", "none", "ada"
AT = "2026-01-01T00:00:00+00:00"


def memory_text(number: int) -> str:
    """Return a memory that is there before."""
    return f"Keeps the book number {number} about the town of Berg-{number % 97}"


class System:
    """One way to remember."""

    name = ""

    def __init__(self, url: str, folder: str, closing: ExitStack) -> None:
        self.url, self.folder, self.closing = url, folder, closing
        self.model = ChatOpenAI(model=MODEL, base_url=url, api_key=KEY, max_retries=0)  # type: ignore[arg-type]
        self.prepare()

    def prepare(self) -> None:
        """Make what is asked."""

    def seed(self, count: int) -> None:
        """Let the user have taught so much."""

    def turn(self, text: str, thread: str) -> Iterator[object]:
        """Say something, and give the parts of the reply as they come."""
        raise NotImplementedError

    def settle(self) -> None:
        """Wait until it is learned."""

    def known(self) -> int:
        """Return how many memories there are."""
        return 0


class Ours(System):
    """This package, in the graph."""

    name = "this package, in the graph"
    background: bool | Background = False

    def prepare(self) -> None:
        self.db = self.closing.enter_context(connect(f"sqlite:///{self.folder}/ours.db"))
        self.learning = LearningMachine(model=self.model, user_memory=True, background=self.background)
        self.agent: Any = create_agent(
            self.model, middleware=self.learning.middleware(), context_schema=LearningContext,
            store=self.db.store, checkpointer=self.db.checkpointer,
        )  # fmt: skip

    def seed(self, count: int) -> None:
        fixed = {"store": "user_memory", "scope": {"user_id": USER}, "created_at": AT, "updated_at": AT}
        texts = map(memory_text, range(count))
        rows = [{**fixed, "id": f"s{n}", "content": {"content": t}, "text": t} for n, t in enumerate(texts)]
        self._user.load(rows)

    @property
    def _user(self) -> Any:
        return self.learning.scoped(user_id=USER, store=self.db.store)

    def turn(self, text: str, thread: str) -> Iterator[object]:
        yield from self.agent.stream(
            {"messages": [("user", text)]}, {"configurable": {"thread_id": thread}},
            context={"user_id": USER}, stream_mode="messages",
        )  # fmt: skip

    def settle(self) -> None:
        self.learning.drain()

    def known(self) -> int:
        return len(self._user.records("user_memory"))


class OursBehind(Ours):
    """This package, behind the reply."""

    name = "this package, behind the reply"
    background = Background(delay=0)


class Without(Ours):
    """The same agent without memory."""

    name = "without memory"

    def prepare(self) -> None:
        super().prepare()
        self.agent = create_agent(self.model, context_schema=LearningContext, checkpointer=self.db.checkpointer)


class Agno(System):
    """Agno's agent with its learning machine."""

    name = "Agno"

    def prepare(self) -> None:
        database = import_module("agno.db.sqlite").SqliteDb(db_file=f"{self.folder}/agno.db")
        model = import_module("agno.models.openai").OpenAIChat(id=MODEL, base_url=self.url, api_key=KEY)
        machine = import_module("agno.learn").LearningMachine(user_memory=True)
        self.agent = import_module("agno.agent").Agent(model=model, db=database, learning=machine, telemetry=False)
        self.agent.initialize_agent()
        self.memories = self.agent.learning_machine.stores["user_memory"]

    def seed(self, count: int) -> None:
        kind = import_module("agno.learn").Memories
        rows = [{"id": f"s{number}", "content": memory_text(number)} for number in range(count)]
        if rows:
            self.memories.save(USER, kind(user_id=USER, memories=rows))

    def turn(self, text: str, thread: str) -> Iterator[object]:
        for event in self.agent.run(text, stream=True, user_id=USER, session_id=thread):
            if getattr(event, "content", None):
                yield event

    def known(self) -> int:
        memories = self.memories.get(USER)
        return len(memories.memories) if memories else 0


class LangMem(System):
    """LangMem's store manager as a node after the reply; its memories are searched before it."""

    name = "LangMem, in the graph"

    def prepare(self) -> None:
        self.store = InMemoryStore(index={"dims": DIMS, "embed": lambda texts: list(map(embed, texts))})
        place = ("memories", "{langgraph_user_id}")
        create = import_module("langmem").create_memory_store_manager
        self.manager = create(self.model, namespace=place, store=self.store)
        builder = StateGraph(MessagesState)
        builder.add_node("reply", self._reply)
        builder.add_node("remember", self._remember)
        for edge in ((START, "reply"), ("reply", "remember"), ("remember", END)):
            builder.add_edge(*edge)
        self.graph: Any = builder.compile(store=self.store)

    def seed(self, count: int) -> None:
        for number in range(count):
            value = {"kind": "Memory", "content": {"content": memory_text(number)}}
            self.store.put(("memories", USER), f"s{number}", value)

    def _reply(self, state: MessagesState) -> dict[str, list[AnyMessage]]:
        query = str(state["messages"][-1].content)
        items = self.store.search(("memories", USER), query=query, limit=10)
        context = "\n".join(json.dumps(item.value["content"]) for item in items)
        return {"messages": [self.model.invoke([("system", f"What you remember:\n{context}"), *state["messages"]])]}

    def _remember(self, state: MessagesState, config: RunnableConfig) -> dict[str, list[AnyMessage]]:
        self.manager.invoke({"messages": state["messages"]}, config=config)
        return {}

    def turn(self, text: str, thread: str) -> Iterator[object]:
        config = {"configurable": {"thread_id": thread, "langgraph_user_id": USER}}
        inputs = {"messages": [("user", text)]}
        for part in self.graph.stream(inputs, config, stream_mode="messages"):
            if part[1]["langgraph_node"] == "reply":
                yield part

    def known(self) -> int:
        return len(self.store.search(("memories", USER), limit=10_000))


class LangMemBehind(LangMem):
    """LangMem's executor, which a node hands the turn to."""

    name = "LangMem, ReflectionExecutor"

    def prepare(self) -> None:
        super().prepare()
        self.executor = import_module("langmem").ReflectionExecutor(self.manager, store=self.store)
        self.closing.callback(self.executor.shutdown)
        self.waiting: list[Any] = []

    def _remember(self, state: MessagesState, config: RunnableConfig) -> dict[str, list[AnyMessage]]:
        self.waiting.append(self.executor.submit({"messages": state["messages"]}, config=config, after_seconds=0))
        return {}

    def settle(self) -> None:
        while self.waiting:
            self.waiting.pop().result()


class Mem0(System):
    """mem0 as its quickstart has it: search, answer, add."""

    name = "mem0"

    def prepare(self) -> None:
        client = {"openai_base_url": self.url, "api_key": KEY}
        vectors = {"collection_name": "m", "path": f"{self.folder}/mem0", "on_disk": True, "embedding_model_dims": DIMS}
        self.memory: Any = import_module("mem0").Memory.from_config(
            {
                "llm": {"provider": "openai", "config": {"model": MODEL, **client}},
                "embedder": {"provider": "openai", "config": {"embedding_dims": DIMS, **client}},
                "vector_store": {"provider": "qdrant", "config": vectors},
                "history_db_path": f"{self.folder}/mem0.db",
            }
        )

    def seed(self, count: int) -> None:
        for number in range(count):
            self.memory.add(memory_text(number), user_id=USER, infer=False)

    def turn(self, text: str, thread: str) -> Iterator[object]:
        rows = self.memory.search(text, filters={"user_id": USER}, top_k=10)["results"]
        context = "\n".join(row["memory"] for row in rows)
        reply = ""
        for part in self.model.stream([("system", f"What you remember:\n{context}"), ("user", text)]):
            reply += str(part.content)
            yield part
        messages = [{"role": "user", "content": text}, {"role": "assistant", "content": reply}]
        self.memory.add(messages, user_id=USER)

    def known(self) -> int:
        return len(self.memory.get_all(filters={"user_id": USER}, top_k=10_000)["results"])


class Speaker(UserProfile):
    """A profile with one list, which every turn adds to."""

    languages: list[str] = []  # noqa: RUF012 - pydantic copies it


class OursUpdating(Ours):
    """This package, where every turn updates one field."""

    name = "this package, one field updated"

    def prepare(self) -> None:
        super().prepare()
        self.learning = LearningMachine(model=self.model, user_profile=UserProfileConfig(schema=Speaker))
        self.agent = create_agent(
            self.model, middleware=self.learning.middleware(), context_schema=LearningContext,
            store=self.db.store, checkpointer=self.db.checkpointer,
        )  # fmt: skip

    def seed(self, count: int) -> None:
        """Let nothing be known."""

    def known(self) -> int:
        return len(self._user.profile(Speaker).languages)


class LangMemUpdating(LangMem):
    """LangMem, where every turn updates one document."""

    name = "LangMem, one document updated"

    def prepare(self) -> None:
        super().prepare()
        create = import_module("langmem").create_memory_store_manager
        place = ("memories", "{langgraph_user_id}")
        self.manager = create(self.model, schemas=[Speaker], enable_inserts=False, namespace=place, store=self.store)

    def seed(self, count: int) -> None:
        self.store.put(("memories", USER), "profile", {"kind": "Speaker", "content": {"languages": []}})

    def known(self) -> int:
        [item] = self.store.search(("memories", USER))
        return len(item.value["content"]["languages"])


UPDATING: tuple[Callable[[str, str, ExitStack], System], ...] = (OursUpdating, LangMemUpdating)
SYSTEMS: tuple[Callable[[str, str, ExitStack], System], ...] = (
    Without, Ours, OursBehind, Agno, LangMem, LangMemBehind, Mem0,
)  # fmt: skip
