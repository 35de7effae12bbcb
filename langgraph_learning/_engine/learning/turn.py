"""A turn as plain data: what was said and done from one message of the user to the end of the reply."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import TypedDict
from uuid import UUID, uuid5

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
from langgraph_learning.records import Identity, Provenance, ToolCallOutcome, Trajectory

ANCHORS = 20
"""With how many ids of the messages before it a turn is kept: its beginning is found again by any of them."""
KEPT_CHARS = 64_000
"""How much of the turns that wait is kept, in characters: the newest."""
KEPT_TOOL_CHARS = 2_000
"""How much of what a tool returned is kept with a turn that waits, in characters."""

KEPT_CALL_CHARS = 4_000
"""How much of a trajectory is kept with the commit of its turn, in characters."""
KEPT_QUESTION_CHARS = 500

_NAMESPACE = UUID("6f1c1a52-9c5d-5d0e-8f5b-0b8f2a3c7d41")


class Watermark(TypedDict, total=False):
    """How far a thread has been learned from, and whose turn that was; JSON, for graph state."""

    message_id: str
    user_id: str | None


@dataclass(frozen=True, slots=True)
class Turn:
    """What to learn from: messages, what tools returned meanwhile, and the agent's calls of them.

    `human_offset` is how many of the user's texts came before it in the conversation. Nobody learns from `tools` and
    `trajectory` unless told to.
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
    def with_tools(self) -> tuple[TurnMessage, ...]:
        """The messages and what tools returned, in order."""
        return tuple(sorted((*self.messages, *self.tools), key=lambda message: message.position))

    def after(self, earlier: "Turn") -> "Turn":
        """Return `earlier` and then this one, as one turn."""
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
            tuple(replace(each, position=each.position + shift) for each in self.messages),
            self.human_offset,
            tuple(replace(each, position=each.position + shift) for each in self.tools),
            tuple(replace(each, position=each.position + shift) for each in self.trajectory),
        )


@dataclass(frozen=True)
class TurnInput:
    """A turn to learn from, as plain data: what was said, by whom, when, where it is kept, and in which run.

    It travels as JSON: in the private state of a graph until it is learned from, and to jobs that learn elsewhere.

    ```python
    row = turn.to_json()
    assert TurnInput.from_json(row) == turn
    ```
    """

    turn: Turn
    identity: Identity
    at: datetime
    """When it is learned from; when something was said stands in each message."""
    checkpoint_id: str | None = None
    run: str | None = None
    provenance: Provenance = field(default_factory=Provenance)
    anchors: tuple[str, ...] = ()
    """The ids of the last messages before it."""

    @property
    def said_at(self) -> datetime:
        """When the user last said something: relative dates of what has no date of its own count from here."""
        return max((message.said_at for message in self.turn.human if message.said_at), default=self.at)

    def to_json(self) -> dict[str, JsonValue]:
        """Return it as plain JSON, long texts without their middle."""
        turn = replace(
            self.turn,
            messages=tuple(replace(each, text=clip_middle(each.text, LONGEST_MESSAGE)) for each in self.turn.messages),
            tools=tuple(replace(each, text=clip_middle(each.text, KEPT_TOOL_CHARS)) for each in self.turn.tools),
            trajectory=shorten_trajectory(self.turn.trajectory),
        )
        dumped: dict[str, JsonValue] = _adapter().dump_python(
            replace(self, turn=turn), mode="json", exclude_defaults=True
        )
        return dumped

    @classmethod
    def from_json(cls, value: object) -> "TurnInput":
        """Read one back.

        Raises:
            pydantic.ValidationError: It is none: private state can be forged.
        """
        return _adapter().validate_python(value)


@cache
def _adapter() -> TypeAdapter[TurnInput]:
    return TypeAdapter(TurnInput)


def join_turns(turns: Sequence[TurnInput]) -> TurnInput:
    """Return turns of one user as one, which is learned from in one call; it counts as the last of them."""
    joined = turns[0].turn
    for later in turns[1:]:
        joined = later.turn.after(joined)
    return replace(turns[-1], turn=joined, anchors=turns[0].anchors)


def keep_newest(turns: Iterable[TurnInput]) -> list[TurnInput]:
    """Return the newest turns that fit into `KEPT_CHARS`, and the last in any case."""
    kept: list[TurnInput] = []
    room = KEPT_CHARS
    for turn in reversed(list(turns)):
        room -= sum(min(len(message.text), LONGEST_MESSAGE) for message in turn.turn.messages)
        if kept and room < 0:
            break
        kept.insert(0, turn)
    return kept


def turn_since(
    messages: Sequence[BaseMessage],
    mark: Watermark | None,
    user_id: str | None,
    speakers: Speakers = EVERYBODY,
    said_at: datetime | None = None,
) -> Turn:
    """Return what was said after the watermark, or the last turn: see `turn_beginning`."""
    start = turn_beginning(messages, mark, user_id)
    before = count_user_messages(messages[:start], speakers)
    return replace(turn_of(messages[start:], speakers, said_at), human_offset=before)


def turn_of(messages: Sequence[BaseMessage], speakers: Speakers = EVERYBODY, said_at: datetime | None = None) -> Turn:
    """Return everything that was said in `messages`."""
    words, returned, trajectory = read_messages(messages, speakers, said_at)
    return Turn(tuple(words), 0, tuple(returned), tuple(trajectory))


def last_turn(messages: Sequence[BaseMessage], speakers: Speakers = EVERYBODY) -> Turn:
    """Return what was said, and returned by tools, since the user's last words."""
    return turn_of(messages[last_turn_start(messages) :], speakers)


def complete_turn(
    kept: TurnInput, messages: Sequence[BaseMessage], speakers: Speakers, said_at: datetime | None = None
) -> TurnInput:
    """Return a turn that was kept at its beginning with all that was said and done since.

    What is no longer in `messages` stands as it was kept; what was changed there, say redacted, stands as it is now.
    """
    window = turn_of(messages[_beginning(kept, messages) :], speakers, said_at)
    earlier = {_key(message): message.said_at for message in kept.turn.messages}
    current = tuple(
        replace(message, said_at=earlier.get(_key(message)) or message.said_at) for message in window.messages
    )
    gone = Turn(
        _without(kept.turn.messages, current),
        kept.turn.human_offset,
        _without(kept.turn.tools, window.tools),
        tuple(step for step in kept.turn.trajectory if step.id not in {each.id for each in window.trajectory}),
    )
    return replace(kept, turn=replace(window, messages=current).after(gone))


def _beginning(kept: TurnInput, messages: Sequence[BaseMessage]) -> int:
    """Return the index in `messages` from which on everything belongs to the turn."""
    ids = [message.id for message in messages]
    own = {message.id for message in (*kept.turn.messages, *kept.turn.tools) if message.id}
    if not (kept.turn.messages or kept.turn.tools or kept.anchors):  # it began in an empty thread: all of it is here
        return 0
    if present := [index for index, id in enumerate(ids) if id in own]:
        return present[0]
    if not own and kept.turn.messages:  # messages without ids: the last that says what the turn began with
        first = kept.turn.messages[0].text
        return max((index for index, message in enumerate(messages) if str(message.text).strip() == first), default=0)
    if present := [index for index, id in enumerate(ids) if id in kept.anchors]:
        return present[-1] + 1
    # Everything from before is gone, so what is left came after. Where the user's first words were kept, a human
    # message that leads it is none of theirs: summaries and rewritten questions stand there.
    if not kept.turn.human:
        return 0
    return next((index for index, message in enumerate(messages) if not is_human(message)), len(messages))


def _key(message: TurnMessage) -> object:
    return message.id or (message.role, message.text)


def _without(kept: Iterable[TurnMessage], current: Iterable[TurnMessage]) -> tuple[TurnMessage, ...]:
    there = {_key(message) for message in current}
    return tuple(message for message in kept if _key(message) not in there)


def watermark(messages: Sequence[BaseMessage], user_id: str | None) -> Watermark | None:
    """Return the mark after the last message; None when it has no id to find it by."""
    last = messages[-1].id if messages else None
    return Watermark(message_id=last, user_id=user_id) if last else None


def last_human(messages: Sequence[BaseMessage]) -> BaseMessage | None:
    """Return the message that opened the turn, or the last of several in a row."""
    return next((message for message in reversed(messages) if is_human(message)), None)


def turn_id(messages: Sequence[BaseMessage]) -> str:
    """Return what tells a turn that begins now from others: the id of its human message."""
    human = last_human(messages)
    if human is None:
        return ""
    return human.id or derived_id("tag", len(messages[: messages.index(human)]), str(human.text))


def question(messages: Sequence[BaseMessage], speakers: Speakers = EVERYBODY) -> str:
    """Return the text to recall by: what the user asked in the last turn, else what somebody else wrote there."""
    turn = last_turn(messages, speakers)
    return "\n".join(message.text for message in turn.human or turn.with_tools if message.role != "assistant")


def turn_beginning(messages: Sequence[BaseMessage], mark: Watermark | None, user_id: str | None) -> int:
    """Return the index of the first message of a turn that begins now: the first after the watermark.

    Without one, when its message was trimmed away, or when it is another user's, that is where the last turn begins. So
    it is when no human message came since: the last may have been edited under its id. If it was not, its commit is
    there already.
    """
    last = last_turn_start(messages)
    ids = [message.id for message in messages]
    if not mark or mark.get("user_id") != user_id or mark.get("message_id") not in ids:
        return last
    start = ids.index(mark.get("message_id")) + 1
    return start if any(map(is_human, messages[start:])) else min(start, last)


def failed_trajectory(turn: Turn, mask: Callable[[str], str]) -> Trajectory | None:
    """Return the tool calls of a turn, masked and cut to `KEPT_CALL_CHARS`; None where none of them failed."""
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
    """Return the id under which a turn is learned, once: a retry, a resume and a replay come to the same.

    The answer does not count (a replay answers anew). Messages without ids are told apart by their position; in no
    thread, where the same words may be said again, by the run as well.
    """
    heard = [
        [message.id or f"#{turn.human_offset + index}", clip_middle(message.text, LONGEST_MESSAGE)]
        for index, message in enumerate(turn.human)
    ]
    told_apart = identity.thread_id is not None or all(message.id for message in turn.human)
    scope = [identity.user_id, identity.thread_id, identity.agent, None if told_apart else run]
    return derived_id("turn", *scope, sorted(learning_stores), heard)


def derived_id(*parts: object) -> str:
    """Return the id that follows from `parts`, the same every time."""
    digest = hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()
    return str(uuid5(_NAMESPACE, digest))
