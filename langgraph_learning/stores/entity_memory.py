"""What is known about things, people, organisations and projects, and how they stand to each other."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field, JsonValue, ValidationError, create_model
from pydantic.fields import FieldInfo

from langgraph_learning import prompts
from langgraph_learning.config import EntityMemoryConfig
from langgraph_learning.records import Change, Identity, Record, Scope
from langgraph_learning.schemas import Entity, Event, Fact, Relationship
from langgraph_learning.stores.base import Entry, LearningStore, Ranked
from langgraph_learning.stores.entities import render
from langgraph_learning.stores.entities.dates import mark_as_said, read_day
from langgraph_learning.stores.entities.forget import forget
from langgraph_learning.stores.entities.names import normal_type, one_line
from langgraph_learning.stores.entities.remember import EntityUpdate, link, outdated_facts, remember
from langgraph_learning.stores.entities.resolution import entities, name_and_type, resolve_told, type_of
from langgraph_learning.stores.entities.writing import Content, about
from langgraph_learning.stores.operations import Operation, Refused, check_fields, operation, schema_fields

REMEMBER = (
    "Store what is known about one entity (a person, organisation, project, product, system, ...), known or new. Facts"
    " are timeless, what happened on a day is an event; all but the name and the type may be left out."
)
LINK = "Store how one entity stands to another: entity, relation, related entity, read as a sentence."
FORGET = "Forget an entity, or with `fact` one fact, relationship, event or property of it."
SEARCH = "Look up entities, by name or by what is known about them; without a query all of them, the newest first."

NAME = Field(min_length=1, max_length=200, description="Its name, or type/name")
OWN = frozenset({"name", "type", "description", "aliases", "properties"})
TAKEN = frozenset({"entity", "entity_type", "facts", "events", "outdated", "kind"})
"""Names that a field of a schema cannot have, because an argument or the record has them."""


WORDS = {
    "entity": ("name", "type"),
    "fact": ("entity", "content"),
    "event": ("entity", "content", "date"),
    "relationship": ("source", "relation", "target"),
}
"""The texts that each kind of record has."""


class EntityMemoryStore(LearningStore):
    """The entity memory: one record per entity, fact, event and relationship."""

    name: ClassVar[str] = "entity_memory"
    about_user: ClassVar[bool] = False
    config_class = EntityMemoryConfig
    config: EntityMemoryConfig
    label: ClassVar[str] = "e"
    title: ClassVar[str] = "People, organisations, projects and other things:"
    reads_archived: ClassVar[bool] = True
    recall_limit: ClassVar[int] = 1_000

    def __init__(self, config: EntityMemoryConfig | None = None) -> None:
        """Make the operations from the fields of the schema."""
        super().__init__(config)
        schema: type[BaseModel] = self.config.schema or Entity
        check_fields(schema.__name__, set(schema.model_fields) - OWN, TAKEN)
        optional = schema_fields(schema, optional=True)
        self._checks = create_model(schema.__name__, __base__=schema, **optional)  # type: ignore[call-overload]
        self._own = [name for name in schema.model_fields if name not in OWN]
        relation, target = (Relationship.model_fields[name] for name in ("relation", "target"))
        self._remember = operation("remember_about", REMEMBER, **_arguments(schema))
        self._link = operation(
            "link_entities",
            LINK,
            entity=(str, Field(min_length=1)),
            relation=(str, relation),
            related_entity=(str, target),
        )
        what = "What of it, as it is shown; left out, the whole entity is forgotten"
        self._forget = operation(
            "forget",
            FORGET,
            entity=(str, NAME),
            fact=(str | None, Field(default=None, description=what)),
        )
        kind = Field(default=None, description="Only entities of this type")
        self._search = operation(
            "search_entities",
            SEARCH,
            query=(str | None, Field(default=None, description="A name, or words of what is looked for")),
            entity_type=(str | None, kind),
        )
        self.operations = (self._remember, self._link, self._forget)
        self.searches = (self._search,)

    @property
    def instructions(self) -> str:
        """What to capture."""
        return prompts.load(self.name)

    def scope(self, identity: Identity) -> Scope | None:
        """The namespace that is configured."""
        return Scope.in_namespace(self.config.namespace or "global", identity)

    def resolve_dates(self, operation: Operation, today: date) -> Operation:
        """Put days in the place of how they were said; what cannot be read stays as it was said, and says so."""
        if not isinstance(operation, self._remember):
            return operation
        events = [
            _resolve_event_date(Event.model_validate(event), today) for event in operation.model_dump()["events"] or []
        ]
        return operation.model_copy(update={"events": events or None})

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Remember, relate or forget; what is known already changes nothing."""
        given = operation.model_dump(mode="json", exclude_none=True)
        if isinstance(operation, self._forget):
            changes = forget(records, given["entity"], given.get("fact"))
        elif isinstance(operation, self._link):
            changes = link(records, given["entity"], given["relation"], given["related_entity"])
        else:
            changes = self._plan_remember(operation, given, records)
        return [change.model_copy(update={"store": self.name}) for change in changes]

    def _plan_remember(
        self, operation: Operation, given: dict[str, JsonValue], records: Sequence[Record]
    ) -> list[Change]:
        kind = normal_type(str(given["entity_type"]))
        named = resolve_told(records, str(given["entity"]), kind, _texts(given.get("aliases")))
        live = about(records, named.record.id, "fact") if named.record else []
        outdated, lost = outdated_facts(live, _texts(given.get("outdated")))
        if lost:
            self._refuse(operation, given, live, lost)
        told = EntityUpdate(
            named=named,
            fields={name: given[name] for name in ("description", *self._own) if name in given},
            aliases=_texts(given.get("aliases")),
            properties=_pairs(given.get("properties")),
            facts=_texts(given.get("facts")),
            events=[(what, day) for what, day in map(_event, _list(given.get("events"))) if what],
        )
        return remember(records, told, outdated, lambda content: self._check_content(content, given["entity_type"]))

    def _refuse(
        self, operation: Operation, given: dict[str, JsonValue], live: Sequence[Record], lost: Sequence[str]
    ) -> None:
        """Refuse facts that nothing or too much is meant by; whatever else was said stands."""
        kept = [text for text in _texts(given.get("outdated")) if text not in lost]
        rest = operation.model_copy(update={"outdated": kept or None})
        said = {"entity", "entity_type", "outdated"}
        there = "; ".join(repr(str(record.content["content"])) for record in live[-50:]) or "none"
        wrong = " and ".join(map(repr, lost))
        reason = f"outdated: {wrong} is not one of the known facts, and none was changed by it; there are {there}"
        raise Refused(reason, rest if kept or set(given) - said else None)

    def _check_content(self, content: Content, kind: JsonValue) -> Content:
        """Return what the schema makes of an entity that is called a `kind`.

        Raises:
            Refused: It does not fit the schema.
        """
        values = {name: content[name] for name in (*OWN, *self._own) if content.get(name) is not None}
        values["type"] = kind
        try:
            typed = self._checks.model_validate_json(json.dumps(values), strict=True, by_name=True)
        except ValidationError as error:
            wrong = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            raise Refused("; ".join(wrong)) from error
        found: Content = typed.model_dump(mode="json", exclude_none=True, include=set(values) - {"type"})
        return found

    def check_content(self, content: Mapping[str, JsonValue]) -> None:
        """Refuse what is no entity, fact, event or relationship; its words are texts."""
        super().check_content(content)
        if content.get("kind") not in WORDS:
            raise Refused(f"kind: {content.get('kind')!r} is none of {', '.join(WORDS)}")
        for name in WORDS[str(content["kind"])]:
            if not isinstance(content.get(name), str):
                raise Refused(f"{name}: Input should be a valid string")

    def filter_active(self, records: Sequence[Record], archived: Sequence[Record]) -> Sequence[Record]:
        """What is said of an archived entity is set aside with it."""
        gone = {record.id for record in entities(archived)}
        return [record for record in records if not gone.intersection(render.owners_of(record))]

    def offered_operations(self, records: Sequence[Record]) -> tuple[type[Operation], ...]:
        """Return the operations; where nothing is known there is nothing to forget."""
        return self.operations if records else tuple(kind for kind in self.operations if kind is not self._forget)

    def entries(self, ranked: Sequence[Ranked], query: str = "", *, complete: bool = True) -> list[Entry]:
        """Return a directory of names, then in full the few that the turn is about."""
        abouts = render.group_by_entity(ranked)
        if not abouts:
            return []
        chosen = render.relevant(abouts, query)[: render.EXPANDED]
        listed = render.directory(abouts, complete, chosen)
        # Where all were read, a statement without its entity belongs to an archived one, and is set aside with it.
        orphans = [] if complete else render.orphan_entries(ranked, abouts)
        return [listed, *(render.entry(about, abouts) for about in chosen), *orphans]

    def search_entries(
        self, search: Operation, ranked: Sequence[Ranked], at: datetime, *, complete: bool = True
    ) -> list[Entry]:
        """Return the entities that fit, archived ones with a mark; without a query all of them in short."""
        asked = search.model_dump()
        abouts = render.group_by_entity(ranked)
        wanted = normal_type(asked["entity_type"]) if asked["entity_type"] else None
        of_type = [about for about in abouts if wanted in (None, type_of(about.record))]
        if query := str(asked["query"] or ""):
            fitting = [render.entry(about, abouts) for about in render.relevant(of_type, query)]
            return fitting if wanted or complete else [*fitting, *render.orphan_entries(ranked, abouts)]
        return [Entry(render.brief(about.record), (about.entity,)) for about in of_type]

    def render(self, record: Record) -> str:
        """The record by itself."""
        return name_and_type(record) if record.content.get("kind") == "entity" else super().render(record)


def _arguments(schema: type[BaseModel]) -> dict[str, tuple[object, FieldInfo]]:
    """Return the arguments of `remember_about`: the fields of the schema, and what is known about an entity."""
    own, fields = schema_fields(schema, optional=False), schema_fields(schema, optional=True)
    fact = Annotated[str, Fact.model_fields["content"]]
    known = "Known facts that are no longer true because of this, copied as they are shown; the new facts replace them"
    return {
        "entity": own["name"],
        "entity_type": own["type"],
        "description": fields["description"],
        "facts": _optional(list[fact], "What is true of it, one statement each"),
        "events": _optional(list[Event], "What happened, or will, on a day"),
        "aliases": fields["aliases"],
        "properties": fields["properties"],
        "outdated": _optional(list[str], known),
        **{name: field for name, field in fields.items() if name not in OWN},
    }


def _optional(kind: Any, description: str) -> tuple[object, FieldInfo]:
    return kind | None, FieldInfo.from_field(default=None, description=description)


def _resolve_event_date(event: Event, today: date) -> Event:
    said = one_line(event.date or "")
    day = read_day(said, today) if said else today
    written = mark_as_said(said, today) if day is None else day.isoformat()
    return Event.model_construct(content=one_line(event.content), date=written)


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _texts(value: JsonValue) -> list[str]:
    """Return the texts of a list on one line each, blanks dropped."""
    return [text for text in (one_line(str(each)) for each in _list(value)) if text]


def _pairs(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _event(value: JsonValue) -> tuple[str, str]:
    found = _pairs(value)
    return one_line(str(found["content"])), str(found.get("date") or "")
