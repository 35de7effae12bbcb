"""What a learning store is: the operations a model may ask for, what they change, how a record reads.

A learning store does no I/O. The engine shows it the records, hands it one validated operation at a time and
writes what `plan` returns; nodes, tools, recall, undo and approval then work for it without further code.
"""

import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import ClassVar, Literal

from langchain_core.vectorstores import VectorStore
from pydantic import Field, JsonValue, ValidationError

from langgraph_learning.config import LearningMode, StoreConfig
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.records import ACTIVE, DOCUMENT, NOT_RECORDS, Add, Change, Curated, Identity, Record, Scope
from langgraph_learning.stores.curation import duplicates, find_outdated
from langgraph_learning.stores.operations import Operation, Refused, check_fields, operation, schema_fields


@dataclass(frozen=True, slots=True)
class Ranked:
    """A record, how well it fits a text, and the words of the text it holds."""

    record: Record
    score: float
    matched: tuple[str, ...] = ()
    parts: Mapping[str, float] = field(default_factory=dict)
    """What the score is the sum of: `words` and `meaning`, or the store's own `search`, and `votes` where there are."""
    votes: tuple[int, int] = (0, 0)
    """How often it was found helpful, and harmful, as it stands."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a prompt shows as one piece: a text, and the ranked records it is made of, the one it is about first."""

    text: str
    ranked: tuple[Ranked, ...] = ()
    brief: str = ""
    """A shorter text for it, shown where there is no room for the long one."""
    first: bool = False
    """Whether it opens its part of the prompt, before anything is chosen by how well it fits."""
    place: int | None = None
    """Where it stands among those that open their part; by default by age."""

    @property
    def score(self) -> float:
        """How well it fits: as well as the best of its records."""
        return max((each.score for each in self.ranked), default=0.0)


@dataclass(frozen=True, slots=True)
class SpokenMessage:
    """One message of the user or the assistant, without secrets, for the learning stores that keep messages."""

    id: str
    role: str
    text: str
    said_at: datetime
    name: str | None = None


FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a learning store may raise by mistake: it must not cost the others what they have learned."""


class LearningStore(ABC):
    """One kind of knowledge: what is learned, never where it is kept.

    To write one of your own (`examples/custom_store.py` is a complete one), make a subclass that

    - has a `name`, an identifier that no other learning store of the machine has, and where they help the other class
      variables;
    - calls `super().__init__(config)` in `__init__`, and then sets `self.operations`: what a model may ask for, each
      made by `operation(name, description, field=(type, Field(description=...)))`. A field `id=(str, ID)` names a
      record: the model sees and gives short ids there, `plan` gets the record's own;
    - says in `plan` what an operation changes, as `Add`, `Update` and `Remove` with `store=self.name`. An `Add` with
      an `id` of yours keeps one record per id, without one each is a record of its own. `content` is what is kept,
      JSON; `text` is what a reader and the search see. Raise `Refused` for what cannot be done.

    The docstring of the class tells the extraction what to look for; override `instructions` to say it otherwise. By
    default the records belong to the user; override `scope` for others, and `render` for how a record is shown.

    ```python
    from collections.abc import Sequence

    from pydantic import Field

    from langgraph_learning import LearningMachine, LearningMode
    from langgraph_learning.stores import Add, Change, LearningStore, Operation, Record, StoreConfig, operation


    class Todos(LearningStore):
        '''Tasks that the user wants to get done.'''

        name = "todos"

        def __init__(self, config: StoreConfig | None = None) -> None:
            super().__init__(config)
            task = (str, Field(description="The task, as one imperative sentence"))
            self.operations = (operation("add_todo", "Note a task.", task=task),)

        def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
            task = operation.model_dump()["task"]
            known = any(record.text == task for record in records)
            return [] if known else [Add(store=self.name, content={"task": task}, text=task)]


    machine = LearningMachine(model=model, custom_stores=[Todos(StoreConfig(mode=LearningMode.ALWAYS))])
    ```
    """

    name: ClassVar[str]
    """The name in configuration, records and reports."""
    config_class: ClassVar[type[StoreConfig]] = StoreConfig
    label: ClassVar[str] = "r"
    """The letter of the short ids: m1, m2, ..."""
    title: ClassVar[str] = ""
    """The opening line of its part of the recalled text."""
    recalled: ClassVar[Literal["always", "relevant"]] = "relevant"
    """Whether recall shows every record, or ranks them by the turn."""
    validate_fields_separately: ClassVar[bool] = False
    """Whether a wrong field is refused alone, and the others of its operation stand."""
    about_user: ClassVar[bool] = True
    """Whether it holds statements about the user, which rest on the user's own words; else on the conversation."""
    rejects_tool_claims: ClassVar[bool] = True
    """Whether a statement that only a tool has made is refused, unless the configuration takes it."""
    reads_trajectory: ClassVar[bool] = False
    """Whether its extraction is shown the agent's tool calls, with their arguments and how each ended."""
    reflects: ClassVar[bool] = False
    """Whether `reflect` may change it: what it holds is about the agent's work and not about one user."""
    captures: ClassVar[bool] = False
    """Whether it keeps messages: `capture` is asked about each of a turn, and no model. Its records stand in the order
    of their session, are recalled with their neighbours there, and are found by what other learning stores learned
    from them."""
    reads_archived: ClassVar[bool] = False
    """Whether an archived record sets others aside: recall then reads the archived ones, too."""
    guides_recall: bool = False
    """Whether `recall_hint` is asked what to look for, too: that costs a read before the search."""
    recall_limit: ClassVar[int] = 200
    """How many records, the best fits first and then the newest, a recall chooses from."""
    keys_messages: bool = False
    """Whether messages are found by what it learns from them: set by a machine that keeps messages."""
    operations: tuple[type[Operation], ...]
    searches: tuple[type[Operation], ...] = ()
    """Read-only tools for the agent; a field `query` is what to search for, `limit` how much to show at most."""
    config: StoreConfig

    def __init__(self, config: StoreConfig | None = None) -> None:
        """Take the configuration, or the defaults.

        Raises:
            ConfigurationError: The configuration belongs to another learning store.
        """
        if config is not None and not isinstance(config, self.config_class):
            name = getattr(self, "name", type(self).__name__)
            raise ConfigurationError(f"{name} takes a {self.config_class.__name__}, not {type(config).__name__}")
        self.config = config if config is not None else self.config_class()

    def scope(self, identity: Identity) -> Scope | None:
        """Return whose records `identity` may read and write here; None when it lacks what that takes."""
        return Scope(user_id=identity.user_id) if identity.user_id else None

    @abstractmethod
    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Return what `operation` changes, given all records in scope; nothing if it is so already.

        Raises:
            Refused: It cannot be done; the message tells the model why.
        """

    def capture(self, message: SpokenMessage, zone: tzinfo, kept: Record | None = None) -> Add | None:
        """Return what is kept of a message, None for nothing; asked where `captures` is set.

        Args:
            message: What was said.
            zone: The time zone of the user.
            kept: What is kept of it already: it may have been edited since.
        """
        return None

    def check_content(self, content: Mapping[str, JsonValue]) -> None:
        """Refuse content that this learning store could not have written; asked of what is loaded from a file.

        By default the fields that its schema knows must have their types.

        Raises:
            Refused: It does not fit.
        """
        schema = self.config.schema or self.config.base
        known = {name: value for name, value in content.items() if name in schema.model_fields}
        check = operation("content", "", **schema_fields(schema, optional=True))
        try:
            check.model_validate_json(json.dumps(known), strict=True, by_name=True)
        except ValidationError as error:
            wrong = error.errors(include_input=False)[0]
            raise Refused(f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}") from error

    def resolve_dates(self, operation: Operation, today: date) -> Operation:
        """Return `operation` with what depends on the user's day filled in; it is asked before `plan`."""
        return operation

    def recall_hint(self, records: Sequence[Record]) -> str:
        """Return what recall looks for besides the user's words, given the records in scope; empty for nothing."""
        return ""

    def filter_active(self, records: Sequence[Record], archived: Sequence[Record]) -> Sequence[Record]:
        """Return which of the active `records` are recalled; asked where `reads_archived` is set."""
        return records

    def render(self, record: Record) -> str:
        """Return how a record reads in a prompt."""
        return f"{record.text}{record.validity_label}{record.source.label}"

    def offered_operations(self, records: Sequence[Record]) -> tuple[type[Operation], ...]:
        """Return the operations that an extraction may ask for, given the active records.

        Those on an `id` are left out where there is no record: a model that is offered one makes up an id.
        """
        return tuple(kind for kind in self.operations if records or "id" not in kind.model_fields)

    def entries(self, ranked: Sequence[Ranked], query: str = "", *, complete: bool = True) -> list[Entry]:
        """Return the pieces a prompt shows of `ranked`, the best first: by default every record by itself.

        Args:
            ranked: The records that were read.
            query: The text they were ranked by.
            complete: Whether these are all records there are in the scope.
        """
        return [Entry(self.render(item.record), (item,)) for item in ranked]

    def filter_search(self, search: Operation, ranked: Sequence[Ranked], at: datetime) -> Sequence[Ranked]:
        """Return what answers a search: of `ranked`, which have any status, those that meet its other fields."""
        return [each for each in ranked if each.record.status in (ACTIVE, DOCUMENT)]

    def search_entries(
        self, search: Operation, ranked: Sequence[Ranked], at: datetime, *, complete: bool = True
    ) -> list[Entry]:
        """Return the pieces that answer a search: by default those that fit and that `filter_search` keeps.

        `complete` says whether `ranked` holds all records there are in the scope.
        """
        query = str(getattr(search, "query", None) or "")
        holding = [item for item in ranked if item.record.holds_at(at)]
        fitting = [item for item in holding if not query or item.score > 0 or item.matched]
        return self.entries(self.filter_search(search, fitting, at), query, complete=complete)

    def curate(self, records: Sequence[Record], at: datetime, max_age: timedelta | None = None) -> list[Curated]:
        """Return what `curate` does about the records of one scope, which have any status.

        By default: of active records that say the same, with nothing that contradicts in their other fields, the
        oldest is kept and takes over what it lacks. What is superseded, what has a field `expires_at` that is past,
        and in a learning store that ranks what was not changed for `max_age`, is archived: `plan` still sees it.
        """
        retired = find_outdated(self.name, records, at, max_age if self.recalled == "relevant" else None)
        gone = {key for each in retired for key in each.ids}
        left = [record for record in records if record.status == ACTIVE and record.id not in gone]
        return [*retired, *duplicates(self.name, left)]

    @property
    def extraction_instructions(self) -> str:
        """What the extraction is told to look for."""
        return self.configured_instructions(self.instructions if self.config.instructions is None else "")

    def configured_instructions(self, own: str) -> str:
        """Return `own` directions, as the configuration replaces or completes them."""
        replaced = self.config.instructions
        parts = (replaced if replaced is not None else own, self.config.additional_instructions)
        return "\n".join(part for part in parts if part)

    @property
    def instructions(self) -> str:
        """What to capture, when the configuration does not say otherwise: by default the docstring of the class."""
        return inspect.cleandoc(type(self).__doc__ or "")

    @property
    def named_by_id(self) -> bool:
        """Whether a model names its records by their short ids; only then they are shown."""
        return any("id" in kind.model_fields for kind in self.operations)

    @property
    def extracts(self) -> bool:
        """Whether it learns from every turn by an extraction call; without operations there is nothing to ask for."""
        return bool(self.operations) and self.config.mode is not LearningMode.AGENTIC

    @property
    def share(self) -> float:
        """How much of the recalled text it may fill at most."""
        return 1.0

    @property
    def index(self) -> VectorStore | None:
        """A vector store that is told of every change, and asked what fits; the records stay where they are."""
        return None

    @property
    def accepts_tool_claims(self) -> bool:
        """Whether it may learn what only a tool has said."""
        return self.config.learn_from_tools or not self.rejects_tool_claims

    @property
    def proposes(self) -> bool:
        """Whether a person decides about every change."""
        return self.config.mode is LearningMode.PROPOSE

    @property
    def tools(self) -> tuple[type[Operation], ...]:
        """The operations and searches the agent gets as tools."""
        agentic = self.config.mode is LearningMode.AGENTIC or self.config.enable_agent_tools
        return (*self.operations, *self.searches) if agentic else ()


def check_complete(store: LearningStore) -> None:
    """Refuse a learning store that lacks what the engine asks of it.

    Raises:
        ConfigurationError: Something is missing; the message says what to set.
    """
    kind = type(store).__name__
    name = getattr(store, "name", None)
    if not isinstance(name, str) or not name.isidentifier():
        raise ConfigurationError(f'{kind} has no usable name: set `name = "todos"`, an identifier, in the class')
    if name in NOT_RECORDS:
        raise ConfigurationError(f"{kind} is named {name!r}, which is kept for something else: choose another name")
    if not isinstance(getattr(store, "config", None), StoreConfig):
        raise ConfigurationError(f"{kind} has no configuration: call `super().__init__(config)` in its __init__")
    operations = getattr(store, "operations", None)
    if not isinstance(operations, Sequence) or not all(_is_operation(each) for each in operations):
        raise ConfigurationError(
            f'{kind} has no operations: set `self.operations = (operation("add_todo", ...),)` in its __init__'
        )
    for each in (*operations, *store.searches):
        check_fields(f"{kind}.{each.__name__}", each.model_fields)


def _is_operation(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Operation)


ID = Field(description="The short id of the record, as shown")
