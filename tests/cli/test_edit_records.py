"""`add` and `edit`: what a person writes by hand, as a commit of its own."""

import pytest
from cli.world import ALEX, Run


def texts(run: Run, url: str, store: str) -> set[str]:
    return {row["text"] for row in run("records", "-d", url, "-u", ALEX, "-s", store, "--json").lines}


def test_a_memory_is_added_by_a_person_and_can_be_undone(run: Run, url: str) -> None:
    at = ("-d", url, "-u", ALEX)
    done = run("add", "Keeps bees", *at)
    assert done.out.startswith("add user_memory: Keeps bees\nby commit ")
    [record] = [row for row in run("records", *at, "--json").lines if row["text"] == "Keeps bees"]
    assert record["source"]["actor"] == "person"
    assert run("undo", done.out.split()[-1][:10], *at, "--yes").code == 0
    assert "Keeps bees" not in texts(run, url, "user_memory")


def test_a_person_may_use_any_operation(run: Run, url: str) -> None:
    at = ("-d", url, "-u", ALEX)
    arguments = ("entity=Acme", "entity_type=company", 'facts=["Builds rockets"]')
    assert run("add", "-o", "remember_about", *arguments, *at).code == 0
    assert texts(run, url, "entity_memory") == {"Acme (company)", "Acme: Builds rockets"}
    assert run("add", "-o", "update_user_profile", "preferred_name=Al", *at).code == 0
    assert "preferred_name: Al" in texts(run, url, "user_profile")


def test_a_record_is_edited_by_the_beginning_of_its_id(run: Run, url: str) -> None:
    at = ("-d", url, "-u", ALEX)
    assert run("edit", "rus", "Writes Rust = and Go", *at).out.startswith("update user_memory: Writes Rust = and Go\n")
    assert run("edit", "user_profile:n", "Lex", *at).code == 0
    assert texts(run, url, "user_profile") == {"name: Lex"}
    states = run("history", "rust", *at, "--json").lines
    assert [state["record"]["text"] for state in states] == ["Writes Rust", "Writes Rust = and Go"]
    run("add", "-o", "save_learning", "title=Deploys", "learning=On Fridays", *at)
    [learning] = run("records", *at, "-s", "learned_knowledge", "--json").lines
    assert run("edit", learning["id"][:6], "Never on Fridays", *at).code == 0
    assert texts(run, url, "learned_knowledge") == {"Deploys: Never on Fridays"}


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["add", "x", "-o", "add_nothing"], "there is no operation 'add_nothing'; there are add_"),
        (["add", "x", "-o", "update_user_profile"], "update_user_profile takes NAME=VALUE"),
        (["add", "one", "two"], "add_memory takes NAME=VALUE; its arguments are content"),
        (["edit", "nothing", "x"], "there is no record 'nothing'"),
        (["add", "title=Deploys", "-o", "save_learning"], "learning must be given and not empty"),
    ],
)
def test_what_cannot_be_written_is_refused_in_one_line(run: Run, url: str, command: list[str], told: str) -> None:
    ended = run(*command, "-d", url, "-u", ALEX)
    assert (ended.code, ended.out) == (1, "")
    assert told in ended.err
    assert ended.err.count("\n") == 1
