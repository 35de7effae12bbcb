"""Which entity a name means: by name, then by alias, never by likeness, because a wrong merge cannot be told apart."""

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
from langgraph_learning.stores.operations import Refused
from langgraph_learning.stores.values import as_list
from langgraph_learning.text import fold


@dataclass(frozen=True)
class Named:
    """What a name means: the entity if there is one, and the name and type it is called by."""

    record: Record | None
    name: str
    type: str


def entities(records: Iterable[Record]) -> list[Record]:
    """Return the records that are entities, archived ones included."""
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
    """Return what `name` means among `records`.

    Args:
        records: All that is known.
        name: As a model gives it; `type/name` tells apart what bears the same name.
        kind: The type it is said to have, in one spelling.

    Raises:
        Refused: It is no name, or several entities bear it.
    """
    known = entities(records)
    name, kind = _split_qualifier(known, one_line(name), kind)
    if not slug(name):
        raise Refused(f"{name!r} is no name: give a name with letters or digits")
    by_name = [each for each in known if same_name(name, name_of(each))]
    by_alias = [each for each in known if any(same_name(name, alias) for alias in aliases_of(each))]
    for found in (by_name, by_alias):
        if fitting := _of_type(found, kind):
            return Named(_only(name, fitting), name, kind)
    return Named(None, name, kind)


def resolve_told(records: Sequence[Record], name: str, kind: str, aliases: Iterable[str]) -> Named:
    """Return what `name` means, or what only a link has named so far by one of the `aliases` that come with it.

    Raises:
        Refused: It is no name, or several entities bear it.
    """
    named = resolve(records, name, kind)
    for alias in aliases if named.record is None else ():
        if slug(alias) and (found := resolve(records, alias, kind).record) and type_of(found) == UNKNOWN:
            return Named(found, named.name, named.type)
    return named


def _split_qualifier(known: Sequence[Record], name: str, kind: str) -> tuple[str, str]:
    """Take the type off `type/name`; what stands before the slash may just be a part of the name: AC/DC."""
    prefix, slash, rest = name.partition("/")
    qualifier = normal_type(prefix)
    types = {*TYPES, *map(type_of, known), kind}
    if not slash or not slug(rest) or qualifier not in types or not slug(prefix):
        return name, kind
    if any(normalize_name(name) == normalize_name(name_of(each)) for each in known):
        return name, kind
    if UNKNOWN not in (kind, qualifier) and kind != qualifier:
        raise Refused(f"{name!r} names a {qualifier}, and the type given is {kind!r}: give one of them")
    return rest.strip(), kind if qualifier == UNKNOWN else qualifier


def _of_type(found: Sequence[Record], kind: str) -> list[Record]:
    """Return the entities that a name of this type may mean: two named types are two things."""
    if kind == UNKNOWN:
        return list(found)
    return [each for each in found if type_of(each) == kind] or [each for each in found if type_of(each) == UNKNOWN]


def _only(name: str, found: list[Record]) -> Record:
    """Return the one that is meant: the one that is not archived, the one that is spelled exactly so."""
    for narrower in (
        [each for each in found if each.status == ACTIVE],
        [each for each in found if normalize_name(name) in map(normalize_name, (name_of(each), *aliases_of(each)))],
    ):
        both = [each for each in found if each in narrower]
        found = both or found
    if len(found) > 1:
        candidates = " or ".join(f"{type_of(each)}/{name_of(each)}" for each in found)
        raise Refused(f"{name!r} may be any of several: say {candidates}")
    return found[0]


def new_id(taken: Iterable[str], name: str, kind: str) -> str:
    """Return the id of a new entity: its name, and its type where another one bears the name."""
    known, base = set(taken), f"entity:{slug(name)}"
    more = (f"{base}:{slug(kind) or fold(kind)}:{number}" for number in range(2, len(known) + 3))
    return next(each for each in (base, f"{base}:{slug(kind) or fold(kind)}", *more) if each not in known)
