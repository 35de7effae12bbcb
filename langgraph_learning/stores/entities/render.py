"""How entities read: a directory of names, and in full those that a turn is about."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from langgraph_learning.records import ACTIVE, ARCHIVED, Record
from langgraph_learning.stores.base import Entry, Ranked
from langgraph_learning.stores.entities.dates import date_order
from langgraph_learning.stores.entities.names import mentions, normal_type
from langgraph_learning.stores.entities.resolution import aliases_of, name_and_type, name_of, type_of
from langgraph_learning.stores.entities.writing import attributes
from langgraph_learning.stores.values import spell
from langgraph_learning.text import query_terms, terms

LISTED = 50
EXPANDED = 5
FACTS = 10
EVENTS = 5
LINKS = 20
FEW = 10
"""How many names a directory has where there is no room for more."""


@dataclass
class About:
    """An entity and what is known about it, each with how well it fits."""

    entity: Ranked
    facts: list[Ranked] = field(default_factory=list)
    events: list[Ranked] = field(default_factory=list)
    links: list[Ranked] = field(default_factory=list)
    past: list[Ranked] = field(default_factory=list)
    """Facts that are no longer true, or forgotten."""

    @property
    def record(self) -> Record:
        """The entity itself."""
        return self.entity.record

    @property
    def updated_at(self) -> datetime:
        """When something about it was last said."""
        return max(each.record.updated_at for each in self.parts)

    @property
    def parts(self) -> list[Ranked]:
        """All of it."""
        return [self.entity, *self.facts, *self.events, *self.links]

    @property
    def score(self) -> float:
        """How well the best of what is known about it fits."""
        return max(each.score for each in self._statements)

    @property
    def fits(self) -> bool:
        """Whether anything that is known about it fits at all."""
        return any(_fits(each) for each in self._statements)

    @property
    def _statements(self) -> list[Ranked]:
        """What says something about it; a relationship that fits by its other end's name alone does not."""
        return [self.entity, *self.facts, *self.events, *self.past, *filter(_speaks, self.links)]

    def is_named(self, text: str) -> bool:
        """Whether `text` calls it by its name or an alias."""
        return any(mentions(text, name) for name in (name_of(self.record), *aliases_of(self.record)))


def _fits(each: Ranked) -> bool:
    return bool(each.matched) or each.score > 0


def _speaks(link: Ranked) -> bool:
    relation = terms(str(link.record.content["relation"]))
    return not link.matched or any(each.term in relation for word in link.matched for each in query_terms(word))


def owners_of(record: Record) -> list[str]:
    """Return the ids of the entities that a statement is about."""
    return [str(record.content[end]) for end in ("entity", "source", "target") if end in record.content]


def group_by_entity(ranked: Sequence[Ranked]) -> list[About]:
    """Return the entities with what is known about each, the one last spoken of first.

    What belongs to an entity that is not among them (it is archived) belongs to nobody here.
    """
    found = {each.record.id: About(each) for each in ranked if each.record.content.get("kind") == "entity"}
    for each in ranked:
        kind, owners = str(each.record.content.get("kind")), owners_of(each.record)
        for owner in [found[key] for key in owners] if found.keys() >= set(owners) else []:
            lists = {"fact": owner.facts, "event": owner.events, "relationship": owner.links}
            (lists.get(kind, owner.past) if each.record.status == ACTIVE else owner.past).append(each)
    return sorted(found.values(), key=lambda one: (one.updated_at, one.record.id), reverse=True)


def directory(abouts: Sequence[About], complete: bool, expanded: Sequence[About]) -> Entry:
    """Return the names that are known, the one last spoken of first; it says whether these are all.

    It is made of the entities that are not `expanded`: those have an entry of their own.
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
    """Return what a text is about: what it calls by name, then what has statements that fit it."""
    best = sorted(abouts, key=lambda about: -about.score)
    named = [about for about in best if query and about.is_named(query)]
    others = [about for about in best if about not in named and about.fits]
    top = max((about.score for about in best), default=0.0)
    # A name outweighs words: what is called by name goes before whatever else fits.
    raised = [replace(about, entity=_boost(about, top)) for about in named]
    return [*raised, *others]


def _boost(about: About, top: float) -> Ranked:
    matched = about.entity.matched or (name_of(about.record),)
    return replace(about.entity, score=max(top, about.entity.score), matched=matched)


def directory_entries(ranked: Sequence[Ranked], query: str, *, complete: bool) -> list[Entry]:
    """Return a directory of names, then in full the few entities that a text is about."""
    abouts = group_by_entity(ranked)
    if not abouts:
        return []
    chosen = relevant(abouts, query)[:EXPANDED]
    # Where all were read, a statement without its entity belongs to an archived one, and is set aside with it.
    orphans = [] if complete else orphan_entries(ranked, abouts)
    return [directory(abouts, complete, chosen), *(entry(about, abouts) for about in chosen), *orphans]


def found_entries(ranked: Sequence[Ranked], query: str, kind: str | None, *, complete: bool) -> list[Entry]:
    """Return the entities of a type that fit a text in full; without a text all of them in short."""
    abouts = group_by_entity(ranked)
    wanted = normal_type(kind) if kind else None
    of_type = [about for about in abouts if wanted in (None, type_of(about.record))]
    if not query:
        return [Entry(brief(about.record), (about.entity,)) for about in of_type]
    fitting = [entry(about, abouts) for about in relevant(of_type, query)]
    return fitting if wanted or complete else [*fitting, *orphan_entries(ranked, abouts)]


def entry(about: About, abouts: Sequence[About]) -> Entry:
    """Return an entity in full, as far as that goes."""
    facts = _best(about.facts)
    events = sorted(about.events, key=lambda each: date_order(str(each.record.content["date"])))[-EVENTS:]
    links = sorted(_newest(about.links)[:LINKS], key=lambda each: (each.record.created_at, each.record.id))
    names = {other.record.id: _shown_name(other.record) for other in abouts}
    past = [each for each in _newest(about.past) if _fits(each)][:FACTS]
    lines = [
        f"{_heading(about.record)}{': ' if (told := _entity_details(about.record)) else ''}{told}",
        *(f"- {_fact_text(each.record)}" for each in facts),
        *_cut("more facts", len(about.facts) - len(facts)),
        *(f"- no longer true: {_fact_text(each.record)}" for each in past),
        *_cut("earlier events", len(about.events) - len(events)),
        *(f"- {_statement_text(each.record, str(each.record.content['date']), ': ')}" for each in events),
        *(f"- {_link(each.record, names)}" for each in links),
        *_cut("older relationships", len(about.links) - len(links)),
    ]
    return Entry("\n".join(lines), (about.entity, *facts, *past, *events, *links), brief=brief(about.record))


def orphan_entries(ranked: Sequence[Ranked], abouts: Sequence[About]) -> list[Entry]:
    """Return the best of what fits but belongs to entities that were not read, each by itself."""
    read = {about.record.id for about in abouts}
    found = [each for each in ranked if _fits(each) and each.record.status == ACTIVE]
    lost = [each for each in found if not read.issuperset(owners_of(each.record))]
    return [Entry(f"{each.record.text} (as of {each.record.updated_at:%Y-%m-%d})", (each,)) for each in lost[:EXPANDED]]


def brief(record: Record) -> str:
    """Return an entity in one line: its name, its type, what it is."""
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
    told = "; ".join([*described, *(f"{key}: {spell(value)}" for key, value in attributes(record.content).items())])
    return f"{told}{record.source.label}" if told else told


def _newest(found: Sequence[Ranked]) -> list[Ranked]:
    return sorted(found, key=lambda each: (each.record.updated_at, each.record.id), reverse=True)


def _best(found: Sequence[Ranked]) -> list[Ranked]:
    """Return the facts that fit best, and of those that fit alike the newest; the newest first."""
    newest = _newest(found)
    best = {each.record.id for each in sorted(newest, key=lambda each: -each.score)[:FACTS]}
    return [each for each in newest if each.record.id in best]


def _fact_text(record: Record) -> str:
    said = f"as of {record.source.said_at or record.updated_at:%Y-%m-%d}"
    when = f"until {record.valid_to:%Y-%m-%d}" if record.valid_to else said
    marks = [when, record.source.label.strip(" ()")]
    return f"{record.content['content']} ({', '.join(filter(None, marks))})"


def _statement_text(record: Record, before: str, between: str) -> str:
    return f"{before}{between}{record.content['content']}{record.source.label}"


def _link(record: Record, names: dict[str, str]) -> str:
    source, target = (names[str(record.content[end])] for end in ("source", "target"))
    return f"{source} → {record.content['relation']} → {target}{record.source.label}"


def _cut(what: str, more: int) -> list[str]:
    return [f"- … and {more} {what}"] if more > 0 else []
