"""Mermaid text: JupyterLab 4.1 and later draws it itself; a page of nbconvert loads the renderer from the network."""

import re

# Words and a few marks stay readable. Everything else is encoded, because Mermaid reads it as syntax: a hyphen or "1."
# at the beginning is a Markdown list, "_" emphasis, "%%{" a directive, "#" an entity, and quotes, brackets and
# backticks are delimiters.
SYNTAX = re.compile(r"[^\w ,.'…()-]|_|^-|(?<=^\d)\.|(?<=^\d\d)\.")


class Mermaid(str):
    """A diagram in Mermaid's language, e.g. `Mermaid(graph.get_graph().draw_mermaid())`."""

    __slots__ = ()

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/vnd.mermaid": str(self), "text/plain": str(self)}


def label(text: str, longest: int = 60) -> str:
    """Return `text` as a quoted label; characters that Mermaid could read as syntax are encoded."""
    encoded = SYNTAX.sub(lambda mark: f"#{ord(mark[0])};", clip(text, longest))
    return f'"{encoded or " "}"'


def clip(text: str, longest: int) -> str:
    """Return the beginning of `text`, on one line."""
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= longest else f"{one_line[: longest - 1]}…"
