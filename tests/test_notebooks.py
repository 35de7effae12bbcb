"""The notebooks run top to bottom without a key, show what they promise, and are kept with what they show."""

import ast
import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
import psycopg
import pytest
from nbclient.exceptions import CellExecutionError
from openai_stub import openai_stub

from langgraph_learning import LearningMachine, connect
from langgraph_learning.testing import ScriptedChatModel, model_or_script, op
from notebooks import run
from notebooks.outputs import settle_outputs
from notebooks.run import HERE, every, executed

STALE = "its outputs are not those of its cells: python -m notebooks.run --save"
PRIVATE = re.compile(r"(?<![\w.])_[a-z]\w+|__pregel\w*|learning_(?:turn|text|watermark)|object at 0x")
PICTURE = re.compile(r'<img src="data:image/svg[^"]*"([^>]*?) width="\d+"')
NOTEBOOKS = every()
NAMES = [str(path.relative_to(HERE)) for path in NOTEBOOKS]


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "LEARNING_MODEL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_a_notebook_opens_with_what_is_to_be_seen_and_with_the_product(path: Any) -> None:
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert all(cell.metadata == {} for cell in notebook.cells)
    assert notebook.cells[0].source.startswith("# ")
    assert "**You will see**" in notebook.cells[0].source
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    told = [line for line in ast.parse(code[0]).body if not isinstance(line, ast.Import | ast.ImportFrom)]
    assert "cookbook.start(" in ast.unparse(told[0]), "the words of the model stand in notebooks/scripts"
    assert "langgraph_learning" in code[0]
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


@pytest.fixture(params=["files", "postgres"])
def persistent(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """Where notebooks learn into: a file each, or one Postgres, as with docker compose."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    if request.param == "files":
        return None
    url: str = request.getfixturevalue("postgres_url")
    monkeypatch.setenv("DATABASE_URL", url)
    return url


@pytest.mark.usefixtures("no_key")
def test_all_notebooks_run_on_each_database_and_show_what_is_kept_with_them(persistent: str | None) -> None:
    kept = [nbformat.read(path, as_version=4) for path in NOTEBOOKS]
    for name, notebook, as_kept in zip(NAMES, asyncio.run(executed(NOTEBOOKS)), kept, strict=True):
        shown = list(_outputs(settle_outputs(notebook)))
        assert [text for mime, text in shown if mime == "stderr"] == [], name
        assert "scripted" in shown[0][1], f"{name} says first whose words they are"
        assert sum(mime == "text/html" and 'class="learned"' in text for mime, text in shown) >= 2, name
        assert [found for mime, text in shown if mime != "text/html" and (found := PRIVATE.findall(text))] == [], name
        assert [text for mime, text in shown if re.search(r"<svg|\bstyle=", text)] == [], (
            "an untrusted notebook drops it"
        )
        assert all(' alt="' in image for _, text in shown for image in re.findall("<img[^>]*>", text)), name
        expected, place = list(_outputs(as_kept)), [text for _, text in shown if "stays. Look at it" in text]
        assert place, f"{name} says where it can be looked at"
        if persistent is None:
            assert shown == expected, f"{name}: {STALE}"
        elif "vector_store" in name:  # it has a part for Postgres alone
            assert ("text/markdown", "On Postgres.") in shown
            assert any("Photographs are scanned for text" in text for _, text in shown if "Found by pgvector" in text)
        else:
            assert _without_place(shown) == _without_place(expected), name
    if persistent:
        _look_from_elsewhere(persistent)


def _without_place(shown: list[tuple[str, str]]) -> list[list[str]]:
    """Return what is the same on every database: Postgres gives the fields of a record in an order of its own."""
    return [sorted(text.split("<tr>")) for _, text in shown if " -d " not in text]


def _look_from_elsewhere(url: str) -> None:
    """What notebooks learned is there when their kernel is gone; nothing lies beside their schemas."""
    with connect(url, schema="cookbook_basics_user_profile_always") as db:
        learning = LearningMachine(user_profile=True, store=db.store)
        assert learning.scoped(user_id="alice").profile().preferred_name == "Ali"
    with psycopg.connect(url) as reader:
        assert reader.execute("select to_regclass('public.hybrid_items')").fetchall() == [(None,)]
        assert reader.execute("select to_regclass('learned_by_a_notebook')").fetchall() == [(None,)]
        schemas = reader.execute("select count(*) from pg_namespace where nspname like 'cookbook\\_%'").fetchone()
        assert schemas == (len(NOTEBOOKS),)


def test_outputs_are_settled_whatever_the_day_and_the_ids() -> None:
    now = datetime.now(UTC)
    one, other = "0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    text = f"{other} {one} {other} at {now:%Y-%m-%d %H:%M}, {now - timedelta(1):%Y-%m-%d}, 2026-02-03, {now!r}"
    cell = nbformat.v4.new_code_cell("1")
    cell.outputs = [
        nbformat.v4.new_output("stream", name="stdout", text="a"),
        nbformat.v4.new_output("stream", name="stdout", text="b"),
        nbformat.v4.new_output("display_data", {"text/plain": text, "image/png": "made elsewhere"}),
    ]
    settle_outputs(nbformat.v4.new_notebook(cells=[cell]))
    first, second = (f"{number:08x}-0000-4000-8000-000000000000" for number in (1, 2))
    assert [output.get("text") for output in cell.outputs] == ["ab", None]
    assert cell.outputs[1].data == {
        "text/plain": f"{first} {second} {first} at 2026-01-07 12:00, 2026-01-06, 2026-02-03,"
        " datetime.datetime(2026, 1, 7, 12, 0, tzinfo=datetime.timezone.utc)"
    }


def test_outputs_of_a_model_or_a_database_of_ones_own_are_not_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEARNING_MODEL", "openai:some-model")
    monkeypatch.setattr("sys.argv", ["run", "--save"])
    with pytest.raises(SystemExit):
        run.main()
    assert "unset LEARNING_MODEL" in capsys.readouterr().err


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
    """What is seen of each output: its richest form; pictures by their words, as processors place boxes differently."""
    for output in (output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs):
        if output.output_type == "stream":
            yield output.name, output.text
        else:
            mime = next(mime for mime in ("text/html", "text/markdown", "text/plain") if mime in output.data)
            yield mime, PICTURE.sub(r'<img src="..."\1', output.data[mime])


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
