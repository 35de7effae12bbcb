"""Markup made safe by construction: a tag escapes whatever is not markup already."""

from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime
from functools import cache, singledispatch
from html import escape
from importlib.resources import files
from typing import TypeAlias


class Html(str):
    """Markup that a notebook shows as it is; `str()` of it is the source."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)

    def __html__(self) -> str:
        """Return the markup to a template, which escapes everything else."""
        return str(self)


Child: TypeAlias = str | int | float | None


@singledispatch
def html(value: object) -> Html | None:
    """Return how a notebook shows `value`; None for what has no view. A view registers itself: `@html.register`."""
    return None


def tag(element: str, *children: Child, **attributes: Child) -> Html:
    """Return an element.

    Args:
        element: Its name.
        children: What it holds: markup as it is, anything else escaped.
        attributes: By name, `class_` for class, `stroke_width` for stroke-width; None leaves one out.
    """
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Html(f"<{element}{given}>{join(children)}</{element}>")


def join(children: Iterable[Child]) -> Html:
    """Return the children one after the other, escaped where they are not markup."""
    return Html("".join(each if isinstance(each, Html) else escape(str(each)) for each in children if each is not None))


def image(svg: Html, alternative: str, *, width: float, class_: str | None = None) -> Html:
    """Return an SVG as an image: where markup is cleaned (an untrusted notebook, a hosted one), an image stays.

    Args:
        svg: The whole picture, with its namespace and its own style: it inherits nothing of the page.
        alternative: What it says, for those who cannot see it; shown on hovering, too.
        width: In pixels; it shrinks where there is less room.
        class_: What the style of the page calls it.
    """
    source = f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"
    given = {"src": source, "alt": alternative, "title": alternative or None, "width": f"{width:.0f}", "class": class_}
    written = " ".join(f'{name}="{escape(value)}"' for name, value in given.items() if value is not None)
    return Html(f"<img {written} />")


def with_style(*children: Child) -> Html:
    """Return what a cell's output holds: the children with the style they need."""
    return tag("div", _style(), *children, class_="learned")


def grid(head: Iterable[str], rows: Iterable[Iterable[Child]], caption: str | None = None) -> Html:
    """Return a table."""
    lines = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows]
    return tag(
        "table",
        tag("caption", caption) if caption else None,
        tag("thead", tag("tr", *(tag("th", name) for name in head))),
        tag("tbody", *lines),
    )


def pairs(title: str, rows: Iterable[tuple[str, Child]]) -> Html:
    """Return names and values under a title."""
    lines = [tag("tr", tag("td", name), tag("td", value)) for name, value in rows]
    return tag("table", tag("caption", title), tag("tbody", *lines), class_="pairs")


def data(text: str | None) -> Html:
    """Return stored text, set apart from ours, in its own direction of writing."""
    return tag("span", text or "", dir="auto", class_="data")


def quiet(text: Child) -> Html:
    """Return what is there to be looked up, not to be read."""
    return tag("span", text, class_="quiet")


def when(moment: datetime) -> Html:
    """Return a moment to the minute, the whole of it on hovering."""
    return tag("time", f"{moment:%Y-%m-%d %H:%M}", title=moment.isoformat(), class_="quiet")


def without_style(markup: Html) -> Html:
    """Return a view without its style element, for a page that links `style_sheet` as a file of its own."""
    return Html(markup.replace(_style(), ""))


@cache
def style_sheet() -> str:
    """Return the style of all views."""
    return files(__package__).joinpath("style.css").read_text(encoding="utf-8")


@cache
def _style() -> Html:
    return tag("style", Html(style_sheet()))
