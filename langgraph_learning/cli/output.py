"""Where things are written: results to stdout, everything else to stderr; a table for eyes, lines for a pipe."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import typer

from langgraph_learning.cli.ids import shorten

DETAILED = 110
"""From how many columns on a terminal also shows the details."""
SHORT = 16
"""How long a detail may be that is not folded."""
_STYLES = {"text": "", "name": "cyan", "detail": "dim", "time": "dim", "id": "yellow"}


@dataclass(frozen=True)
class Column:
    """A column of what is listed: its title, and what stands in it."""

    title: str
    cell: Callable[[Any], object]
    kind: Literal["text", "name", "detail", "time", "id"] = "text"
    """A text gets the width there is, an id is never folded, a detail is left out where it is narrow."""


def jsonable(thing: object) -> object:
    """Return records, reports and the like as JSON."""
    if (dump := getattr(thing, "model_dump", None)) is not None:
        return dump(mode="json")
    return asdict(thing) if is_dataclass(thing) and not isinstance(thing, type) else thing


def write_json(thing: object) -> None:
    """Write one line of JSON to stdout."""
    line = json.dumps(jsonable(thing), ensure_ascii=False, default=str)
    try:
        line.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # half a character, or a terminal of few letters
        line = json.dumps(jsonable(thing), default=str)
    typer.echo(line)


def plain(value: object) -> str:
    """Return what was stored as a terminal may show it: it holds no commands to the terminal."""
    text = "" if value is None else str(value)
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def day(moment: datetime) -> str:
    """Return a moment as a person reads it, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def show(things: Iterable[object], columns: Sequence[Column], *, as_json: bool, none: str = "") -> None:
    """Write things, each a line of JSON, a row of a table on a terminal, or a line with tabs in a pipe.

    Args:
        things: What is listed.
        columns: What is shown of each; the ids come last.
        as_json: Whether to write JSON.
        none: What tells a reader that there are none.
    """
    listed = list(things)
    if as_json:
        for thing in listed:
            write_json(thing)
    elif not listed:
        notice(none) if none else None
    elif sys.stdout.isatty():
        _print_table(listed, columns)
    else:
        for thing in listed:
            typer.echo("\t".join(" ".join(plain(column.cell(thing)).split()) for column in columns))


def _print_table(things: Sequence[object], columns: Sequence[Column]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    width = shutil.get_terminal_size().columns
    shown = [column for column in columns if column.kind != "detail" or width >= DETAILED]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=any(column.kind == "text" for column in shown))
    cells: list[list[str]] = []
    for column in shown:
        told = [plain(column.cell(thing)) for thing in things]
        if column.kind == "id":
            short = shorten(filter(None, told))
            told = [short.get(key, "") for key in told]
        # A short detail takes what it needs, so that the width goes to what is read.
        fold = column.kind == "text" or (column.kind == "detail" and max(map(len, told)) > SHORT)
        table.add_column(
            column.title,
            style=_STYLES[column.kind],
            overflow="fold",
            no_wrap=not fold,
            ratio={"text": 3, "detail": 2}[column.kind] if fold else None,
        )
        cells.append(told)
    for row in zip(*cells, strict=True):
        table.add_row(*map(Text, row))
    _console(stderr=False).print(table)


def _console(*, stderr: bool) -> Any:
    from rich.console import Console

    colours: Any = None if os.environ.get("NO_COLOR") else "auto"
    return Console(file=sys.stderr if stderr else sys.stdout, color_system=colours)


def say(text: str) -> None:
    """Write a result that is a text."""
    typer.echo(plain(text))


def notice(text: str) -> None:
    """Tell what is no result."""
    typer.echo(plain(text), err=True)


def complain(text: str) -> None:
    """Tell in one line why it did not work."""
    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    typer.echo(f"{typer.style('error:', fg='red') if coloured else 'error:'} {plain(' '.join(text.split()))}", err=True)


def interactive() -> bool:
    """Return whether there is somebody to ask."""
    return sys.stdin.isatty()


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is done that cannot be taken back; without a terminal only --yes answers."""
    if yes:
        return
    if not interactive():
        raise typer.BadParameter(f"{plain(question)} There is no terminal to ask on: give --yes")
    typer.confirm(plain(question), err=True, abort=True)


@contextmanager
def progress(title: str, total: int | None = None, *, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr if that is a terminal; what is yielded takes how many more are done.

    Args:
        title: What is being done.
        total: How many there are; None where nobody knows, then it only shows that something goes on.
        shown: Whether to show it at all.
    """
    if not (shown and total != 0 and sys.stderr.isatty()):
        yield lambda done: None
        return
    from rich.progress import Progress

    with Progress(console=_console(stderr=True), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.advance(task, done)
