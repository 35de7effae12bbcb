"""Mermaid text: JupyterLab 4.1 and later draws it by itself, a page of nbconvert asks the network to."""

import re

# Words and a few marks stay readable. A hyphen or "1." at the beginning would be a Markdown list, "_" emphasis,
# "%%{" a directive, "#" an entity, and quotes, brackets and backticks are syntax.
SYNTAX = re.compile(r"[^\w ,.'…()-]|_|^-|(?<=^\d)\.|(?<=^\d\d)\.")


class Mermaid(str):
    """A diagram in Mermaid's language, e.g. `Mermaid(graph.get_graph().draw_mermaid())`."""

    __slots__ = ()

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/vnd.mermaid": str(self), "text/plain": str(self)}


def label(text: str, longest: int = 60) -> str:
    """Return `text` as a quoted label; what Mermaid could read as syntax is encoded."""
    encoded = SYNTAX.sub(lambda mark: f"#{ord(mark[0])};", clip(text, longest))
    return f'"{encoded or " "}"'


def clip(text: str, longest: int) -> str:
    """Return the beginning of `text`, on one line."""
    told = " ".join(text.split())
    return told if len(told) <= longest else f"{told[: longest - 1]}…"
