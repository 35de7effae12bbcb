"""What `import` takes from other memories: whose, dated, once, and nothing dropped without a word."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cli.world import ALEX, DATE, Ended, Run, memory
from langgraph.store.sqlite import SqliteStore

from langgraph_learning import LearningMachine, connect

MEM0: dict[str, list[dict[str, Any]]] = {
    "results": [
        {
            "id": "892db2ae",
            "memory": "Vegetarian, allergic to nuts",
            "user_id": ALEX,
            "metadata": {"category": "food"},
            "created_at": "2024-07-26T08:11:32.115Z",
            "updated_at": "2024-08-26T08:11:32-07:00",
        },
        {"id": "0a14d8f0", "memory": "Writes Go", "user_id": "bo", "created_at": "2024-07-26T08:11:32.115Z"},
        {"id": "empty", "memory": " ", "user_id": "bo"},
        {"id": "undated", "memory": "Sings", "user_id": "bo", "created_at": "some time"},
    ]
}
AGNO = """
create table agno_learnings (
  learning_id varchar not null primary key, learning_type varchar not null, namespace varchar, user_id varchar,
  agent_id varchar, team_id varchar, workflow_id varchar, session_id varchar, entity_id varchar, entity_type varchar,
  content json not null, metadata json, created_at bigint not null, updated_at bigint
)
"""
LEARNINGS: list[dict[str, Any]] = [
    {
        "learning_id": "user_profile_1",
        "learning_type": "user_profile",
        "user_id": ALEX,
        "content": {"user_id": ALEX, "name": "Alex Chen", "preferred_name": None, "languages": ["Rust", "Go"]},
    },
    {
        "learning_id": "memories_1",
        "learning_type": "user_memory",
        "user_id": ALEX,
        "content": {
            "user_id": ALEX,
            "memories": [
                {"id": "a1b2c3d4", "content": "Drinks tea", "created_at": "2025-12-01T10:00:00Z", "source": "hello"},
                {"id": "e5f6a7b8", "content": "Hikes"},
                {"id": "c9d0e1f2", "content": ""},
            ],
        },
    },
    {
        "learning_id": "session_1",
        "learning_type": "session_context",
        "user_id": ALEX,
        "session_id": "monday",
        "content": {"session_id": "monday", "user_id": ALEX, "summary": "A trip is planned.", "plan": ["Book", "Go"]},
    },
    {
        "learning_id": "entity_1",
        "learning_type": "entity_memory",
        "namespace": "global",
        "content": {"entity_id": "acme", "entity_type": "company", "facts": [{"id": "f1", "content": "Uses Postgres"}]},
    },
    {"learning_id": "odd_1", "learning_type": "horoscope", "user_id": ALEX, "content": {"sign": "lion"}},
    {"learning_id": "broken_1", "learning_type": "user_memory", "user_id": ALEX, "content": "not JSON"},
]


def written(folder: Path, name: str, *things: object) -> str:
    """Return the path of a file with one JSON document a line."""
    file = folder / name
    file.write_text("\n".join(json.dumps(thing) for thing in things), encoding="utf-8")
    return str(file)


def agno_file(folder: Path) -> str:
    file = folder / "agno.db"
    row = dict.fromkeys(["learning_id", "learning_type", "namespace", "user_id", "session_id"])
    with closing(sqlite3.connect(file)) as db, db:
        db.execute(AGNO)
        for learning in LEARNINGS:
            values = {**row, **learning, "content": json.dumps(learning["content"])}
            db.execute(
                "insert into agno_learnings (learning_id, learning_type, namespace, user_id, session_id, content,"
                " created_at, updated_at) values (:learning_id, :learning_type, :namespace, :user_id, :session_id,"
                " :content, 1764547200, 1764633600)",
                values,
            )
    return str(file)


def records(run: Run, url: str, user: str = ALEX) -> dict[str, Mapping[str, Any]]:
    """Return the records of a user by text."""
    return {row["text"]: row for row in run("records", "-d", url, "-u", user, "--json").lines}


def reasons(ended: Ended) -> dict[str, str]:
    return {each["where"]: each["reason"] for each in ended.json["skipped"]}


def test_mem0_goes_to_the_users_it_names_and_a_second_time_changes_nothing(
    run: Run, empty: str, tmp_path: Path
) -> None:
    file = written(tmp_path, "mem0.json", MEM0)
    first = run("import", file, "-d", empty, "--json")
    assert (first.code, first.json["from"], first.json["new"]) == (0, "mem0", 3)
    assert reasons(first) == {"memory empty": "it has no text under 'memory'"}
    found = records(run, empty)["Vegetarian, allergic to nuts"]
    assert found["content"] == {"content": "Vegetarian, allergic to nuts", "metadata": {"category": "food"}}
    assert found["created_at"] == "2024-07-26T08:11:32.115000Z"
    assert found["updated_at"] == "2024-08-26T08:11:32-07:00"
    assert found["source"]["actor"] == "import"
    before = run("export", "-d", empty).out
    again = run("import", file, "-d", empty, "--json").json
    assert (again["new"], again["replaced"], again["unchanged"]) == (0, 0, 3)
    assert run("export", "-d", empty).out == before
    assert len(run("history", found["id"], "-d", empty, "-u", ALEX, "--json").lines) == 1


@pytest.mark.parametrize("shape", ["list", "memories", "lines"])
def test_mem0_comes_in_several_shapes(run: Run, empty: str, tmp_path: Path, shape: str) -> None:
    memories = MEM0["results"][:2]
    shapes: dict[str, list[object]] = {"list": [memories], "memories": [{"memories": memories}], "lines": [*memories]}
    things = shapes[shape]
    assert run("import", written(tmp_path, "m.json", *things), "-d", empty, "--json").json["new"] == 2


def test_a_dry_run_says_what_would_come_and_makes_no_database(run: Run, empty: str, tmp_path: Path) -> None:
    file = written(tmp_path, "mem0.json", MEM0)
    dry = run("import", file, "-d", empty, "--dry-run", "--json").json
    assert dry["users"] == {ALEX: {"new": 1, "replaced": 0}, "bo": {"new": 2, "replaced": 0}}
    assert not Path(empty.removeprefix("sqlite:///")).exists()
    ended = run("import", file, "-d", empty, "--dry-run")
    assert "bo: 2 would be new" in ended.out
    assert "left out: memory empty" in ended.err


def test_with_a_user_the_records_of_others_are_left_out(run: Run, empty: str, tmp_path: Path) -> None:
    file = written(tmp_path, "mem0.json", MEM0)
    ended = run("import", file, "-d", empty, "-u", "bo", "--json")
    assert ended.json["users"] == {"bo": {"new": 2, "replaced": 0}}
    assert f"it belongs to '{ALEX}', not to 'bo'" in reasons(ended).values()
    stranger = run("import", file, "-d", empty, "-u", "cleo", "--json")
    assert (stranger.code, stranger.json["new"]) == (1, 0)
    assert stranger.err.splitlines()[-1] == "error: nothing in this source can be imported"


def test_a_source_of_one_user_or_of_none_goes_to_the_one_given(run: Run, empty: str, tmp_path: Path) -> None:
    nobody = written(tmp_path, "nobody.json", [{"id": "1", "memory": "Sings"}])
    refused = run("import", nobody, "-d", empty, "--json")
    assert refused.code == 1
    assert "give --user" in next(iter(reasons(refused).values()))
    one = written(tmp_path, "one.json", MEM0["results"][:1])
    for file in (nobody, one):
        assert run("import", file, "-d", empty, "-u", "cleo", "--json").json["new"] == 1
    assert records(run, empty, "cleo").keys() == {"Sings", "Vegetarian, allergic to nuts"}


def test_an_export_comes_back_as_it_was_for_all_users(run: Run, url: str, tmp_path: Path) -> None:
    out, other = tmp_path / "all.jsonl", f"sqlite:///{tmp_path / 'other.db'}"
    assert run("export", "-d", url, "-o", str(out)).err == "2 commits, 7 records\n"
    brought = run("import", str(out), "-d", other, "--vouch", "--json")
    assert brought.json["new"] == 7
    assert set(reasons(brought).values()) == {"it is no record; `langgraph-learning load` takes in a whole backup"}
    lines = out.read_text("utf-8").splitlines()
    assert run("export", "-d", other).out.splitlines() == [line for line in lines if '"namespace": [' not in line]
    assert not out.with_name("all.jsonl.part").exists()


def test_what_replaces_something_else_is_asked_about(
    run: Run, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, "export.jsonl", memory("tea", "Drinks coffee"), memory("rust", "Writes Rust"))
    refused = run("import", file, "-d", url)
    assert (refused.code, refused.out) == (2, "")
    assert "Drinks tea" in records(run, url)
    monkeypatch.setattr("langgraph_learning.cli.output.interactive", lambda: True)
    assert run("import", file, "-d", url, input="n\n").code == 1
    assert "Drinks tea" in records(run, url)
    counts = run("import", file, "-d", url, "--yes", "--json").json
    assert (counts["new"], counts["replaced"], counts["unchanged"]) == (0, 1, 1)
    assert "Drinks coffee" in records(run, url)


def test_broken_rows_are_told_and_the_others_taken(run: Run, empty: str, tmp_path: Path) -> None:
    good = memory("tea", "Drinks tea")
    file = tmp_path / "export.jsonl"
    shared = {**memory("m2", "x"), "scope": {"namespace": "global"}}
    undated = {**memory("m3", "x"), "created_at": "some time"}
    lines = [*map(json.dumps, [good, shared, undated, {**good, "text": "Drinks coffee"}]), "{half a li", "[1]"]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    ended = run("import", str(file), "-d", empty, "--json")
    assert (ended.code, ended.json["new"]) == (0, 1)
    told = " | ".join(f"{where}: {reason}" for where, reason in reasons(ended).items())
    for part in ("line 5: it is no JSON object", "line 6", "belongs to a namespace", "created_at", "an earlier row"):
        assert part in told
    assert len(ended.json["skipped"]) == 5


def test_agno_profiles_memories_and_sessions_come_apart_into_records(run: Run, empty: str, tmp_path: Path) -> None:
    file = agno_file(tmp_path)
    ended = run("import", file, "-d", empty, "--json")
    assert (ended.code, ended.json["from"], ended.json["new"]) == (0, "agno", 5)
    found = records(run, empty)
    assert found.keys() == {"name: Alex Chen", "languages: Rust, Go", "Drinks tea", "Hikes", "A trip is planned."}
    assert found["name: Alex Chen"]["content"] == {"name": "Alex Chen"}
    assert found["Drinks tea"]["created_at"] == "2025-12-01T10:00:00Z"
    assert found["Hikes"]["created_at"] == "2025-12-01T00:00:00Z"
    session = found["A trip is planned."]
    assert session["scope"]["thread_id"] == "monday"
    assert session["content"] == {"summary": "A trip is planned.", "plan": ["Book", "Go"]}
    told = reasons(ended)
    assert "namespace" in told["learning entity_1"]
    assert "horoscope" in told["learning odd_1"]
    assert told["learning broken_1"] == "its content is no JSON object"
    assert told["learning memories_1, memory c9d0e1f2"] == "it has no text"
    assert run("import", f"sqlite:///{file}", "-d", empty, "--json").json["unchanged"] == 5


def test_the_memories_of_agno_s_memory_manager_come_too(run: Run, empty: str, tmp_path: Path) -> None:
    file = agno_file(tmp_path)
    with closing(sqlite3.connect(file)) as db, db:
        db.execute(
            "create table agno_memories (memory_id varchar, memory json, topics json, user_id varchar, created_at)"
        )
        row = ("m1", json.dumps("Plays chess"), json.dumps(["games"]), ALEX, 1764547200)
        db.execute("insert into agno_memories values (?, ?, ?, ?, ?)", row)
    assert run("import", file, "-d", empty, "--json").json["new"] == 6
    found = records(run, empty)["Plays chess"]
    assert found["content"] == {"content": "Plays chess", "topics": ["games"]}
    assert found["created_at"] == "2025-12-01T00:00:00Z"


def test_a_decision_comes_to_the_log_of_its_agent(run: Run, empty: str, tmp_path: Path) -> None:
    content = {"decision": "Use Postgres", "alternatives": ["SQLite", "DynamoDB"], "outcome": "Fast", "tags": []}
    learning = {"learning_id": "dec_1", "learning_type": "decision_log", "user_id": ALEX, "agent_id": "helper"}
    file = written(tmp_path, "agno.json", [{**learning, "content": content, "created_at": 1764547200}])
    ended = run("import", file, "-d", empty, "--json")
    assert ended.json["skipped"] == []
    [record] = records(run, empty).values()
    assert record["text"] == "Use Postgres\nalternatives: SQLite, DynamoDB\noutcome: Fast"
    assert (record["store"], record["scope"]["agent"]) == ("decision_log", "helper")
    with connect(empty) as db:
        log = LearningMachine(decision_log=True).scoped(user_id=ALEX, agent="helper", store=db.store)
        assert [each.id for each in log.search("Postgres")] == [record["id"]]


def test_secrets_are_masked_and_a_masked_record_is_not_imported_twice(run: Run, empty: str, tmp_path: Path) -> None:
    text = "Deploys with password: hunter2hunter2"
    foreign = written(tmp_path, "mem0.json", [{"id": "1", "memory": text, "user_id": ALEX}])
    own = written(tmp_path, "export.jsonl", memory("kept", text))
    for expected in (1, 0):
        for file in (foreign, own):
            assert run("import", file, "-d", empty, "--json").json["new"] == expected
    assert "hunter2" not in run("export", "-d", empty).out


def test_what_stands_beside_the_memories_of_mem0_is_told(run: Run, empty: str, tmp_path: Path) -> None:
    graph = {**MEM0, "relations": [{"source": "alex", "relationship": "likes", "target": "tea"}]}
    ended = run("import", written(tmp_path, "mem0.json", graph), "-d", empty, "--json")
    assert reasons(ended)["relations"] == "its 1 entries are no memories"


def test_an_imported_profile_is_a_profile(run: Run, empty: str, tmp_path: Path) -> None:
    run("import", agno_file(tmp_path), "-d", empty)
    with connect(empty) as db:
        alex = LearningMachine(user_profile=True, session_context=True).scoped(
            user_id=ALEX, thread_id="monday", store=db.store
        )
        assert alex.profile().name == "Alex Chen"
        assert "Step 2: Go" in alex.recall("Where are we?").text


ITEMS: list[tuple[tuple[str, ...], str, dict[str, Any]]] = [
    (("memories", "alex"), "m1", {"kind": "Memory", "content": {"content": "Drinks tea"}}),
    (("memories", "alex"), "m2", {"content": "Hikes"}),
    (("memories", "alex"), "m3", {"kind": "Episode", "content": {"observation": "Lost", "result": "Found"}}),
    (("memories", "alex"), "p1", {"kind": "UserProfile", "content": {"name": "Alex", "age": 30, "city": None}}),
    (("users", "alex", "notes"), "n1", {"food_preference": "I like pizza", "strength": 3}),
    (("cache", "models"), "c1", {"text": "Not about anybody"}),
]
TAKEN = {"Drinks tea", "Hikes", "observation: Lost; result: Found", "name: Alex", "age: 30"}


def langgraph_file(folder: Path) -> str:
    file = folder / "langgraph.db"
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as connection:
        store = SqliteStore(connection)
        store.setup()
        for namespace, key, value in ITEMS:
            store.put(namespace, key, value)
        connection.execute("update store set created_at = '2025-04-05 06:07:08', updated_at = '2025-04-06 06:07:08'")
    return str(file)


def test_the_items_of_a_langgraph_store_become_memories_of_the_user_their_namespace_names(
    run: Run, empty: str, tmp_path: Path
) -> None:
    file = langgraph_file(tmp_path)
    ended = run("import", file, "-d", empty, "--json")
    assert (ended.json["from"], ended.json["new"]) == ("langgraph", 6)
    assert [reason for where, reason in reasons(ended).items() if "Not about" in where] == [
        "the source names no user: give --user"
    ]
    found = records(run, empty, "alex")
    assert found.keys() == {*TAKEN, "food_preference: I like pizza; strength: 3"}
    assert found["Drinks tea"]["created_at"] == "2025-04-05T06:07:08Z"
    assert found["Drinks tea"]["updated_at"] == "2025-04-06T06:07:08Z"
    assert found["Drinks tea"]["content"] == {"content": "Drinks tea"}
    assert found["name: Alex"]["id"] == "user_profile:name"
    assert run("import", file, "-d", empty, "--json").json["unchanged"] == 6


def test_langmem_takes_its_own_items_alone_and_is_told_where_the_user_stands(
    run: Run, empty: str, tmp_path: Path
) -> None:
    items = [{"namespace": ["app", "alex"], "key": key, "value": value} for _, key, value in ITEMS]
    dump = written(tmp_path, "items.jsonl", *items)
    assert run("import", dump, "--from", "langmem", "-d", empty, "--json").code == 1
    ended = run("import", dump, "--from", "langmem", "--user-at", "1", "-d", empty, "--json")
    assert records(run, empty, "alex").keys() == TAKEN
    assert reasons(ended).keys() == {"item n1 in app.alex", "item c1 in app.alex"}


def test_a_store_of_langgraph_that_a_machine_learned_into_comes_with_all_it_knows(
    run: Run, empty: str, tmp_path: Path
) -> None:
    file = tmp_path / "langgraph.db"
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as connection:
        store = SqliteStore(connection)
        store.setup()
        LearningMachine(user_memory=True).scoped(user_id=ALEX, store=store).load([memory("tea", "Drinks tea")])
    assert run("import", str(file), "-d", empty, "--json").json["new"] == 1
    found = records(run, empty)["Drinks tea"]
    assert (found["id"], found["created_at"]) == ("tea", DATE.replace("+00:00", "Z"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "there is no file"),
        ("", "no known kind"),
        ('{"a": 1}', "no known kind"),
        ("just words", "no known kind"),
    ],
)
def test_what_is_nothing_to_import_is_refused(
    run: Run, empty: str, tmp_path: Path, content: str | None, told: str
) -> None:
    file = tmp_path / "x.json"
    if content is not None:
        file.write_text(content)
    ended = run("import", str(file), "-d", empty, "--json")
    assert (ended.code, ended.out) == (1, "")
    assert told in ended.err
    assert not Path(empty.removeprefix("sqlite:///")).exists()


def test_a_database_that_holds_nothing_to_import_is_refused(run: Run, url: str, empty: str, tmp_path: Path) -> None:
    ours = run("import", url, "-d", f"sqlite:///{tmp_path / 'x.db'}")
    assert ours.code == 1
    assert "`langgraph-learning export` it" in ours.err
    wrong = run("import", langgraph_file(tmp_path), "--from", "agno", "-d", empty)
    assert wrong.code == 1
    assert "--from agno" in wrong.err


def test_agno_and_langgraph_are_read_from_postgres(run: Run, postgres_url: str, tmp_path: Path) -> None:
    import psycopg
    from langgraph.store.postgres import PostgresStore

    with PostgresStore.from_conn_string(postgres_url) as store:
        store.setup()
        store.put(("memories", "bo"), "m1", {"kind": "Memory", "content": {"content": "Writes Go"}})
    with psycopg.connect(postgres_url, autocommit=True) as db:
        db.execute("create schema ai")
        db.execute(AGNO.replace("agno_learnings", "ai.agno_learnings"))
        db.execute(
            "insert into ai.agno_learnings (learning_id, learning_type, user_id, content, created_at)"
            """ values ('p', 'user_profile', 'bo', '{"name": "Bo"}', 1764547200)"""
        )
    target = f"sqlite:///{tmp_path / 'x.db'}"
    unclear = run("import", postgres_url, "-d", target)
    assert unclear.code == 1
    assert "--from" in unclear.err
    for kind in ("agno", "langgraph"):
        assert run("import", postgres_url, "--from", kind, "-d", target, "--json").json["new"] == 1
    assert records(run, target, "bo").keys() == {"name: Bo", "Writes Go"}
