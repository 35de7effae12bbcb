"""Output: results go to stdout, everything else to stderr. A terminal gets a table, a pipe gets plain lines."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import typer

from langgraph_learning.cli.short_ids import shorten

if TYPE_CHECKING:
    from rich.console import Console

DETAILED = 110
"""A terminal with at least this many columns also shows the detail columns."""
SHORT = 16
"""A detail column whose cells are no longer than this is not folded."""
_STYLES = {"text": "", "name": "cyan", "detail": "dim", "time": "dim", "id": "yellow"}


@dataclass(frozen=True)
class Column:
    """A column of a listing: its title, and the function that returns the value of a cell."""

    title: str
    cell: Callable[[Any], object]
    kind: Literal["text", "name", "detail", "time", "id"] = "text"
    """The kind sets the layout: a text gets the free width, an id is never folded, a detail needs a wide terminal."""


def jsonable(thing: object) -> object:
    """Return a pydantic model or a dataclass as a dict; anything else unchanged."""
    if (dump := getattr(thing, "model_dump", None)) is not None:
        return dump(mode="json")
    return asdict(thing) if is_dataclass(thing) and not isinstance(thing, type) else thing


def write_json(thing: object) -> None:
    """Write one line of JSON to stdout."""
    line = json.dumps(jsonable(thing), ensure_ascii=False, default=str)
    try:
        line.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a lone surrogate, or an encoding without these letters
        line = json.dumps(jsonable(thing), default=str)
    typer.echo(line)


def plain(value: object) -> str:
    """Return a stored value as text that is safe to print: characters that control the terminal are escaped."""
    text = "" if value is None else str(value)
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def day(moment: datetime) -> str:
    """Return a point in time as text, in UTC and without seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def show(things: Iterable[object], columns: Sequence[Column], *, as_json: bool, none: str = "") -> None:
    """Write a listing: one JSON object per line, a table on a terminal, or lines with tabs in a pipe.

    Args:
        things: The objects to list.
        columns: The columns to show; ids come last.
        as_json: Whether to write JSON.
        none: The notice for an empty listing.
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
    visible = [column for column in columns if column.kind != "detail" or width >= DETAILED]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=any(column.kind == "text" for column in visible))
    cells: list[list[str]] = []
    for column in visible:
        texts = [plain(column.cell(thing)) for thing in things]
        if column.kind == "id":
            short = shorten(filter(None, texts))
            texts = [short.get(key, "") for key in texts]
        # A column of short details is not folded, so that the remaining width goes to the texts.
        fold = column.kind == "text" or (column.kind == "detail" and max(map(len, texts)) > SHORT)
        table.add_column(
            column.title,
            style=_STYLES[column.kind],
            overflow="fold",
            no_wrap=not fold,
            ratio={"text": 3, "detail": 2}[column.kind] if fold else None,
        )
        cells.append(texts)
    for row in zip(*cells, strict=True):
        table.add_row(*map(Text, row))
    _console(stderr=False).print(table)


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return Console(file=sys.stderr if stderr else sys.stdout, color_system=colours)


def say(text: str) -> None:
    """Write a text as a result, to stdout."""
    typer.echo(plain(text))


def notice(text: str) -> None:
    """Write a message that is not a result, to stderr."""
    typer.echo(plain(text), err=True)


def complain(text: str) -> None:
    """Write an error message in one line, to stderr."""
    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    typer.echo(f"{typer.style('error:', fg='red') if coloured else 'error:'} {plain(' '.join(text.split()))}", err=True)


def interactive() -> bool:
    """Return whether stdin is a terminal, so that a question can be answered."""
    return sys.stdin.isatty()


def confirm(question: str, *, yes: bool) -> None:
    """Ask a question, and abort the command if the answer is no.

    Args:
        question: The question.
        yes: Whether `--yes` has answered it. Without a terminal this is required.
    """
    if yes:
        return
    if not interactive():
        raise typer.BadParameter(f"{plain(question)} There is no terminal to ask on: give --yes")
    typer.confirm(plain(question), err=True, abort=True)


@contextmanager
def progress(title: str, total: int | None = None, *, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on stderr if it is a terminal; yield a function that adds to the number of steps done.

    Args:
        title: The text before the bar.
        total: The number of steps; None if it is unknown, then the bar only shows activity.
        shown: Whether to show the bar at all.
    """
    if not (shown and total != 0 and sys.stderr.isatty()):
        yield lambda done: None
        return
    from rich.progress import Progress

    with Progress(console=_console(stderr=True), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.advance(task, done)
