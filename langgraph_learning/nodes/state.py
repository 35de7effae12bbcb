"""Our private state: keys that only our nodes declare, so that no form, result or schema of the user shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict, cast

from langgraph.channels import LastValue, UntrackedValue

MACHINE = "learning_machine"
"""The metadata key by which a tool says which machine it belongs to."""


def latest(_: object, new: object) -> object:
    """Let the last writer win: parallel branches may each recall."""
    return new


FORGED = "forged"
"""Marks a frozen turn that none of our steps wrote."""


class OwnTurn(dict[str, Any]):
    """The frozen turn as a step of this package writes it; what a caller sends as JSON is never one."""


class TurnChannel(LastValue[Any]):
    """Keeps the last frozen turn, and marks one that came by `Command(update=...)` or `update_state`.

    A reducer would not do: LangGraph's `Overwrite` passes it by.
    """

    def update(self, values: Sequence[Any]) -> bool:
        """Take the last value of the step: parallel branches may each recall."""
        if not values:
            return False
        last = values[-1]
        return super().update([dict(last) if isinstance(last, OwnTurn) else _mark_forged(last)])


def _mark_forged(value: object) -> object:
    value = getattr(value, "value", value)  # an `Overwrite`
    if isinstance(value, dict):
        value = value.get("__overwrite__", value)
    return {**(value if isinstance(value, dict) else {}), FORGED: True}


@dataclass(frozen=True)
class Keys:
    """The state keys of the machine called `name`."""

    name: str

    @property
    def turn(self) -> str:
        """Who asks in this turn, and the receipt: checkpointed JSON."""
        return f"{self.name}_turn"

    @property
    def text(self) -> str:
        """The recalled text: untracked, in no checkpoint."""
        return f"{self.name}_text"

    @property
    def mark(self) -> str:
        """How far the thread has been learned from: checkpointed JSON."""
        return f"{self.name}_watermark"

    @property
    def proposals(self) -> str:
        """What the turn proposed, for review: checkpointed JSON, ids only."""
        return f"{self.name}_proposals"

    def schema(self, messages_key: str | None = None, *extra: object) -> type[Any]:
        """Return the private state schema; `extra` annotations mark each of our keys."""

        def marked(kind: object, channel: object) -> object:
            return Annotated[(kind, *extra, channel)]

        fields: Mapping[str, object] = {
            self.turn: marked(dict, TurnChannel(dict)),
            self.text: marked(str, UntrackedValue(str, guard=False)),
            self.mark: marked(dict, latest),
            self.proposals: marked(dict, latest),
        }
        read: Mapping[str, object] = {messages_key: list} if messages_key else {}
        made = TypedDict(f"{self.name.title()}State", {**read, **fields}, total=False)  # type: ignore[misc]
        return cast("type[Any]", made)
