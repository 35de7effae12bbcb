"""The channel of our private state: checkpointed like any other, but absent from streams, outputs and snapshots.

LangGraph streams a node's update as the node returned it (`updates`, `tasks`, `debug`). So our nodes return a
`PrivateUpdate`: a dict that shows ids only, and carries the value for the channel in an attribute.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Self

from langgraph.channels.base import BaseChannel
from langgraph.errors import EmptyChannelError

FORGED = "forged"
"""The key that marks a value of a sealed channel as not written by our nodes."""
_EMPTY = object()
_revealed: ContextVar[bool] = ContextVar("langgraph_learning_revealed", default=False)


@contextmanager
def reveal() -> Iterator[None]:
    """Make private channels readable in the current context until the `with` block ends; only our steps use it."""
    token = _revealed.set(True)
    try:
        yield
    finally:
        _revealed.reset(token)


class PrivateUpdate(dict[str, object]):
    """An update by one of our nodes: a dict of ids that streams show, and the value that the channel stores.

    `repr(Command(...))` and `dataclasses.asdict` rebuild every dict from its items, so their copies hold the ids only.
    """

    def __init__(self, shown: Mapping[str, object] | Iterable[tuple[str, object]] = (), value: object = None) -> None:
        super().__init__(shown)
        self.value = value


@dataclass(frozen=True, slots=True)
class Reading:
    """The value of a private channel, and whether this run wrote it or it comes from an earlier checkpoint."""

    value: object
    in_run: bool


class PrivateValue(BaseChannel[object, object, object]):
    """A channel that stores the last value of one type; readable only within `reveal()`.

    Args:
        typ: The type of the value. A value of another type is ignored, because a caller can forge private state.
        tracked: Whether the value is checkpointed.
        sealed: Whether only a `PrivateUpdate` is trusted. A caller who sends `Command(update=...)` cannot make one: the
            channel marks the caller's dict as forged, and ignores any other value.
    """

    __slots__ = ("_in_run", "_value", "sealed", "tracked")

    def __init__(self, typ: type, *, tracked: bool = True, sealed: bool = False) -> None:
        super().__init__(typ)
        self.tracked, self.sealed = tracked, sealed
        self._value: object = _EMPTY
        self._in_run = False

    def __eq__(self, other: object) -> bool:
        """Return whether both channels are declared alike, as two nodes of one machine do; LangGraph requires it."""
        return isinstance(other, PrivateValue) and (other.typ, other.tracked, other.sealed) == (
            self.typ,
            self.tracked,
            self.sealed,
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def ValueType(self) -> type:
        """The type of the stored value."""
        return self.typ  # type: ignore[no-any-return]

    @property
    def UpdateType(self) -> type:
        """The type of the value that a node writes."""
        return self.typ  # type: ignore[no-any-return]

    def copy(self) -> Self:
        """Return a copy with the same value; LangGraph makes one to read what a node has just written."""
        copied = type(self)(self.typ, tracked=self.tracked, sealed=self.sealed)
        copied.key, copied._value, copied._in_run = self.key, self._value, self._in_run
        return copied

    def checkpoint(self) -> object:
        """Return the value; if it is empty or not tracked, LangGraph's mark for an empty channel."""
        return self._value if self.tracked and self._value is not _EMPTY else super().checkpoint()

    def from_checkpoint(self, checkpoint: object) -> Self:
        """Return a new channel with the value of a checkpoint; a value of another type is dropped."""
        restored = type(self)(self.typ, tracked=self.tracked, sealed=self.sealed)
        restored.key = self.key
        if isinstance(checkpoint, self.typ):
            restored._value = checkpoint
        return restored

    def update(self, values: Sequence[object]) -> bool:
        """Store the last of the values; there are several if parallel branches each recall."""
        written = [value.value if isinstance(value, PrivateUpdate) else self._unseal(value) for value in values]
        # A resumed run gets back the pending writes that its checkpointer kept: plain dicts, with the ids only.
        # They are dropped here if the channel's type is not dict.
        taken = [value for value in written if isinstance(value, self.typ)]
        if taken:
            self._value, self._in_run = taken[-1], True
        return bool(taken)

    def _unseal(self, value: object) -> object:
        """Return the channel's form of a value that our nodes did not write.

        A sealed channel marks a dict as forged and drops any other value.
        """
        if not self.sealed:
            return value
        return {**value, FORGED: True} if isinstance(value, dict) and self.typ is dict else _EMPTY

    def get(self) -> object:
        """Return the value within `reveal()`; elsewhere raise as an empty channel does, so that no stream shows it."""
        if not _revealed.get() or self._value is _EMPTY:
            raise EmptyChannelError
        return Reading(self._value, self._in_run)
