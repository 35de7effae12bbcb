"""Where things are written: results to stdout, everything else to stderr."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from typing import Any

import typer
from pydantic import BaseModel
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

WIDE = 160
"""How wide a table is that no terminal limits."""


def jsonable(thing: object) -> object:
    """Return records, reports and the like as JSON."""
    if isinstance(thing, BaseModel):
        return thing.model_dump(mode="json")
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


def show(
    things: Iterable[object], columns: Mapping[str, Callable[[Any], object]], *, as_json: bool, none: str = ""
) -> None:
    """Write things, a line of JSON or a row of a table each; `none` tells a reader that there are none."""
    found = list(things)
    if as_json:
        for thing in found:
            write_json(thing)
    elif found:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for title in columns:
            table.add_column(title, overflow="fold")
        for thing in found:
            table.add_row(*(Text(plain(cell(thing))) for cell in columns.values()))
        Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDE).print(table)
    elif none:
        notice(none)


def say(text: str) -> None:
    """Write a result that is a text."""
    typer.echo(plain(text))


def notice(text: str) -> None:
    """Tell what is no result."""
    typer.echo(plain(text), err=True)


def complain(text: str) -> None:
    """Tell in one line why it did not work."""
    notice(f"error: {' '.join(text.split())}")


def interactive() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty()


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is done that cannot be taken back; without a terminal only --yes answers."""
    if yes:
        return
    if not interactive():
        raise typer.BadParameter(f"{plain(question)} There is no terminal to ask on: give --yes")
    typer.confirm(plain(question), err=True, abort=True)


@contextmanager
def progress(title: str, total: int, *, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr if that is a terminal; what is yielded takes how many more are done."""
    hidden = not (shown and total and sys.stderr.isatty())
    with Progress(console=Console(file=sys.stderr), transient=True, disable=hidden, redirect_stdout=False) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.advance(task, done)
