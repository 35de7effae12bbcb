"""Records of entities: one for each thing, with an id that follows from what it says."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeAlias

from pydantic import JsonValue

from langgraph_learning.records import ACTIVE, Change, Record
from langgraph_learning.stores.entities.names import one_line, slug
from langgraph_learning.stores.entities.resolution import Named, new_id
from langgraph_learning.stores.json_values import as_list, spell
from langgraph_learning.stores.record_changes import set_record
from langgraph_learning.words import fold

STORE = "entity_memory"
FIELDS = frozenset({"kind", "name", "type", "description", "aliases", "properties"})
"""The keys in the content of every entity; further keys are fields of a custom schema."""

Content: TypeAlias = dict[str, JsonValue]
put = partial(set_record, STORE)


def say(by_id: Mapping[str, Record], key: str, content: Content, text: str) -> list[Change]:
    """Return the change that makes a statement active; none if it is active already, whatever its case."""
    return [] if key in by_id and by_id[key].status == ACTIVE else put(by_id, key, content, text)


def own_id(kind: str, *parts: str) -> str:
    """Return the id that follows from what a record says, so that the same statement is one record."""
    return f"{kind}:{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}"


def statement(text: str) -> str:
    """Return a statement in the spelling that its id follows from."""
    return slug(text) or fold(one_line(text))


def about(records: Sequence[Record], entity: str, kind: str) -> list[Record]:
    """Return the active records of a kind that are about an entity."""
    ends = ("source", "target") if kind == "relationship" else ("entity",)
    return [
        record
        for record in records
        if record.content.get("kind") == kind
        and record.status == ACTIVE
        and entity in (record.content.get(end) for end in ends)
    ]


def properties_of(content: Content) -> dict[str, JsonValue]:
    """Return the free properties of an entity."""
    properties = content.get("properties")
    return properties if isinstance(properties, dict) else {}


def entity_text(content: Content) -> str:
    """Return the text of an entity for readers and the search; only its own words, so that no other is found."""
    names = " / ".join(map(str, (content["name"], *as_list(content.get("aliases")))))
    heading = f"{names} ({content['type']})"
    parts = [str(content["description"])] if content.get("description") else []
    parts += [f"{key}: {spell(value)}" for key, value in attributes(content).items()]
    return f"{heading}: {'; '.join(parts)}" if parts else heading


def attributes(content: Content) -> dict[str, JsonValue]:
    """Return the fields of a custom schema and the free properties of an entity."""
    own = {key: value for key, value in content.items() if key not in FIELDS}
    return {**own, **properties_of(content)}


def entity_content(name: str, kind: str) -> Content:
    """Return the content of a new entity of which only name and type are known."""
    return {"kind": "entity", "name": name, "type": kind, "description": None, "aliases": [], "properties": {}}


def ensure(by_id: Mapping[str, Record], named: Named, *ids: str) -> tuple[str, str, list[Change]]:
    """Return the id and name of an entity, and the changes that create it or make it active.

    `ids` are used in addition to those of the records.
    """
    if (record := named.record) is not None:
        return record.id, str(record.content["name"]), put(by_id, record.id, record.content, record.text)
    key = new_id((*by_id, *ids), named.name, named.type)
    content = entity_content(named.name, named.type)
    return key, named.name, put(by_id, key, content, entity_text(content))
