"""The commands that change what was learned."""

from typing import Annotated

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import confirm, notice, say, write_json
from langgraph_learning.cli.proposals import decide
from langgraph_learning.cli.target import Target
from langgraph_learning.errors import ScopeError

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for step in (undo, forget, decide, curate):
        command(app, step)


def undo(at: Target, commit: Annotated[str, typer.Argument(help="The id of a commit.")], yes: Yes = False) -> None:
    """Put every record that a commit changed back to what it was; `history` lists the commits.

    Example: langgraph-learning undo -d sqlite:///learning.db -u alex@example.com 5d0c... --yes
    """
    with at.open() as opened:
        scoped = opened.scoped_for(at.whose)
        meant = next((made for made in scoped.commits() if made.id == commit), None)
        if meant is None:
            raise ScopeError(f"there is no commit {commit!r} of this user; `history` lists them")
        for change in meant.changes:
            notice(f"{change.kind} {change.store}: {change.text}")
        confirm("Undo this?", yes=yes)
        made = scoped.undo(commit)
    for refusal in made.refused:
        notice(f"not {refusal.operation}: {refusal.reason}")
    write_json(made) if at.as_json else say(f"undone by commit {made.id}")


def forget(at: Target, yes: Yes = False) -> None:
    """Erase everything that was learned from a user, also in shared namespaces, history included, for good.

    Example: langgraph-learning forget -d sqlite:///learning.db -u alex@example.com
    """
    with at.open() as opened:
        scoped = opened.scoped_for(at.whose)
        count = len(list(scoped.export()))
        confirm(f"Erase all {count} records of {at.whose!r}, what they taught to all, and its history?", yes=yes)
        counts = scoped.forget()
    notice("what was said stays in the checkpoints of the threads: checkpointer.delete_thread erases it")
    write_json(counts) if at.as_json else say(", ".join(f"{rows} {what}" for what, rows in counts.items()) or "nothing")


def curate(at: Target, apply: Annotated[bool, typer.Option("--apply", help="Do it, as a commit.")] = False) -> None:
    """Find records that say the same or are out of date; nothing is changed without --apply.

    Example: langgraph-learning curate -d sqlite:///learning.db -u alex@example.com --apply
    """
    with at.open() as opened:
        report = opened.scoped_for(at.whose).curate(dry_run=not apply)
    if at.as_json:
        write_json(report)
        return
    for found in (*report.merged, *report.retired):
        say(f"{found.kind} {found.store}: {' | '.join(found.texts)} ({found.reason})")
    if report.commit:
        say(f"done by commit {report.commit}")
    elif report.changes:
        notice("nothing was changed: --apply does it")
    else:
        notice("nothing is said twice or out of date")
