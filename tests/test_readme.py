"""The README's code runs as it stands, top to bottom, with the real client against a server of this machine."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from openai_stub import openai_stub

from langgraph_learning.testing import op

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.S | re.M)
DSN = "postgresql://learning:learning@localhost:5432/learning"


def test_every_python_block_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with openai_stub() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        server.replies = ["Nice to meet you, Alex.", "You prefer concise answers."]
        server.extractions = [
            [op("add_memory", content="Prefers concise answers", quote="I prefer concise answers")],
            [],
            [op("update_user_profile", languages=["Rust"], experience_years=12, quote="Rust for 12 years")],
        ]
        namespace: dict[str, object] = {}
        for number, block in enumerate(BLOCKS):
            exec(compile(block.replace(DSN, postgres_url), f"README block {number}", "exec"), namespace)
        assert server.replies == server.extractions == []
    printed = capsys.readouterr().out
    assert "You prefer concise answers." in printed
    assert "experience_years=12" in printed
    assert "Prefers concise answers" in str(server.requests[2])  # shown to the second conversation


@pytest.mark.parametrize(
    ("example", "said", "shown"),
    [
        ("examples.demo", "", ["are scripted", "Alex Rivera", "matches pipelines", "What it cost"]),
        (
            "examples.chat",
            "I like green tea.\n/new\nWhat do I like?\n\n",
            ["are scripted", "add", "- I like green tea."],
        ),
    ],
)
def test_the_examples_run_without_a_key_and_say_so_first(
    example: str, said: str, shown: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'learning.db'}")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    command = [sys.executable, "-W", "error", "-m", example]
    done = subprocess.run(command, input=said, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "scripted" in done.stdout.split(".")[0], "the first sentence says whose words they are"
    assert [part for part in shown if part not in done.stdout] == []
