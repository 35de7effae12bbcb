"""Our private state: keys that only our nodes declare, so that no form, result or schema of the user shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict, cast

from langgraph_learning.nodes.channel import PrivateValue

Update = dict[str, Any]
"""What a node writes."""
MACHINE = "learning_machine"
"""The metadata key by which a tool says which machine it belongs to."""


@dataclass(frozen=True)
class Keys:
    """The state keys of the machine called `name`."""

    name: str

    @property
    def turn(self) -> str:
        """Who asks in this turn, and the receipt: checkpointed JSON, ids only."""
        return f"{self.name}_turn"

    @property
    def kept(self) -> str:
        """The turns that are not learned from yet, with their words: checkpointed JSON."""
        return f"{self.name}_kept"

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
        """The step at which extraction last waited for the nodes of the graph: checkpointed JSON."""
        return f"{self.name}_settled"

    @property
    def all(self) -> tuple[str, ...]:
        """All of them."""
        return (self.turn, self.kept, self.mark, self.proposals, self.settled)

    def schema(self, *extra: object, messages_key: str | None = None) -> type[Any]:
        """Return the private state schema.

        Args:
            extra: Annotations that mark each of our keys.
            messages_key: The key of the messages, where they have to be declared to be read.
        """

        def private(kind: type, *, sealed: bool = False) -> object:
            return Annotated[(kind, *extra, PrivateValue(kind, sealed=sealed))]

        fields: Mapping[str, object] = {
            self.turn: private(dict, sealed=True),
            self.kept: private(list, sealed=True),
            self.mark: private(dict),
            self.proposals: private(dict),
            self.settled: private(dict),
        }
        messages: Mapping[str, object] = {messages_key: list} if messages_key else {}
        made = TypedDict(f"{self.name.title()}State", {**messages, **fields}, total=False)  # type: ignore[misc]
        return cast("type[Any]", made)
