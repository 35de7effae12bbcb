"""The entity that a name means: by name, then by alias, never by similarity, because a wrong merge cannot be undone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from langgraph_learning.records import ACTIVE, Record
from langgraph_learning.stores.entities.names import (
    TYPES,
    UNKNOWN,
    normal_type,
    normalize_name,
    one_line,
    same_name,
    slug,
)
from langgraph_learning.stores.json_values import as_list
from langgraph_learning.stores.operations import Refused
from langgraph_learning.words import fold


@dataclass(frozen=True)
class Named:
    """The entity that a name means, if there is one, and the name and type it is called by."""

    record: Record | None
    name: str
    type: str


def entities(records: Iterable[Record]) -> list[Record]:
    """Return the records that are entities, including archived ones."""
    return [record for record in records if record.content.get("kind") == "entity"]


def name_of(record: Record) -> str:
    """Return the name of an entity."""
    return str(record.content.get("name") or "")


def type_of(record: Record) -> str:
    """Return the type of an entity."""
    return str(record.content.get("type") or UNKNOWN)


def aliases_of(record: Record) -> list[str]:
    """Return the other names of an entity."""
    return [str(alias) for alias in as_list(record.content.get("aliases"))]


def name_and_type(record: Record) -> str:
    """Return the name and type of an entity, as a reader sees it."""
    return f"{name_of(record)} ({type_of(record)})"


def resolve(records: Sequence[Record], name: str, kind: str = UNKNOWN) -> Named:
    """Return the entity that `name` means among `records`.

    Args:
        records: All stored records.
        name: The name as the model gives it; `type/name` tells entities with the same name apart.
        kind: The type it is said to have, in one spelling.

    Raises:
        Refused: It is no name, or several entities have it.
    """
    stored = entities(records)
    name, kind = _split_qualifier(stored, one_line(name), kind)
    if not slug(name):
        raise Refused(f"{name!r} is no name: give a name with letters or digits")
    by_name = [entity for entity in stored if same_name(name, name_of(entity))]
    by_alias = [entity for entity in stored if any(same_name(name, alias) for alias in aliases_of(entity))]
    for candidates in (by_name, by_alias):
        if fitting := _of_type(candidates, kind):
            return Named(_only(name, fitting), name, kind)
    return Named(None, name, kind)


def resolve_told(records: Sequence[Record], name: str, kind: str, aliases: Iterable[str]) -> Named:
    """Return the entity that `name` means, or one of unknown type that one of the `aliases` names.

    An entity of unknown type is one that only a link has named so far.

    Raises:
        Refused: It is no name, or several entities have it.
    """
    match = resolve(records, name, kind)
    for alias in aliases if match.record is None else ():
        if slug(alias) and (entity := resolve(records, alias, kind).record) and type_of(entity) == UNKNOWN:
            return Named(entity, match.name, match.type)
    return match


def _split_qualifier(stored: Sequence[Record], name: str, kind: str) -> tuple[str, str]:
    """Return name and type of `type/name`; what stands before the slash may also be part of the name: AC/DC."""
    prefix, slash, bare = name.partition("/")
    qualifier = normal_type(prefix)
    types = {*TYPES, *map(type_of, stored), kind}
    if not slash or not slug(bare) or qualifier not in types or not slug(prefix):
        return name, kind
    if any(normalize_name(name) == normalize_name(name_of(entity)) for entity in stored):
        return name, kind
    if UNKNOWN not in (kind, qualifier) and kind != qualifier:
        raise Refused(f"{name!r} names a {qualifier}, and the type given is {kind!r}: give one of them")
    return bare.strip(), kind if qualifier == UNKNOWN else qualifier


def _of_type(candidates: Sequence[Record], kind: str) -> list[Record]:
    """Return the entities that a name with this type may mean: two different known types are two things."""
    if kind == UNKNOWN:
        return list(candidates)
    return [entity for entity in candidates if type_of(entity) == kind] or [
        entity for entity in candidates if type_of(entity) == UNKNOWN
    ]


def _only(name: str, entities_of_name: list[Record]) -> Record:
    """Return the one entity that is meant: preferably not archived, and with exactly this spelling."""
    for narrower in (
        [entity for entity in entities_of_name if entity.status == ACTIVE],
        [
            entity
            for entity in entities_of_name
            if normalize_name(name) in map(normalize_name, (name_of(entity), *aliases_of(entity)))
        ],
    ):
        both = [entity for entity in entities_of_name if entity in narrower]
        entities_of_name = both or entities_of_name
    if len(entities_of_name) > 1:
        candidates = " or ".join(f"{type_of(entity)}/{name_of(entity)}" for entity in entities_of_name)
        raise Refused(f"{name!r} may be any of several: say {candidates}")
    return entities_of_name[0]


def new_id(ids: Iterable[str], name: str, kind: str) -> str:
    """Return the id of a new entity: its name, and its type if another entity has the name."""
    used, base = set(ids), f"entity:{slug(name)}"
    more = (f"{base}:{slug(kind) or fold(kind)}:{number}" for number in range(2, len(used) + 3))
    return next(candidate for candidate in (base, f"{base}:{slug(kind) or fold(kind)}", *more) if candidate not in used)
