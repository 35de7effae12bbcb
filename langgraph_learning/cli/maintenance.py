"""The commands that take back, erase or clean up what was learned: `undo`, `forget` and `curate`."""

from collections import Counter
from typing import Annotated

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import confirm, notice, progress, say, write_json
from langgraph_learning.cli.short_ids import find_by_prefix
from langgraph_learning.cli.target import Target
from langgraph_learning.errors import ConfigurationError

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for step in (undo, forget, curate):
        command(app, step)


def undo(
    at: Target,
    commit: Annotated[str, typer.Argument(help="The id of a commit, or its beginning.")],
    yes: Yes = False,
) -> None:
    """Restore every record that a commit changed to its earlier state; `history` lists the commits.

    Example: langgraph-learning undo -d sqlite:///learning.db -u alex@example.com 5d0c... --yes
    """
    with at.open() as opened:
        whose = at.whose
        opened.check_user()
        scoped = opened.scoped_for(whose)
        commits = {item.id: item for item in scoped.commits()}
        target = commits[find_by_prefix(commit, commits, "commit", "history")]
        for change in target.changes:
            notice(f"{change.kind} {change.store}: {change.text}")
        confirm("Undo this?", yes=yes)
        undone = scoped.undo(target.id)
    for refusal in undone.refused:
        notice(f"not {refusal.operation}: {refusal.reason}")
    write_json(undone) if at.as_json else say(f"undone by commit {undone.id}")


def forget(at: Target, yes: Yes = False) -> None:
    """Erase everything learned from a user for good, with its history, also in shared namespaces.

    Example: langgraph-learning forget -d sqlite:///learning.db -u alex@example.com
    """
    if at.thread is not None:
        raise ConfigurationError(
            "forget erases a user in all threads: leave out --thread. To erase one thread, call"
            " checkpointer.delete_thread"
        )
    with at.open() as opened:
        whose = at.whose
        opened.check_user()
        scoped = opened.scoped_for(whose)
        counts = Counter(row["store"] for row in scoped.export())
        beside = {"commits": len(scoped.commits()), "proposals": len(scoped.proposals())}
        question = (
            f"Erase all {counts.total()} records of {whose!r} with their history, and what they taught in shared"
            " namespaces?"
        )
        confirm(question, yes=yes)
        erased = scoped.forget()
    notice("the conversations stay in the checkpoints of the threads: checkpointer.delete_thread erases them")
    beside["shared"] = erased.get("shared", 0)
    if at.as_json:
        write_json({"records": dict(sorted(counts.items())), **beside, "items": erased.get("items", 0)})
        return
    parts = [f"{count} {what}" for what, count in (*sorted(counts.items()), *beside.items()) if count]
    say(f"forgotten: {', '.join(parts)}" if parts else "there was nothing to forget")


def curate(
    at: Target, apply: Annotated[bool, typer.Option("--apply", help="Make the changes, as one commit.")] = False
) -> None:
    """Find duplicate and outdated records; with --apply, merge and archive them.

    Example: langgraph-learning curate -d sqlite:///learning.db -u alex@example.com --apply
    """
    with at.open() as opened, progress("Looking through the records"):
        whose = at.whose
        opened.check_user()
        report = opened.scoped_for(whose).curate(dry_run=not apply)
    if at.as_json:
        write_json(report)
        return
    for finding in (*report.merged, *report.retired):
        say(f"{finding.kind} {finding.store}: {' | '.join(finding.texts)} ({finding.reason})")
    if report.commit:
        say(f"done by commit {report.commit}")
    elif report.changes:
        notice("nothing was changed: --apply makes the changes")
    else:
        notice("no record is a duplicate or outdated")
