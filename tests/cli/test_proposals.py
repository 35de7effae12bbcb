"""Proposals from the command line: shown, approved, edited, rejected; and the user's own machine."""

from pathlib import Path

import pytest
from cli.world import ALEX, Run

from langgraph_learning import LearningMachine, UserMemoryConfig, UserProfileConfig, connect
from langgraph_learning.config import LearningMode
from langgraph_learning.schemas import UserProfile
from langgraph_learning.testing import ScriptedChatModel, op

OWN = """
from examples.custom_store import Todos
from langgraph_learning import LearningMachine, UserProfileConfig
from langgraph_learning.schemas import UserProfile

class Profile(UserProfile):
    role: str | None = None

print("starting up")
learning = LearningMachine(user_profile=UserProfileConfig(schema=Profile), user_memory=True, custom_stores=[Todos()])
nothing = 5
"""


class Profile(UserProfile):
    role: str | None = None


@pytest.fixture
def waiting(empty: str) -> str:
    """The URL of a database where two memories and a field of a schema of one's own wait for a person."""
    taught = [
        op("add_memory", content="Drinks tea"),
        op("add_memory", content="Hikes"),
        op("update_user_profile", role="engineer"),
    ]
    machine = LearningMachine(
        model=ScriptedChatModel(extractions=[taught]),
        user_memory=UserMemoryConfig(mode=LearningMode.PROPOSE),
        user_profile=UserProfileConfig(mode=LearningMode.PROPOSE, schema=Profile),
    )
    with connect(empty) as db:
        machine.scoped(user_id=ALEX, thread_id="monday", store=db.store).learn([("user", "Tea, hikes, engineer")])
    return empty


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A machine of the user's own, in a module beside where the command is run."""
    name = f"own_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return f"{name}:learning"


def pending(run: Run, url: str) -> dict[str, str]:
    found = run("proposals", "-d", url, "-u", ALEX, "--json").lines
    return {proposal["changes"][0]["text"]: proposal["id"] for proposal in found}


def texts(run: Run, url: str) -> list[str]:
    return [row["text"] for row in run("records", "-d", url, "-u", ALEX, "--json").lines]


def test_what_waits_is_shown_and_decided(run: Run, waiting: str) -> None:
    at = ("-d", waiting, "-u", ALEX)
    ids = pending(run, waiting)
    assert ids.keys() == {"Drinks tea", "Hikes", "role: engineer"}
    assert "Add: Drinks tea" in run("proposals", *at).out
    edited = run("decide", ids["Drinks tea"], "approve", "--edit", '{"content": "Drinks oolong"}', "--by", "bo", *at)
    assert edited.out.startswith("approved by commit ")
    assert run("decide", ids["Hikes"], "reject", "-m", "no", *at, "--json").json["result"] == "rejected"
    assert texts(run, waiting) == ["Drinks oolong"]
    [record] = run("records", *at, "--json").lines
    assert record["source"]["approved_by"] == "bo"
    again = run("decide", ids["Hikes"], "approve", *at, "--json")
    assert (again.code, again.out) == (1, "")
    assert "rejected" in again.err
    assert pending(run, waiting).keys() == {"role: engineer"}


def test_a_proposal_of_a_schema_of_ones_own_is_not_approved_without_it(run: Run, waiting: str, own: str) -> None:
    at = ("-d", waiting, "-u", ALEX)
    key = pending(run, waiting)["role: engineer"]
    refused = run("decide", key, "approve", *at)
    assert refused.code == 1
    assert "--machine module:name" in refused.err
    assert "role: engineer" in pending(run, waiting)
    done = run("decide", key, "approve", *at, "--machine", own, "--json")
    assert done.json["result"] == "approved"
    assert texts(run, waiting) == ["role: engineer"]


def test_ones_own_machine_renders_its_own_learning_stores(run: Run, url: str, own: str) -> None:
    at = ("-d", url, "-u", ALEX)
    assert "What the user wants to get done:" not in run("recall", "tea", *at).out
    recalled = run("recall", "tea", *at, "--machine", own, "--json")
    assert "What the user wants to get done:" in recalled.json["text"]


@pytest.mark.parametrize("wrong", ["nowhere:learning", "{own}:missing", "{own}:nothing", "{own}", ":learning"])
def test_what_names_no_machine_is_refused(run: Run, url: str, own: str, wrong: str) -> None:
    where = wrong.format(own=own.partition(":")[0])
    ended = run("recall", "tea", "-d", url, "-u", ALEX, "--machine", where, "--json")
    assert (ended.code, ended.out) == (1, "")
    assert f"--machine {where}" in ended.err
