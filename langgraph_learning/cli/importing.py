"""The command that imports the memories of other packages, or an export of this one."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import confirm, notice, progress, say, write_json
from langgraph_learning.cli.target import Target
from langgraph_learning.errors import ConfigurationError

if TYPE_CHECKING:
    from langgraph_learning.cli.open_target import OpenTarget
    from langgraph_learning.importing import ImportPreview
    from langgraph_learning.masking import Mask
    from langgraph_learning.records import Record
    from langgraph_learning.versioned_store import Json

PAGE = 500
"""How many records are written at once, as in `load`."""
TOLD = 3
"""How many skipped rows are named for each reason."""
Kind = Literal["auto", "export", "agno", "langmem", "langgraph", "mem0"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, import_, name="import")


def import_(
    at: Target,
    source: Annotated[str, typer.Argument(metavar="FILE|URL", help="JSON, JSON lines, or a database.")],
    kind: Annotated[Kind, typer.Option("--from", help="The kind of source; by default detected.")] = "auto",
    user_at: Annotated[
        int | None,
        typer.Option(metavar="N", help="The index of the user in a LangGraph namespace; 0 is the first label."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report what would be imported.")] = False,
    vouch: Annotated[
        bool, typer.Option("--vouch", help="Trust what the rows say about their source and approval.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Replace existing records without asking.")] = False,
) -> None:
    """Import an export, or memories of Agno, LangMem, LangGraph or mem0; importing again changes nothing.

    Without --user, records go to the users that the source names. With --user, they go to this user; if the source has
    several users, only the records of this user are imported.

    Example: langgraph-learning import mem0.json --from mem0 -d sqlite:///learning.db -u alex@example.com --dry-run
    """
    from langgraph_learning.importing import preview_rows, read

    origin, rows = read(source, kind, user_at=user_at)
    with _open_target(at, dry_run=dry_run) as opened:
        # Mask as `load` does; otherwise a row with a secret differs from the record already there, which is masked.
        intake = preview_rows(
            rows, at.user, _existing_rows(opened), datetime.now(UTC), _mask(opened), _check(at, opened)
        )
        _print_skipped(intake)
        replaced = sum(map(len, intake.replacing.values()))
        if opened is not None and not dry_run:
            if replaced:
                confirm(f"{replaced} existing records would be replaced. Replace them?", yes=yes)
            _write(opened, intake, vouched=vouch)
    _report(at, origin, intake, dry_run=dry_run)
    if not intake.users and not intake.unchanged and intake.skipped:
        raise ConfigurationError("nothing in this source can be imported")


@contextmanager
def _open_target(at: Target, *, dry_run: bool) -> "Iterator[OpenTarget | None]":
    """Open the database; yield None for a dry run without a database, which creates none."""
    state = at.state()
    if dry_run and (state is None or not state.made):
        yield None
        return
    if state is not None and state.dims and at.embed is None:
        notice(
            f"this database keeps vectors of {state.dims} dimensions: without --embed, imported records get no vectors"
        )
    with at.open(make=True) as opened:
        yield opened


def _mask(opened: "OpenTarget | None") -> "Mask":
    from langgraph_learning.masking import mask_secrets

    return opened.scoped_for().mask if opened is not None else mask_secrets


def _check(at: Target, opened: "OpenTarget | None") -> "Callable[[Record], str | None]":
    """Return a function that says why a record cannot be imported; None means that it can.

    Without `--machine`, a record of an unknown learning store is accepted: it may belong to the user's own machine.
    """
    from langgraph_learning.cli.machines import machine_for_everything
    from langgraph_learning.records import NOT_RECORDS
    from langgraph_learning.stores.base import record_fault

    machine = opened.machine(None) if opened is not None else machine_for_everything("global", {})
    stores = {store.name: store for store in machine.stores}
    own = at.machine is None

    def check(record: "Record") -> str | None:
        foreign = record.store.isidentifier() and record.store not in (*stores, *NOT_RECORDS)
        return None if own and foreign else record_fault(stores, record)

    return check


def _existing_rows(opened: "OpenTarget | None") -> "Callable[[str], Iterator[Mapping[str, Json]]]":
    return lambda user: opened.scoped_for(user).export() if opened is not None else iter(())


def _write(opened: "OpenTarget", intake: "ImportPreview", *, vouched: bool) -> None:
    rows = {user: intake.rows(user) for user in intake.users}
    opened = replace(opened, coming=frozenset(row["store"] for theirs in rows.values() for row in theirs))
    with progress("Importing", sum(map(len, rows.values()))) as done:
        for user, theirs in rows.items():
            scoped = opened.scoped_for(user)
            for start in range(0, len(theirs), PAGE):
                done(scoped.load(theirs[start : start + PAGE], vouched=vouched))


def _print_skipped(intake: "ImportPreview") -> None:
    for reason, count in Counter(skipped.reason for skipped in intake.skipped).items():
        places = [skipped.where for skipped in intake.skipped if skipped.reason == reason]
        more = f" and {count - TOLD} more" if count > TOLD else ""
        notice(f"left out: {', '.join(places[:TOLD])}{more}: {reason}")


def _report(at: Target, kind: str, intake: "ImportPreview", *, dry_run: bool) -> None:
    users = {
        user: {"new": len(intake.new.get(user, ())), "replaced": len(intake.replacing.get(user, ()))}
        for user in intake.users
    }
    if at.as_json:
        left_out = [{"where": skipped.where, "reason": skipped.reason} for skipped in intake.skipped]
        write_json(
            {
                "from": kind,
                "dry_run": dry_run,
                "new": sum(counts["new"] for counts in users.values()),
                "replaced": sum(counts["replaced"] for counts in users.values()),
                "unchanged": intake.unchanged,
                "skipped": left_out,
                "users": users,
            }
        )
        return
    would = "would be " if dry_run else ""
    for user, counts in users.items():
        say(f"{user}: {counts['new']} {would}new, {counts['replaced']} {would}replaced")
    say(f"from {kind}: {intake.unchanged} unchanged, {len(intake.skipped)} left out")
