"""The changes of `forget`: entities and facts are archived; relationships, events and properties are removed."""

from collections.abc import Mapping, Sequence

from langgraph_learning.records import ARCHIVED, Change, Record, Remove, Update
from langgraph_learning.stores.entities.entity_records import (
    Content,
    about,
    entity_text,
    properties_of,
    put,
    statement,
)
from langgraph_learning.stores.entities.names import normalize_name, same_name
from langgraph_learning.stores.entities.remember import strip_rendering
from langgraph_learning.stores.entities.resolution import aliases_of, entities, name_and_type, name_of, resolve, type_of
from langgraph_learning.stores.json_values import as_list, spell
from langgraph_learning.stores.operations import Refused
from langgraph_learning.words import same_statement

OUT, BACK = "→", "←"


def forget(records: Sequence[Record], name: str, what: str | None) -> list[Change]:
    """Return the changes that forget an entity, or one thing about it.

    Raises:
        Refused: There is no such entity, or `what` means nothing or more than one thing; the message lists what is
            stored.
    """
    entity = resolve(records, name).record
    if entity is None:
        raise Refused(f"nothing is known as {name!r}{_known_names(records)}")
    by_id = {record.id: record for record in records}
    if what is None:
        return put(by_id, entity.id, entity.content, entity.text, ARCHIVED)
    what = what.replace("->", OUT).replace("<-", BACK)
    matches = _find_meant(records, entity, what)
    if matches is None:
        return _without(by_id, entity, what)
    return [_archive(record) for record in matches]


def _known_names(records: Sequence[Record]) -> str:
    listed = [name_and_type(record) for record in entities(records)]
    return f"; there is {', '.join(listed[-20:])}" if listed else ""


def _archive(record: Record) -> Change:
    if record.content["kind"] == "fact":
        return Update(store=record.store, id=record.id, content=record.content, text=record.text, status=ARCHIVED)
    return Remove(store=record.store, id=record.id, text=record.text)


def _find_meant(records: Sequence[Record], entity: Record, what: str) -> list[Record] | None:
    """Return what is meant: facts before relationships before events, whole statements before parts of them."""
    names = {record.id: record for record in entities(records)}
    kinds = [about(records, entity.id, kind) for kind in ("fact", "relationship", "event")]
    forms = {record.id: forms_of(record, entity, names, what) for of_kind in kinds for record in of_kind}
    for exact in (True, False):
        for of_kind in kinds:
            if hits := [
                record for record in of_kind if any(_says(form, what, record, exact) for form in forms[record.id])
            ]:
                if len(hits) == 1 or (exact and hits[0].content["kind"] == "fact"):
                    return hits
                raise Refused(f"{what!r} may be any of several: {_list_texts(hits)}")
        if exact and _property(entity, what) is not None:
            return None
    if live := [record for of_kind in kinds for record in of_kind]:
        raise Refused(f"nothing of {name_and_type(entity)} says {what!r}; there is {_list_texts(live)}")
    raise Refused(f"nothing is known about {name_and_type(entity)} that could be forgotten")


def _list_texts(records: Sequence[Record]) -> str:
    return "; ".join(repr(record.text) for record in records[:50])


def _says(form: str, what: str, record: Record, exact: bool) -> bool:
    folded = (
        strip_rendering(what, record) if record.content["kind"] == "fact" else what.replace(OUT, " ").replace(BACK, " ")
    )
    if not exact:  # parts of statements do not count if an arrow says exactly which relationship is meant
        return folded != "" and not {OUT, BACK} & set(what) and normalize_name(folded) in normalize_name(form)
    return statement(form) == statement(folded) or (record.content["kind"] == "fact" and same_statement(form, folded))


def forms_of(record: Record, entity: Record, names: Mapping[str, Record], what: str) -> list[str]:
    """Return the ways in which a model may name what is stored about `entity`."""
    content = record.content
    if content["kind"] == "fact":
        return [str(content["content"])]
    if content["kind"] == "event":
        happened, day = str(content["content"]), str(content["date"])
        return [happened, f"{happened} ({day})", f"{day}: {happened}", record.text]
    relation = str(content["relation"])
    starts, ends = (_names(names.get(str(content[end]))) for end in ("source", "target"))
    outgoing, incoming = content["source"] == entity.id, content["target"] == entity.id
    if BACK in what:
        whole = [f"{end}{between}{start}" for between in (f" {relation} ", " ") for end in ends for start in starts]
        return [*whole, *([part for start in starts for part in (f"{relation} {start}", start)] if incoming else [])]
    forms = [f"{start}{between}{end}" for between in (f" {relation} ", " ") for start in starts for end in ends]
    forms += [record.text]
    if outgoing:
        forms += [relation, *ends, *(f"{relation} {end}" for end in ends)]
    if incoming and not what.startswith(OUT):
        forms += [relation, *starts, *(f"{start} {relation}" for start in starts)]
    return forms


def _names(record: Record | None) -> list[str]:
    if record is None:
        return []
    return [name_of(record), f"{type_of(record)}/{name_of(record)}", *aliases_of(record)]


def _property(entity: Record, what: str) -> tuple[str, str] | None:
    """Return the property or alias that is meant: by its key, or as it is shown."""
    for key, value in properties_of(entity.content).items():
        if normalize_name(what) in (normalize_name(key), normalize_name(f"{key}: {spell(value)}")):
            return "properties", key
    alias = next((other_name for other_name in aliases_of(entity) if same_name(other_name, what)), None)
    return ("aliases", alias) if alias is not None else None


def _without(by_id: Mapping[str, Record], entity: Record, what: str) -> list[Change]:
    """Return the changes that remove a property or an alias from an entity."""
    field, key = _property(entity, what) or ("", "")
    content: Content = dict(entity.content)
    if field == "properties":
        content[field] = {name: value for name, value in properties_of(content).items() if name != key}
    else:
        content[field] = [alias for alias in as_list(content.get(field)) if alias != key]
    return put(by_id, entity.id, content, entity_text(content), entity.status)
