"""`export` and `load` of everything, and `learn` from conversations that were held before."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli.world import ALEX, Run

from langgraph_learning import LearningMachine, connect
from langgraph_learning.testing import ScriptedChatModel, op

MACHINE = """
from langgraph_learning import LearningMachine
from langgraph_learning.testing import ScriptedChatModel, op

extractions = [[op("add_memory", content="Keeps bees")], [op("add_memory", content="Hikes")]]
learning = LearningMachine(user_memory=True, model=ScriptedChatModel(extractions=extractions))
"""


@pytest.fixture
def shared(url: str) -> str:
    """The URL of a database with shared knowledge beside what Alex and Bo taught."""
    model = ScriptedChatModel(extractions=[[op("remember_about", entity="Acme", entity_type="company")]])
    with connect(url) as db:
        machine = LearningMachine(entity_memory=True, model=model)
        machine.scoped(user_id="bo", thread_id="t", store=db.store).learn([("user", "I work at Acme")])
    return url


@pytest.mark.parametrize("history", [(), ("--history",)], ids=["as it stands", "with history"])
def test_everything_comes_back_and_a_second_load_changes_nothing(
    run: Run, shared: str, tmp_path: Path, history: tuple[str, ...]
) -> None:
    file, other = tmp_path / "all.jsonl", f"sqlite:///{tmp_path / 'other.db'}"
    told = run("export", "-d", shared, "-o", str(file), *history).err
    assert "3 commits" in told
    assert "8 records" in told
    assert "Acme" in file.read_text("utf-8")
    rows = len(file.read_text("utf-8").splitlines())
    assert run("load", str(file), "-d", other, "--json").json == {"written": rows, "unchanged": 0}
    assert run("load", str(file), "-d", other).out == f"0 written, {rows} unchanged\n"
    assert run("export", "-d", other, *history).out == file.read_text("utf-8")
    commit = run("history", "-d", other, "-u", ALEX, "--json").lines[-1]["id"]
    assert run("undo", commit, "-d", other, "-u", ALEX, "--yes").code == (0 if history else 1)


def test_one_user_is_taken_out_of_a_whole_backup(run: Run, shared: str, tmp_path: Path) -> None:
    file, other = tmp_path / "all.jsonl", f"sqlite:///{tmp_path / 'other.db'}"
    run("export", "-d", shared, "-o", str(file))
    assert run("load", str(file), "-d", other, "-u", ALEX).code == 0
    assert [known["user"] for known in run("users", "-d", other, "--json").lines] == [ALEX]
    assert run("records", "-d", other, "--json").out == ""


def test_a_file_that_breaks_in_the_middle_says_where_and_what_is_in(run: Run, shared: str, tmp_path: Path) -> None:
    file, other = tmp_path / "all.jsonl", f"sqlite:///{tmp_path / 'other.db'}"
    whole = run("export", "-d", shared).out
    file.write_text(whole + '{"half a li', encoding="utf-8")
    ended = run("load", str(file), "-d", other)
    assert (ended.code, ended.out) == (1, "")
    assert f"line {len(whole.splitlines()) + 1} is no JSON" in ended.err
    assert "run the command again" in ended.err
    missing = run("load", str(tmp_path / "nothing.jsonl"), "-d", other)
    assert (missing.code, missing.err.startswith("error: cannot read")) == (1, True)


@pytest.mark.parametrize("shape", ["one thread", "threads", "lines"])
def test_old_conversations_are_learned_from_turn_by_turn(
    run: Run, empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    name = f"own_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(MACHINE)
    monkeypatch.chdir(tmp_path)
    said = [("user", "I keep bees"), ("assistant", "Nice"), ("user", "I hike"), ("assistant", "Good")]
    messages = [{"id": str(number), "role": role, "content": text} for number, (role, text) in enumerate(said)]
    threads = [{"thread_id": "old", "messages": messages[:2]}, {"thread_id": "older", "messages": messages[2:]}]
    file = tmp_path / "threads.json"
    shapes: dict[str, list[Any]] = {"one thread": [messages], "threads": [threads], "lines": threads}
    texts = shapes[shape]
    file.write_text("\n".join(json.dumps(text) for text in texts), encoding="utf-8")
    at = ("-d", empty, "-u", ALEX, "--machine", f"{name}:learning")
    assert run("learn", str(file), *at, "--json").json == {"turns": 2, "commits": 2, "changes": 2}
    found = run("records", "-d", empty, "-u", ALEX, "-s", "user_memory", "--json").lines
    assert {row["text"] for row in found} == {"Keeps bees", "Hikes"}
    assert {row["source"]["thread_id"] for row in found} == ({None} if shape == "one thread" else {"old", "older"})


def test_learning_needs_a_model_and_messages(run: Run, empty: str, tmp_path: Path) -> None:
    file = tmp_path / "threads.json"
    file.write_text('[{"role": "user", "content": "I keep bees"}]', encoding="utf-8")
    ended = run("learn", str(file), "-d", empty, "-u", ALEX)
    assert (ended.code, ended.out) == (1, "")
    assert "--model" in ended.err
    file.write_text('[{"text": "I keep bees"}]', encoding="utf-8")
    ended = run("learn", str(file), "-d", empty, "-u", ALEX, "--model", "openai:gpt-5.2")
    assert "entry 1 of threads.json is no thread" in ended.err
