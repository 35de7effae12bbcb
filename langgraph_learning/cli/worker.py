"""The commands for background learning: run a worker, and list the turns that wait for one."""

from datetime import timedelta
from typing import Annotated

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import Column, day, notice, show
from langgraph_learning.cli.target import Target


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, worker, scoped=False)
    command(app, pending)


def worker(
    at: Target,
    machine: Annotated[
        str, typer.Argument(metavar="MODULE:NAME", help="Your LearningMachine, e.g. app.agent:learning.")
    ],
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-c", min=1, help="The number of users to learn from at once.")
    ] = 4,
    curate_days: Annotated[
        float | None, typer.Option(min=0.01, help="Curate the records of all users every so many days.", metavar="DAYS")
    ] = None,
    sweep_days: Annotated[
        float | None, typer.Option(min=0.01, help="Erase expired records every so many days.", metavar="DAYS")
    ] = None,
) -> None:
    """Learn from the turns that wait in a database, until ctrl+c or SIGTERM; several workers may run at once.

    Example: langgraph-learning worker -d postgresql://localhost/app app.agent:learning --concurrency 8
    """
    from langgraph_learning._worker import Worker
    from langgraph_learning.cli.machines import load_machine

    worker = Worker(
        load_machine(machine),
        concurrency=concurrency,
        curate_every=timedelta(days=curate_days) if curate_days else None,
        sweep_every=timedelta(days=sweep_days) if sweep_days else None,
    )
    started = f"learning from the waiting turns of {concurrency} users at once; ctrl+c or SIGTERM ends it"
    with at.open(make=True) as opened:
        worker.run(opened.store, lambda: notice(started))


PENDING = (
    Column("id", lambda turn: turn.id, "id"),
    Column("user", lambda turn: turn.identity.user_id, "name"),
    Column("thread", lambda turn: turn.identity.thread_id, "name"),
    Column("status", lambda turn: f"{turn.status}, {turn.attempts} attempts" if turn.attempts else turn.status, "name"),
    Column("due", lambda turn: day(turn.due_at), "time"),
    Column("said", lambda turn: turn.text),
    Column("error", lambda turn: turn.error),
)


def pending(
    at: Target,
    retry: Annotated[
        bool, typer.Option("--retry", help="First make the failed turns wait again, due at once.")
    ] = False,
) -> None:
    """List the turns that wait to be learned from, and those that failed, of one user or of all.

    Example: langgraph-learning pending -d sqlite:///learning.db --retry
    """
    with at.open() as opened:
        if retry:
            notice(f"{opened.admin.retry_pending(at.user)} wait again")
        turns = opened.admin.pending(at.user)
    show(turns, PENDING, as_json=at.as_json, none="nothing waits")
