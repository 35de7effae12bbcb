"""What every notebook begins and ends with: a model, and a database of its own that stays.

```python
model, db = cookbook.start(basics.user_profile_always)
...
cookbook.close()
```

Without more, the model's words are those of the script, and the database is a file in
`build/cookbook`. `LEARNING_MODEL` (or `OPENAI_API_KEY`) names a real model, `DATABASE_URL` a
Postgres, e.g. that of `docker compose up -d --wait`. A notebook begins with an empty database, so
that it shows the same each time; what it learned stays until it is started again.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from IPython.display import Markdown, display
from langchain_core.language_models import BaseChatModel

from langgraph_learning import connect
from langgraph_learning.checkpointers import LearningDB
from langgraph_learning.testing import model_or_script

ROOT = Path(__file__).parent.parent
FILES = ROOT / "build" / "cookbook"
PREFIX = "cookbook_"
"""Schemas of this prefix are the notebooks' own: they are dropped when a notebook starts."""


class Script(NamedTuple):
    """What the model says where no real one is named: replies, and operations after each."""

    replies: Sequence[Any]
    extractions: Sequence[Any] = ()
    repeat: bool = False


class Place(NamedTuple):
    """Where a notebook keeps what it learns."""

    url: str
    schema: str | None = None

    @property
    def options(self) -> list[str]:
        """How the command line is told."""
        return ["-d", self.url, *(["--schema", self.schema] if self.schema else [])]

    @property
    def shown(self) -> str:
        """The options as they are typed: a URL may hold a password, a file is named from here."""
        return (
            f'-d "$DATABASE_URL" --schema {self.schema}'
            if self.schema
            else f"-d {self.url.replace(f'{ROOT}/', '')}"
        )


_open = ExitStack()
_places: list[Place] = []


def start(script: Callable[[], Script]) -> tuple[BaseChatModel, LearningDB]:
    """Say whose words the model's are, and return it with an open, empty database."""
    close_database()
    model, told = model_or_script(**script()._asdict())
    place = _empty_place(f"{script.__module__.rpartition('.')[2]}_{script.__name__}")
    _places[:] = [place]
    display(Markdown(told))  # type: ignore[no-untyped-call]
    return model, _open.enter_context(connect(place.url, schema=place.schema))


def close() -> Markdown:
    """Close the database, and say where to look at what stays in it."""
    close_database()
    shown = _places[-1].shown
    return Markdown(  # type: ignore[no-untyped-call]
        f"What was learned stays. Look at it from elsewhere: `langgraph-learning users {shown}`,"
        f" or in a browser: `langgraph-learning serve {shown}`"
    )


def close_database() -> None:
    """Close what `start` has opened."""
    _open.close()


def command_line(*words: str) -> Markdown:
    """Run a command of `langgraph-learning` on the notebook's database, in a process of its own."""
    place = _places[-1]
    command = [sys.executable, "-m", "langgraph_learning.cli", *words, *place.options]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "96"}
    )
    typed = f"$ langgraph-learning {shlex.join(words)} {place.shown}"
    return Markdown(  # type: ignore[no-untyped-call]
        f"```console\n{typed}\n{done.stdout.rstrip()}\n```"
    )


def _empty_place(name: str) -> Place:
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith(("postgres://", "postgresql://")):
        FILES.mkdir(parents=True, exist_ok=True)
        for kept in FILES.glob(f"{name}.db*"):
            kept.unlink()
        return Place(f"sqlite:///{FILES / name}.db")
    import psycopg
    from psycopg import sql

    with psycopg.connect(url) as connection:
        connection.execute(
            sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(PREFIX + name))
        )
    return Place(url, PREFIX + name)
