"""Several tasks and processes learn for one user at once, and one of them dies in the middle."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from langgraph_learning import LearningDB, LearningMachine, UserProfileConfig, connect
from langgraph_learning.schemas import UserProfile
from langgraph_learning.testing import ScriptedChatModel, op

LEARNS = """
import sys
from langgraph_learning import LearningMachine, UserProfileConfig, connect
from langgraph_learning.schemas import UserProfile
from langgraph_learning.testing import ScriptedChatModel, op

class Speaker(UserProfile):
    languages: list[str] = []

url, name, turns = sys.argv[1], sys.argv[2], int(sys.argv[3])
extractions = [
    [op("update_user_profile", languages=[f"{name} {turn}"]), op("add_memory", content=f"Said {name} {turn}")]
    for turn in range(turns)
]
with connect(url) as db:
    machine = LearningMachine(
        user_profile=UserProfileConfig(schema=Speaker), user_memory=True,
        model=ScriptedChatModel(extractions=extractions), store=db.store,
    )
    for turn in range(turns):
        machine.scoped(user_id="alex").learn([("user", f"{name} {turn}")])
        print(turn, flush=True)
"""


class Speaker(UserProfile):
    languages: list[str] = []  # noqa: RUF012 - pydantic copies it


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "postgres":
        yield request.getfixturevalue("postgres_url")
    else:
        yield f"sqlite:///{tmp_path / 'learning.db'}"


def learner(url: str, name: str, turns: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", LEARNS, url, name, str(turns)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def taught(db: LearningDB) -> tuple[list[str], list[str], int]:
    """What is known: the languages of the one profile field, the memories, and how many commits there are."""
    machine = LearningMachine(user_profile=UserProfileConfig(schema=Speaker), user_memory=True, store=db.store)
    alex = machine.scoped(user_id="alex")
    memories = [record.text for record in alex.records("user_memory")]
    return alex.profile(Speaker).languages or [], memories, len(alex.commits())


def test_four_processes_learn_for_one_user_and_nothing_is_lost(url: str) -> None:
    running = [learner(url, f"p{number}", 5) for number in range(4)]
    ended = [(process.communicate()[1], process.returncode) for process in running]
    assert [(error, code) for error, code in ended if code] == []
    with connect(url) as db:
        languages, memories, commits = taught(db)
    assert (len(set(languages)), len(set(memories)), commits) == (20, 20, 20)


def test_a_process_that_is_killed_leaves_every_turn_whole_or_not_at_all(url: str) -> None:
    process = learner(url, "victim", 500)
    assert process.stdout
    while int(process.stdout.readline()) < 20:
        time.sleep(0)
    process.kill()
    process.communicate()
    with connect(url) as db:
        languages, memories, commits = taught(db)
    assert len(languages) == len(memories) == commits
    assert 21 <= commits < 500


def test_sixteen_tasks_learn_for_one_user_and_nothing_is_lost(url: str) -> None:
    async def learn(db: LearningDB, number: int) -> None:
        said = [op("update_user_profile", languages=[f"l{number}"]), op("add_memory", content=f"Said {number}")]
        machine = LearningMachine(
            user_profile=UserProfileConfig(schema=Speaker),
            user_memory=True,
            model=ScriptedChatModel(extractions=[said]),
            store=db.store,
        )
        assert await machine.scoped(user_id="alex").alearn([("user", f"turn {number}")])

    async def live() -> tuple[list[str], list[str], int]:
        async with connect(url) as db:
            await asyncio.gather(*(learn(db, number) for number in range(16)))
            return taught(db)

    languages, memories, commits = asyncio.run(live())
    assert (len(languages), len(memories), commits) == (16, 16, 16)
