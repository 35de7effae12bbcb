"""The base class of learning stores: the operations a model may ask for, what they change, how a record reads.

A learning store does no I/O. The engine gives it the records and one validated operation at a time, and writes the
changes that `plan` returns. Nodes, tools, recall, undo and approval then work for it without further code.
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
    """A record with its score for a text, and the words of the text that it holds."""

    record: Record
    score: float
    matched: tuple[str, ...] = ()
    parts: Mapping[str, float] = field(default_factory=dict)
    """The parts of the score: `words` and `meaning`, or the store's own `search`, and `votes` if there are any."""
    votes: tuple[int, int] = (0, 0)
    """How often the present state of the record was found helpful and harmful."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of a prompt: a text, and the ranked records in it, with the main record first."""

    text: str
    ranked: tuple[Ranked, ...] = ()
    brief: str = ""
    """A shorter text, shown if there is no room for the long one."""
    first: bool = False
    """Whether the entry opens its part of the prompt, before those chosen by score."""
    place: int | None = None
    """The position among the entries that open their part; by default the order of age."""

    @property
    def score(self) -> float:
        """The score of the entry: that of its best record."""
        return max((item.score for item in self.ranked), default=0.0)


@dataclass(frozen=True, slots=True)
class SpokenMessage:
    """One message of the user or the assistant, with secrets masked, for the learning stores that keep messages."""

    id: str
    role: str
    text: str
    said_at: datetime
    name: str | None = None


FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""The errors that a faulty learning store may raise; they must not stop the other learning stores."""


class LearningStore(ABC):
    """One kind of knowledge: it defines what is learned, and never where it is stored.

    To write one of your own (`examples/custom_store.py` is a complete one), make a subclass that

    - has a `name`: an identifier that no other learning store of the machine has. The other class variables are
      optional;
    - calls `super().__init__(config)` in `__init__`, and then sets `self.operations`: what a model may ask for. Each is
      made by `operation(name, description, field=(type, Field(description=...)))`. A field `id=(str, ID)` names a
      record: the model sees and gives short ids there, and `plan` gets the record's own id;
    - defines `plan`, which returns what an operation changes, as `Add`, `Update` and `Remove` with `store=self.name`.
      With an `id` of yours, an `Add` writes the one record of that id; without an `id` it creates a new record each
      time. `content` is the stored JSON; `text` is what readers and the search see. Raise `Refused` for what cannot be
      done.

    The docstring of the class tells the extraction what to look for; override `instructions` to use another text. By
    default the records belong to the user. Override `scope` to change that, and `render` to change how a record is
    shown.

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
    """The first line of its part of the recalled text."""
    recalled: ClassVar[Literal["always", "relevant"]] = "relevant"
    """Whether recall shows every record, or ranks them by the words of the turn."""
    validate_fields_separately: ClassVar[bool] = False
    """Whether only a wrong field is refused, and the other fields of its operation stay."""
    about_user: ClassVar[bool] = True
    """Whether its statements are about the user and rest on the user's own words; otherwise on the conversation."""
    rejects_tool_claims: ClassVar[bool] = True
    """Whether a statement that only a tool has made is refused, unless the configuration allows it."""
    reads_trajectory: ClassVar[bool] = False
    """Whether its extraction sees the agent's tool calls, with their arguments and outcomes."""
    reflects: ClassVar[bool] = False
    """Whether `reflect` may change it, because it is about the agent's work and not about one user."""
    captures: ClassVar[bool] = False
    """Whether it keeps messages: `capture` is called for each message of a turn, without a model. Its records are in
    the order of their session, are recalled with their neighbours, and are found by what other learning stores learned
    from them."""
    reads_archived: ClassVar[bool] = False
    """Whether archived records set others aside; recall then reads the archived ones too."""
    recall_limit: ClassVar[int] = 200
    """The number of records that a recall chooses from: the best matches, then the newest."""
    keys_messages: bool = False
    """Whether messages are found by what it learns from them; set by a machine that keeps messages."""
    operations: tuple[type[Operation], ...]
    searches: tuple[type[Operation], ...] = ()
    """Read-only tools for the agent; a field `query` is the text to search for, `limit` the number of results."""
    config: StoreConfig

    def __init__(self, config: StoreConfig | None = None) -> None:
        """Store the configuration, or the defaults.

        Raises:
            ConfigurationError: The configuration belongs to another learning store.
        """
        if config is not None and not isinstance(config, self.config_class):
            name = getattr(self, "name", type(self).__name__)
            raise ConfigurationError(f"{name} takes a {self.config_class.__name__}, not {type(config).__name__}")
        self.config = config if config is not None else self.config_class()

    def scope(self, identity: Identity) -> Scope | None:
        """Return the scope that `identity` may read and write; None if it lacks what the scope needs."""
        return Scope(user_id=identity.user_id) if identity.user_id else None

    @abstractmethod
    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Return the changes that `operation` makes, given all records in scope; none if nothing would change.

        Raises:
            Refused: It cannot be done; the message tells the model why.
        """

    def capture(self, message: SpokenMessage, zone: tzinfo, kept: Record | None = None) -> Add | None:
        """Return the record to keep of a message, or None; called if `captures` is set.

        Args:
            message: The message.
            zone: The time zone of the user.
            kept: The stored record of the message, which may have been edited since.
        """
        return None

    def check_content(self, content: Mapping[str, JsonValue]) -> None:
        """Raise for content that this learning store could not have written; called for rows loaded from a file.

        By default the fields of its schema must have their types.

        Raises:
            Refused: It does not fit.
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
        """Return `operation` with relative dates filled in from the user's day; called before `plan`."""
        return operation

    def filter_active(self, records: Sequence[Record], archived: Sequence[Record]) -> Sequence[Record]:
        """Return the active `records` that are recalled; called if `reads_archived` is set."""
        return records

    def render(self, record: Record) -> str:
        """Return the text of a record in a prompt."""
        return f"{record.text}{record.validity_label}{record.source.label}"

    def offered_operations(self, records: Sequence[Record]) -> tuple[type[Operation], ...]:
        """Return the operations that an extraction may ask for, given the active records.

        Operations on an `id` are left out if there is no record, because a model would invent an id.
        """
        return tuple(kind for kind in self.operations if records or "id" not in kind.model_fields)

    def entries(self, ranked: Sequence[Ranked], query: str = "", *, complete: bool = True) -> list[Entry]:
        """Return the entries that a prompt shows of `ranked`, best first; by default one for each record.

        Args:
            ranked: The records that were read.
            query: The text they were ranked by.
            complete: Whether they are all records of the scope.
        """
        return [Entry(self.render(item.record), (item,)) for item in ranked]

    def filter_search(self, search: Operation, ranked: Sequence[Ranked], at: datetime) -> Sequence[Ranked]:
        """Return those of `ranked`, which have any status, that meet the other fields of a search."""
        return [item for item in ranked if item.record.status in (ACTIVE, DOCUMENT)]

    def search_entries(
        self, search: Operation, ranked: Sequence[Ranked], at: datetime, *, complete: bool = True
    ) -> list[Entry]:
        """Return the entries that answer a search: by default the matches that `filter_search` keeps.

        `complete` says whether `ranked` holds all records of the scope.
        """
        query = str(getattr(search, "query", None) or "")
        holding = [item for item in ranked if item.record.holds_at(at)]
        fitting = [item for item in holding if not query or item.score > 0 or item.matched]
        return self.entries(self.filter_search(search, fitting, at), query, complete=complete)

    def curate(self, records: Sequence[Record], at: datetime, max_age: timedelta | None = None) -> list[Curated]:
        """Return what `curate` does with the records of one scope, which have any status.

        By default, of active records that say the same, without a contradiction in their other fields, the oldest is
        kept and takes over what it lacks. Archived are: superseded records, those with an `expires_at` in the past, and
        in a learning store that ranks, those unchanged for `max_age`. `plan` still sees archived records.
        """
        retired = find_outdated(self.name, records, at, max_age if self.recalled == "relevant" else None)
        gone = {key for finding in retired for key in finding.ids}
        remaining = [record for record in records if record.status == ACTIVE and record.id not in gone]
        return [*retired, *duplicates(self.name, remaining)]

    @property
    def extraction_instructions(self) -> str:
        """The instructions for the extraction: what to look for."""
        return self.configured_instructions(self.instructions if self.config.instructions is None else "")

    def configured_instructions(self, own: str) -> str:
        """Return `own` instructions, as the configuration replaces or extends them."""
        replaced = self.config.instructions
        parts = (replaced if replaced is not None else own, self.config.additional_instructions)
        return "\n".join(part for part in parts if part)

    @property
    def instructions(self) -> str:
        """The instructions if the configuration gives none; by default the docstring of the class."""
        return inspect.cleandoc(type(self).__doc__ or "")

    @property
    def named_by_id(self) -> bool:
        """Whether a model names its records by short ids; only then are they shown."""
        return any("id" in kind.model_fields for kind in self.operations)

    @property
    def extracts(self) -> bool:
        """Whether it learns from every turn by an extraction call; without operations there is nothing to ask for."""
        return bool(self.operations) and self.config.mode is not LearningMode.AGENTIC

    @property
    def share(self) -> float:
        """The largest part of the recalled text that it may fill."""
        return 1.0

    @property
    def index(self) -> VectorStore | None:
        """A vector store that gets every change and is searched; the records themselves stay in the store."""
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
        """The operations and searches that the agent gets as tools."""
        agentic = self.config.mode is LearningMode.AGENTIC or self.config.enable_agent_tools
        return (*self.operations, *self.searches) if agentic else ()


def check_complete(store: LearningStore) -> None:
    """Raise for a learning store that lacks what the engine needs.

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
    if not isinstance(operations, Sequence) or not all(
        _is_operation(kind_of_operation) for kind_of_operation in operations
    ):
        raise ConfigurationError(
            f'{kind} has no operations: set `self.operations = (operation("add_todo", ...),)` in its __init__'
        )
    for declared in (*operations, *store.searches):
        check_fields(f"{kind}.{declared.__name__}", declared.model_fields)


def _is_operation(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Operation)


ID = Field(description="The short id of the record, as shown")
