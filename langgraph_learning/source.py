"""The origin of a record: its place in a conversation, and the words that support it."""

from datetime import datetime
from typing import Literal, TypeAlias

from pydantic import Field

from langgraph_learning.scope import Frozen

Actor: TypeAlias = Literal["user", "assistant", "tool", "agent", "person", "import"]


class Provenance(Frozen):
    """The place in a conversation that a change comes from; it travels from the turn to its commit and proposals."""

    turn_id: str = ""
    """The id of the turn's human message."""
    graph_ns: str = ""
    """The graph it was learned in, as a checkpoint namespace."""
    position: int = 0
    """The position in the turn: tools run at the same time, and proposals are shown in the order of their calls."""
    recalled: tuple[tuple[str, str], ...] = ()
    """The records that the turn was shown, as learning store and id; feedback on the turn counts for them."""
    recalled_tokens: dict[str, int] = Field(default_factory=dict)
    """The tokens of these records in the prompt, by learning store."""

    def at(self, position: int) -> "Provenance":
        """Return the provenance with another position in the turn."""
        return self.model_copy(update={"position": position})


_MARKS = {"tool": "from a tool", "assistant": "said by the assistant", "import": "imported"}


class Source(Frozen):
    """The origin of a record."""

    thread_id: str | None = None
    checkpoint_id: str | None = None
    message_ids: tuple[str, ...] = ()
    digest: str | None = None
    """A short digest of these messages; if one is edited and sent again, the record is taken back."""
    quote: str | None = None
    actor: Actor = "user"
    user_id: str | None = None
    """The user who taught it, in a shared namespace; elsewhere the scope names the user."""
    said_at: datetime | None = None
    """The time it was said, if it was learned on another day."""
    approved_by: str | None = None
    approved_at: datetime | None = None
    author: str | None = Field(default=None, exclude=True, repr=False)
    """The author's name for other readers; recall fills it in, and it is never stored."""

    @property
    def inferred(self) -> bool:
        """Whether a model concluded this, without a quote from the conversation."""
        return self.quote is None and self.actor == "assistant"

    @property
    def label(self) -> str:
        """The note about the origin for readers of the record; empty if the user said it."""
        marks = ["inferred"] if self.inferred else [_MARKS[self.actor]] if self.actor in _MARKS else []
        if self.author:
            marks += [f"from {self.author}", *(["approved"] if self.approved_at else [])]
        return f" ({', '.join(marks)})" if marks else ""
