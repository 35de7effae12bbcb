"""How what is learned of entities becomes records: one per thing, under an id that follows from what it says."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from pydantic import JsonValue

from langgraph_learning.records import ACTIVE, Add, Change, Record, Update
from langgraph_learning.stores.entities.names import one_line, slug
from langgraph_learning.stores.entities.resolution import Named, new_id
from langgraph_learning.stores.values import as_list, spell
from langgraph_learning.text import fold

STORE = "entity_memory"
FIELDS = frozenset({"kind", "name", "type", "description", "aliases", "properties"})
"""What the content of every entity has; further keys are fields of a schema of one's own."""

Content: TypeAlias = dict[str, JsonValue]


def put(known: Mapping[str, Record], key: str, content: Content, text: str, status: str = ACTIVE) -> list[Change]:
    """Return what makes the record `key` say this: nothing if it does so already."""
    old = known.get(key)
    if old is None:
        return [Add(store=STORE, id=key, content=content, text=text, status=status)]
    if (old.content, old.text, old.status) == (content, text, status):
        return []
    return [Update(store=STORE, id=key, content=content, text=text, status=status)]


def say(known: Mapping[str, Record], key: str, content: Content, text: str) -> list[Change]:
    """Return what makes a statement one that holds: nothing if it does already, in whatever case it was written."""
    return [] if key in known and known[key].status == ACTIVE else put(known, key, content, text)


def own_id(kind: str, *parts: str) -> str:
    """Return the id that follows from what a record says, so that the same thing twice is one record."""
    return f"{kind}:{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}"


def statement(text: str) -> str:
    """Return a statement in the spelling that its id follows from."""
    return slug(text) or fold(one_line(text))


def about(records: Sequence[Record], entity: str, kind: str) -> list[Record]:
    """Return the records of a kind that are about an entity and not archived or superseded."""
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
    found = content.get("properties")
    return found if isinstance(found, dict) else {}


def entity_text(content: Content) -> str:
    """Return what a reader and the search see of an entity: no word but its own, any other would be found, too."""
    names = " / ".join(map(str, (content["name"], *as_list(content.get("aliases")))))
    heading = f"{names} ({content['type']})"
    parts = [str(content["description"])] if content.get("description") else []
    parts += [f"{key}: {spell(value)}" for key, value in attributes(content).items()]
    return f"{heading}: {'; '.join(parts)}" if parts else heading


def attributes(content: Content) -> dict[str, JsonValue]:
    """Return the fields of a schema of one's own and the free properties of an entity."""
    own = {key: value for key, value in content.items() if key not in FIELDS}
    return {**own, **properties_of(content)}


def entity_content(name: str, kind: str) -> Content:
    """Return the content of an entity of which no more is known."""
    return {"kind": "entity", "name": name, "type": kind, "description": None, "aliases": [], "properties": {}}


def ensure(known: Mapping[str, Record], named: Named, *taken: str) -> tuple[str, str, list[Change]]:
    """Return the id and name of an entity, and what makes it one that is not archived: a missing one is made.

    `taken` are ids that are given away besides those that are known.
    """
    if (record := named.record) is not None:
        return record.id, str(record.content["name"]), put(known, record.id, record.content, record.text)
    key = new_id((*known, *taken), named.name, named.type)
    content = entity_content(named.name, named.type)
    return key, named.name, put(known, key, content, entity_text(content))
