"""The commands that improve an agent (`reflect`) and measure whether it has improved (`eval`)."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import notice, progress, say, write_json
from langgraph_learning.cli.target import Target
from langgraph_learning.errors import ConfigurationError

if TYPE_CHECKING:
    from langgraph_learning.reports import Reflection


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, reflect)
    command(app, evaluate, name="eval")


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


def evaluate(
    at: Target,
    tasks: Annotated[
        Path, typer.Argument(metavar="TASKS", help='JSON lines: {"input": "...", "user_id": "...", "expect": "..."}.')
    ],
    agent: Annotated[str, typer.Argument(metavar="MODULE:NAME", help="The compiled graph, e.g. app.agent:agent.")],
    counts: Annotated[str, typer.Option("--at", metavar="N,N,...", help="The numbers of commits.")] = "0,10,100,1000",
) -> None:
    """Run the same tasks with an agent on memory as it was after numbers of commits; nothing is learned meanwhile.

    Example: langgraph-learning eval tasks.jsonl app.agent:agent -d sqlite:///learning.db --at 0,10,100
    """
    from langgraph_learning.cli.machines import load_agent
    from langgraph_learning.evals import evaluate as put_tasks
    from langgraph_learning.evals import read_tasks

    try:
        numbers = [int(part) for part in counts.split(",")]
    except ValueError:
        raise ConfigurationError(f"--at {counts}: give numbers of commits, such as 0,10,100") from None
    task_list = read_tasks(tasks)
    with at.open() as opened, progress("Asking", len(task_list) * len(numbers)):
        graph = load_agent(agent)
        copied = graph.copy({"store": opened.store}) if hasattr(graph, "copy") else graph
        curve = put_tasks(copied, task_list, learning=opened.machine(at.user), at=numbers, store=opened.store)
    write_json(curve) if at.as_json else say(str(curve))
