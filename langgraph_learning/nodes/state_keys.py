"""Our private state: keys that only our nodes declare, so that no form, result or schema of the user shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict, cast

from langgraph_learning.nodes.channel import PrivateValue

Update = dict[str, Any]
"""The state update that a node returns."""
MACHINE = "learning_machine"
"""The metadata key under which a tool names the machine that it belongs to."""


@dataclass(frozen=True)
class Keys:
    """The state keys of the machine called `name`."""

    name: str

    @property
    def turn(self) -> str:
        """The key of the frozen turn, which says who asks and holds the receipt: checkpointed JSON, ids only."""
        return f"{self.name}_turn"

    @property
    def kept(self) -> str:
        """The key of the turns that are not learned from yet, with their words: checkpointed JSON."""
        return f"{self.name}_kept"

    @property
    def mark(self) -> str:
        """The key of the watermark, up to which the thread is learned from: checkpointed JSON."""
        return f"{self.name}_watermark"

    @property
    def proposals(self) -> str:
        """The key of the turn's proposals, for review: checkpointed JSON, ids only."""
        return f"{self.name}_proposals"

    @property
    def settled(self) -> str:
        """The key of the step at which extraction last waited for the graph's other nodes: checkpointed JSON."""
        return f"{self.name}_settled"

    @property
    def all(self) -> tuple[str, ...]:
        """All of these keys."""
        return (self.turn, self.kept, self.mark, self.proposals, self.settled)

    def schema(self, *extra: object, messages_key: str | None = None) -> type[Any]:
        """Return the private state schema, a `TypedDict`.

        Args:
            extra: Annotations to add to each of our keys.
            messages_key: The key of the messages, if a node must declare it to read them.
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
        schema = TypedDict(f"{self.name.title()}State", {**messages, **fields}, total=False)  # type: ignore[misc]
        return cast("type[Any]", schema)
