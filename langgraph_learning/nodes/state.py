"""Our private state: keys that only our nodes declare, so that no form, result or schema of the user shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict, cast

from langgraph_learning.nodes.channel import PrivateValue

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
    def text(self) -> str:
        """The recalled text: untracked, in no checkpoint."""
        return f"{self.name}_text"

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
    def all(self) -> tuple[str, ...]:
        """All of them."""
        return (self.turn, self.text, self.kept, self.mark, self.proposals)

    def schema(self, *extra: object) -> type[Any]:
        """Return the private state schema; `extra` annotations mark each of our keys."""

        def private(kind: type, *, tracked: bool = True) -> object:
            return Annotated[(kind, *extra, PrivateValue(kind, tracked=tracked))]

        fields: Mapping[str, object] = {
            self.turn: private(dict),
            self.text: private(str, tracked=False),
            self.kept: private(list),
            self.mark: private(dict),
            self.proposals: private(dict),
        }
        made = TypedDict(f"{self.name.title()}State", fields, total=False)  # type: ignore[misc]
        return cast("type[Any]", made)
