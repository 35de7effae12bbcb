"""Several turns, agents and processes at once for one user: all read before any writes, so what can be lost is."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from acceptance.driver import BOTH, Home
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langgraph.store.base import BaseStore

from langgraph_learning import LearningMachine, UserProfileConfig, connect, create_learning_agent
from langgraph_learning.schemas import UserProfile
from langgraph_learning.testing import ScriptedChatModel, op

ALICE: Any = {"user_id": "alice"}


class Speaker(UserProfile):
    """A profile with a list: one record that all turns write."""

    languages: list[str] = []  # noqa: RUF012 - pydantic copies it


def both_kinds(store: BaseStore | None, **options: Any) -> LearningMachine:
    """A machine that is told of records of their own and of one that all share."""
    return LearningMachine(user_profile=UserProfileConfig(schema=Speaker), user_memory=True, store=store, **options)


def told(number: int) -> list[dict[str, Any]]:
    return [op("add_memory", content=f"Owns item {number}"), op("update_user_profile", languages=[f"l{number}"])]


def agent(store: BaseStore, model: ScriptedChatModel) -> Any:
    """An agent on a machine of its own: another instance, as in another worker."""
    return create_learning_agent(model, learning=both_kinds(store), store=store)


def taught(store: BaseStore) -> tuple[list[str], list[str]]:
    """The memories, and the languages in the one field of the profile."""
    alice = both_kinds(store).scoped(user_id="alice")
    return sorted(record.text for record in alice.records("user_memory")), alice.profile(Speaker).languages or []


def all_read(barrier: Barrier, answer: object) -> Callable[[list[BaseMessage]], object]:
    """A script that answers once everybody has asked: what is stored has been read by then, and nothing written."""

    def script(_: list[BaseMessage]) -> object:
        barrier.wait(60)
        return answer

    return script


def said(number: int) -> dict[str, Any]:
    return {"messages": [("user", f"turn {number}")]}


def test_eight_threads_with_an_agent_each_add_to_one_and_nine_are_kept(url: str) -> None:
    barrier = Barrier(8)
    with connect(url) as db:
        agent(db.store, ScriptedChatModel(replies=["Ok."], extractions=[told(0)])).invoke(said(0), context=ALICE)

        def turn(number: int) -> None:
            model = ScriptedChatModel(replies=["Ok."], extractions=[all_read(barrier, told(number))])
            agent(db.store, model).invoke(said(number), {"configurable": {"thread_id": f"c{number}"}}, context=ALICE)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(turn, range(1, 9)))
        memories, languages = taught(db.store)
    assert memories == [f"Owns item {number}" for number in range(9)]
    assert sorted(languages) == [f"l{number}" for number in range(9)]


class Meeting(ScriptedChatModel):
    """Answers an extraction once everybody has asked, without keeping the event loop."""

    barrier: Any = None

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if kwargs.get("purpose") == "extraction":
            await asyncio.wait_for(self.barrier.wait(), 60)
        return self._generate(messages, stop, **kwargs)


def test_sixteen_tasks_of_one_loop_add_to_one_and_seventeen_are_kept(url: str) -> None:
    async def live() -> tuple[list[str], list[str]]:
        barrier = asyncio.Barrier(16)
        async with connect(url) as db:
            first = ScriptedChatModel(replies=["Ok."], extractions=[told(0)])
            await agent(db.store, first).ainvoke(said(0), context=ALICE)
            models = [Meeting(replies=["Ok."], extractions=[told(number)], barrier=barrier) for number in range(1, 17)]
            turns = (
                agent(db.store, model).ainvoke(said(number), context=ALICE) for number, model in enumerate(models, 1)
            )
            await asyncio.gather(*turns)
            return taught(db.store)

    memories, languages = asyncio.run(live())
    assert sorted(memories) == sorted(f"Owns item {number}" for number in range(17))
    assert sorted(languages) == sorted(f"l{number}" for number in range(17))


def test_also_a_store_without_compare_and_set_keeps_every_memory(home: Home) -> None:
    barrier = Barrier(8)

    def turn(number: int) -> None:
        answer = [op("add_memory", content=f"Owns item {number}")]
        made = home.agent(
            LearningMachine(user_memory=True), replies=["Ok."], extractions=[all_read(barrier, answer)], history=False
        )
        made.graph.invoke(said(number), context=ALICE)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(turn, range(8)))
    assert sorted(home.agent(LearningMachine(user_memory=True)).texts()) == [f"Owns item {n}" for n in range(8)]


PROCESS = """
import sys
from behaviour.test_concurrency import ALICE, agent, said, told
from langgraph_learning import connect
from langgraph_learning.testing import ScriptedChatModel

url, number = sys.argv[1], int(sys.argv[2])

def script(_):
    print("read", flush=True)
    sys.stdin.readline()
    return told(number)

with connect(url) as db:
    agent(db.store, ScriptedChatModel(replies=["Ok."], extractions=[script])).invoke(said(number), context=ALICE)
"""


def test_two_processes_that_have_both_read_lose_nothing_when_they_write(url: str) -> None:
    with connect(url) as db:
        agent(db.store, ScriptedChatModel(replies=["Ok."], extractions=[told(0)])).invoke(said(0), context=ALICE)
    tests = str(Path(__file__).parents[1])
    running = [
        subprocess.Popen(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {tests!r}){PROCESS}", url, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in (1, 2)
    ]
    assert [process.stdout.readline() for process in running if process.stdout] == ["read\n"] * 2
    ended = [process.communicate("go\n") for process in running]
    assert [(process.returncode, told) for process, (_, told) in zip(running, ended, strict=True)] == [(0, "")] * 2
    with connect(url) as db:
        memories, languages = taught(db.store)
    assert memories == ["Owns item 0", "Owns item 1", "Owns item 2"]
    assert sorted(languages) == ["l0", "l1", "l2"]


def test_every_run_is_told_of_its_own_commit_and_of_no_other(home: Home) -> None:
    barrier = Barrier(2)
    scripts: dict[str, Sequence[Any]] = {"teaches": [op("add_memory", content="Likes tea")], "asks": []}

    def script(messages: list[BaseMessage]) -> object:
        barrier.wait(60)
        return next(answer for said, answer in scripts.items() if said in messages[-1].text)

    one = home.agent(LearningMachine(user_memory=True), replies=["Ok."] * 2, extractions=[script] * 2, history=False)
    with ThreadPoolExecutor(2) as pool:
        teaching, asking = pool.map(lambda text: one.streamed(text, thread=text), ["teaches", "asks"])
    [commit] = [event["commit"] for event in teaching if event["learning"] == "learned"]
    [other] = [event["commit"] for event in asking if event["learning"] == "learned"]
    assert [change["text"] for change in commit["changes"]] == ["Likes tea"]
    assert other["changes"] == []
    assert commit["id"] != other["id"]


def test_a_machine_is_whole_from_the_start_for_all_who_use_it_first(home: Home) -> None:
    barrier = Barrier(8)
    learning = LearningMachine(**BOTH, session_context=True, store=home.store)

    def use(_: int) -> tuple[object, list[str], list[Any]]:
        barrier.wait(60)
        names = [each.name for each in learning.stores]
        return learning.stores, names, learning.scoped(user_id="alice", thread_id="c1").records()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(use, range(8)))
    whole = ["user_profile", "user_memory", "session_context"]
    assert [(names, records) for _, names, records in found] == [(whole, [])] * 8
    assert len({id(stores) for stores, _, _ in found}) == 1


def test_the_first_use_of_an_empty_database_by_many_at_once_makes_its_tables_once(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    barrier = Barrier(6)

    def first(number: int) -> None:
        barrier.wait(60)
        with connect(url) as db:
            model = ScriptedChatModel(replies=["Ok."], extractions=[told(number)])
            agent(db.store, model).invoke(said(number), context=ALICE)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(first, range(6)))
    with connect(url) as db:
        memories, languages = taught(db.store)
    assert (len(memories), len(languages)) == (6, 6)
    assert [record.getMessage() for record in caplog.records] == []
