"""A page of documentation, run top to bottom: its Python, its commands, and what it says they print."""

import doctest
import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", flags=re.S | re.M)
DATABASE = "learning:learning@localhost:5432/learning"
"""Where docker-compose.yml serves Postgres; a test puts a database of its own in its place."""
COMMAND = "langgraph-learning"
CHECKS: dict[str, Callable[[str], object]] = {"json": json.loads, "toml": tomllib.loads}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    line: int

    @property
    def runs(self) -> bool:
        """Whether it is Python, or holds a command of this package."""
        return self.language == "python" or any(words[0] == COMMAND for words in self.commands)

    @property
    def commands(self) -> list[list[str]]:
        """The words of every command of a shell, without comments."""
        if self.language != "bash":
            return []
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks(page: Path) -> Iterator[Block]:
    """Return the fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        yield Block(found[1], found[2], text.count("\n", 0, found.start()) + 1)


@dataclass
class Running:
    """One page under way.

    Args:
        page: The file.
        printed: Returns what was printed since it was last asked.
        command: Runs the command line of the package.
        replaced: What stands for what in the page: the database of the reader, and the test's.
    """

    page: Path
    printed: Callable[[], str]
    command: Callable[[list[str]], None]
    replaced: Mapping[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """Run all blocks in one namespace; a block of text after one that runs is what was printed since the last."""
        namespace: dict[str, object] = {"__name__": "__main__"}
        for block in blocks(self.page):
            if block.language == "python":
                self._execute(block, namespace)
            elif block.language == "text":
                self._compare(block)
            elif check := CHECKS.get(block.language):
                check(block.text)
            for words in block.commands:
                if words[0] == COMMAND and words[1] != "worker":  # it would never end
                    self.command([self._as_here(word) for word in words[1:]])

    def _execute(self, block: Block, namespace: dict[str, object]) -> None:
        source = "\n" * block.line + self._as_here(block.text)  # a traceback then names the line of the page
        exec(compile(source, str(self.page), "exec"), namespace)

    def _compare(self, block: Block) -> None:
        printed = self.printed()
        checker, options = doctest.OutputChecker(), doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        if not checker.check_output(block.text, printed, options):
            example = doctest.Example("", block.text)
            told = checker.output_difference(example, printed, doctest.REPORT_NDIFF | options)
            raise AssertionError(f"{self.page.name}:{block.line} was to print something else\n{told}")

    def _as_here(self, text: str) -> str:
        for there, here in self.replaced.items():
            text = text.replace(there, here)
        return text
