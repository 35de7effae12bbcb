"""SQL in files: named blocks with the same names in every dialect, which may include one another."""

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from string import Template
from typing import Literal, TypeAlias

from langgraph_learning.errors import ConfigurationError
from langgraph_learning.scoring import K1, B

Dialect: TypeAlias = Literal["sqlite", "postgres"]
Block: TypeAlias = tuple[str, ...]

_FILES = ("setup", "reads", "search", "filters", "writes")
VECTORS, NEAREST, ORPHANS = 2, 3, 5  # migrations of Postgres that need an embedder
INDEXABLE = 2_000  # dimensions that pgvector can index
_BM25 = {"k1": str(K1), "b": str(B)}
_PLACEHOLDER = re.compile(r"(?<!\$)\$([a-z]\w*)")


@cache
def load_blocks(dialect: Dialect, file: str) -> dict[str, Block]:
    """Return the blocks of `sql/<dialect>/<file>.sql`: the statements of each name, in order.

    A block begins with the line `-- <name> --`; a statement ends with a semicolon at the end of a line.
    """
    text = files(__package__).joinpath("sql", dialect, f"{file}.sql").read_text("utf-8")
    _, *parts = re.split(r"^-- (\w+) --\n", text, flags=re.MULTILINE)
    return {name: split_statements(body) for name, body in zip(parts[::2], parts[1::2], strict=True)}


def split_statements(script: str) -> Block:
    """Return the statements of `script`, without its comments."""
    bare = re.sub(r"^\s*--.*\n", "", script, flags=re.MULTILINE)
    return tuple(statement for part in re.split(r";\s*$", bare, flags=re.MULTILINE) if (statement := part.strip()))


@cache
def store_blocks(dialect: Dialect) -> dict[str, str]:
    """Return the named statements and fragments of the stores in a dialect."""
    blocks: dict[str, str] = {}
    for file in _FILES:
        for name, statements in load_blocks(dialect, file).items():
            if name in blocks:
                raise ValueError(f"two blocks are called {name} in {dialect}")
            blocks[name] = ";\n".join(statements)
    return blocks


@cache
def migrations(dialect: Dialect) -> dict[int, tuple[str, Block]]:
    """Return the migrations of a dialect in order, by number: file name and statements."""
    folder = files(__package__) / "sql" / dialect / "migrations"
    scripts = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return {int(file.name[:4]): (file.name, split_statements(file.read_text("utf-8"))) for file in scripts}


def pending_migrations(dialect: Dialect, dims: int | None) -> set[int]:
    """Return the migrations that a database with vectors of `dims` dimensions does not need (yet)."""
    if dialect == "sqlite":
        return set()
    if dims is None:
        return {VECTORS, NEAREST, ORPHANS}
    return {NEAREST} if dims > INDEXABLE else set()


def check_not_newer(dialect: Dialect, applied: Iterable[int]) -> None:
    """Raise `ConfigurationError` if a database has migrations that this version of the package does not know."""
    if unknown := set(applied) - migrations(dialect).keys():
        raise ConfigurationError(
            f"a newer version of langgraph-learning has migrated this database (migrations {sorted(unknown)}): upgrade"
            " the package here, too"
        )


class Statements:
    """The statements of one dialect, with the values that are fixed for one database (such as the schema) filled in."""

    def __init__(self, dialect: Dialect, **fixed: str) -> None:
        self._blocks, self._fixed = store_blocks(dialect), {**_BM25, **fixed}
        self._complete: dict[tuple[str, tuple[tuple[str, str], ...]], str] = {}

    def __call__(self, name: str, parts: dict[str, str] | None = None) -> str:
        """Return the block `name`; each `$placeholder` becomes one of `parts`, a fixed value, or another block."""
        asked = (name, tuple(sorted((parts or {}).items())))
        if (text := self._complete.get(asked)) is None:
            text = self._fill(self._blocks[name], parts or {})
            if len(self._complete) < 1_000:  # each filter makes another text, so the cache has a limit
                self._complete[asked] = text
        return text

    def fill(self, text: str) -> str:
        """Return `text` with the fixed values filled in."""
        return self._fill(text, {})

    def _fill(self, text: str, parts: dict[str, str]) -> str:
        values = {}
        for name in set(_PLACEHOLDER.findall(text)):
            given = parts.get(name, self._fixed.get(name))
            values[name] = self._fill(self._blocks[name], parts) if given is None else given
        return Template(text).substitute(values)
