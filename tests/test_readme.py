"""The README and the examples; that the README's code runs is tested in `pages/`, with that of all other pages."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_the_readme_is_short_and_draws_the_graph_as_it_is() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) < 220
    assert "](docs/pictures/around.svg)" in readme


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


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
