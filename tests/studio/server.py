"""LangGraph's dev server with the repository's langgraph.json: a process that cannot leave the machine."""

import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_sync_client

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
PATIENCE = 60.0
OFFLINE = {
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LANGGRAPH_NO_VERSION_CHECK": "true",
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
}
# What would give the server a licence or the graphs a real model.
SECRETS = re.compile(r"^(LANGSMITH|LANGCHAIN|LANGGRAPH|OPENAI|LEARNING|DATABASE)_|_PROXY$", flags=re.I)


@dataclass
class Studio:
    """A running server, what it logged, and where it wanted to go."""

    home: Path
    url: str
    client: Any
    ids: dict[str, str] = field(default_factory=dict)
    """The assistants by the names of their graphs."""

    def log(self) -> list[dict[str, Any]]:
        """Return the records of the log; lines that are none are records of level "text"."""
        return [_record(line) for line in (self.home / "log").read_text(encoding="utf-8").splitlines()]


def require_server() -> None:
    """Skip at home where the server is not installed, and fail in CI."""
    if importlib.util.find_spec("langgraph_api") is None:
        fail_or_skip = pytest.fail if os.environ.get("CI") else pytest.skip
        fail_or_skip("no dev server: install the dev extra, or 'langgraph-cli[inmem]'")


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return an environment in which Python writes down who wants to leave the machine, and refuses it."""
    own = {name: value for name, value in os.environ.items() if not SECRETS.search(name)}
    path = os.pathsep.join(map(str, (HERE / "watch", ROOT, ROOT / "tests")))
    return {**own, "OUTBOUND_ATTEMPTS": str(home / "outbound"), "PYTHONPATH": path, **more}


def attempts(home: Path) -> list[str]:
    """Return each attempt to leave the machine."""
    file = home / "outbound"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def complaints(records: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong in a log."""
    alarming = re.compile(r"BlockingError|Traceback|Exception ignored|Task exception")
    return [
        str(record["event"])
        for record in records
        if record["level"] in ("error", "critical") or alarming.search(json.dumps(record))
    ]


def _record(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    return found if isinstance(found, dict) and "level" in found else {"level": "text", "event": line}


@contextmanager
def studio_server(home: Path, **graphs: str) -> Iterator[Studio]:
    """Start the server in `home` with the repository's graphs and `graphs`, and stop it.

    Args:
        home: Where its state, log and database go.
        graphs: Further graphs, `name="module:variable"`.
    """
    config = json.loads((ROOT / "langgraph.json").read_text(encoding="utf-8"))
    config["graphs"].update(graphs)
    (home / "langgraph.json").write_text(json.dumps(config), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload"]
    command += ["--host", "127.0.0.1", "--port", port, "--n-jobs-per-worker", "4"]
    env = environment(home, **OFFLINE, LOG_JSON="true", LOG_COLOR="false", PYTHONUNBUFFERED="1")
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=home, env=env, stdout=log, stderr=subprocess.STDOUT)
        try:
            url = _started(process, home / "log")
            with get_sync_client(url=url) as client:
                found = client.assistants.search(limit=100)
                yield Studio(home, url, client, {each["graph_id"]: each["assistant_id"] for each in found})
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def _started(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Wait until the server answers; a port that was taken meanwhile is replaced by it, so its log is asked."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"API: \S*?(http://[\d.:]+)", log.read_text(encoding="utf-8")):
            try:
                if httpx.get(f"{found[1]}/ok").is_success:
                    return found[1]
            except httpx.TransportError:
                pass
        time.sleep(0.05)
    pytest.fail(f"the dev server does not start:\n{log.read_text(encoding='utf-8')[-3000:]}")
