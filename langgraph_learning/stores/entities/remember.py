"""The changes of `remember_about` and `link_entities`, ordered so that the first part of them is valid by itself."""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from langgraph_learning.records import SUPERSEDED, Add, Change, Record, Update
from langgraph_learning.stores.entities.entity_records import (
    Content,
    about,
    ensure,
    entity_content,
    entity_text,
    own_id,
    properties_of,
    put,
    say,
    statement,
)
from langgraph_learning.stores.entities.names import UNKNOWN, mergeable, normalize_name, one_line, same_name, slug
from langgraph_learning.stores.entities.resolution import Named, new_id, resolve
from langgraph_learning.stores.json_values import as_list, union
from langgraph_learning.stores.operations import Refused
from langgraph_learning.words import fold, same_statement, terms

MOST_ALIASES = 8

Checked = Callable[[Content], Content]


@dataclass(frozen=True)
class EntityUpdate:
    """The statements of a model about an entity, without blanks."""

    named: Named
    fields: Mapping[str, JsonValue]
    """The description, and fields of a custom schema."""
    aliases: Sequence[str] = ()
    properties: Mapping[str, JsonValue] | None = None
    facts: Sequence[str] = ()
    events: Sequence[tuple[str, str]] = ()
    """The events, each with its day."""


def remember(
    records: Sequence[Record], update: EntityUpdate, outdated: Sequence[Record], checked: Checked
) -> list[Change]:
    """Return the changes that store `update`: the entity, then its facts, then its events.

    Args:
        records: All stored records.
        update: The statements of the model.
        outdated: The stored facts that are no longer true because of it.
        checked: A function that returns the content of an entity as its schema has it, or raises `Refused`.
    """
    by_id = {record.id: record for record in records}
    old = update.named.record
    key = old.id if old else new_id(by_id, update.named.name, update.named.type)
    content = _merge_content(old.content if old else entity_content(update.named.name, update.named.type), update)
    content = {**content, **checked(content)}
    changes = put(by_id, key, content, entity_text(content))
    name = str(content["name"])
    changes += _facts(by_id, key, name, update.facts, about(records, key, "fact"), outdated)
    return changes + _events(by_id, key, name, update.events, about(records, key, "event"))


def _merge_content(content: Content, update: EntityUpdate) -> Content:
    """Return the merged content: values replace, lists are added to, and a type changes only if it was unknown."""
    merged = dict(content)
    for field, value in update.fields.items():
        old = merged.get(field)
        merged[field] = union(old, value) if isinstance(value, list) and isinstance(old, list) else value
    merged["type"] = update.named.type if content["type"] == UNKNOWN else content["type"]
    merged["aliases"] = _aliases(content, (update.named.name, *update.aliases))
    merged["properties"] = _properties(properties_of(content), update.properties or {})
    return merged


def _aliases(content: Content, new_aliases: Sequence[str]) -> list[JsonValue]:
    """Return the aliases with new ones; another spelling that differs by more than case is an alias too."""
    aliases = as_list(content.get("aliases"))
    folded = {fold(str(alias)) for alias in (content["name"], *aliases)}
    for alias in map(one_line, new_aliases):
        if slug(alias) and fold(alias) not in folded and len(aliases) < MOST_ALIASES:
            aliases = [*aliases, alias]
            folded.add(fold(alias))
    return aliases


def _properties(old: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the properties with new ones; a new value replaces the old one, whatever the case of its key."""
    merged = dict(old)
    keys = {fold(key): key for key in old}
    for key, value in new.items():
        cleaned = one_line(value) if isinstance(value, str) else value
        if (name := one_line(key)) and cleaned not in (None, ""):
            merged[keys.setdefault(fold(name), name)] = cleaned
    return merged


def _facts(
    by_id: Mapping[str, Record],
    entity: str,
    name: str,
    facts: Sequence[str],
    live: Sequence[Record],
    outdated: Sequence[Record],
) -> list[Change]:
    """Return the changes for new facts, each followed by the facts it makes outdated."""
    repeated = {record.id for record in outdated if any(_same(fact, record) for fact in facts)}
    retired = [record for record in outdated if record.id not in repeated]
    successors: dict[str, str] = {}
    new: dict[str, list[Change]] = {}
    for fact in facts:
        same = next((record for record in live if record not in retired and _same(fact, record)), None)
        if same is None and not any(same_statement(fact, successor) for successor in successors.values()):
            key = own_id("fact", entity, statement(fact))
            content: Content = {"kind": "fact", "entity": entity, "content": fact}
            successors[key], new[key] = fact, say(by_id, key, content, f"{name}: {fact}")
        elif same is not None:
            successors[same.id], new[same.id] = fact, []
    for record in retired:
        heir = max(successors, key=lambda key: _likeness(successors[key], record), default=None)
        if heir is not None:
            new[heir] = [_from_now_on(change) for change in new[heir]]
        superseded: Content = {**record.content, **({"superseded_by": heir} if heir else {})}
        retirement = Update(store=record.store, id=record.id, content=superseded, text=record.text, status=SUPERSEDED)
        new.setdefault(heir or record.id, []).append(retirement)
    return [change for changes in new.values() for change in changes]


def _from_now_on(change: Change) -> Change:
    return change.model_copy(update={"from_now_on": True}) if isinstance(change, Add) else change


def _same(fact: str, record: Record) -> bool:
    return same_statement(fact, str(record.content["content"]))


def _likeness(fact: str, record: Record) -> int:
    return len(set(terms(fact)) & set(terms(str(record.content["content"]))))


def _events(
    by_id: Mapping[str, Record], entity: str, name: str, events: Sequence[tuple[str, str]], live: Sequence[Record]
) -> list[Change]:
    changes: list[Change] = []
    stored = [(str(record.content["content"]), str(record.content["date"])) for record in live]
    for what, day in events:
        if any(day == date and same_statement(what, content) for content, date in stored):
            continue
        stored.append((what, day))
        content: Content = {"kind": "event", "entity": entity, "content": what, "date": day}
        changes += say(by_id, own_id("event", entity, statement(what), day), content, f"{name}: {what} ({day})")
    return changes


def outdated_facts(live: Sequence[Record], texts: Sequence[str]) -> tuple[list[Record], list[str]]:
    """Return the stored facts that a model names, and the names that match none or several facts."""
    matched: list[Record] = []
    lost: list[str] = []
    for text in texts:
        matches = matching(live, text)
        exact = [record for record in matches if same_statement(strip_rendering(text, record), _content(record))]
        if len(matches) == 1 or exact:
            matched += [record for record in exact or matches if record not in matched]
        else:
            lost.append(text)
    return matched, lost


def matching(live: Sequence[Record], statement: str) -> list[Record]:
    """Return the records with exactly this statement, or else those whose statement contains it."""
    exact = [record for record in live if same_statement(strip_rendering(statement, record), _content(record))]
    return exact or [
        record
        for record in live
        if normalize_name(strip_rendering(statement, record)) in normalize_name(_content(record))
    ]


def _content(record: Record) -> str:
    return str(record.content["content"])


def strip_rendering(statement: str, record: Record) -> str:
    """Return the statement that a model copied, without what recall or a report adds around it."""
    text = re.sub(r"( \((as of|inferred|no longer|from |said by )[^()]*\))+$", "", one_line(html.unescape(statement)))
    name, _, _ = record.text.partition(f": {_content(record)}")
    return text.removeprefix(f"{name}: ") or text


def link(records: Sequence[Record], one: str, relation: str, other: str) -> list[Change]:
    """Return the changes that relate one entity to another; missing entities are created first.

    Raises:
        Refused: Both are the same entity, or a name may mean several.
    """
    by_id = {record.id: record for record in records}
    source, target = resolve(records, one), resolve(records, other)
    if _is_same(source, target):
        raise Refused(f"{one!r} and {other!r} are the same entity: nothing is related to itself")
    start, start_name, changes = ensure(by_id, source)
    end, end_name, end_changes = ensure(by_id, target, start)
    words = one_line(relation.replace("_", " "))
    content: Content = {"kind": "relationship", "source": start, "relation": words, "target": end}
    key = own_id("relationship", start, statement(words), end)
    return [*changes, *end_changes, *say(by_id, key, content, f"{start_name}: {words} {end_name}")]


def _is_same(source: Named, target: Named) -> bool:
    if source.record is not None and target.record is not None:
        return source.record.id == target.record.id
    if source.record is None and target.record is None:
        return same_name(source.name, target.name) and mergeable(source.type, target.type)
    return False
