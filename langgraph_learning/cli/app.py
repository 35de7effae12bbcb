"""The typer application with all commands."""

from typing import Annotated

import typer

import langgraph_learning
from langgraph_learning.cli import (
    backup,
    database,
    doctor,
    edit_records,
    evaluate,
    importing,
    learn,
    maintenance,
    mcp,
    proposals,
    queries,
    reflect,
    serve,
    worker,
)

app = typer.Typer(
    name="langgraph-learning",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
for part in (
    queries,
    proposals,
    edit_records,
    maintenance,
    learn,
    reflect,
    evaluate,
    worker,
    serve,
    mcp,
    backup,
    importing,
    database,
    doctor,
):
    part.register(app)


@app.callback(invoke_without_command=True)
def options(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Inspect, correct, back up and move what a learning machine has learned.

    Name the database by --db, LANGGRAPH_LEARNING_DB or DATABASE_URL. Exit codes: 0 success, 1 refused or failed (one
    line on stderr says why), 2 wrong usage.
    """
    if version:
        typer.echo(f"langgraph-learning {langgraph_learning.__version__}")
        raise typer.Exit
