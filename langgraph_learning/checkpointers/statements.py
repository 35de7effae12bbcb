"""SQL as files: named blocks, the same names in every dialect, put together from one another."""

import re
from functools import cache
from importlib.resources import files
from string import Template

_BLOCK = re.compile(r"^-- (\w+) --$", re.MULTILINE)
_COMMENT = re.compile(r"^--.*\n", re.MULTILINE)
_PLACEHOLDER = re.compile(r"(?<!\$)\$([a-z]\w*)")


def _sql(dialect: str) -> dict[str, str]:
    folder = files(__package__) / "sql" / dialect
    return {f.name: f.read_text(encoding="utf-8") for f in folder.iterdir() if f.name.endswith(".sql")}


@cache
def blocks(dialect: str) -> dict[str, str]:
    """Return the named statements and fragments of a dialect."""
    found: dict[str, str] = {}
    for text in _sql(dialect).values():
        _, *parts = _BLOCK.split(text)
        for name, body in zip(parts[::2], parts[1::2], strict=True):
            if name in found:
                raise ValueError(f"two blocks are called {name} in {dialect}")
            found[name] = _COMMENT.sub("", body).strip()
    return found


@cache
def migrations(dialect: str) -> dict[int, tuple[str, tuple[str, ...]]]:
    """Return the migrations of a dialect in order: number to name and statements."""
    folder = files(__package__) / "sql" / dialect / "migrations"
    found = {}
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".sql"):
            text = _COMMENT.sub("", file.read_text(encoding="utf-8"))
            steps = tuple(step.strip() for step in text.split(";") if step.strip())
            found[int(file.name[:4])] = (file.name, steps)
    return found


class Statements:
    """The statements of one dialect, with what is fixed for one database (such as the schema) filled in."""

    def __init__(self, dialect: str, **fixed: str) -> None:
        self._blocks, self._fixed = blocks(dialect), fixed
        self._complete: dict[tuple[str, tuple[tuple[str, str], ...]], str] = {}

    def __call__(self, name: str, parts: dict[str, str] | None = None) -> str:
        """Return the block `name`; a `$placeholder` is one of `parts`, a fixed value, or a block of that name."""
        asked = (name, tuple(sorted((parts or {}).items())))
        if (text := self._complete.get(asked)) is None:
            text = self._fill(self._blocks[name], parts or {})
            if len(self._complete) < 1_000:  # filters make texts without end; keep what fits
                self._complete[asked] = text
        return text

    def fill(self, text: str) -> str:
        """Return `text` with the fixed values filled in."""
        return self._fill(text, {})

    def _fill(self, text: str, parts: dict[str, str]) -> str:
        found = {}
        for name in set(_PLACEHOLDER.findall(text)):
            given = parts.get(name, self._fixed.get(name))
            found[name] = self._fill(self._blocks[name], parts) if given is None else given
        return Template(text).substitute(found)
