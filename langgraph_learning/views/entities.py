"""Views of entities and their relationships: as Mermaid text, and as a picture that needs no browser and no network."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from langgraph_learning.records import ACTIVE, Record
from langgraph_learning.views.graph_drawing import Box, drawing
from langgraph_learning.views.markup import Html, quiet, with_style
from langgraph_learning.views.mermaid import Mermaid, label

UNKNOWN = "unknown"
COLOURS = ("#4c8fd6", "#c9762b", "#3a9d5f", "#9b6dd6", "#d65c7a", "#3a9d9d", "#98862f")


@dataclass(frozen=True)
class EntityNode:
    """A node: one entity, or the unknown end of a relationship."""

    name: str
    type: str = ""
    known: bool = True
    description: str = ""
    """The text of the entity in one line, with its other names."""


@dataclass(frozen=True)
class Entities:
    """The nodes and links of a picture."""

    nodes: dict[str, EntityNode]
    links: tuple[tuple[str, str, str], ...]
    """Source, relation and target."""

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Entities":
        """Return the active entities and relationships among `records`; a missing or inactive end is marked."""
        entity_records = [record for record in records if record.store == "entity_memory"]
        nodes_by_key = {
            _key(record, record.id): record for record in entity_records if record.content.get("kind") == "entity"
        }
        live = [record for record in entity_records if record.status == ACTIVE]
        links = tuple(
            (_end(record, "source"), str(record.content.get("relation", "")), _end(record, "target"))
            for record in live
            if record.content.get("kind") == "relationship"
        )
        nodes = {key: _entity(record) for key, record in nodes_by_key.items() if record.status == ACTIVE}
        for end in (end for source, _, target in links for end in (source, target) if end not in nodes):
            nodes[end] = _entity(nodes_by_key[end]) if end in nodes_by_key else EntityNode("?", known=False)
        return cls(nodes, links)

    def busiest(self, limit: int) -> "Entities":
        """Return the `limit` entities with the most relationships, and the relationships between them."""
        degree = Counter(end for source, _, target in self.links for end in (source, target))
        largest = set(sorted(self.nodes, key=lambda key: -degree[key])[:limit])
        links = tuple(link for link in self.links if {link[0], link[2]} <= largest)
        return Entities({key: node for key, node in self.nodes.items() if key in largest}, links)


def entity_graph(records: Iterable[Record]) -> Mermaid:
    """Return the entities and relationships among `records` as a Mermaid diagram."""
    entities = Entities.of(records)
    names = {key: f"e{number}" for number, key in enumerate(entities.nodes, 1)}
    lines = ["graph LR", "  classDef unknown stroke-dasharray: 4 3"]
    for key, node in entities.nodes.items():
        text = f"{node.name} ({node.type})" if node.type else node.name
        lines.append(f"  {names[key]}[{label(text)}]{'' if node.known else ':::unknown'}")
    lines += [
        f"  {names[source]} -->|{label(relation)}| {names[target]}" for source, relation, target in entities.links
    ]
    return Mermaid("\n".join(lines))


def entity_picture(records: Iterable[Record], *, limit: int = 40) -> Html:
    """Return the entities and relationships among `records` as a picture.

    Args:
        records: The records to draw.
        limit: The number of entities to draw, those with the most relationships first; more would not be readable.
    """
    every = Entities.of(records)
    if not every.nodes:
        return with_style(quiet("no entities"))
    not_drawn = len(every.nodes) - limit
    return with_style(
        _draw(every.busiest(limit)), quiet(f"{not_drawn} more entities are not drawn") if not_drawn > 0 else None
    )


def _key(record: Record, key: str) -> str:
    """Return an id that no entity of another scope has."""
    return f"{record.scope.tag} {key}"


def _end(record: Record, side: str) -> str:
    return _key(record, str(record.content.get(side, "")))


def _entity(record: Record) -> EntityNode:
    kind, live = str(record.content.get("type") or ""), record.status == ACTIVE
    name, is_known = str(record.content.get("name") or "?"), kind != UNKNOWN
    if not is_known:  # a model may name a thing that is not stored, in the form it sees others in: tool/Dagster
        kind, name = _split_type(name)
    type_note = kind if live else ", ".join(part for part in (kind, record.status) if part)
    return EntityNode(name, type_note, live and is_known, record.text if is_known else f"{name} ({type_note})")


def _split_type(name: str) -> tuple[str, str]:
    kind, slash, name_alone = name.partition("/")
    return (kind, name_alone) if slash and name_alone and kind.isidentifier() and kind.islower() else (UNKNOWN, name)


def _draw(entities: Entities) -> Html:
    types = list(dict.fromkeys(node.type for node in entities.nodes.values()))
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(types)}
    boxes = {
        key: Box(node.name, node.type, colours[node.type] if node.known else None, node.description)
        for key, node in entities.nodes.items()
    }
    return drawing(boxes, entities.links)
