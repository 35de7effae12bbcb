"""A turn as plain data: what was said and done from one message of the user to the end of the reply."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import TypedDict

from langchain_core.messages import BaseMessage
from pydantic import JsonValue, TypeAdapter

from langgraph_learning._engine.learning.messages import (
    EVERYBODY,
    LONGEST_MESSAGE,
    Speakers,
    TrajectoryStep,
    clip_middle,
    count_user_messages,
    is_human,
    last_turn_start,
    read_messages,
    shorten_trajectory,
)
from langgraph_learning._engine.learning.messages import (
    TurnMessage as TurnMessage,
)
from langgraph_learning.records import Identity, Provenance, ToolCallOutcome, Trajectory, derived_id

ANCHORS = 20
"""The number of earlier message ids that a turn keeps: its beginning can be found again by any of them."""
KEPT_CHARS = 64_000
"""The number of characters of the waiting turns that are kept, the newest."""
KEPT_TOOL_CHARS = 2_000
"""The number of characters of a tool's result that are kept with a waiting turn."""

KEPT_CALL_CHARS = 4_000
"""The number of characters of a trajectory that are kept with the commit of its turn."""
KEPT_QUESTION_CHARS = 500


class Watermark(TypedDict, total=False):
    """The end of what was learned in a thread, and the user of that turn; JSON, for graph state."""

    message_id: str
    user_id: str | None


@dataclass(frozen=True, slots=True)
class Turn:
    """The data to learn from: messages, results of tools, and the agent's tool calls.

    `human_offset` is the number of the user's messages before the turn. Learning stores use `tools` and `trajectory`
    only if they are configured to.
    """

    messages: tuple[TurnMessage, ...]
    human_offset: int = 0
    tools: tuple[TurnMessage, ...] = ()
    trajectory: tuple[TrajectoryStep, ...] = ()

    @property
    def human(self) -> tuple[TurnMessage, ...]:
        """The user's messages."""
        return tuple(message for message in self.messages if message.role == "user")

    @property
    def message_ids(self) -> tuple[str, ...]:
        """The ids of the messages that have one."""
        return tuple(message.id for message in self.messages if message.id)

    @property
    def with_tools(self) -> tuple[TurnMessage, ...]:
        """The messages and the results of tools, in order."""
        return tuple(sorted((*self.messages, *self.tools), key=lambda message: message.position))

    def after(self, earlier: "Turn") -> "Turn":
        """Return `earlier` and this turn as one turn."""
        positions = [part.position for part in (*earlier.messages, *earlier.tools)]
        positions += [step.position for step in earlier.trajectory]
        shift = 1 + max(positions, default=-1)
        moved = self._shift_positions(shift) if shift else self
        return Turn(
            (*earlier.messages, *moved.messages),
            earlier.human_offset,
            (*earlier.tools, *moved.tools),
            (*earlier.trajectory, *moved.trajectory),
        )

    def _shift_positions(self, shift: int) -> "Turn":
        return Turn(
            tuple(replace(message, position=message.position + shift) for message in self.messages),
            self.human_offset,
            tuple(replace(message, position=message.position + shift) for message in self.tools),
            tuple(replace(step, position=step.position + shift) for step in self.trajectory),
        )


@dataclass(frozen=True)
class TurnInput:
    """A turn to learn from, as plain data: what was said, by whom, when, where it is stored, and in which run.

    It travels as JSON: in the private state of a graph until it is learned from, and to jobs that learn elsewhere.

    ```python
    row = turn.to_json()
    assert TurnInput.from_json(row) == turn
    ```
    """

    turn: Turn
    identity: Identity
    at: datetime
    """The time of learning; each message has the time at which it was said."""
    checkpoint_id: str | None = None
    run: str | None = None
    provenance: Provenance = field(default_factory=Provenance)
    anchors: tuple[str, ...] = ()
    """The ids of the last messages before the turn."""
    begun: str | None = None
    """The id of the item in the store that a subgraph has begun it with."""

    @property
    def said_at(self) -> datetime:
        """The time of the user's last message; relative dates count from it unless a message has its own time."""
        return max((message.said_at for message in self.turn.human if message.said_at), default=self.at)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the turn as plain JSON, with long texts shortened in the middle."""
        turn = replace(
            self.turn,
            messages=tuple(
                replace(message, text=clip_middle(message.text, LONGEST_MESSAGE)) for message in self.turn.messages
            ),
            tools=tuple(
                replace(message, text=clip_middle(message.text, KEPT_TOOL_CHARS)) for message in self.turn.tools
            ),
            trajectory=shorten_trajectory(self.turn.trajectory),
        )
        dumped: dict[str, JsonValue] = _adapter().dump_python(
            replace(self, turn=turn), mode="json", exclude_defaults=True
        )
        return dumped

    @classmethod
    def from_json(cls, value: object) -> "TurnInput":
        """Return the turn that `value` holds.

        Raises:
            pydantic.ValidationError: It holds none: private state can be forged.
        """
        return _adapter().validate_python(value)


@cache
def _adapter() -> TypeAdapter[TurnInput]:
    return TypeAdapter(TurnInput)


def join_turns(turns: Sequence[TurnInput]) -> TurnInput:
    """Return several turns of one user as one, to learn from in one call; it counts as the last of them."""
    joined = turns[0].turn
    for later in turns[1:]:
        joined = later.turn.after(joined)
    return replace(turns[-1], turn=joined, anchors=turns[0].anchors)


def turn_of(
    messages: Sequence[BaseMessage],
    speakers: Speakers = EVERYBODY,
    said_at: datetime | None = None,
    *,
    start: int = 0,
) -> Turn:
    """Return `messages` as a turn; with `start`, only those from that index on."""
    words, returned, trajectory = read_messages(messages[start:], speakers, said_at)
    # Only messages without ids are known by their number, and to count the messages of a long thread takes time.
    numbered = not all(message.id for message in messages)
    before = count_user_messages(messages[:start], speakers) if numbered else 0
    return Turn(tuple(words), before, tuple(returned), tuple(trajectory))


def last_turn(messages: Sequence[BaseMessage], speakers: Speakers = EVERYBODY) -> Turn:
    """Return the user's last words, and what was said and returned by tools since."""
    return turn_of(messages[last_turn_start(messages) :], speakers)


def complete_turn(
    begun: TurnInput, messages: Sequence[BaseMessage], speakers: Speakers, said_at: datetime | None = None
) -> TurnInput:
    """Return a turn that was stored at its beginning, completed by all that was said and done since.

    Messages that are no longer in `messages` keep their stored text; changed ones, for example redacted, have the new
    text.
    """
    window = turn_of(messages[_beginning(begun, messages) :], speakers, said_at)
    earlier = {_key(message): message.said_at for message in begun.turn.messages}
    current = tuple(
        replace(message, said_at=earlier.get(_key(message)) or message.said_at) for message in window.messages
    )
    gone = Turn(
        _without(begun.turn.messages, current),
        begun.turn.human_offset,
        _without(begun.turn.tools, window.tools),
        tuple(
            step
            for step in begun.turn.trajectory
            if step.id not in {current_step.id for current_step in window.trajectory}
        ),
    )
    return replace(begun, turn=replace(window, messages=current).after(gone))


def _beginning(begun: TurnInput, messages: Sequence[BaseMessage]) -> int:
    """Return the index in `messages` from which on everything belongs to the turn."""
    ids = [message.id for message in messages]
    own = {message.id for message in (*begun.turn.messages, *begun.turn.tools) if message.id}
    # It began in an empty thread, so all messages belong to it.
    if not (begun.turn.messages or begun.turn.tools or begun.anchors):
        return 0
    if present := [index for index, id in enumerate(ids) if id in own]:
        return present[0]
    if not own and begun.turn.messages:  # messages without ids: look for the last one with the turn's first text
        first = begun.turn.messages[0].text
        return max((index for index, message in enumerate(messages) if str(message.text).strip() == first), default=0)
    if present := [index for index, id in enumerate(ids) if id in begun.anchors]:
        return present[-1] + 1
    # All messages from before are gone, so the present ones came after. If the user's first words were stored, a
    # leading human message is not theirs: it is a summary or a rewritten question.
    if not begun.turn.human:
        return 0
    return next((index for index, message in enumerate(messages) if not is_human(message)), len(messages))


def _key(message: TurnMessage) -> object:
    return message.id or (message.role, message.text)


def _without(earlier: Iterable[TurnMessage], current: Iterable[TurnMessage]) -> tuple[TurnMessage, ...]:
    present = {_key(message) for message in current}
    return tuple(message for message in earlier if _key(message) not in present)


def watermark(messages: Sequence[BaseMessage], user_id: str | None) -> Watermark | None:
    """Return the watermark after the last message; None if that message has no id."""
    last = messages[-1].id if messages else None
    return Watermark(message_id=last, user_id=user_id) if last else None


def last_human(messages: Sequence[BaseMessage]) -> BaseMessage | None:
    """Return the message that opened the turn, or the last of several consecutive ones."""
    return next((message for message in reversed(messages) if is_human(message)), None)


def turn_id(messages: Sequence[BaseMessage]) -> str:
    """Return the id of a turn that begins now: the id of its human message."""
    human = last_human(messages)
    if human is None:
        return ""
    return human.id or derived_id("tag", len(messages[: messages.index(human)]), str(human.text))


def question(messages: Sequence[BaseMessage], speakers: Speakers = EVERYBODY) -> str:
    """Return the text to recall by: the user's words in the last turn, or else those of others there."""
    turn = last_turn(messages, speakers)
    return "\n".join(message.text for message in turn.human or turn.with_tools if message.role != "assistant")


def turn_beginning(messages: Sequence[BaseMessage], mark: Watermark | None, user_id: str | None) -> int:
    """Return the index of the first message of a turn that begins now: the first after the watermark.

    Without a watermark, if its message was trimmed away, or if it is another user's, the last turn begins there. The
    same goes if no human message came since, because the last one may have been edited under its id. If it was not, its
    commit already exists.
    """
    last = last_turn_start(messages)
    ids = [message.id for message in messages]
    if not mark or mark.get("user_id") != user_id or mark.get("message_id") not in ids:
        return last
    start = ids.index(mark.get("message_id")) + 1
    return start if any(map(is_human, messages[start:])) else min(start, last)


def failed_trajectory(turn: Turn, mask: Callable[[str], str]) -> Trajectory | None:
    """Return the tool calls of a turn, masked and cut to `KEPT_CALL_CHARS`; None if no call failed."""
    if not any(step.failed for step in turn.trajectory):
        return None
    calls = tuple(
        ToolCallOutcome(name=step.name, arguments=mask(step.arguments), result=mask(step.result), failed=step.failed)
        for step in shorten_trajectory(turn.trajectory, KEPT_CALL_CHARS)
    )
    asked = "\n".join(message.text for message in turn.human)
    ids = tuple(message.id for message in turn.human if message.id)
    return Trajectory(asked=mask(clip_middle(asked, KEPT_QUESTION_CHARS)), message_ids=ids, calls=calls)


def commit_id(turn: Turn, identity: Identity, learning_stores: Iterable[str], run: str | None = None) -> str:
    """Return the commit id of a turn; a retry, a resume and a replay get the same one.

    The reply does not count, because a replay answers anew. Messages without ids are told apart by their position;
    without a thread, where the same words may be said again, also by the run.
    """
    human_messages = [
        [message.id or f"#{turn.human_offset + index}", clip_middle(message.text, LONGEST_MESSAGE)]
        for index, message in enumerate(turn.human)
    ]
    unambiguous = identity.thread_id is not None or all(message.id for message in turn.human)
    scope = [identity.user_id, identity.thread_id, identity.agent, None if unambiguous else run]
    return derived_id("turn", *scope, sorted(learning_stores), human_messages)
