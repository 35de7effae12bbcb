"""A checkpointer in a wrapper that counts channel versions itself and passes attributes on: LangGraph's server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from langgraph_learning import connect, create_learning_agent
from langgraph_learning.checkpointers import LearningSaver, SqliteHybridStore
from langgraph_learning.testing import ScriptedChatModel, op


class Wrapper(BaseCheckpointSaver[Any]):
    """What `langgraph_api` puts around a custom checkpointer; `put` waits as long as it is told to."""

    def __init__(self, inner: LearningSaver) -> None:
        super().__init__(serde=inner.serde)
        self._inner = inner
        self.learned = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def aget_tuple(self, config: RunnableConfig) -> Any:
        return await self._inner.aget_tuple(config)

    async def alist(self, config: RunnableConfig | None, **options: Any) -> AsyncIterator[Any]:
        async for found in self._inner.alist(config, **options):
            yield found

    async def aput(self, *saved: Any) -> RunnableConfig:
        await asyncio.wait_for(self.learned.wait(), 10)
        return await self._inner.aput(*saved)

    async def aput_writes(self, *written: Any) -> None:
        await self._inner.aput_writes(*written)

    def get_next_version(self, current: str | None, channel: None) -> str:
        return f"{int((current or '0').split('.')[0]) + 1:032}.5"


async def test_a_replay_behind_a_wrapper_recalls_what_was_known_then() -> None:
    model = ScriptedChatModel(replies=["Hello"], repeat=True, extractions=[[op("add_memory", content="Likes tea")], []])
    async with connect("sqlite:///:memory:") as db:
        saver = Wrapper(db.checkpointer)
        assert not hasattr(type(saver), "revision_of")
        agent = create_learning_agent(model, store=db.store, checkpointer=saver)
        config: RunnableConfig = {"configurable": {"thread_id": "t1"}}

        async def shown(given: Any, config: RunnableConfig) -> list[str]:
            events = agent.astream(given, config, context={"user_id": "ada"}, stream_mode="custom", durability="async")
            receipts = []
            async for event in events:
                if event["learning"] == "learned":
                    saver.learned.set()  # every save of the turn comes later than what the turn has taught
                elif event["learning"] == "recalled":
                    receipts += [str(each["label"]) for each in event["receipt"]["shown"]]
            return receipts

        assert await shown({"messages": [HumanMessage("I like tea")]}, config) == []
        states = [state async for state in agent.aget_state_history(config)]
        assert [state.metadata["learning_revision"] for state in reversed(states)] == [0, 0, 0, 0, 1]
        start = next(state.config for state in states if state.next == ("learning.before_agent",))
        assert await shown({"messages": [HumanMessage("What do I like?")]}, config) == ["m1"]
        assert await shown(None, start) == []


def test_a_store_knows_which_commits_it_had_seen_by_a_moment() -> None:
    with SqliteHybridStore(":memory:") as store:
        opened = datetime.now().astimezone()
        assert store.revision_seen_at(opened - timedelta(days=1)) is None
        assert store.revision_seen_at(opened) == 0
        store.put(("a",), "k", {"n": 1})
        store.put(("a",), "k", {"n": 2})
        assert store.revision_seen_at(opened) == 0
        assert store.revision_seen_at(datetime.now().astimezone()) == 2
