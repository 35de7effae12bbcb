"""The text of entities in a prompt: a directory of names, and the relevant entities in full."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from langgraph_learning.records import ACTIVE, ARCHIVED, Record
from langgraph_learning.stores.base import Entry, Ranked
from langgraph_learning.stores.entities.entity_records import attributes
from langgraph_learning.stores.entities.names import mentions, normal_type
from langgraph_learning.stores.entities.relative_dates import date_order
from langgraph_learning.stores.entities.resolution import aliases_of, name_and_type, name_of, type_of
from langgraph_learning.stores.json_values import spell
from langgraph_learning.words import query_terms, terms

LISTED = 50
EXPANDED = 5
FACTS = 10
EVENTS = 5
LINKS = 20
FEW = 10
"""The number of names in a directory if there is no room for more."""


@dataclass
class About:
    """An entity with what is stored about it, each part with its score."""

    entity: Ranked
    facts: list[Ranked] = field(default_factory=list)
    events: list[Ranked] = field(default_factory=list)
    links: list[Ranked] = field(default_factory=list)
    past: list[Ranked] = field(default_factory=list)
    """Facts that are no longer true, or forgotten."""

    @property
    def record(self) -> Record:
        """The record of the entity."""
        return self.entity.record

    @property
    def updated_at(self) -> datetime:
        """The time of the latest statement about the entity."""
        return max(part.record.updated_at for part in self.parts)

    @property
    def parts(self) -> list[Ranked]:
        """The entity and its active statements."""
        return [self.entity, *self.facts, *self.events, *self.links]

    @property
    def score(self) -> float:
        """The score of the best statement."""
        return max(statement.score for statement in self._statements)

    @property
    def fits(self) -> bool:
        """Whether any statement matches the query."""
        return any(_fits(statement) for statement in self._statements)

    @property
    def _statements(self) -> list[Ranked]:
        """The statements about the entity, except relationships that match only by the name of their other end."""
        return [self.entity, *self.facts, *self.events, *self.past, *filter(_speaks, self.links)]

    def is_named(self, text: str) -> bool:
        """Return whether `text` contains its name or an alias."""
        return any(mentions(text, name) for name in (name_of(self.record), *aliases_of(self.record)))


def _fits(item: Ranked) -> bool:
    return bool(item.matched) or item.score > 0


def _speaks(link: Ranked) -> bool:
    relation = terms(str(link.record.content["relation"]))
    return not link.matched or any(term.term in relation for word in link.matched for term in query_terms(word))


def owners_of(record: Record) -> list[str]:
    """Return the ids of the entities that a statement is about."""
    return [str(record.content[end]) for end in ("entity", "source", "target") if end in record.content]


def group_by_entity(ranked: Sequence[Ranked]) -> list[About]:
    """Return the entities with their statements, the most recently changed first.

    Statements about an entity that is not among them (because it is archived) are left out.
    """
    abouts = {
        candidate.record.id: About(candidate)
        for candidate in ranked
        if candidate.record.content.get("kind") == "entity"
    }
    for item in ranked:
        kind, owners = str(item.record.content.get("kind")), owners_of(item.record)
        for owner in [abouts[key] for key in owners] if abouts.keys() >= set(owners) else []:
            lists = {"fact": owner.facts, "event": owner.events, "relationship": owner.links}
            (lists.get(kind, owner.past) if item.record.status == ACTIVE else owner.past).append(item)
    return sorted(abouts.values(), key=lambda about: (about.updated_at, about.record.id), reverse=True)


def directory(abouts: Sequence[About], complete: bool, expanded: Sequence[About]) -> Entry:
    """Return the directory of names, the most recently changed first; it says whether these are all.

    It rests on the records of the entities that are not `expanded`, because those have entries of their own.
    """
    own = {about.record.id for about in expanded}

    def text(most: int) -> str:
        names = ", ".join(name_and_type(about.record) for about in abouts[:most])
        if complete and len(abouts) <= most:
            return f"All entities that are known; whoever is not listed here is not known: {names}"
        return f"The {min(most, len(abouts))} entities last spoken of; there are more: {names}"

    listed = tuple(about.entity for about in abouts[:LISTED] if about.record.id not in own)
    return Entry(text(LISTED), listed, brief=text(FEW), first=True)


def relevant(abouts: Sequence[About], query: str) -> list[About]:
    """Return the relevant entities: those that the query names, then those with matching statements."""
    best = sorted(abouts, key=lambda about: -about.score)
    mentioned = [about for about in best if query and about.is_named(query)]
    others = [about for about in best if about not in mentioned and about.fits]
    top = max((about.score for about in best), default=0.0)
    # A name counts more than words: named entities come before all others.
    raised = [replace(about, entity=_boost(about, top)) for about in mentioned]
    return [*raised, *others]


def _boost(about: About, top: float) -> Ranked:
    matched = about.entity.matched or (name_of(about.record),)
    return replace(about.entity, score=max(top, about.entity.score), matched=matched)


def directory_entries(ranked: Sequence[Ranked], query: str, *, complete: bool) -> list[Entry]:
    """Return a directory of names, then in full the few entities that a query is about."""
    abouts = group_by_entity(ranked)
    if not abouts:
        return []
    expanded = relevant(abouts, query)[:EXPANDED]
    # If all records were read, a statement without its entity belongs to an archived one, and is left out too.
    orphans = [] if complete else orphan_entries(ranked, abouts)
    return [directory(abouts, complete, expanded), *(entry(about, abouts) for about in expanded), *orphans]


def found_entries(ranked: Sequence[Ranked], query: str, kind: str | None, *, complete: bool) -> list[Entry]:
    """Return the entities of a type: in full those that fit a query, or all of them in short without a query."""
    abouts = group_by_entity(ranked)
    entity_type = normal_type(kind) if kind else None
    of_type = [about for about in abouts if entity_type in (None, type_of(about.record))]
    if not query:
        return [Entry(brief(about.record), (about.entity,)) for about in of_type]
    fitting = [entry(about, abouts) for about in relevant(of_type, query)]
    return fitting if entity_type or complete else [*fitting, *orphan_entries(ranked, abouts)]


def entry(about: About, abouts: Sequence[About]) -> Entry:
    """Return an entity in full, within the limits of each kind of statement."""
    facts = _best(about.facts)
    events = sorted(about.events, key=lambda item: date_order(str(item.record.content["date"])))[-EVENTS:]
    links = sorted(_newest(about.links)[:LINKS], key=lambda item: (item.record.created_at, item.record.id))
    names = {about_other.record.id: _shown_name(about_other.record) for about_other in abouts}
    past = [item for item in _newest(about.past) if _fits(item)][:FACTS]
    lines = [
        f"{_heading(about.record)}{': ' if (details := _entity_details(about.record)) else ''}{details}",
        *(f"- {_fact_text(item.record)}" for item in facts),
        *_cut("more facts", len(about.facts) - len(facts)),
        *(f"- no longer true: {_fact_text(item.record)}" for item in past),
        *_cut("earlier events", len(about.events) - len(events)),
        *(f"- {_statement_text(item.record, str(item.record.content['date']), ': ')}" for item in events),
        *(f"- {_link(item.record, names)}" for item in links),
        *_cut("older relationships", len(about.links) - len(links)),
    ]
    return Entry("\n".join(lines), (about.entity, *facts, *past, *events, *links), brief=brief(about.record))


def orphan_entries(ranked: Sequence[Ranked], abouts: Sequence[About]) -> list[Entry]:
    """Return the best matches that belong to entities which were not read, each as its own entry."""
    read = {about.record.id for about in abouts}
    matches = [item for item in ranked if _fits(item) and item.record.status == ACTIVE]
    lost = [item for item in matches if not read.issuperset(owners_of(item.record))]
    return [Entry(f"{item.record.text} (as of {item.record.updated_at:%Y-%m-%d})", (item,)) for item in lost[:EXPANDED]]


def brief(record: Record) -> str:
    """Return an entity in one line: name, type and description."""
    described = record.content.get("description")
    return f"{_heading(record)}: {described}" if described else _heading(record)


def _heading(record: Record) -> str:
    aliases = ", ".join(aliases_of(record))
    mark = " [archived]" if record.status == ARCHIVED else ""
    return name_and_type(record) + mark + (f", also called {aliases}" if aliases else "")


def _shown_name(record: Record) -> str:
    return name_of(record) + (" [archived]" if record.status == ARCHIVED else "")


def _entity_details(record: Record) -> str:
    described = [str(record.content["description"])] if record.content.get("description") else []
    details = "; ".join([*described, *(f"{key}: {spell(value)}" for key, value in attributes(record.content).items())])
    return f"{details}{record.source.label}" if details else details


def _newest(items: Sequence[Ranked]) -> list[Ranked]:
    return sorted(items, key=lambda item: (item.record.updated_at, item.record.id), reverse=True)


def _best(items: Sequence[Ranked]) -> list[Ranked]:
    """Return the facts with the highest scores, newest first; between equal scores the newer fact wins."""
    newest = _newest(items)
    best = {item.record.id for item in sorted(newest, key=lambda item: -item.score)[:FACTS]}
    return [item for item in newest if item.record.id in best]


def _fact_text(record: Record) -> str:
    time = f"as of {record.source.said_at or record.updated_at:%Y-%m-%d}"
    when = f"until {record.valid_to:%Y-%m-%d}" if record.valid_to else time
    marks = [when, record.source.label.strip(" ()")]
    return f"{record.content['content']} ({', '.join(filter(None, marks))})"


def _statement_text(record: Record, before: str, between: str) -> str:
    return f"{before}{between}{record.content['content']}{record.source.label}"


def _link(record: Record, names: dict[str, str]) -> str:
    source, target = (names[str(record.content[end])] for end in ("source", "target"))
    return f"{source} → {record.content['relation']} → {target}{record.source.label}"


def _cut(what: str, more: int) -> list[str]:
    return [f"- … and {more} {what}"] if more > 0 else []
