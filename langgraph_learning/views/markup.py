"""Markup that is safe by construction: a tag escapes every child that is not markup."""

from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime
from functools import cache, singledispatch
from html import escape
from importlib.resources import files
from typing import TypeAlias


class Html(str):
    """Markup that a notebook displays; `str()` returns its source."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)

    def __html__(self) -> str:
        """Return the markup for a template, which escapes everything else."""
        return str(self)


Child: TypeAlias = str | int | float | None


@singledispatch
def html(value: object) -> Html | None:
    """Return the view of `value`; None if it has none. A view registers itself by `@html.register`."""
    return None


def tag(element: str, *children: Child, **attributes: Child) -> Html:
    """Return an element.

    Args:
        element: Its name.
        children: Its content: markup as it is, everything else escaped.
        attributes: Its attributes: `class_` for class, `stroke_width` for stroke-width; None omits one.
    """
    attribute_text = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Html(f"<{element}{attribute_text}>{join(children)}</{element}>")


def join(children: Iterable[Child]) -> Html:
    """Return the children joined, and escaped unless they are markup."""
    return Html(
        "".join(child if isinstance(child, Html) else escape(str(child)) for child in children if child is not None)
    )


def image(svg: Html, alternative: str, *, width: float, class_: str | None = None) -> Html:
    """Return an SVG as an image, which stays where markup is removed (an untrusted notebook, a hosted one).

    Args:
        svg: The whole picture, with its namespace and its own style: it inherits nothing from the page.
        alternative: Its content in words, for those who cannot see it; also shown on hovering.
        width: Its width in pixels; it shrinks if there is less space.
        class_: Its class in the style of the page.
    """
    source = f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"
    attributes = {
        "src": source,
        "alt": alternative,
        "title": alternative or None,
        "width": f"{width:.0f}",
        "class": class_,
    }
    written = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items() if value is not None)
    return Html(f"<img {written} />")


def with_style(*children: Child) -> Html:
    """Return the output of a cell: the children with the style they need."""
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
    """Return stored text, marked as data, in its own writing direction."""
    return tag("span", text or "", dir="auto", class_="data")


def quiet(text: Child) -> Html:
    """Return secondary text: for looking up rather than reading."""
    return tag("span", text, class_="quiet")


def when(moment: datetime) -> Html:
    """Return a time to the minute, with the full time on hovering."""
    return tag("time", f"{moment:%Y-%m-%d %H:%M}", title=moment.isoformat(), class_="quiet")


def without_style(markup: Html) -> Html:
    """Return a view without its style element, for a page that links `style_sheet` as a separate file."""
    return Html(markup.replace(_style(), ""))


@cache
def style_sheet() -> str:
    """Return the style of all views."""
    return files(__package__).joinpath("style.css").read_text(encoding="utf-8")


@cache
def _style() -> Html:
    return tag("style", Html(style_sheet()))
