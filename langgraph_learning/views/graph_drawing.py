"""A directed graph as SVG, drawn here so that it needs no library, has its own colours and stays sharp."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from langchain_core.runnables.graph import Graph

from langgraph_learning.views.graph_layout import Floats, place_boxes
from langgraph_learning.views.markup import Child, Html, image, tag, with_style
from langgraph_learning.views.mermaid import clip

WIDTH = 820
LETTER, LINE, SMALL = 7.2, 18, 0.85
MARGIN = 8
NODE_COLOUR = "#4c8fd6"
LONGEST = 28
WIDE = {"W": 1.9, "F": 1.9}
STYLE = Html(
    "text{fill:#1f2328;text-anchor:middle;dominant-baseline:central;font-family:system-ui,sans-serif}"
    ".small{fill:#57606a}.page,.ground{fill:#fff}.line{stroke:#6e7781;fill:none}"
    "@media(prefers-color-scheme:dark){"
    "text{fill:#e6edf3}.small{fill:#a9b3bd}.page,.ground{fill:#1b2027}.line{stroke:#8b949e}}"
)
"""The style of a picture, which has its own background: an image takes no colours from the page, light or dark."""


@dataclass(frozen=True)
class Box:
    """A node: its name, a small subtitle, and a colour (dashed if None). `description` is its text in words."""

    name: str
    small: str = ""
    colour: str | None = None
    description: str = ""

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in pixels."""
        width = max(_length(self.name), SMALL * _length(self.small)) + 2 * LETTER
        return width, LINE * (1.4 + bool(self.small) * SMALL)


def graph_picture(graph: Graph) -> Html:
    """Return the nodes and edges of `compiled.get_graph()` as a picture; its own `draw_mermaid_png` asks a server."""
    ends = {node.id for node in (graph.first_node(), graph.last_node()) if node is not None}
    boxes = {key: Box(_node_name(key), colour=None if key in ends else NODE_COLOUR) for key in graph.nodes}
    return with_style(
        drawing(boxes, [(edge.source, _node_name(str(edge.data or "")), edge.target) for edge in graph.edges])
    )


def drawing(boxes: Mapping[str, Box], links: Sequence[tuple[str, str, str]]) -> Html:
    """Return the graph of `links` (source, text, target) between `boxes`.

    The texts of links take space like boxes, so that no text covers another; an arrow passes through its text.
    """
    keys = {key: number for number, key in enumerate(boxes)}
    sizes = np.array([box.size for box in boxes.values()] + [_text_size(text) for _, text, _ in links])
    ways = [(keys[source], number, keys[target]) for number, (source, _, target) in enumerate(links, len(boxes))]
    centres = place_boxes(
        sizes, [pair for source, text, target in ways for pair in ((source, text), (text, target))], WIDTH
    )
    parts: list[Html | None] = [
        _arrow(centres[list(way)], sizes[list(way)], bool(text)) for (_, text, _), way in zip(links, ways, strict=True)
    ]
    parts += [_small(text, *centres[way[1]]) for (_, text, _), way in zip(links, ways, strict=True)]
    parts += [_draw_box(box, centres[number], sizes[number]) for number, box in enumerate(boxes.values())]
    width, height = (centres + sizes / 2).max(axis=0) + 2 * MARGIN
    page = tag("rect", x=-MARGIN, y=-MARGIN, width=f"{width:.0f}", height=f"{height:.0f}", rx=8, class_="page")
    view = f"{-MARGIN} {-MARGIN} {width:.0f} {height:.0f}"
    size: dict[str, Child] = {"width": f"{width:.0f}", "height": f"{height:.0f}", "viewBox": view}
    svg = tag("svg", tag("style", STYLE), page, *parts, xmlns="http://www.w3.org/2000/svg", **size)
    return image(svg, describe(boxes, links), width=float(width))


def describe(boxes: Mapping[str, Box], links: Sequence[tuple[str, str, str]]) -> str:
    """Return the content of a picture in words."""
    names = [box.description or (f"{box.name} ({box.small})" if box.small else box.name) for box in boxes.values()]
    ways = [f"{boxes[source].name} {text or '→'} {boxes[target].name}" for source, text, target in links]
    return "; ".join([", ".join(names), *ways])


def _length(text: str) -> float:
    """Return the approximate length of a text in pixels: wide letters count twice, combining marks not at all."""
    letters = [letter for letter in clip(text, LONGEST) if not unicodedata.combining(letter)]
    return LETTER * sum(WIDE.get(unicodedata.east_asian_width(letter), 1.0) for letter in letters)


def _text_size(text: str) -> tuple[float, float]:
    return SMALL * _length(text) + LETTER, LINE * SMALL


def _draw_box(box: Box, centre: Floats, size: Floats) -> Html:
    (x, y), (left, top) = centre, centre - size / 2
    place: dict[str, Child] = {"x": f"{left:.1f}", "y": f"{top:.1f}", "rx": 6}
    place |= {"width": f"{size[0]:.1f}", "height": f"{size[1]:.1f}"}
    ground = tag("rect", class_="ground", **place)  # hides a line that passes behind it
    if box.colour:
        frame = tag("rect", fill=box.colour, fill_opacity=0.14, stroke=box.colour, **place)
    else:
        frame = tag("rect", class_="line", stroke_dasharray="4 3", **place)
    lift = LINE * SMALL / 2 if box.small else 0
    name = tag("text", clip(box.name, LONGEST), x=f"{x:.1f}", y=f"{y - lift * 0.9:.1f}", font_size=13)
    return tag("g", tag("title", box.description or box.name), ground, frame, name, _small(box.small, x, y + lift))


def _small(text: str, x: float, y: float) -> Html | None:
    if not text:
        return None
    return tag("text", clip(text, LONGEST), x=f"{x:.1f}", y=f"{y:.1f}", font_size=11, class_="small")


def _arrow(centres: Floats, sizes: Floats, has_text: bool) -> Html:
    """A line from border to border, open where a text stands; a loop where it leads back to its box."""
    source, text, target = range(3)
    if (centres[source] == centres[target]).all():
        return _loop(_border(centres, sizes, source, text), centres[text])
    to_text = [_border(centres, sizes, source, text), _border(centres, sizes, text, source)]
    onwards = [_border(centres, sizes, text, target), _border(centres, sizes, target, text)]
    if not has_text:
        to_text[1] = onwards[0] = centres[text]
    lines = ["M" + " L".join(map(_spot, line)) for line in (to_text, onwards, _head(onwards[1], *onwards))]
    return tag("path", d=" ".join(lines), class_="line")


def _loop(border: Floats, beyond: Floats) -> Html:
    """Lead out of a box and back, around the place that the layout has kept free for it."""
    way = beyond - border
    across = np.array([-way[1], way[0]]) / (np.linalg.norm(way) or 1.0)
    begin, out, back, end = border + across * 7, beyond + across * 16, beyond - across * 16, border - across * 7
    curve = f"M{_spot(begin)} C{_spot(out)} {_spot(back)} {_spot(end)}"
    return tag("path", d=f"{curve} M{' L'.join(map(_spot, _head(end, back, end)))}", class_="line")


def _head(tip: Floats, begin: Floats, end: Floats) -> list[Floats]:
    """Return the head of an arrow at `tip`, which comes from `begin` to `end`."""
    way = end - begin
    along = way / (np.linalg.norm(way) or 1.0) * 8
    across = np.array([-along[1], along[0]]) * 0.45
    return [tip - along + across, tip, tip - along - across]


def _spot(at: Floats) -> str:
    return f"{at[0]:.1f} {at[1]:.1f}"


def _border(centres: Floats, sizes: Floats, box: int, towards: int) -> Floats:
    """Return the point where the line to another box leaves this one, with a small gap."""
    way = centres[towards] - centres[box]
    reach = np.where(np.abs(way) > 1e-9, (sizes[box] / 2 + 2) / np.maximum(np.abs(way), 1e-9), np.inf).min()
    spot: Floats = centres[box] + way * min(reach, 1.0)
    return spot


def _node_name(key: str) -> str:
    """Return a node's name without the marks of LangGraph's own: `support:__start__` is the start of `support`."""
    return ":".join(part.strip("_") for part in key.split(":"))
