"""The base class of learning stores: which operations a model may ask for, what they change, how a record is shown.

A learning store neither reads nor writes a database. The engine gives it the records and one validated operation at a
time, and writes the changes that `plan` returns. Nodes, tools, recall, undo and approval need no further code.
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
from langgraph_learning.records import ACTIVE, DOCUMENT, NOT_RECORDS, Add, Change, Identity, Record, Scope
from langgraph_learning.reports import Curated
from langgraph_learning.stores.curation import duplicates, find_outdated
from langgraph_learning.stores.operations import Operation, Refused, check_fields, operation, schema_fields

LONGEST_STATEMENT = 30_000
"""The number of characters that one statement may have: every later turn reads and ranks it."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A record, how well it fits a text, and which words of the text it contains."""

    record: Record
    score: float
    matched: tuple[str, ...] = ()
    parts: Mapping[str, float] = field(default_factory=dict)
    """The parts that add up to the score: `words` and `meaning`, or the store's own `search`; and `votes` if any."""
    votes: tuple[int, int] = (0, 0)
    """How often the present version of the record was found helpful, and how often harmful."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of the recalled text, and the records that it shows; the first of them is its subject."""

    text: str
    ranked: tuple[Ranked, ...] = ()
    brief: str = ""
    """A shorter form of the text, shown if the text does not fit into the budget."""
    first: bool = False
    """Whether it is shown before all other entries of its learning store, whatever their scores are."""
    place: int | None = None
    """The position among the entries that are shown first; by default the oldest comes first."""

    @property
    def score(self) -> float:
        """The score of the best of its records."""
        return max((item.score for item in self.ranked), default=0.0)


@dataclass(frozen=True, slots=True)
class SpokenMessage:
    """One message of the user or the assistant with its secrets masked, as `capture` gets it."""

    id: str
    role: str
    text: str
    said_at: datetime
    name: str | None = None


DAY = timedelta(days=1)
FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""Errors of a bug in a learning store. The engine catches them, so that the other learning stores still work."""


class LearningStore(ABC):
    """One kind of knowledge. It says what is learned; the engine decides where that is stored.

    To write your own (`examples/custom_store.py` is a complete one), make a subclass that

    - sets `name`, an identifier that no other learning store of the machine has;
    - calls `super().__init__(config)` in `__init__`, then sets `self.operations`: what a model may ask for. Make each
      by `operation(name, description, field=(type, Field(description=...)))`. For an operation on a record add the
      field `id=(str, ID)`: the model writes the short id that it was shown, and `plan` gets the id of the record;
    - returns from `plan` the changes that an operation makes: `Add`, `Update` and `Remove`, with `store=self.name`.
      `content` is the JSON to keep, `text` is what people read and the search finds. An `Add` without an `id` makes a
      new record; one with an `id` of yours makes or replaces the record of that id. Raise `Refused` if the operation
      cannot be done.

    The docstring of the class tells the model what to look for; override `instructions` to say something else. Records
    belong to the user; override `scope` to change that, and `render` to change how a record is shown.

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
    """Its name in the configuration, in records and in reports."""
    config_class: ClassVar[type[StoreConfig]] = StoreConfig
    label: ClassVar[str] = "r"
    """The letter that its short ids begin with: m1, m2, ..."""
    title: ClassVar[str] = ""
    """The heading above its records in the recalled text."""
    recalled: ClassVar[Literal["always", "relevant"]] = "relevant"
    """Whether recall shows all records, or only those that fit the turn best."""
    validate_fields_separately: ClassVar[bool] = False
    """Whether only an invalid field is refused, and the other fields of the operation are still used."""
    about_user: ClassVar[bool] = True
    """Whether its records are statements about the user. Such a statement has to rest on the user's own words."""
    rejects_tool_claims: ClassVar[bool] = True
    """Whether a statement that comes only from the result of a tool is refused, unless `learn_from_tools` is set."""
    reads_trajectory: ClassVar[bool] = False
    """Whether the extraction prompt shows the agent's tool calls: name, arguments, and how each ended."""
    reflects: ClassVar[bool] = False
    """Whether `reflect` may change its records: they are about the agent's work, and not about one user."""
    captures: ClassVar[bool] = False
    """Whether it keeps messages. Then `capture` is called for each message of a turn, and no model is called. Recall
    shows a record together with the messages before and after it, and also searches the text of the records that
    other learning stores have made from the message."""
    reads_archived: ClassVar[bool] = False
    """Whether recall also reads its archived records and passes them to `filter_active`."""
    guides_recall: bool = False
    """Whether recall adds `recall_hint` to the search text. This costs one more read before the search."""
    recall_limit: ClassVar[int] = 200
    """How many records recall reads at most before it chooses: the best fits, then the newest."""
    keys_messages: bool = False
    """Whether a message can be found by the records made from it; a machine sets this if it also keeps messages."""
    keyed_by: "tuple[LearningStore, ...]" = ()
    """The other learning stores of the machine, if this one keeps messages: their records become keys of messages."""
    operations: tuple[type[Operation], ...]
    searches: tuple[type[Operation], ...] = ()
    """Tools that only read. A field `query` is the text to search for, a field `limit` the most results to show, and a
    field `days` leaves out what is older."""
    config: StoreConfig

    def __init__(self, config: StoreConfig | None = None) -> None:
        """Use `config`, or the defaults if it is None.

        Raises:
            ConfigurationError: `config` is the configuration of another learning store.
        """
        if config is not None and not isinstance(config, self.config_class):
            name = getattr(self, "name", type(self).__name__)
            raise ConfigurationError(f"{name} takes a {self.config_class.__name__}, not {type(config).__name__}")
        self.config = config if config is not None else self.config_class()

    def scope(self, identity: Identity) -> Scope | None:
        """Return the scope that `identity` reads and writes here; None if it has none, for instance without a user."""
        return Scope(user_id=identity.user_id) if identity.user_id else None

    @abstractmethod
    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Return the changes that `operation` makes, given all records in scope; none if nothing would change.

        Raises:
            Refused: The operation cannot be done; the message tells the model why.
        """

    def capture(self, message: SpokenMessage, zone: tzinfo, kept: Record | None = None) -> Add | None:
        """Return the record of a message, or None to keep none. The engine calls it if `captures` is set.

        Args:
            message: The message.
            zone: The time zone of the user.
            kept: The present record of the message, if it was edited; else None.
        """
        return None

    def said_at(self, record: Record) -> datetime:
        """Return the time at which a record was said, for a recall as of a time and a search by `days`."""
        return record.created_at

    def check_content(self, content: Mapping[str, JsonValue]) -> None:
        """Check the content of a record that is loaded from a file.

        By default each field that is in the schema must have the type that the schema gives it.

        Raises:
            Refused: This learning store cannot have written the content.
        """
        schema = self.config.schema or self.config.base
        declared = {name: value for name, value in content.items() if name in schema.model_fields}
        check = operation("content", "", **schema_fields(schema, optional=True))
        try:
            check.model_validate_json(json.dumps(declared), strict=True, by_name=True)
        except ValidationError as error:
            wrong = error.errors(include_input=False)[0]
            raise Refused(f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}") from error

    def resolve_dates(self, operation: Operation, today: date) -> Operation:
        """Return `operation` with dates in place of words such as "yesterday"; the engine calls it before `plan`."""
        return operation

    def recall_hint(self, records: Sequence[Record]) -> str:
        """Return text that recall adds to its search, given the records in scope; empty for none."""
        return ""

    def filter_active(self, records: Sequence[Record], archived: Sequence[Record]) -> Sequence[Record]:
        """Return the active `records` that may be shown; `archived` is complete only if `reads_archived` is set."""
        return records

    def render(self, record: Record) -> str:
        """Return the text of a record as the model reads it."""
        # A statement that was made on an earlier day shows its date, because it may have changed since.
        dated = record.source.said_at if self.about_user and not record.validity_label else None
        note = f" (said {dated:%Y-%m-%d})" if dated else ""
        return f"{record.text}{note}{record.validity_label}{record.source.label}"

    def offered_operations(self, records: Sequence[Record]) -> tuple[type[Operation], ...]:
        """Return the operations that an extraction may ask for, given the active records.

        Without records, operations with an `id` are left out, because a model would invent an id.
        """
        return tuple(kind for kind in self.operations if records or "id" not in kind.model_fields)

    def entries(self, ranked: Sequence[Ranked], query: str = "", *, complete: bool = True) -> list[Entry]:
        """Return the pieces of text to show, the best first. By default each record is one piece.

        Args:
            ranked: The records that were read, with their scores.
            query: The text they were compared with.
            complete: Whether `ranked` contains all records in the scope.
        """
        return [Entry(self.render(item.record), (item,)) for item in ranked]

    def filter_search(self, search: Operation, ranked: Sequence[Ranked], at: datetime) -> Sequence[Ranked]:
        """Return those of `ranked`, which may have any status, that meet the other fields of a search."""
        days = getattr(search, "days", None)
        active = [item for item in ranked if item.record.status in (ACTIVE, DOCUMENT)]
        return [item for item in active if days is None or (at - self.said_at(item.record)) / DAY <= days]

    def search_entries(
        self, search: Operation, ranked: Sequence[Ranked], at: datetime, *, complete: bool = True
    ) -> list[Entry]:
        """Return the pieces of text that answer a search: by default the records that fit and pass `filter_search`.

        `complete` says whether `ranked` contains all records in the scope.
        """
        query = str(getattr(search, "query", None) or "")
        holding = [item for item in ranked if item.record.holds_at(at)]
        fitting = [item for item in holding if not query or item.score > 0 or item.matched]
        return self.entries(self.filter_search(search, fitting, at), query, complete=complete)

    def curate(self, records: Sequence[Record], at: datetime, max_age: timedelta | None = None) -> list[Curated]:
        """Return the changes that curation makes to `records`: all records of one scope, of any status.

        By default records with the same statement are merged if none of their fields contradict each other: the oldest
        one stays and gets the fields that it lacks from the others. These records are archived: one that another has
        superseded, one that has expired or no longer holds, and, if `recalled` is `"relevant"`, one that was not
        changed for `max_age`. `plan` still gets archived records. Messages stay as they are, also if one says the same
        as another.
        """
        if self.captures:
            return []
        retired = find_outdated(self.name, records, at, max_age if self.recalled == "relevant" else None)
        retired_ids = {key for finding in retired for key in finding.ids}
        remaining = [record for record in records if record.status == ACTIVE and record.id not in retired_ids]
        return [*retired, *duplicates(self.name, remaining)]

    @property
    def extraction_instructions(self) -> str:
        """The part of the extraction prompt that says what to look for here."""
        return self.configured_instructions(self.instructions if self.config.instructions is None else "")

    def configured_instructions(self, own: str) -> str:
        """Return the instructions of the configuration, or else `own`, followed by its additional instructions."""
        replaced = self.config.instructions
        parts = (replaced if replaced is not None else own, self.config.additional_instructions)
        return "\n".join(part for part in parts if part)

    @property
    def instructions(self) -> str:
        """What to capture, if the configuration does not say it. By default this is the docstring of the class."""
        return inspect.cleandoc(type(self).__doc__ or "")

    @property
    def named_by_id(self) -> bool:
        """Whether an operation names a record by its short id. Only then does recall show the short ids."""
        return any("id" in kind.model_fields for kind in self.operations)

    @property
    def extracts(self) -> bool:
        """Whether an extraction by a model runs after every turn."""
        return bool(self.operations) and self.config.mode is not LearningMode.AGENTIC

    @property
    def share(self) -> float:
        """The largest part of the recalled text that this learning store may fill; 1 is all of it."""
        return 1.0

    @property
    def index(self) -> VectorStore | None:
        """The vector store that also searches the records, or None. It gets a copy of each record."""
        return None

    @property
    def accepts_tool_claims(self) -> bool:
        """Whether a statement may come only from the result of a tool."""
        return self.config.learn_from_tools or not self.rejects_tool_claims

    @property
    def proposes(self) -> bool:
        """Whether a person has to approve every change."""
        return self.config.mode is LearningMode.PROPOSE

    @property
    def tools(self) -> tuple[type[Operation], ...]:
        """The operations and searches that the agent gets as tools."""
        agentic = self.config.mode is LearningMode.AGENTIC or self.config.enable_agent_tools
        return (*self.operations, *self.searches) if agentic else ()


def check_complete(store: LearningStore) -> None:
    """Check that a learning store has everything that the engine needs.

    Raises:
        ConfigurationError: Something is missing; the message says what to set.
    """
    kind = type(store).__name__
    name = getattr(store, "name", None)
    if not isinstance(name, str) or not name.isidentifier():
        raise ConfigurationError(f'{kind} has no usable name: set `name = "todos"`, an identifier, in the class')
    if name in NOT_RECORDS:
        raise ConfigurationError(f"{kind} is named {name!r}, which is reserved: choose another name")
    if not isinstance(getattr(store, "config", None), StoreConfig):
        raise ConfigurationError(f"{kind} has no configuration: call `super().__init__(config)` in its __init__")
    operations = getattr(store, "operations", None)
    if not isinstance(operations, Sequence) or not all(_is_operation(candidate) for candidate in operations):
        raise ConfigurationError(
            f'{kind} has no operations: set `self.operations = (operation("add_todo", ...),)` in its __init__'
        )
    for kind_of_operation in (*operations, *store.searches):
        check_fields(f"{kind}.{kind_of_operation.__name__}", kind_of_operation.model_fields)


def _is_operation(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Operation)


ID = Field(description="The short id of the record, as shown")
QUERY = (str | None, Field(default=None, description="What to look for; leave it out to get the newest"))
"""The field of a search that also works without a text."""


def record_fault(stores: Mapping[str, LearningStore], record: Record) -> str | None:
    """Return why none of these learning stores could have written a record; None if one could."""
    if (store := stores.get(record.store)) is None:
        return f"{record.store!r} names no learning store of this machine; it has {', '.join(stores) or 'none'}"
    if len(record.text) > LONGEST_STATEMENT:
        return f"a statement has at most {LONGEST_STATEMENT:,} characters, not {len(record.text):,}"
    try:
        store.check_content(record.content)
    except Refused as error:
        return f"{record.store}: {error.args[0]}"
    return None
