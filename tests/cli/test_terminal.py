"""What a terminal, a pipe and a shell get: text first, ids that can be copied, colour where it is wanted, at once."""

import io
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from cli.world import ALEX, Run

from langgraph_learning.cli.output import Column, show
from langgraph_learning.cli.queries import LEARNING_STORES, complete_store
from langgraph_learning.cli.short_ids import find_by_prefix, shorten
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.stores.resolve_stores import SLOTS

LONG = "Prefers answers that say the most important thing first and leave out what was not asked for, in every case"
ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
ESCAPE = "\x1b"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Shows a long record with a long id on a terminal of so many columns."""

    def on(width: int, *, no_color: str = "1") -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("NO_COLOR", no_color)
        monkeypatch.setattr(sys, "stdout", terminal := Terminal())
        columns = (
            Column("text", lambda row: row[0]),
            Column("learning store", lambda row: "user_memory", "name"),
            Column("where", lambda row: "thread monday", "detail"),
            Column("updated", lambda row: "2026-05-01 09:00", "time"),
            Column("id", lambda row: row[1], "id"),
        )
        show([(LONG, ID), ("Hikes", "1c8fad5b-d9cb-469f-a165-70867728950e")], columns, as_json=False)
        return terminal.getvalue()

    return on


@pytest.mark.parametrize("width", [80, 120])
def test_text_gets_the_width_and_ids_stand_unfolded_at_the_end(shown: Callable[..., str], width: int) -> None:
    lines = shown(width).splitlines()
    [first] = [line for line in lines if "Prefers answers" in line]
    assert first.rstrip().endswith("0f8fad5b")
    assert first.index("user_memory") > 30
    assert max(map(len, lines)) <= width
    assert ("thread monday" in "".join(lines)) == (width == 120)


def test_colour_is_for_terminals_and_none_with_no_color(shown: Callable[..., str]) -> None:
    assert ESCAPE in shown(80, no_color="")
    assert ESCAPE not in shown(80, no_color="1")


def test_a_pipe_gets_one_line_a_record_with_whole_ids(run: Run, url: str) -> None:
    out = run("records", "-d", url, "-u", ALEX).out
    assert len(out.splitlines()) == 6
    assert all(len(line.split("\t")) == 6 for line in out.splitlines())
    ids = {row["id"] for row in run("records", "-d", url, "-u", ALEX, "--json").lines}
    assert {line.split("\t")[-1] for line in out.splitlines()} == ids
    assert len(run("history", "-d", url, "-u", ALEX).out.splitlines()) == 2


def test_ids_are_shown_by_what_tells_them_apart() -> None:
    near = "0f8fad5b-d9cb-469f-a165-70867728950f"
    assert shorten([ID, near, "user_profile:name", "tea"]) == {
        ID: ID, near: near, "user_profile:name": "user_profile:name", "tea": "tea",
    }  # fmt: skip
    assert shorten([ID]) == {ID: "0f8fad5b"}
    assert shorten([ID, "0f8fad5b-e" + ID[10:]])[ID] == "0f8fad5b-d"


def test_a_beginning_that_one_id_has_is_enough_and_an_exact_id_wins() -> None:
    assert find_by_prefix("0f8f", [ID, "1a"], "record", "records") == ID
    assert find_by_prefix("tea", ["tea", "tea2"], "record", "records") == "tea"
    with pytest.raises(ConfigurationError, match="beginning of 2 ids: tea2, tea3"):
        find_by_prefix("te", ["tea2", "tea3"], "record", "records")
    for nothing in ("x", ""):
        with pytest.raises(ConfigurationError, match="`records` lists them"):
            find_by_prefix(nothing, ["tea2"], "record", "records")


def test_the_beginning_of_an_id_serves_everywhere(run: Run, url: str) -> None:
    at = ("-d", url, "-u", ALEX)
    assert [state["record"]["text"] for state in run("history", "user_profile:n", *at, "--json").lines] == [
        "name: Alex",
        "name: Alexandra",
    ]
    commit = run("history", *at, "--json").lines[-1]["id"]
    assert run("undo", commit[:8], *at, "--yes").code == 0
    ended = run("undo", "", *at, "--yes")
    assert (ended.code, ended.out) == (1, "")


def test_users_are_listed_with_how_much_is_known(run: Run, url: str) -> None:
    assert run("users", "-d", url, "--json").lines == [
        {"user": ALEX, "records": 6, "commits": 2, "proposals": 0},
        {"user": "bo", "records": 1, "commits": 0, "proposals": 0},
    ]
    assert run("users", "-d", url).out.splitlines()[0] == f"{ALEX}\t6\t2\t0"


@pytest.mark.parametrize("command", [["records"], ["recall", "tea"], ["history"], ["curate"], ["forget", "--yes"]])
def test_a_mistyped_user_is_noticed(run: Run, url: str, command: list[str]) -> None:
    ended = run(*command, "-d", url, "-u", "alex@exmaple.com")
    assert f"the database has no data of a user 'alex@exmaple.com'; did you mean '{ALEX}'?" in ended.err
    assert "did you mean" not in run(*command, "-d", url, "-u", ALEX).err
    assert "`users` lists" in run(*command, "-d", url, "-u", "quetzalcoatl").err


def test_forget_speaks_of_what_was_learned(run: Run, url: str) -> None:
    out = run("forget", "-d", url, "-u", ALEX, "--yes").out
    assert out == "forgotten: 2 session_context, 1 todos, 2 user_memory, 1 user_profile, 2 commits\n"
    assert run("forget", "-d", url, "-u", ALEX, "--yes").out == "there was nothing to forget\n"


def test_version_says_which_it_is(run: Run) -> None:
    assert re.fullmatch(r"langgraph-learning \d+\.\d+\.\d+\S*\n", run("--version").out)


def test_learning_stores_complete_on_tab() -> None:
    assert complete_store("user_") == ["user_memory", "user_profile"]
    assert sorted(LEARNING_STORES) == list(LEARNING_STORES)
    assert set(SLOTS) | {"conversations"} == set(LEARNING_STORES)


@pytest.mark.parametrize(
    "asked",
    [
        "main(['--help'])",
        "main(['records', '--help'])",
        "main([], complete='records --store user_')",
    ],
)
def test_help_and_tab_import_neither_langchain_nor_a_database(asked: str) -> None:
    script = f"""
import os, sys
from langgraph_learning.cli.app import app

def main(arguments, complete=None):
    if complete:
        words = "langgraph-learning " + complete
        os.environ.update(_LANGGRAPH_LEARNING_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD="3")
    sys.argv = ["langgraph-learning", *arguments]
    try:
        app(prog_name="langgraph-learning")
    except SystemExit:
        pass

{asked}
heavy = ("langchain", "langchain_core", "langgraph", "numpy", "sqlite3", "psycopg", "asyncio")
ours = [name for name in sys.modules if name.startswith("langgraph_learning")]
print([name for name in heavy if name in sys.modules], len(ours))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    heavy, ours = done.stdout.splitlines()[-1].rsplit(maxsplit=1)
    assert heavy == "[]"
    assert int(ours) < 30
    if "complete" in asked:
        assert done.stdout.startswith("user_memory\nuser_profile\n")
