"""What extraction looks at, as plain data: the human and AI text since the thread's watermark."""

import hashlib
import json
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict
from uuid import UUID, uuid5

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from langgraph_learning.records import Identity

BEGINNING = ""
"""The message id of a watermark before the first message."""

_NAMESPACE = UUID("6f1c1a52-9c5d-5d0e-8f5b-0b8f2a3c7d41")


class Watermark(TypedDict, total=False):
    """How far a thread has been learned from, and whose turn that was; JSON, for graph state."""

    message_id: str
    user_id: str | None


@dataclass(frozen=True, slots=True)
class TurnMessage:
    """One message of the turn: who said what, and where in the conversation."""

    role: str
    text: str
    id: str | None = None
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Turn:
    """The messages to learn from.

    `position` is how many human texts came before them in the conversation; `tools` is what tools returned meanwhile,
    which nobody learns from unless told to.
    """

    messages: tuple[TurnMessage, ...]
    human_offset: int = 0
    tools: tuple[TurnMessage, ...] = ()

    @property
    def human(self) -> tuple[TurnMessage, ...]:
        """What the user said."""
        return tuple(said for said in self.messages if said.role == "user")

    @property
    def with_tools(self) -> tuple[TurnMessage, ...]:
        """What was said and what tools returned, in order."""
        return tuple(sorted((*self.messages, *self.tools), key=lambda said: said.position))


@dataclass(frozen=True)
class TurnInput:
    """A turn to learn from, as plain data: what was said, by whom, when, where it is kept, and in which run.

    `turn_id` is the turn's name, and `graph_ns` the graph it is learned in: review finds the turn's proposals by them.
    `recalled` is what the turn was shown, as learning store and id: what feedback on it is about.
    """

    turn: Turn
    identity: Identity
    at: datetime
    checkpoint_id: str | None = None
    run: str | None = None
    turn_id: str = ""
    graph_ns: str = ""
    recalled: tuple[tuple[str, str], ...] = ()


def turn_since(
    messages: Sequence[BaseMessage], mark: Watermark | None, user_id: str | None, ours: Container[str | None] = ()
) -> Turn:
    """Return what was said after the watermark.

    Without one, when its message was trimmed away, or when it is another user's: the last turn only.

    Args:
        messages: The conversation.
        mark: The watermark.
        user_id: Who speaks.
        ours: The names of the learning tools: what they return is what was learned, not what a stranger wrote.
    """
    start = _start(messages, mark, user_id)
    before = sum(said.role == "user" for said in _conversation_messages(messages[:start]))
    return Turn(tuple(_conversation_messages(messages[start:])), before, tuple(_tool_messages(messages[start:], ours)))


def turn_of(messages: Sequence[BaseMessage], ours: Container[str | None] = ()) -> Turn:
    """Return everything that was said in `messages`."""
    return Turn(tuple(_conversation_messages(messages)), tools=tuple(_tool_messages(messages, ours)))


def last_turn(messages: Sequence[BaseMessage], ours: Container[str | None] = ()) -> Turn:
    """Return what was said, and returned by tools, since the user's last words."""
    return turn_of(messages[_last_turn(messages) :], ours)


def watermark(messages: Sequence[BaseMessage], user_id: str | None) -> Watermark | None:
    """Return the mark after the last message; None when it has no id to find it by."""
    last = messages[-1].id if messages else None
    return Watermark(message_id=last, user_id=user_id) if last else None


def mark_before(messages: Sequence[BaseMessage], mark: Watermark | None, user_id: str | None) -> Watermark | None:
    """Return the mark before the window: a turn that could not be learned from is heard again with the next one."""
    start = _start(messages, mark, user_id)
    before = messages[start - 1].id if start else BEGINNING
    return Watermark(message_id=before, user_id=user_id) if before is not None else None


def last_human(messages: Sequence[BaseMessage]) -> BaseMessage | None:
    """Return the message that opened the turn, or the last of several in a row."""
    return next((message for message in reversed(messages) if _is_from_human(message)), None)


def question(messages: Sequence[BaseMessage]) -> str:
    """Return what the user asked in the last turn: what recall looks for."""
    return "\n".join(
        said.text for said in _conversation_messages(messages[_last_turn(messages) :]) if said.role == "user"
    )


def _start(messages: Sequence[BaseMessage], mark: Watermark | None, user_id: str | None) -> int:
    """The index of the first message to learn from."""
    if mark and mark.get("user_id") == user_id:
        seen, ids = mark.get("message_id"), [message.id for message in messages]
        if seen == BEGINNING or seen in ids:
            return 0 if seen == BEGINNING else ids.index(seen) + 1
    return _last_turn(messages)


def _last_turn(messages: Sequence[BaseMessage]) -> int:
    """The index of the first of the human messages in a row that opened the last turn."""
    start = len(messages)
    for index in range(len(messages) - 1, -1, -1):
        if _is_from_human(messages[index]):
            start = index
        elif start < len(messages) and isinstance(messages[index], AIMessage):
            break
    return start


def _is_from_human(message: BaseMessage) -> bool:
    """A human message that a person wrote: middleware marks those it makes (summaries) with their source."""
    return isinstance(message, HumanMessage) and not message.additional_kwargs.get("lc_source")


def _conversation_messages(messages: Iterable[BaseMessage]) -> Iterable[TurnMessage]:
    """Human and AI text: no system text, no tool output, nothing that recall put there."""
    for place, message in enumerate(messages):
        role = "user" if _is_from_human(message) else "assistant" if isinstance(message, AIMessage) else None
        text = str(message.text).strip()
        if role and text:
            yield TurnMessage(role, text, message.id, place)


def _tool_messages(messages: Iterable[BaseMessage], ours: Container[str | None]) -> Iterable[TurnMessage]:
    """What tools returned, but for those that only tell what was learned."""
    for place, message in enumerate(messages):
        if isinstance(message, ToolMessage) and message.name not in ours and str(message.text).strip():
            yield TurnMessage("tool", str(message.text).strip(), message.id, place)


def commit_id(turn: Turn, identity: Identity, learning_stores: Iterable[str], run: str | None = None) -> str:
    """Return the id under which a turn is learned, once: a retry, a resume and a replay come to the same.

    The answer does not count (a replay answers anew). Messages without ids are told apart by their position; in no
    thread, where the same words may be said again, by the run as well.
    """
    heard = [[said.id or f"#{turn.human_offset + index}", said.text] for index, said in enumerate(turn.human)]
    told_apart = identity.thread_id is not None or all(said.id for said in turn.human)
    scope = [identity.user_id, identity.thread_id, identity.agent, None if told_apart else run]
    return derived_id("turn", *scope, sorted(learning_stores), heard)


def derived_id(*parts: object) -> str:
    """Return the id that follows from `parts`, the same every time."""
    digest = hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()
    return str(uuid5(_NAMESPACE, digest))
