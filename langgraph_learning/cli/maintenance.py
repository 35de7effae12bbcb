"""The commands that take back, erase or clean up what was learned: `undo`, `forget` and `curate`."""

from collections import Counter
from typing import Annotated

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import confirm, notice, progress, say, write_json
from langgraph_learning.cli.short_ids import find_by_prefix
from langgraph_learning.cli.target import Target
from langgraph_learning.errors import ConfigurationError

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for step in (undo, forget, curate):
        command(app, step)


def undo(
    at: Target,
    commit: Annotated[str, typer.Argument(help="The id of a commit, or its beginning.")],
    yes: Yes = False,
) -> None:
    """Put every record that a commit changed back to what it was; `history` lists the commits.

    Example: langgraph-learning undo -d sqlite:///learning.db -u alex@example.com 5d0c... --yes
    """
    with at.open() as opened:
        whose = at.whose
        opened.check_user()
        scoped = opened.scoped_for(whose)
        commits = {made.id: made for made in scoped.commits()}
        meant = commits[find_by_prefix(commit, commits, "commit", "history")]
        for change in meant.changes:
            notice(f"{change.kind} {change.store}: {change.text}")
        confirm("Undo this?", yes=yes)
        undone = scoped.undo(meant.id)
    for refusal in undone.refused:
        notice(f"not {refusal.operation}: {refusal.reason}")
    write_json(undone) if at.as_json else say(f"undone by commit {undone.id}")


def forget(at: Target, yes: Yes = False) -> None:
    """Erase everything that was learned from a user, also in shared namespaces, history included, for good.

    Example: langgraph-learning forget -d sqlite:///learning.db -u alex@example.com
    """
    if at.thread is not None:
        raise ConfigurationError(
            "forget erases a user in all threads: leave out --thread. What belongs to one thread goes with"
            " checkpointer.delete_thread"
        )
    with at.open() as opened:
        whose = at.whose
        opened.check_user()
        scoped = opened.scoped_for(whose)
        kept = Counter(row["store"] for row in scoped.export())
        beside = {"commits": len(scoped.commits()), "proposals": len(scoped.proposals())}
        question = f"Erase all {kept.total()} records of {whose!r}, what they taught to all, and its history?"
        confirm(question, yes=yes)
        erased = scoped.forget()
    notice("what was said stays in the checkpoints of the threads: checkpointer.delete_thread erases it")
    beside["shared"] = erased.get("shared", 0)
    if at.as_json:
        write_json({"records": dict(sorted(kept.items())), **beside, "items": erased.get("items", 0)})
        return
    told = [f"{count} {what}" for what, count in (*sorted(kept.items()), *beside.items()) if count]
    say(f"forgotten: {', '.join(told)}" if told else "nothing was known")


def curate(at: Target, apply: Annotated[bool, typer.Option("--apply", help="Do it, as a commit.")] = False) -> None:
    """Find records that say the same or are out of date; nothing is changed without --apply.

    Example: langgraph-learning curate -d sqlite:///learning.db -u alex@example.com --apply
    """
    with at.open() as opened, progress("Looking through the records"):
        whose = at.whose
        opened.check_user()
        report = opened.scoped_for(whose).curate(dry_run=not apply)
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
