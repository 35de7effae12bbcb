"""The commands that make an agent better, and that show whether it is."""

import json
import sys
from pathlib import Path

import pytest
from cli.world import Run

MODULE = """
from langgraph_learning import LearningMachine, LearningMode, ProceduresConfig, create_learning_agent
from langgraph_learning.testing import ScriptedChatModel, op

THERE = "select count(*) from orders_v2"
LESSON = op("save_procedure", quote=THERE, title="Count orders", when="Somebody asks how many orders there are",
            steps=["run_sql: " + THERE])
learning = LearningMachine(
    model=ScriptedChatModel(extractions=[[], [LESSON], [LESSON]]), procedures=ProceduresConfig(mode=LearningMode.ALWAYS)
)
agent = create_learning_agent(
    ScriptedChatModel(replies=[lambda messages: "\\n".join(str(each.text) for each in messages)], repeat=True),
    learning=learning,
)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "sql_agent.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "sql_agent", raising=False)
    return "sql_agent"


def test_reflect_says_what_it_would_do_then_does_it_and_eval_shows_that_it_helped(
    run: Run, empty: str, module: str, tmp_path: Path
) -> None:
    from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

    from langgraph_learning import connect

    learning = __import__(module).learning
    with connect(empty) as db:
        calls = [AIMessage("", tool_calls=[{"name": "run_sql", "args": {"query": q}, "id": q}]) for q in ("a", "b")]
        calls[1].tool_calls[0]["args"] = {"query": "select count(*) from orders_v2"}
        failed = ToolMessage("no such table", tool_call_id="a", name="run_sql", status="error")
        worked = ToolMessage("12", tool_call_id="b", name="run_sql")
        asked = HumanMessage("How many orders?", id="h1")
        learning.scoped(user_id="ada", store=db.store).learn([asked, calls[0], failed, calls[1], worked])

    machine = ("-d", empty, "--machine", f"{module}:learning")
    dry = run("reflect", *machine)
    assert (dry.code, "add procedures: Count orders" in dry.out) == (0, True)
    assert "--apply makes the changes" in dry.err
    done = run("reflect", *machine, "--apply", "--json").json
    assert len(done["commits"]) == 1

    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text(
        json.dumps({"input": "Count the orders", "user_id": "bo", "expect": "orders_v2"}), encoding="utf-8"
    )
    curve = run("eval", str(tasks), f"{module}:agent", "-d", empty, "--at", "0,1,2,50", "--json")
    assert curve.code == 0, curve.err
    assert [(point["at"], point["pass_rate"]) for point in curve.json["points"]] == [(0, 0), (1, 0), (2, 1)]
    assert curve.json["beyond"] == [50]
    assert run("stats", "-d", empty, "--json").json["learning"]["procedures"]["learned"] == 1


def test_eval_says_what_is_wrong_with_what_it_was_given(run: Run, url: str, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text('{"input": "Hi", "expect": "x"}', encoding="utf-8")
    assert "give a compiled graph" in run("eval", str(tasks), "json:dumps", "-d", url).err
    assert "numbers of commits" in run("eval", str(tasks), "json:dumps", "-d", url, "--at", "many").err
    assert "cannot read" in run("eval", str(tmp_path / "none.jsonl"), "json:dumps", "-d", url).err
    assert "no model to reflect with" in run("reflect", "-d", url).err
