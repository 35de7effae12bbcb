"""The command `eval`, which measures whether memory makes an agent better."""

from pathlib import Path
from typing import Annotated

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import progress, say, write_json
from langgraph_learning.cli.target import Target
from langgraph_learning.errors import ConfigurationError


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, evaluate, name="eval")


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
