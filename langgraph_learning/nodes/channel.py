"""The channel of our private state: checkpointed like any other, and shown in no stream, output or state snapshot.

LangGraph shows a node's own update as the node has written it (`updates`, `tasks`, `debug`), so what is written is a
`PrivateUpdate`: a dict of ids to look at, which carries the value for the channel.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Self

from langgraph.channels.base import BaseChannel
from langgraph.errors import EmptyChannelError

FORGED = "forged"
"""Marks a value of a sealed channel that none of our nodes has written."""
_EMPTY = object()
_revealed: ContextVar[bool] = ContextVar("langgraph_learning_revealed", default=False)


@contextmanager
def reveal() -> Iterator[None]:
    """Let private channels be read: by our own steps, in the thread and for the moment that they read in."""
    token = _revealed.set(True)
    try:
        yield
    finally:
        _revealed.reset(token)


class PrivateUpdate(dict[str, object]):
    """What a node of ours writes: ids to look at, and the value that the channel takes.

    `repr(Command(...))` and `dataclasses.asdict` make every dict anew from its items: such a copy has ids alone.
    """

    def __init__(self, shown: Mapping[str, object] | Iterable[tuple[str, object]] = (), value: object = None) -> None:
        super().__init__(shown)
        self.value = value


@dataclass(frozen=True, slots=True)
class Reading:
    """What a private channel holds, and whether it was written in this run or comes from an earlier checkpoint."""

    value: object
    in_run: bool


class PrivateValue(BaseChannel[object, object, object]):
    """Holds the last value of a type; read only within `reveal()`.

    Args:
        typ: The type of the value; anything else that is written is ignored, since private state can be forged.
        tracked: Whether the value is checkpointed.
        sealed: Whether only a `PrivateUpdate` is believed. A caller who sends `Command(update=...)` cannot make one:
            a dict of theirs is marked as a forgery, anything else is ignored.
    """

    __slots__ = ("_in_run", "_value", "sealed", "tracked")

    def __init__(self, typ: type, *, tracked: bool = True, sealed: bool = False) -> None:
        super().__init__(typ)
        self.tracked, self.sealed = tracked, sealed
        self._value: object = _EMPTY
        self._in_run = False

    def __eq__(self, other: object) -> bool:
        """Two nodes of one machine declare the same channel."""
        return isinstance(other, PrivateValue) and (other.typ, other.tracked, other.sealed) == (
            self.typ,
            self.tracked,
            self.sealed,
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def ValueType(self) -> type:
        """The type of what is kept."""
        return self.typ  # type: ignore[no-any-return]

    @property
    def UpdateType(self) -> type:
        """The type of what is written."""
        return self.typ  # type: ignore[no-any-return]

    def copy(self) -> Self:
        """Return a copy, of which LangGraph makes one to read what a node has just written."""
        copied = type(self)(self.typ, tracked=self.tracked, sealed=self.sealed)
        copied.key, copied._value, copied._in_run = self.key, self._value, self._in_run
        return copied

    def checkpoint(self) -> object:
        """Return what is kept; LangGraph's own mark for "nothing" where nothing is."""
        return self._value if self.tracked and self._value is not _EMPTY else super().checkpoint()

    def from_checkpoint(self, checkpoint: object) -> Self:
        """Return the channel as a checkpoint has kept it."""
        restored = type(self)(self.typ, tracked=self.tracked, sealed=self.sealed)
        restored.key = self.key
        if isinstance(checkpoint, self.typ):
            restored._value = checkpoint
        return restored

    def update(self, values: Sequence[object]) -> bool:
        """Take the last of several values: parallel branches may each recall."""
        written = [value.value if isinstance(value, PrivateUpdate) else self._unseal(value) for value in values]
        # A write that a checkpointer has kept, and given back to a resumed run, holds the ids alone.
        taken = [value for value in written if isinstance(value, self.typ)]
        if taken:
            self._value, self._in_run = taken[-1], True
        return bool(taken)

    def _unseal(self, value: object) -> object:
        """Return what becomes of a value that no node of ours has written."""
        if not self.sealed:
            return value
        return {**value, FORGED: True} if isinstance(value, dict) and self.typ is dict else _EMPTY

    def get(self) -> object:
        """Return what is kept to who may read it, and nothing to streams."""
        if not _revealed.get() or self._value is _EMPTY:
            raise EmptyChannelError
        return Reading(self._value, self._in_run)
