"""The commands that read."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import day, notice, progress, say, show, write_json
from langgraph_learning.cli.proposals import proposals
from langgraph_learning.cli.target import OpenTarget, Target
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.records import Commit, Record, Revision

NOBODY = "no --user: only what is shared by the namespace is looked at"
RecordId = Annotated[str | None, typer.Argument(metavar="[RECORD]", help="The id of a record.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for step in (records, search, recall, history, proposals, export):
        command(app, step)


def _scope(record: Record) -> str:
    scope = record.scope
    if scope.namespace is not None:
        return f"shared in {scope.namespace}"
    return " ".join(f"{name} {value}" for name, value in (("thread", scope.thread_id), ("agent", scope.agent)) if value)


def _source(record: Record) -> str:
    source = record.source
    return f'"{source.quote}"' if source.quote else f"{source.actor} (inferred)" if source.inferred else source.actor


RECORDS = {
    "id": lambda record: record.id,
    "learning store": lambda record: record.store,
    "where": _scope,
    "text": lambda record: record.text if record.status == "active" else f"{record.text} ({record.status})",
    "from": _source,
    "updated": lambda record: day(record.updated_at),
}


def records(
    at: Target,
    store: Annotated[
        str | None, typer.Option("--store", "-s", metavar="NAME", help="Of one learning store, also of your own.")
    ] = None,
) -> None:
    """List what is known about a user, oldest first, over all threads unless one is named.

    Example: langgraph-learning records -d sqlite:///learning.db -u alex@example.com -s user_memory
    """
    with at.open() as opened:
        _warn_of_nobody(at)
        found = opened.records(at.user)
        names = {record.store for record in found} | {each.name for each in opened.machine(at.user).stores}
    if store is not None and store not in names:
        raise ConfigurationError(f"there is no learning store {store!r} here; there are {', '.join(sorted(names))}")
    chosen = [record for record in found if store in (None, record.store)]
    show(chosen, RECORDS, as_json=at.as_json, none="no records")


def search(
    at: Target,
    query: Annotated[str, typer.Argument(help="Words, or with --embed a meaning.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 5,
) -> None:
    """List the records that fit a query best, the best first.

    Example: langgraph-learning search -d sqlite:///learning.db -u alex@example.com "databases"
    """
    with at.open() as opened:
        _warn_of_nobody(at)
        found = opened.scoped_for(at.user).search(query, limit=limit)
    show(found, RECORDS, as_json=at.as_json, none="nothing fits")


def recall(at: Target, query: Annotated[str, typer.Argument(help="What the user would say.")]) -> None:
    """Show what a model would be told if the user said this, and the receipt: why each record was chosen.

    Example: langgraph-learning recall -d sqlite:///learning.db -u alex@example.com "Where do I deploy?"
    """
    with at.open() as opened:
        _warn_of_nobody(at)
        recalled = opened.scoped_for(at.user).recall(query)
    if at.as_json:
        write_json(recalled)
        return
    receipt = recalled.receipt
    say(recalled.text or "(nothing is recalled)")
    columns = {
        "label": lambda shown: shown.label,
        "learning store": lambda shown: shown.store,
        "why": lambda shown: shown.reason,
        "score": lambda shown: f"{shown.score:.2f}",
        "tokens": lambda shown: shown.tokens,
        "id": lambda shown: shown.id,
    }
    show(receipt.shown, columns, as_json=False)
    left = "".join(f"; left out: {count} of {store}" for store, count in receipt.left_out.items())
    say(f"{receipt.tokens} tokens{left}")


def history(at: Target, record: RecordId = None) -> None:
    """List the commits of a user, or all states of one record with the commits that made them.

    Example: langgraph-learning history -d sqlite:///learning.db -u alex@example.com user_profile:name
    """
    with at.open() as opened:
        if record is None:
            show(opened.scoped_for(at.whose).commits(), COMMITS, as_json=at.as_json, none="no commits")
            return
        _warn_of_nobody(at)
        found = opened.scoped_for(at.user, _thread_of(opened, record)).history(record)
    if not found:
        raise ConfigurationError(f"there is no record {record!r} of this user; `records` lists them")
    show(found, REVISIONS, as_json=at.as_json)


def _thread_of(opened: OpenTarget, record: str) -> str | None:
    """Return the thread whose record this is: an id of a session context is none without it."""
    threads = {found.scope.thread_id for found in opened.records(opened.target.user) if found.id == record}
    if len(threads) > 1:
        raise ConfigurationError(f"there is a record {record!r} in {len(threads)} threads: say which, by --thread")
    return next(iter(threads), None)


def _changes(commit: Commit) -> str:
    return "\n".join(f"{change.kind} {change.store}: {change.text}" for change in commit.changes)


def _text(revision: Revision) -> str:
    return revision.record.text if revision.record is not None else "(removed)"


COMMITS = {
    "commit": lambda commit: commit.id,
    "at": lambda commit: day(commit.at),
    "thread": lambda commit: commit.identity.thread_id,
    "changes": _changes,
}
REVISIONS = {
    "version": lambda revision: revision.version,
    "at": lambda revision: day(revision.at),
    "text": _text,
    "commit": lambda revision: revision.commit,
}


def export(
    at: Target,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write to a file; by default to stdout.")
    ] = None,
) -> None:
    """Write the records of a user, or of all users, as JSON lines that `import` takes in again.

    Example: langgraph-learning export -d sqlite:///learning.db -u alex@example.com -o alex.jsonl
    """
    with at.open() as opened:
        users = opened.users() if at.user is None else [at.user]
        lines = 0
        with _open_output(out), progress("Exporting", len(users), shown=not sys.stdout.isatty()) as done:
            for user in users:
                for row in opened.scoped_for(user).export():
                    write_json(row)
                    lines += 1
                done(1)
    notice(f"{lines} records of {len(users)} user{'s' * (len(users) != 1)}")


@contextmanager
def _open_output(out: Path | None) -> Iterator[None]:
    """Let stdout be a file, which is there only when it is whole."""
    if out is None:
        yield
        return
    part = out.with_name(f"{out.name}.part")
    try:
        with part.open("w", encoding="utf-8", errors="backslashreplace") as file, redirect_stdout(file):
            yield
        part.replace(out)
    except OSError as error:
        raise ConfigurationError(f"cannot write {str(out)!r}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _warn_of_nobody(at: Target) -> None:
    if at.user is None:
        notice(NOBODY)
