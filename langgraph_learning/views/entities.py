"""Entities and how they relate: as Mermaid text, and as a picture that needs no browser and no network."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from langgraph_learning.records import ACTIVE, Record
from langgraph_learning.views.drawing import Box, drawing
from langgraph_learning.views.markup import Html, quiet, with_style
from langgraph_learning.views.mermaid import Mermaid, label

UNKNOWN = "unknown"
COLOURS = ("#4c8fd6", "#c9762b", "#3a9d5f", "#9b6dd6", "#d65c7a", "#3a9d9d", "#98862f")


@dataclass(frozen=True)
class EntityNode:
    """A node: one thing, or the unknown end of a relationship."""

    name: str
    type: str = ""
    known: bool = True
    told: str = ""
    """What is known of it in one line, other names included."""


@dataclass(frozen=True)
class Entities:
    """The nodes and links of a picture."""

    nodes: dict[str, EntityNode]
    links: tuple[tuple[str, str, str], ...]
    """Source, relation and target."""

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Entities":
        """Read the entities and relationships among `records` that hold; an end that does not is unknown, or marked."""
        found = [record for record in records if record.store == "entity_memory"]
        named = {_key(record, record.id): record for record in found if record.content.get("kind") == "entity"}
        live = [record for record in found if record.status == ACTIVE]
        links = tuple(
            (_end(record, "source"), str(record.content.get("relation", "")), _end(record, "target"))
            for record in live
            if record.content.get("kind") == "relationship"
        )
        nodes = {key: _entity(record) for key, record in named.items() if record.status == ACTIVE}
        for end in (end for source, _, target in links for end in (source, target) if end not in nodes):
            nodes[end] = _entity(named[end]) if end in named else EntityNode("?", known=False)
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
        return with_style(quiet("no entities"))
    left = len(every.nodes) - limit
    return with_style(_draw(every.busiest(limit)), quiet(f"{left} more entities are not drawn") if left > 0 else None)


def _key(record: Record, key: str) -> str:
    """Return an id that no entity of another scope has."""
    return f"{record.scope.tag} {key}"


def _end(record: Record, side: str) -> str:
    return _key(record, str(record.content.get(side, "")))


def _entity(record: Record) -> EntityNode:
    kind, live = str(record.content.get("type") or ""), record.status == ACTIVE
    name, known = str(record.content.get("name") or "?"), kind != UNKNOWN
    if not known:  # a model may name what is no entity yet as it sees others named: tool/Dagster
        kind, name = _split_type(name)
    told = kind if live else ", ".join(part for part in (kind, record.status) if part)
    return EntityNode(name, told, live and known, record.text if known else f"{name} ({told})")


def _split_type(name: str) -> tuple[str, str]:
    kind, slash, rest = name.partition("/")
    return (kind, rest) if slash and rest and kind.isidentifier() and kind.islower() else (UNKNOWN, name)


def _draw(entities: Entities) -> Html:
    types = list(dict.fromkeys(node.type for node in entities.nodes.values()))
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(types)}
    boxes = {
        key: Box(node.name, node.type, colours[node.type] if node.known else None, node.told)
        for key, node in entities.nodes.items()
    }
    return drawing(boxes, entities.links)
