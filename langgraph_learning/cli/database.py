"""The commands for the database itself: its statistics and its tables."""

from collections import Counter
from typing import TYPE_CHECKING

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import progress, say, write_json
from langgraph_learning.cli.target import Target, check_exists

if TYPE_CHECKING:
    from langgraph_learning._all_users import Figures
    from langgraph_learning.checkpointers._store.inspect import DatabaseState


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, stats)
    command(app, migrate, scoped=False)


def stats(at: Target) -> None:
    """Count records, commits, refused operations and waiting proposals, of one user or of all.

    A table shows for each learning store what was learned, changed, retired, proposed, approved and recalled, the votes
    (helpful, harmful), the tokens that learning cost (tokens), and those of recalled text in prompts (shown).

    Example: langgraph-learning stats -d sqlite:///learning.db
    """
    from langgraph_learning.records import NOT_RECORDS, ROOT, Scope

    state = check_exists(at.state(counting=True))
    prefix = (ROOT,) if at.user is None else Scope(user_id=at.user).path
    mine = {namespace: count for namespace, count in state.counts.items() if namespace[: len(prefix)] == prefix}
    counted = Counter[str]()
    for namespace, count in mine.items():
        counted[namespace[-1]] += count
    users = {namespace[2] for namespace in mine if namespace[:2] == (ROOT, "user")}
    beside = {"commits": 0, "proposals": 0} | {what: counted.pop(what) for what in sorted(NOT_RECORDS & counted.keys())}
    with at.open() as opened:
        beside["proposals"] = opened.admin.count_proposals(at.user) if beside["proposals"] else 0
        beside["refused"] = opened.admin.count_refused(at.user)
        figures = opened.admin.figures(at.user)
    turns = {f"turns {status}": count for status, count in sorted(state.turns.items())} if at.user is None else {}
    totals = {"users": len(users)} if at.user is None else {}
    if at.as_json:
        write_json(
            {
                **totals,
                "records": dict(sorted(counted.items())),
                **beside,
                **turns,
                "learning": figures,
                "bytes": state.size,
            }
        )
        return
    for what, count in {**totals, **dict(sorted(counted.items())), **beside, **turns}.items():
        say(f"{what:<20}{count:>10}")
    say(f"{'database':<20}{_size(state.size):>10}")
    if figures:
        say("")
        _tell_figures(figures)


def _tell_figures(figures: "Figures") -> None:
    """Print a table of the learning stores; a column with only zeros is left out."""
    names = [name for name in next(iter(figures.values())) if any(counts[name] for counts in figures.values())]
    rows = [("learning store", *names)]
    rows += [(store, *(f"{counts[name]:,}" for name in names)) for store, counts in figures.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        numbers = "  ".join(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        say(f"{name:<{widths[0]}}  {numbers}")


def migrate(at: Target) -> None:
    """Create the tables, or bring them up to date; with --embed, also add missing vectors.

    Example: langgraph-learning migrate -d postgresql://localhost/app --schema learning
    """
    before = at.state()
    with at.open(make=True) as opened:
        waiting = opened.store.count_without_vectors()
        with progress("Embedding stored items", waiting) as report:
            embedded = opened.store.fill_vectors(report)
    after = check_exists(at.state())
    done = [name for name in after.applied if before is None or name not in before.applied]
    if at.as_json:
        write_json(
            {
                "applied": done,
                "migrations": list(after.applied),
                "pending": list(after.pending),
                "embedded": embedded,
            }
        )
        return
    for name in done:
        say(f"applied {name}")
    if embedded:
        say(f"embedded {embedded} stored items")
    say(_migration_summary(before, after, done))


def _migration_summary(before: "DatabaseState | None", after: "DatabaseState", done: list[str]) -> str:
    is_new = before is None or not before.made
    return f"{'made' if is_new else 'migrated' if done else 'up to date'}: {len(after.applied)} migrations in place"


def _size(size: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"
