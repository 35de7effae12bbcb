"""The command that serves the memory browser on this machine."""

import socket
import webbrowser
from dataclasses import replace
from ipaddress import ip_address
from threading import Timer
from typing import Annotated

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import notice
from langgraph_learning.cli.target import Target
from langgraph_learning.errors import ConfigurationError

NOT_HERE = (
    "these pages show the memory of all users, so `serve` answers this machine only; for other machines, mount"
    " langgraph_learning.web.create_app(..., authenticate=...) in your application"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, serve)


def serve(
    at: Target,
    learning: Annotated[
        str | None, typer.Argument(metavar="MODULE:NAME", help="Your own LearningMachine, as with --machine.")
    ] = None,
    host: Annotated[str, typer.Option(metavar="NAME", help="localhost, 127.0.0.1 or ::1.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free port.")] = 8765,
    browse: Annotated[bool, typer.Option("--open", help="Open the pages in a browser.")] = False,
) -> None:
    """Serve the memory browser on this machine: pages to read, approve, edit and undo; REST under /api.

    Example: langgraph-learning serve -d sqlite:///learning.db app.agent:learning --open
    """
    if not _is_loopback(host):
        raise ConfigurationError(f"--host {host}: {NOT_HERE}")
    target = replace(at, machine=learning) if learning is not None else at
    try:
        import uvicorn

        from langgraph_learning.web import create_app
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"serve needs {error.name}: pip install 'langgraph-learning[web]'") from error
    with target.open() as opened, _listen(host, port) as listening:
        app = create_app(opened.machine_for_all(), opened.store, authenticate=None)
        name = f"[{host}]" if ":" in host else host
        url = f"http://{name}:{listening.getsockname()[1]}/"
        notice(f"memory browser: {url}  (ctrl+c ends it)")
        if browse:
            # The server starts in the last line and blocks; give it a moment before the browser asks.
            Timer(0.8, webbrowser.open, [url]).start()
        # Ignore the headers of proxies: with them, a remote client could look like this machine.
        config = uvicorn.Config(app, log_level="warning", proxy_headers=False, lifespan="off")
        uvicorn.Server(config).run(sockets=[listening])


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error}; --port names another one") from error
