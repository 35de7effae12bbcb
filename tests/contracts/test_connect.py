import asyncio
import gc
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from contracts.savers import learner, thread, turn
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from langgraph_learning.checkpointers import LearningDB, LearningSaver, connect
from langgraph_learning.checkpointers._sqlite import enable_wal
from langgraph_learning.checkpointers.database import OpenDatabase
from langgraph_learning.errors import ConfigurationError, StoreError


@pytest.fixture(params=["memory", "file", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return "sqlite:///:memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'learning.db'}"


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    """No thread, file or socket of ours is left behind."""
    descriptors, threads = _descriptors(), _threads()
    yield
    gc.collect()  # a connection that nobody closed warns here, and a warning is an error
    assert _threads() <= threads
    assert _descriptors() <= descriptors


def _threads() -> set[str]:
    return {found.name for found in threading.enumerate() if "learning" in found.name or "pool" in found.name}


def _descriptors() -> set[str]:
    """What is open, files by their names; empty where the system does not tell."""
    folder = Path("/proc/self/fd")
    names = {os.readlink(link) for link in folder.iterdir() if link.is_symlink()} if folder.exists() else set()
    return {name for name in names if ".db" in name or name.startswith("socket:")}


def test_with_and_async_with_hand_out_the_same_object(url: str) -> None:
    db = connect(url)

    async def awaited() -> LearningDB:
        async with db as handed:
            await handed.store.aput(("a",), "k", {"n": 2})
            assert handed.store.get(("a",), "k") is not None
            return handed

    with db as handed:
        assert handed is db
        handed.store.put(("a",), "k", {"n": 1})
        assert isinstance(handed.checkpointer, LearningSaver)
        assert handed.checkpointer.store is handed.store
    assert asyncio.run(awaited()) is db


def test_one_database_serves_both_colours_and_two_loops_at_once(url: str) -> None:
    with connect(url) as db:
        graph = learner(db.checkpointer)
        together = threading.Barrier(2)

        async def talk(name: str) -> Any:
            await asyncio.to_thread(together.wait, 10)
            await asyncio.gather(*(db.store.aput((name,), str(n), {"n": n}) for n in range(10)))
            await graph.ainvoke(turn(name), thread(name))
            graph.invoke(turn("again"), thread(name))  # a sync call inside the running loop
            found = await db.store.asearch((name,), limit=20)
            return len(found), (await graph.aget_state(thread(name))).values["said"]

        answers: dict[str, Any] = {}
        loops = [threading.Thread(target=lambda n=n: answers.update({n: asyncio.run(talk(n))})) for n in ("a", "b")]
        for loop in loops:
            loop.start()
        for loop in loops:
            loop.join()
        assert answers == {"a": (10, ["a", "again"]), "b": (10, ["b", "again"])}


def test_a_file_is_found_again_relative_and_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with connect("sqlite:///my%20file.db") as db:
        db.store.put(("a",), "k", {"n": 1})
        learner(db.checkpointer).invoke(turn("one"), thread())
    with connect(f"sqlite:///{tmp_path}/my file.db") as db:
        assert db.store.get(("a",), "k") is not None
        assert learner(db.checkpointer).get_state(thread()).values["said"] == ["one"]


def test_two_schemas_are_two_installations(postgres_url: str) -> None:
    with connect(postgres_url, schema="one") as one, connect(postgres_url, schema='T "w" o') as two:
        one.store.put(("a",), "k", {"n": 1})
        learner(one.checkpointer).invoke(turn("one"), thread())
        assert two.store.get(("a",), "k") is None
        assert two.checkpointer.get_tuple(thread()) is None
    for scheme in ("postgres", "postgresql+psycopg"):
        with connect(postgres_url.replace("postgresql://", f"{scheme}://"), schema="one") as again:
            assert again.store.get(("a",), "k") is not None
            assert again.checkpointer.get_tuple(thread()) is not None


def test_a_database_is_open_inside_its_block_only(url: str) -> None:
    db = connect(url)
    with pytest.raises(ConfigurationError, match="with connect"):
        _ = db.store
    with db, pytest.raises(ConfigurationError, match="open already"), db:
        pass
    with pytest.raises(ConfigurationError, match="with connect"):
        _ = db.checkpointer
    with db as again:
        store, saver = again.store, again.checkpointer
        assert store.get(("a",), "k") is None
    for use in (lambda: store.get(("a",), "k"), lambda: saver.get_tuple(thread())):
        with pytest.raises(Exception, match="closed"):
            use()


def test_leaving_by_an_error_closes_and_lets_it_through(url: str) -> None:
    db = connect(url)
    with pytest.raises(KeyError), db:
        raise KeyError
    with pytest.raises(ConfigurationError):
        _ = db.store


async def test_an_entry_that_is_cancelled_leaves_nothing_open() -> None:
    opening, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def opener(closing: ExitStack) -> OpenDatabase:
        opening.set()
        assert go_on.wait(10)
        closing.callback(closed.set)
        store = InMemoryStore()
        return OpenDatabase(store, LearningSaver(InMemorySaver(), store))

    db = LearningDB(opener)
    entering = asyncio.create_task(db.__aenter__())
    await asyncio.to_thread(opening.wait, 10)
    entering.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert closed.is_set()
    with pytest.raises(ConfigurationError):
        _ = db.store


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("sqlite://file.db", "followed by a slash"),
        ("sqlite://", "followed by a slash"),
        ("sqlite:///", "followed by a slash"),
        ("sqlite:///file.db?mode=ro", "takes no options"),
        ("file.db", "a text without sqlite:// or postgresql://"),
        ("", "a text without sqlite://"),
        ("mysql://root:secret@host/db", "mysql://"),
        ("postgresql+asyncpg://me:secret@host/db", "postgresql[+]asyncpg://"),
        (
            "postgresql://me:secret@host/db?conect_timeout=3",
            "no parameter 'conect_timeout' [(]did you mean 'connect_timeout'[?][)]: use",
        ),
        ("postgresql://me:secret@host/db?secret@x=1", "cannot read this URL: use"),
        ("postgresql+psycopg://me:secret@host/db?xyzzy=1", "no parameter 'xyzzy': use"),
        ("postgresql://me:secret@host:port:port/db?nonsense=secret", "cannot read this URL"),
        (Path("file.db"), "a [A-Za-z]*Path: use"),
        (None, "a NoneType: use"),
    ],
)
def test_a_url_that_cannot_work_says_what_does(wrong: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        connect(wrong)
    assert "sqlite:///file.db" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "options", "told"),
    [
        ("sqlite:///:memory:", {"schema": "s"}, "no schemas"),
        ("sqlite:///:memory:", {"dims": 3}, "embed="),
        ("postgresql://host/db", {"schema": " "}, "schema= is empty"),
        ("sqlite:///:memory:", {"timeout": 0}, "timeout= is a number of seconds above 0"),
    ],
)
def test_an_option_that_cannot_work_says_what_does(url: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        connect(url, **options)


def test_without_the_driver_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"langgraph-learning\[postgres\]"):
        connect("postgresql://host/db")


def test_a_database_that_does_not_answer_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="Postgres") as refused, connect("postgresql://me:secret@127.0.0.1:1/db"):
        pass
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is not None
    with pytest.raises(StoreError, match="SQLite"), connect(f"sqlite:///{tmp_path}/missing/file.db"):
        pass
    (tmp_path / "text.db").write_text("this is no database, " * 100)
    with pytest.raises(StoreError, match="SQLite"), connect(f"sqlite:///{tmp_path}/text.db"):
        pass


def test_the_switch_to_wal_waits_for_others() -> None:
    class Busy:
        tries = 0

        def execute(self, _: str) -> None:
            self.tries += 1
            if self.tries < 3:
                raise sqlite3.OperationalError("database is locked")

    busy = Busy()
    enable_wal(busy)  # type: ignore[arg-type]
    assert busy.tries == 3


ENTER = """
import sys
from langgraph_learning.checkpointers import connect
print("ready", flush=True)
sys.stdin.readline()
with connect(sys.argv[1], schema=sys.argv[3] or None) as db:
    db.store.put(("a",), sys.argv[2], {})
    db.checkpointer.put_writes({"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": "c"}},
                               [("ch", 1)], sys.argv[2])
"""


@pytest.mark.parametrize(("url", "schema"), [("file", ""), ("postgres", ""), ("postgres", "s")], indirect=["url"])
def test_six_processes_enter_an_empty_database_at_once(url: str, schema: str) -> None:
    script = [sys.executable, "-W", "error::ResourceWarning", "-c", ENTER, url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([*script, f"p{n}", schema], **pipes) for n in range(6)]  # type: ignore[call-overload]
    for process in processes:  # imported: from here on they race
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]
    assert ends == [("", 0)] * 6
    with connect(url, schema=schema or None) as db:
        assert {found.key for found in db.store.search(("a",))} == {f"p{n}" for n in range(6)}
        store: Any = db.store
        assert store.revision() == 6


def test_importing_the_package_loads_no_driver() -> None:
    script = (
        "import sys, langgraph_learning.checkpointers as package; package.connect, package.LearningSaver;"
        "print([name for name in ('psycopg', 'sqlite3') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
