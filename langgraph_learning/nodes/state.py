"""Our private state: keys that only our nodes declare, in channels that only our nodes can read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self, TypedDict, cast

from langgraph.channels import BaseChannel, LastValue
from langgraph.errors import EmptyChannelError

MACHINE = "learning_machine"
"""The metadata key by which a tool says which machine it belongs to."""


class PrivateValue(BaseChannel[Any, Any, Any]):
    """Keeps the last value written: in checkpoints, and in no stream, result, form or snapshot of the state.

    LangGraph shows what `get` returns, so a channel that seems empty is shown nowhere. Its copies can be read, and
    copies are what `langgraph_private.read_channel` reads.
    """

    __slots__ = ("readable", "value")

    def __init__(self, typ: Any, key: str = "", value: Any = None, *, readable: bool = False) -> None:
        super().__init__(typ, key)
        self.value, self.readable = value, readable

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PrivateValue)

    __hash__ = None  # type: ignore[assignment]

    @property
    def ValueType(self) -> Any:
        """The type of the value."""
        return self.typ

    @property
    def UpdateType(self) -> Any:
        """The type of what is written."""
        return self.typ

    def copy(self) -> Self:
        """Return a copy that can be read."""
        return type(self)(self.typ, self.key, self.value, readable=True)

    def checkpoint(self) -> Any:
        """Return what goes into the checkpoint."""
        return self.value

    def from_checkpoint(self, checkpoint: Any) -> Self:
        """Return the channel as the checkpoint has it; what is missing there is a bare object, LangGraph's own mark."""
        return type(self)(self.typ, self.key, None if type(checkpoint) is object else checkpoint)

    def update(self, values: Sequence[Any]) -> bool:
        """Let the last writer win: parallel branches may each recall."""
        if values:
            self.value = values[-1]
        return bool(values)

    def get(self) -> Any:
        """Return the value to those who read a copy."""
        if not self.is_available():
            raise EmptyChannelError
        return self.value

    def is_available(self) -> bool:
        """Return whether there is something to read here."""
        return self.readable and self.value is not None


class Borrowed(LastValue[Any]):
    """Stands for a key that is the graph's own: where the graph has it, that is read; where not, this holds nothing.

    A node that declared `messages` outright would give that key to a graph that has none, with a channel that takes
    one value a step: two workers that return messages for nobody would then fail.
    """

    def update(self, values: Sequence[Any]) -> bool:
        """Take nothing in."""
        return False


@dataclass(frozen=True)
class Keys:
    """The state keys of the machine called `name`."""

    name: str

    @property
    def turn(self) -> str:
        """Who asks in this turn, and the receipt: checkpointed JSON."""
        return f"{self.name}_turn"

    @property
    def mark(self) -> str:
        """How far the thread has been learned from: checkpointed JSON."""
        return f"{self.name}_watermark"

    @property
    def proposals(self) -> str:
        """What the turn proposed, for review: checkpointed JSON, ids only."""
        return f"{self.name}_proposals"

    @property
    def settled(self) -> str:
        """The step at which extraction last waited for the nodes of the graph; checkpointed JSON."""
        return f"{self.name}_settled"

    @property
    def all(self) -> tuple[str, ...]:
        """All of them."""
        return self.turn, self.mark, self.proposals, self.settled

    def schema(self, messages_key: str | None = None, *extra: object) -> type[Any]:
        """Return the private state schema; `extra` annotations mark each of our keys."""
        fields: Mapping[str, object] = {key: Annotated[(dict, *extra, PrivateValue(dict))] for key in self.all}
        read: Mapping[str, object] = {messages_key: Annotated[list, Borrowed(list)]} if messages_key else {}
        made = TypedDict(f"{self.name.title()}State", {**read, **fields}, total=False)  # type: ignore[misc]
        return cast("type[Any]", made)
