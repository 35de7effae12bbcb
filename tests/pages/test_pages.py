"""The README and the documentation are true: they run as they stand, with the real client against a server of ours."""

import subprocess
from pathlib import Path

import pytest
from openai_stub import openai_stub
from pages.running import COMMAND, DATABASE, PAGES, ROOT, Block, Running, blocks
from pages.scripts import SCRIPTS, Script

from langgraph_learning.cli.app import app

NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
RUNNING = [name for name, page in zip(NAMES, PAGES, strict=True) if any(block.runs for block in blocks(page))]
NOT_RUN = {
    "pip install": "the environment of the tests has it; the wheel's own test installs the wheel",
    "docker compose": "no Docker here; tests/test_compose.py checks the file, and the DSN is the tests' own Postgres",
    "langgraph-learning worker": "it runs until it is asked to end; tests/background/test_worker.py does",
    "export": "the tests set their own environment",
    "python -m notebooks.run": "tests/test_notebooks.py runs them all, and reads its help",
}
"""The commands that no test runs, and why. `make` targets are looked up: what they run has tests of its own."""


@pytest.mark.parametrize("name", RUNNING)
def test_a_page_runs_top_to_bottom_and_prints_what_it_says(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    page = ROOT / name
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("COLUMNS", "100")
    for variable in ("DATABASE_URL", "LANGGRAPH_LEARNING_DB", "LEARNING_MODEL"):
        monkeypatch.delenv(variable, raising=False)
    replaced = database(request) if DATABASE in page.read_text(encoding="utf-8") else {}
    script = SCRIPTS.get(name, Script())
    with openai_stub() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        server.replies, server.extractions = list(script.replies), list(script.extractions)
        Running(page, lambda: capsys.readouterr().out, command, replaced).run()
        assert (server.replies, server.extractions) == ([], []), "the script says more than the page asks for"


def database(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return what stands for the database of docker-compose.yml: one of this test's own."""
    url = request.getfixturevalue("postgres_url")
    return {f"postgresql://{DATABASE}": url, DATABASE: url.removeprefix("postgresql://")}


def command(words: list[str]) -> None:
    """Run the command line in this process; what it refuses or fails in has a code."""
    assert not app(words, standalone_mode=False), words


def every_command() -> list[tuple[str, Block, list[str]]]:
    found = [(name, block) for name, page in zip(NAMES, PAGES, strict=True) for block in blocks(page)]
    return [(name, block, words) for name, block in found if block.language == "bash" for words in block.commands]


def test_every_command_of_the_pages_runs_or_is_left_out_for_a_reason() -> None:
    used = set()
    for name, block, words in every_command():
        target = next((word for word in words if "=" not in word), "")
        reason = next((start for start in NOT_RUN if " ".join(words).startswith(start)), None)
        if target in (COMMAND, "make") and reason is None:
            continue
        assert reason, f"{name}:{block.line}: {' '.join(words)}"
        used.add(reason)
    assert used == set(NOT_RUN), "a reason that nothing needs"


def test_every_make_target_of_the_pages_is_there() -> None:
    targets = {word for _, _, words in every_command() if "make" in words for word in words[words.index("make") + 1 :]}
    assert targets
    subprocess.run(["make", "--dry-run", *targets], cwd=ROOT, check=True, capture_output=True)


def test_every_script_is_of_a_page() -> None:
    assert set(SCRIPTS) <= set(RUNNING)
