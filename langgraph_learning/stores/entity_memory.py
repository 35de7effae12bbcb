"""Entity memory: facts about people, organisations, projects and other things, and the relationships between them."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import ClassVar

from pydantic import BaseModel, Field, JsonValue, create_model

from langgraph_learning import prompts
from langgraph_learning.config import EntityMemoryConfig
from langgraph_learning.records import Change, Identity, Record, Scope
from langgraph_learning.schemas import Entity, Relationship
from langgraph_learning.stores.base import Entry, LearningStore, Ranked
from langgraph_learning.stores.entities import remember_arguments, render
from langgraph_learning.stores.entities.forget import forget
from langgraph_learning.stores.entities.remember import link
from langgraph_learning.stores.entities.remember_plan import plan_remember
from langgraph_learning.stores.entities.resolution import entities, name_and_type
from langgraph_learning.stores.operations import Operation, check_fields, operation, schema_fields

REMEMBER = (
    "Store what is known about one entity (a person, organisation, project, product, system, ...), known or new. Facts"
    " are timeless, what happened on a day is an event; all but the name and the type may be left out."
)
LINK = "Store how one entity stands to another: entity, relation, related entity, read as a sentence."
FORGET = "Forget an entity, or with `fact` one fact, relationship, event or property of it."
SEARCH = "Search entities by name or by what is known about them; without a query, list all of them, newest first."


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
        """Create the operations from the fields of the schema."""
        super().__init__(config)
        schema: type[BaseModel] = self.config.schema or Entity
        check_fields(schema.__name__, set(schema.model_fields) - remember_arguments.OWN, remember_arguments.TAKEN)
        optional = schema_fields(schema, optional=True)
        self._checks = create_model(schema.__name__, __base__=schema, **optional)  # type: ignore[call-overload]
        entity = (str, Field(min_length=1))
        relation, target = ((str, Relationship.model_fields[name]) for name in ("relation", "target"))
        what = "What of it, as it is shown; left out, the whole entity is forgotten"
        fact = (str | None, Field(default=None, description=what))
        query = (str | None, Field(default=None, description="A name, or words to look for"))
        kind = (str | None, Field(default=None, description="Only entities of this type"))
        self._remember = operation("remember_about", REMEMBER, **remember_arguments.build_fields(schema))
        self._link = operation("link_entities", LINK, entity=entity, relation=relation, related_entity=target)
        self._forget = operation("forget", FORGET, entity=(str, remember_arguments.NAME), fact=fact)
        self.operations = (self._remember, self._link, self._forget)
        self.searches = (operation("search_entities", SEARCH, query=query, entity_type=kind),)

    @property
    def instructions(self) -> str:
        """The instructions for extraction: what to capture."""
        return prompts.load(self.name)

    def scope(self, identity: Identity) -> Scope | None:
        """Return the namespace of the records: for all users, for a group, or for this user alone."""
        return Scope.in_namespace(self.config.namespace or "global", identity)

    def resolve_dates(self, operation: Operation, today: date) -> Operation:
        """Return `operation` with dates in its events in place of words such as "yesterday"."""
        is_dated = isinstance(operation, self._remember)
        return remember_arguments.resolve_event_dates(operation, today) if is_dated else operation

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Return the changes that add to an entity, link two entities, or forget; none for what is known already."""
        arguments = operation.model_dump(mode="json", exclude_none=True)
        if isinstance(operation, self._forget):
            changes = forget(records, arguments["entity"], arguments.get("fact"))
        elif isinstance(operation, self._link):
            changes = link(records, arguments["entity"], arguments["relation"], arguments["related_entity"])
        else:
            changes = plan_remember(records, operation, self._checks)
        return [change.model_copy(update={"store": self.name}) for change in changes]

    def check_content(self, content: Mapping[str, JsonValue]) -> None:
        """Check that the content is an entity, fact, event or relationship, and that its fields are texts."""
        super().check_content(content)
        remember_arguments.check_texts(content)

    def filter_active(self, records: Sequence[Record], archived: Sequence[Record]) -> Sequence[Record]:
        """Return the records that are not about an archived entity."""
        entity_ids = {record.id for record in entities(archived)}
        return [record for record in records if not entity_ids.intersection(render.owners_of(record))]

    def offered_operations(self, records: Sequence[Record]) -> tuple[type[Operation], ...]:
        """Return the operations; without records there is nothing to forget."""
        return self.operations if records else (self._remember, self._link)

    def entries(self, ranked: Sequence[Ranked], query: str = "", *, complete: bool = True) -> list[Entry]:
        """Return a list of the names of entities, then in full the few entities that the turn is about."""
        return render.directory_entries(ranked, query, complete=complete)

    def search_entries(
        self, search: Operation, ranked: Sequence[Ranked], at: datetime, *, complete: bool = True
    ) -> list[Entry]:
        """Return the entities that fit, with a mark on archived ones; without a query, all entities in a short form."""
        arguments = search.model_dump()
        return render.found_entries(ranked, str(arguments["query"] or ""), arguments["entity_type"], complete=complete)

    def render(self, record: Record) -> str:
        """Return the text of one record: for an entity its name and type."""
        return name_and_type(record) if record.content.get("kind") == "entity" else super().render(record)
