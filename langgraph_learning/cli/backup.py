"""The commands that write a backup and load one."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import notice, plain, progress, say, write_json
from langgraph_learning.cli.target import Target
from langgraph_learning.errors import ConfigurationError, LearningError

if TYPE_CHECKING:
    from langgraph_learning.versioned_store import Json


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, export)
    command(app, load)


def export(
    at: Target,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="The file to write; by default stdout.")
    ] = None,
    with_history: Annotated[
        bool,
        typer.Option("--history", help="Also earlier versions; for one user also commits, proposals and votes."),
    ] = False,
) -> None:
    """Write a backup as JSON lines, for `load`: everything in the database, or the records of one --user.

    Everything means the records of all users and shared namespaces, commits, proposals and votes, as of one moment.

    Example: langgraph-learning export -d sqlite:///learning.db -o backup.jsonl
    """
    from langgraph_learning import backup

    with at.open() as opened:
        if at.user is not None:
            opened.check_user()
        if at.user is not None and not with_history:
            rows = opened.scoped_for(at.user).export()
        else:
            rows = backup.export(opened.store, user_id=at.user, history=with_history)
        lines = Counter[str]()
        with _open_output(out), progress("Exporting", shown=not sys.stdout.isatty()) as done:
            for row in rows:
                write_json(row)
                lines[_kind(row)] += 1
                done(1)
    notice(", ".join(f"{count} {kind}" for kind, count in sorted(lines.items())) or "nothing")


def _kind(row: "dict[str, Json]") -> str:
    namespace = row.get("namespace")
    if not isinstance(namespace, list):
        return "records"
    return plain(namespace[-1]) if row["value"] is not None else "removed"


@contextmanager
def _open_output(out: Path | None) -> Iterator[None]:
    """Redirect stdout to a file. It is written under another name and renamed at the end, so it is never incomplete."""
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


def load(
    at: Target,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="The file that `export` wrote; - is stdin.")],
) -> None:
    """Load a backup that `export` wrote. What is stored already is skipped, so an interrupted load can be repeated.

    With --user, only the data of this user is loaded.

    Example: langgraph-learning load backup.jsonl -d postgresql://localhost/app
    """
    from langgraph_learning import backup

    with at.open(make=True) as opened:
        scoped, total = opened.scoped_for(at.user), backup.Restored()
        with _read_lines(source) as (lines, size), progress("Loading", size) as done:
            rows = _rows(lines, done, at.user)
            try:
                for page in backup.pages(rows):
                    total += backup.load(opened.store, page, stores=scoped.stores, mask=scoped.mask)
            except (LearningError, KeyboardInterrupt):
                notice(f"{total.written + total.unchanged} rows are loaded; run the command again to load the rest")
                raise
    if at.as_json:
        write_json(total)
    else:
        say(f"{total.written} written, {total.unchanged} unchanged")


@contextmanager
def _read_lines(source: Path) -> Iterator[tuple[Iterator[bytes], int | None]]:
    """Open a file, or stdin for `-`, and yield its lines and its size in bytes (None for stdin)."""
    if str(source) == "-":
        yield iter(sys.stdin.buffer), None
        return
    try:
        with source.open("rb") as file:
            yield iter(file), source.stat().st_size
    except OSError as error:
        raise ConfigurationError(f"cannot read {str(source)!r}: {error.strerror}") from error


def _rows(lines: Iterator[bytes], done: Callable[[int], None], user: str | None) -> "Iterator[dict[str, Json]]":
    for number, line in enumerate(lines, 1):
        done(len(line))
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ConfigurationError(f"line {number} is no JSON: {error}") from error
        if not isinstance(row, dict):
            raise ConfigurationError(f"line {number} is no JSON object: `export` writes one per line")
        if user is None or _is_of(user, row):
            yield row


def _is_of(user: str, row: "dict[str, Json]") -> bool:
    from langgraph_learning.records import Scope

    if (namespace := row.get("namespace")) is not None:
        path = Scope(user_id=user).path
        return tuple(namespace)[: len(path)] == path
    return bool((row.get("scope") or {}).get("user_id") == user)
