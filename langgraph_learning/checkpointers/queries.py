"""SQL is data: files of named blocks, the same names for every dialect."""

import re
from functools import cache
from importlib.resources import files
from typing import Literal, TypeAlias

Dialect: TypeAlias = Literal["sqlite", "postgres"]
Block: TypeAlias = tuple[str, ...]


@cache
def blocks(dialect: Dialect, file: str) -> dict[str, Block]:
    """Return the blocks of `sql/<dialect>/<file>.sql`: each name with its statements, in order.

    A block begins with the line `-- <name> --`; a statement ends with a semicolon at the end of a line.
    """
    text = files("langgraph_learning.checkpointers").joinpath("sql", dialect, f"{file}.sql").read_text("utf-8")
    _, *parts = re.split(r"^-- (\w+) --\n", text, flags=re.MULTILINE)
    return {name: statements(body) for name, body in zip(parts[::2], parts[1::2], strict=True)}


def statements(script: str) -> Block:
    """Return the statements of `script`, without its comments."""
    bare = re.sub(r"^\s*--.*\n", "", script, flags=re.MULTILINE)
    return tuple(found for part in re.split(r";\s*$", bare, flags=re.MULTILINE) if (found := part.strip()))
