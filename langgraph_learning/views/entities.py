"""Entities and how they relate: as Mermaid text, and as a picture that needs no browser and no network."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from langgraph_learning.records import Record
from langgraph_learning.views.layout import Floats, placed
from langgraph_learning.views.markup import Child, Html, quiet, shown, tag
from langgraph_learning.views.mermaid import Mermaid, clipped, label

LETTER, LINE, SMALL = 7.2, 18, 0.85
WIDTH = 820
COLOURS = ("#4c8fd6", "#c9762b", "#3a9d5f", "#9b6dd6", "#d65c7a", "#3a9d9d", "#98862f")


@dataclass(frozen=True)
class Entity:
    """A node: one thing, or the unknown end of a relationship."""

    name: str
    type: str = ""
    known: bool = True


@dataclass(frozen=True)
class Entities:
    """What there is to draw."""

    nodes: dict[str, Entity]
    links: tuple[tuple[str, str, str], ...]
    """Source, relation and target."""

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Entities":
        """Read the entities and relationships among `records` that hold; an end that does not is unknown."""
        found = [record for record in records if record.store == "entity_memory"]
        named = {record.id: _entity(record) for record in found if record.content.get("kind") == "entity"}
        live = {record.id for record in found if record.status == "active"}
        links = tuple(
            (_end(record, "source"), str(record.content.get("relation", "")), _end(record, "target"))
            for record in found
            if record.content.get("kind") == "relationship" and record.id in live
        )
        nodes = {key: entity for key, entity in named.items() if key in live}
        for end in (end for source, _, target in links for end in (source, target) if end not in nodes):
            nodes[end] = Entity(named[end].name if end in named else "?", known=False)
        return cls(nodes, links)

    def busiest(self, limit: int) -> "Entities":
        """Return the `limit` entities with the most relationships, and what holds between them."""
        degree = Counter(end for source, _, target in self.links for end in (source, target))
        kept = set(sorted(self.nodes, key=lambda key: -degree[key])[:limit])
        links = tuple(link for link in self.links if {link[0], link[2]} <= kept)
        return Entities({key: node for key, node in self.nodes.items() if key in kept}, links)


def entity_graph(records: Iterable[Record]) -> Mermaid:
    """Return the entities and relationships among `records` as a Mermaid diagram."""
    entities = Entities.of(records)
    names = {key: f"e{number}" for number, key in enumerate(entities.nodes, 1)}
    lines = ["graph LR", "  classDef unknown stroke-dasharray: 4 3"]
    for key, node in entities.nodes.items():
        told = f"{node.name} ({node.type})" if node.type else node.name
        lines.append(f"  {names[key]}[{label(told)}]{'' if node.known else ':::unknown'}")
    lines += [f"  {names[one]} -->|{label(relation)}| {names[other]}" for one, relation, other in entities.links]
    return Mermaid("\n".join(lines))


def entity_picture(records: Iterable[Record], *, limit: int = 40) -> Html:
    """Return the entities and relationships among `records` as a picture.

    Args:
        records: Where to find them.
        limit: How many entities are drawn, those with the most relationships first; more are no longer readable.
    """
    every = Entities.of(records)
    if not every.nodes:
        return shown(quiet("no entities"))
    left = len(every.nodes) - limit
    return shown(_drawn(every.busiest(limit)), quiet(f"{left} more entities are not drawn") if left > 0 else None)


def _entity(record: Record) -> Entity:
    kind = str(record.content.get("type") or "")
    return Entity(str(record.content.get("name") or "?"), kind, known=kind != "unknown")


def _end(record: Record, side: str) -> str:
    return str(record.content.get(side, ""))


def _drawn(entities: Entities) -> Html:
    """Entities and relations are boxes alike, so that no label lies on another; an arrow leads through its relation."""
    keys = list(entities.nodes)
    sizes = np.array(
        [_size(clipped(node.name, 28), node.type) for node in entities.nodes.values()]
        + [_size("", clipped(relation, 28)) for _, relation, _ in entities.links]
    )
    ways = [
        (keys.index(one), len(keys) + place, keys.index(other)) for place, (one, _, other) in enumerate(entities.links)
    ]
    centres = placed(sizes, [pair for one, middle, other in ways for pair in ((one, middle), (middle, other))], WIDTH)
    types = list(dict.fromkeys(node.type for node in entities.nodes.values()))
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(types)}
    arrows = [_arrow(centres[list(way)], sizes[list(way)]) for way in ways]
    texts = [
        _small(clipped(relation, 28), *centres[len(keys) + place])
        for place, (_, relation, _) in enumerate(entities.links)
    ]
    boxes = [
        _box(node, colours[node.type], *each)
        for node, *each in zip(entities.nodes.values(), centres, sizes, strict=False)
    ]
    width, height = (centres + sizes / 2).max(axis=0) + 4
    return tag(
        "svg",
        *arrows,
        *texts,
        *boxes,
        viewBox=f"-4 -4 {width + 4:.0f} {height + 4:.0f}",
        width=f"{width:.0f}",
        role="img",
    )


def _size(name: str, small: str) -> tuple[float, float]:
    wide = max(_length(name) + 2 * LETTER if name else 0, SMALL * _length(small) + (2 * LETTER if name else LETTER))
    return wide, LINE * (bool(name) * 1.4 + bool(small) * SMALL)


def _length(text: str) -> float:
    """How long a text is about, in pixels: wide letters count twice, marks on letters not at all."""
    wide = {"W": 1.9, "F": 1.9}
    return LETTER * sum(
        wide.get(unicodedata.east_asian_width(each), 1.0) for each in text if not unicodedata.combining(each)
    )


def _box(node: Entity, colour: str, centre: Floats, size: Floats) -> Html:
    (x, y), (width, height) = centre, size
    frame = tag(
        "rect",
        x=f"{x - width / 2:.1f}",
        y=f"{y - height / 2:.1f}",
        width=f"{width:.1f}",
        height=f"{height:.1f}",
        rx=6,
        fill=colour if node.known else "none",
        fill_opacity=0.14,
        stroke=colour if node.known else "currentColor",
        stroke_dasharray=None if node.known else "4 3",
    )
    lift = LINE * SMALL / 2 if node.type else 0
    name = tag("text", clipped(node.name, 28), x=f"{x:.1f}", y=f"{y - lift * 0.9:.1f}", font_size=13)
    return tag("g", tag("title", node.name), frame, name, _small(node.type, x, y + lift) if node.type else None)


def _small(text: str, x: float, y: float) -> Html:
    return tag("text", text, x=f"{x:.1f}", y=f"{y:.1f}", font_size=11, class_="small")


def _arrow(centres: Floats, sizes: Floats) -> Html:
    """A line from border to border, open where its relation is written."""
    to_label = [_border(centres[0], sizes[0], centres[1]), _border(centres[1], sizes[1], centres[0])]
    onwards = [_border(centres[1], sizes[1], centres[2]), _border(centres[2], sizes[2], centres[1])]
    way = onwards[1] - onwards[0]
    along = way / (np.linalg.norm(way) or 1.0) * 8
    across = np.array([-along[1], along[0]]) * 0.45
    head = [onwards[1] - along + across, onwards[1], onwards[1] - along - across]
    given: dict[str, Child] = {"fill": "none", "stroke": "currentColor", "stroke_opacity": 0.55}
    return tag(
        "path",
        d=" ".join("M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in line) for line in (to_label, onwards, head)),
        **given,
    )


def _border(centre: Floats, size: Floats, towards: Floats) -> Floats:
    """Where the line from a box's centre leaves the box, with a little air."""
    way = towards - centre
    reach = np.where(np.abs(way) > 1e-9, (size / 2 + 2) / np.maximum(np.abs(way), 1e-9), np.inf).min()
    spot: Floats = centre + way * min(reach, 1.0)
    return spot
