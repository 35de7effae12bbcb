"""The prompts: Markdown files beside this module, filled in strictly (a missing name raises)."""

from functools import cache
from importlib.resources import files
from string import Template


@cache
def read(file: str) -> str:
    """Return the text of a file of this folder."""
    return files(__package__).joinpath(file).read_text(encoding="utf-8").strip()


def load(name: str) -> str:
    """Return the text of the prompt `name`."""
    return read(f"{name}.md")


def render(name: str, **values: str) -> str:
    """Return the prompt `name` with every `$placeholder` filled in.

    Raises:
        KeyError: A placeholder has no value.
    """
    return Template(load(name)).substitute(values)


def escape(text: str) -> str:
    """Make stored or said text unable to open or close a block of a prompt, or to hide characters in it.

    The two joiners stay: Persian, Indic scripts and emoji are written with them.
    """
    text = "\n".join(line if line.isprintable() else _without_hidden(line) for line in text.split("\n"))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _without_hidden(line: str) -> str:
    return "".join(c if c.isprintable() or c in "\t\u200c\u200d" else " " for c in line)
