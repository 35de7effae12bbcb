"""PgBouncer in front of a test server: many clients, few sessions, so that they have to share them."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

BINARY = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
SETTINGS = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {sessions}
max_client_conn = 300
query_wait_timeout = 60
"""
SESSIONS = {"transaction": 2, "session": 40}


def require_pgbouncer() -> str:
    """Return the program; without it, skip at home and fail in CI."""
    if BINARY is None:
        reason = "no pgbouncer: install the package of that name"
        if os.environ.get("CI"):
            pytest.fail(f"CI must test behind a pooler; {reason}")
        pytest.skip(reason)
    return BINARY


@contextmanager
def run_pgbouncer(server: str, mode: str) -> Iterator[str]:
    """Start PgBouncer before `server` and yield the `host:port` to go to instead."""
    at = urlsplit(server)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="llpb"))
    where = {"host": at.hostname, "port": at.port, "listen": port, "folder": folder}
    (folder / "ini").write_text(SETTINGS.format(mode=mode, sessions=SESSIONS[mode], **where))
    users = {at.username or "postgres": at.password or "", "limited": ""}
    (folder / "users").write_text("".join(f'"{name}" "{secret}"\n' for name, secret in users.items()))
    # It refuses uid 0, as Postgres does: as root it gets a user namespace of its own.
    as_user = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([*as_user, require_pgbouncer(), folder / "ini"], **quiet)  # type: ignore[call-overload]
    try:
        _await_answer(f"postgresql://{at.username}@127.0.0.1:{port}/{at.path.lstrip('/')}", process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _await_answer(url: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(100):
        assert process.poll() is None, "pgbouncer has ended"
        try:
            psycopg.connect(url, connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise AssertionError("pgbouncer does not answer")


def through(pooler: str, url: str) -> str:
    """Return `url` by way of the pooler."""
    at = urlsplit(url)
    login = at.netloc.rpartition("@")[0]
    return at._replace(netloc=f"{login}@{pooler}").geturl()
