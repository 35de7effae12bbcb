"""The benchmarks that anybody with the data can run: they read the formats, learn, ask and judge."""

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from benchmarks import answers, curve, life
from benchmarks.locomo import read
from langgraph_learning.testing import ScriptedChatModel

TALK: dict[str, Any] = {
    "speaker_a": "Ann",
    "speaker_b": "Ben",
    "session_1_date_time": "1:56 pm on 8 May, 2023",
    "session_1": [
        {"speaker": "Ann", "dia_id": "D1:1", "text": "I adopted a puppy called Rex."},
        {"speaker": "Ben", "dia_id": "D1:2", "text": "Lovely! I paint."},
    ],
    "session_1_observation": {"Ann": [["Ann has a puppy called Rex.", "D1:1"]], "Ben": [["Ben paints.", ["D1:2"]]]},
    "qa": [
        {"question": "What is Ann's puppy called?", "answer": "Rex", "evidence": ["D1:1"], "category": 4},
        {"question": "Which car does Ben drive?", "adversarial_answer": "none", "evidence": [], "category": 5},
    ],
}
HAYSTACK: dict[str, Any] = {
    "question_id": "q1",
    "question_type": "single-session-user",
    "question": "Which tea do I like?",
    "answer": "Oolong tea",
    "question_date": "2023/05/30 (Tue) 23:40",
    "haystack_session_ids": ["s1"],
    "haystack_dates": ["2023/05/20 (Sat) 02:21"],
    "haystack_sessions": [
        [{"role": "user", "content": "I like oolong tea.", "has_answer": True}, {"role": "assistant", "content": "Ok."}]
    ],
}


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    (tmp_path / "1.json").write_text(json.dumps(TALK), encoding="utf-8")
    return tmp_path


def knows(word: str, said: str) -> ScriptedChatModel:
    """A script that answers what it is shown, and knows nothing else."""

    def reply(messages: list[BaseMessage]) -> str:
        return said if word in str(messages[0].text) else "unknown"

    return ScriptedChatModel(replies=[reply], repeat=True)


def test_locomo_is_asked_and_judged_by_kind(talk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers.main(["--locomo", str(talk)], knows("Rex", "rex"))
    assert "| single | 1 | 100.0 | 100.0 |\n| all | 1 | 100.0 | 100.0 |" in capsys.readouterr().out


def test_longmemeval_is_asked_on_its_day_and_half_an_answer_is_half_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.json").write_text(json.dumps([HAYSTACK]), encoding="utf-8")
    model = knows("oolong", "oolong")
    answers.main(["--longmemeval", str(tmp_path / "s.json")], model)
    assert "| single-session-user | 1 | 0.0 | 66.7 |" in capsys.readouterr().out
    assert "Today is Tuesday, 30 May 2023" in model.prompt()


def test_a_life_has_the_whole_conversation_and_tasks_between(talk: Path) -> None:
    lived = life.live(read(talk / "1.json"), 11)
    assert [one.thing is None for one in lived].count(True) == 1
    assert len({one.thread for one in lived if one.thing}) == 10
    assert {str(each["operation"]) for one in lived for each in one.operations} == {
        "add_memory",
        "remember_about",
        "save_procedure",
    }


def test_what_is_learned_in_a_life_is_found_and_what_it_costs_is_counted(
    talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curve, "COUNTS", (2, 12))
    found = curve.curves(read(talk / "1.json"), 1, "all")
    talked, tasks = slice(0, 3), slice(3, 6)
    assert found["all", 0] == [0.0] * 6
    assert found["all", 12][talked] == [1.0] * 3
    assert found["all", 12][tasks] > found["all", 2][tasks] > [0.0] * 3
    assert found["all but procedures", 12][tasks] == [0.0] * 3
    spent = curve.costs(read(talk / "1.json"))
    assert spent["calls"]["tokens"] == 12 + 11, "a turn with tool calls is shown to procedures apart"
    assert spent["procedures"]["learned"] == 11
    assert spent["procedures"]["tokens"] > 0
