"""What the doctor finds, and how it says to mend it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cli.world import Ended, Run

from langgraph_learning.cli.doctor import redact_url
from langgraph_learning.cli.target import Target, secrets


def states(ended: Ended) -> dict[str, str]:
    return {check["check"]: check["state"] for check in ended.lines}


def the(ended: Ended, name: str) -> dict[str, str]:
    [found] = [check for check in ended.lines if check["check"] == name]
    return dict(found)


def test_a_good_set_up_is_ok_throughout(run: Run, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
    ended = run("doctor", "-d", url, "--model", "openai:gpt-5.2", "--json")
    assert ended.code == 0
    assert set(states(ended).values()) == {"ok"}
    assert "not-a-key" not in ended.out
    assert "langgraph-learning" in run("doctor", "-d", url).out


def test_a_file_that_is_not_there_is_a_warning_and_is_not_made(run: Run, empty: str) -> None:
    ended = run("doctor", "-d", empty, "--json")
    assert (ended.code, the(ended, "database")["state"]) == (0, "warning")
    assert "migrate" in the(ended, "database")["mend"]
    assert not Path(empty.removeprefix("sqlite:///")).exists()


def test_no_database_named_is_an_error(run: Run) -> None:
    ended = run("doctor", "--json")
    assert (ended.code, the(ended, "database")["state"]) == (1, "error")
    assert "LANGGRAPH_LEARNING_DB" in the(ended, "database")["mend"]


def test_what_is_no_database_is_an_error(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    file.write_text("these are notes, and not a database, for as long as that takes " * 20)
    ended = run("doctor", "-d", f"sqlite:///{file}", "--json")
    assert (ended.code, the(ended, "database")["state"]) == (1, "error")


def test_migrations_to_do_are_a_warning_and_those_of_a_newer_version_an_error(run: Run, url: str) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db:
        db.execute("delete from hybrid_migrations where number = 2")
        db.commit()
        pending = run("doctor", "-d", url, "--json")
        db.execute("insert into hybrid_migrations values (2, '0002_ids.sql'), (999, '0999_later.sql')")
        db.commit()
        newer = run("doctor", "-d", url, "--json")
    assert (pending.code, the(pending, "migrations")["state"]) == (0, "warning")
    assert "0002_ids.sql" in the(pending, "migrations")["told"]
    assert (newer.code, the(newer, "migrations")["state"]) == (1, "error")
    assert the(newer, "migrations")["mend"] == "pip install -U langgraph-learning"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_cannot_be_written_is_an_error(run: Run, url: str) -> None:
    Path(url.removeprefix("sqlite:///")).chmod(0o444)
    ended = run("doctor", "-d", url, "--json")
    assert (ended.code, the(ended, "file")["state"]) == (1, "error")


@pytest.mark.parametrize(
    ("model", "told", "mend"),
    [
        ("gpt-5.2", "names no provider", "openai:gpt-5.2"),
        ("openai:gpt-5.2", "OPENAI_API_KEY is not set", "export OPENAI_API_KEY"),
        ("nobody:large", "needs the package langchain-nobody", "pip install langchain-nobody"),
    ],
)
def test_a_model_that_cannot_work_is_an_error(
    run: Run, url: str, monkeypatch: pytest.MonkeyPatch, model: str, told: str, mend: str
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for option in ("--model", "--embed"):
        ended = run("doctor", "-d", url, option, model, "--json")
        check = the(ended, "model" if option == "--model" else "embedder")
        assert (ended.code, check["state"]) == (1, "error")
        assert told in check["told"]
        assert mend in check["mend"]


def test_a_password_is_never_printed(run: Run) -> None:
    url = "postgresql://alex:s3cr%40t@127.0.0.1:1/app?password=other"
    ended = run("doctor", "-d", url)
    assert ended.code == 1
    assert "postgresql://alex@127.0.0.1:1/app" in ended.out
    for secret in ("s3cr", "other"):
        assert secret not in ended.out + ended.err
    assert secrets(url) == ["s3cr%40t", "s3cr@t", "other"]
    assert redact_url("postgresql://alex:pw@[bad/app") == "postgresql://..."


def test_the_letters_of_a_short_password_stay_in_other_words(run: Run) -> None:
    ended = run("records", "-d", "postgresql://alex:p@127.0.0.1:1/app", "-u", "alex")
    assert ended.err.startswith("error: cannot open the Postgres database")
    target = Target(url="postgresql://alex:p@db/app", schema=None, embed=None, as_json=False)
    said = "a port of postgresql://alex:p@db/app, password='p' p"
    assert target.without_secrets(said) == "a port of postgresql://alex:***@db/app, password='***' ***"


def test_a_file_that_is_no_database_is_not_asked_whether_it_runs(run: Run, tmp_path: Path) -> None:
    (file := tmp_path / "notes.md").write_text("no database, but longer than a hundred characters\n" * 20)
    told = the(run("doctor", "-d", f"sqlite:///{file}", "--json"), "database")
    assert (told["state"], told["mend"]) == ("error", "is it the right file?")


def test_on_postgres_pgvector_is_looked_for(run: Run, postgres_url: str) -> None:
    words = run("doctor", "-d", postgres_url, "--json")
    assert (words.code, states(words)["migrations"]) == (0, "warning")
    assert states(words)["pgvector"] == "ok"
    run("migrate", "-d", postgres_url)
    ended = run("doctor", "-d", postgres_url, "--json")
    assert (ended.code, states(ended)["migrations"]) == (0, "ok")
    assert the(ended, "database")["told"].startswith(postgres_url.partition("@")[0].partition(":")[0])
