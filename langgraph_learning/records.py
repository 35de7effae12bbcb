"""The nouns of learning: who asks, what is known, what changes, and where it came from.

All of them are frozen and JSON-able: they travel through graph state, interrupts, stores and exports.
"""

from datetime import datetime
from functools import cached_property
from typing import Annotated, Literal, TypeAlias

from langgraph.store.base import Item
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from langgraph_learning.display import Displayed
from langgraph_learning.errors import RecordError
from langgraph_learning.labels import label

ROOT = "learning"
Namespace: TypeAlias = tuple[str, ...]
Actor: TypeAlias = Literal["user", "assistant", "tool", "agent", "person", "import"]


class Frozen(Displayed, BaseModel):
    """A value that does not change once it is made."""

    model_config = ConfigDict(frozen=True)


class Identity(Frozen):
    """Who is asking, in which thread; every scope is derived from it and never from a model."""

    user_id: str | None = None
    thread_id: str | None = None
    agent: str = "agent"
    timezone: str = "UTC"


class Scope(Frozen):
    """Who a record belongs to: a user, a user in a thread, a user's agent, or a namespace."""

    user_id: str | None = None
    thread_id: str | None = None
    agent: str | None = None
    namespace: str | None = None

    @cached_property
    def path(self) -> Namespace:
        """The store namespace of this scope; two scopes never share one."""
        if self.namespace is not None:
            return (ROOT, "namespace", label(self.namespace))
        parts = [("user", self.user_id), ("thread", self.thread_id), ("agent", self.agent)]
        return (ROOT, *(word for name, value in parts if value is not None for word in (name, label(value))))


class Source(Frozen):
    """Where a record comes from."""

    thread_id: str | None = None
    checkpoint_id: str | None = None
    message_ids: tuple[str, ...] = ()
    quote: str | None = None
    actor: Actor = "user"

    @property
    def inferred(self) -> bool:
        """Whether a model concluded this: no quote of the conversation vouches for it."""
        return self.quote is None and self.actor == "assistant"


class Record(Frozen):
    """One learned thing: the unit of reading, writing, history and approval."""

    id: str
    store: str
    scope: Scope
    content: dict[str, JsonValue]
    text: str
    status: str = "active"
    version: int = 1
    source: Source
    created_at: datetime
    updated_at: datetime

    @property
    def namespace(self) -> Namespace:
        """Where the record lies in the store."""
        return (*self.scope.path, self.store)

    def value(self) -> dict[str, JsonValue]:
        """Return what a store keeps under the record's id."""
        return self.model_dump(mode="json", exclude={"id"})

    @classmethod
    def from_item(cls, item: Item) -> "Record":
        """Read a record back.

        Raises:
            RecordError: The stored value is not a record.
        """
        version = getattr(item, "version", item.value.get("version"))
        try:
            return cls.model_validate({**item.value, "id": item.key, "version": version})
        except ValidationError as error:
            raise RecordError(f"the item {item.key!r} in {item.namespace} is not a record: {error}") from error


class Add(Frozen):
    """A new record; the engine gives it an id where the learning store names none."""

    kind: Literal["add"] = "add"
    store: str
    id: str = ""
    content: dict[str, JsonValue]
    text: str
    source: Source = Source()


class Update(Frozen):
    """Other content for a record."""

    kind: Literal["update"] = "update"
    store: str
    id: str
    content: dict[str, JsonValue]
    text: str
    source: Source = Source()


class Remove(Frozen):
    """The end of a record."""

    kind: Literal["remove"] = "remove"
    store: str
    id: str
    text: str = ""
    source: Source = Source()


Change: TypeAlias = Annotated[Add | Update | Remove, Field(discriminator="kind")]


class Revision(Frozen):
    """One state of a record: None when it was removed."""

    record: Record | None
    version: int
    at: datetime
    commit: str | None = None


class Refusal(Frozen):
    """An operation, or a field of one, that was not carried out, and why."""

    operation: str
    reason: str


class Usage(Frozen):
    """What a step cost."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


class Commit(Frozen):
    """The changes of one turn, written together; the unit of undo."""

    id: str
    identity: Identity
    at: datetime
    changes: tuple[Change, ...] = ()
    refused: tuple[Refusal, ...] = ()
    usage: Usage = Usage()
