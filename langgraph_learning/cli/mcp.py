"""The command that serves one user's memory to MCP clients."""

from typing import Annotated

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import notice
from langgraph_learning.cli.target import Target
from langgraph_learning.errors import ConfigurationError


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, mcp)


def mcp(
    at: Target,
    http: Annotated[bool, typer.Option("--http", help="Serve HTTP on this machine instead of stdio.")] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port for --http.")] = 8766,
) -> None:
    """Serve one user's memory to an MCP client: tools to search, recall, remember, update and forget; the profile.

    Example: langgraph-learning mcp -d sqlite:///learning.db -u alex@example.com
    """
    user = at.whose
    try:
        from langgraph_learning.mcp import create_server
    except ModuleNotFoundError as error:
        raise ConfigurationError(str(error)) from error
    with at.open(make=True) as opened:
        server = create_server(opened.machine(user), opened.store, user_id=user, thread_id=at.thread)
        if http:
            notice(f"{user}'s memory: http://127.0.0.1:{port}/mcp  (ctrl+c ends it)")
            server.run("streamable-http", host="127.0.0.1", port=port)
        else:
            server.run()
