"""The notebooks run top to bottom without a key, show what they promise, and are kept clean."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from openai_stub import openai_stub

from langgraph_learning.testing import ScriptedChatModel, model_or_script, op
from notebooks import run
from notebooks.run import HERE, every, executed

CLEAN = "clear it: jupyter nbconvert --clear-output --inplace, or ClearOutputPreprocessor"
PRIVATE = re.compile(r"(?<![\w.])_[a-z]\w+|__pregel\w*|learning_(?:turn|text|watermark)|object at 0x")
NOTEBOOKS = every()
NAMES = [str(path.relative_to(HERE)) for path in NOTEBOOKS]


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "LEARNING_MODEL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_a_notebook_is_kept_without_outputs_and_says_first_what_is_to_be_seen(path: Any) -> None:
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    for cell in notebook.cells:
        assert cell.metadata == {}, CLEAN
        assert cell.cell_type == "markdown" or (cell.outputs, cell.execution_count) == ([], None), CLEAN
    assert notebook.cells[0].source.startswith("# ")
    assert "**You will see**" in notebook.cells[0].source
    source = "\n".join(cell.source for cell in notebook.cells)
    assert "draw_mermaid_png" not in source, "it asks a server"
    assert not re.search(r"\._[a-z]", source), "a private name"


def test_running_notebooks_explains_itself_and_names_what_is_not_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments, code, told in (
        (["--help"], 0, "by default all of them"),
        (["none.ipynb"], 2, "no notebook 'none.ipynb'"),
    ):
        monkeypatch.setattr("sys.argv", ["run", *arguments])
        with pytest.raises(SystemExit) as ended:
            run.main()
        shown = capsys.readouterr()
        assert ended.value.code == code
        assert told in shown.out + shown.err


@pytest.mark.usefixtures("no_key")
def test_all_notebooks_run_without_a_key_say_so_and_show_what_was_learned() -> None:
    for name, notebook in zip(NAMES, asyncio.run(executed(NOTEBOOKS)), strict=True):
        shown = list(_outputs(notebook))
        assert [text for mime, text in shown if mime == "stderr"] == [], name
        assert "scripted" in shown[0][1], f"{name} says first whose words they are"
        assert sum(mime == "text/html" and 'class="learned"' in text for mime, text in shown) >= 2, name
        assert [found for mime, text in shown if mime != "text/html" and (found := PRIVATE.findall(text))] == [], name


@pytest.mark.usefixtures("no_key")
def test_a_notebook_runs_with_the_model_of_a_server_and_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    first = HERE / "01_basics" / "1a_user_profile_always.ipynb"
    with openai_stub() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("LEARNING_MODEL", "openai:some-model")
        server.replies = ["Hello from the server.", "You are Alice Chen.", "I do not know."]
        server.extractions = [[op("update_user_profile", name="Alice Chen", quote="I'm Alice Chen")], [], []]
        [notebook] = asyncio.run(executed([first]))
    shown = [text for _, text in _outputs(notebook)]
    assert shown[0] == "The model is openai:some-model."
    assert "Hello from the server." in shown[1]
    assert {request["model"] for request in server.requests} == {"some-model"}


@pytest.mark.usefixtures("no_key")
def test_the_vector_store_of_postgres_finds_what_was_learned_and_nothing_stays(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    monkeypatch.setenv("DATABASE_URL", postgres_url)
    [notebook] = asyncio.run(executed([HERE / "11_bring_your_vector_store.ipynb"]))
    shown = list(_outputs(notebook))
    assert [text for mime, text in shown if mime == "stderr"] == []
    assert ("text/markdown", "On Postgres.") in shown
    assert "Found by pgvector" in shown[-1][1]
    assert "Photographs are scanned for text" in shown[-1][1]
    with psycopg.connect(postgres_url) as reader:
        assert reader.execute("select to_regclass('learned_by_a_notebook')").fetchall() == [(None,)]
        assert reader.execute("select count(*) from hybrid_items").fetchall() == [(0,)]


def test_a_notebook_starts_with_no_name_of_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "AT_ONCE", 1)
    paths = [tmp_path / "1.ipynb", tmp_path / "2.ipynb"]
    for path, source in zip(paths, ("name = 1", "'name' in globals()"), strict=True):
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
    one, other = asyncio.run(executed(paths))
    assert list(_outputs(other)) == [("text/plain", "False")]
    assert (one.cells[0].execution_count, other.cells[0].execution_count) == (1, 1)


def test_a_cell_that_fails_is_an_error_that_says_which(tmp_path: Path) -> None:
    path = tmp_path / "bad.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")]), path)
    with pytest.raises(CellExecutionError, match="1 / 0"):
        asyncio.run(executed([path]))


def _outputs(notebook: Any) -> Iterator[tuple[str, str]]:
    """What is seen of each output: its richest form."""
    for output in (output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs):
        if output.output_type == "stream":
            yield output.name, output.text
        else:
            mime = next(mime for mime in ("text/html", "text/markdown", "text/plain") if mime in output.data)
            yield mime, output.data[mime]


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "No OPENAI_API_KEY"),
        ({"LEARNING_MODEL": "a-name-alone"}, "No OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": "none"}, "The model is openai:gpt-5.2."),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:9"}, "The model is openai:gpt-5.2."),
        ({"OPENAI_API_KEY": "none", "LEARNING_MODEL": "gpt-mini"}, "The model is openai:gpt-mini."),
        ({"OPENAI_API_KEY": "none", "LEARNING_MODEL": "openai:gpt-mini"}, "The model is openai:gpt-mini."),
    ],
)
@pytest.mark.usefixtures("no_key")
def test_a_real_model_is_taken_where_one_is_named(
    environment: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    model, line = model_or_script(replies=["Hi."])
    assert line.startswith(told)
    assert isinstance(model, ScriptedChatModel) == line.startswith("No ")
