"""The command `reflect`, which learns from what happened how to work better."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import notice, progress, say, write_json
from langgraph_learning.cli.target import Target
from langgraph_learning.errors import ConfigurationError

if TYPE_CHECKING:
    from langgraph_learning.reports import Reflection


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, reflect)


def reflect(
    at: Target,
    apply: Annotated[
        bool, typer.Option("--apply", help="Make the changes; by default the command only reports them.")
    ] = False,
    since: Annotated[
        datetime | None, typer.Option(help="Read what happened after this time; by default since the last reflection.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="PROVIDER:NAME", help="The model that reflects; by default that of your --machine."),
    ] = None,
) -> None:
    """Learn how to work better from tool calls, votes, outcomes and corrections; changes need --apply.

    Example: langgraph-learning reflect -d sqlite:///learning.db --machine app.agent:learning --apply
    """
    if model is None and at.machine is None:
        raise ConfigurationError("there is no model to reflect with: give --model provider:name, or your own --machine")
    with at.open() as opened, progress("Reflecting"):
        machine = opened.machine(at.user, model)
        namespace = None if at.machine is not None and at.namespace == "global" else at.namespace
        report = machine.reflect(
            user_id=at.user, namespace=namespace, since=since, dry_run=not apply, store=opened.store
        )
    write_json(report) if at.as_json else _tell(report)


def _tell(report: "Reflection") -> None:
    for change in report.changes:
        say(f"{change.kind} {change.store}: {change.text}")
    for proposal in report.proposed:
        say(f"propose {proposal.description}")
    for refusal in report.refused:
        notice(f"not {refusal.operation}: {refusal.reason}")
    notice(f"{report.events} events, {report.usage.calls} model calls")
    for commit in report.commits:
        say(f"done by commit {commit}")
    if report.failed:
        notice(f"stopped half way: {report.failed}")
    if report.dry_run and (report.changes or report.proposed):
        notice("nothing was changed: --apply makes the changes")
