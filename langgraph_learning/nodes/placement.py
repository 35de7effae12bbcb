"""Where the recalled text goes: into the user's last message, or into the system message at the start.

In the user's last message, the text leaves all earlier messages unchanged. Prompt caches need that, and so do providers
that accept only one system message, at the start. But a node may read its own last message, so a wrapped node gets the
text in a system message.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from langchain_core.messages import BaseMessage, SystemMessage, convert_to_messages
from langchain_core.messages.utils import MessageLikeRepresentation

from langgraph_learning._engine.learning.messages import has_human_role

M = TypeVar("M", bound=BaseMessage)
SEPARATOR = "\n\n"
FENCE = "<learning_context>"


def read_messages(value: object) -> list[BaseMessage]:
    """Return the messages of a list that may also hold dicts, tuples and strings; leave out what is not a message."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return []
    return [message for item in value for message in _read_message(item)]


def _read_message(item: object) -> list[BaseMessage]:
    if isinstance(item, BaseMessage):
        return [item]
    try:
        return convert_to_messages([cast("MessageLikeRepresentation", item)])
    except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError):
        return []


def place_in_turn(messages: Sequence[BaseMessage], text: str) -> list[BaseMessage]:
    """Return `messages` with `text` at the start of the user's last message, else in the system message."""
    last = max((place for place, message in enumerate(messages) if has_human_role(message)), default=None)
    if not text or _is_shown(messages, text):
        return list(messages)
    if last is None:
        return place_in_system(messages, text)
    return [*messages[:last], _with_text(messages[last], text, before=True), *messages[last + 1 :]]


def place_in_system(messages: Sequence[BaseMessage], text: str, id: str | None = None) -> list[BaseMessage]:
    """Return `messages` with `text` in the system message at the start; add that message if there is none.

    Args:
        messages: The messages for the model.
        text: The recalled text.
        id: The id for the message that holds the text; by default it keeps its own.
    """
    if not text or _is_shown(messages, text):
        return list(messages)
    head = next((place for place, message in enumerate(messages) if not isinstance(message, SystemMessage)), None)
    leading = len(messages) if head is None else head
    if not leading:
        return [SystemMessage(text, id=id), *messages]
    shown = _with_text(messages[leading - 1], text, before=False)
    shown = shown.model_copy(update={"id": id}) if id else shown
    return [*messages[: leading - 1], shown, *messages[leading:]]


@dataclass(frozen=True)
class View:
    """A node's messages with the recalled text in them, and the data to take the text out again."""

    messages: list[Any]
    shown: object = None
    """The message that holds the text."""
    original: object = None
    """The message that was in its place; None if the message was added."""

    def restore(self, messages: Sequence[Any]) -> list[Any]:
        """Return `messages` without the text: put the original back, or drop the message if it was added."""
        return [
            message
            for given in messages
            for message in ([given] if not self.holds(given) else [self.original] if self.original is not None else [])
        ]

    def holds(self, message: object) -> bool:
        """Return whether `message` is the one that holds the text, even if a node has copied it."""
        if self.shown is None or not isinstance(message, BaseMessage | Mapping | tuple):
            return False
        same_id = message_id(message) is not None and message_id(message) == message_id(self.shown)
        return message is self.shown or message == self.shown or (same_id and FENCE in str(message_text(message)))


def show_in_turn(messages: Sequence[Any], text: str) -> View:
    """Return a view with the text in the user's last message."""
    objects = read_messages(messages)
    return _view(objects if len(objects) == len(messages) else messages, place_in_turn(objects, text))


def show_first(messages: Sequence[Any], text: str, id: str) -> View:
    """Return a view with the text in a system message, which comes first.

    Args:
        messages: The node's messages: message objects, or the dicts or tuples that some graphs keep.
        text: The recalled text.
        id: The id for the message that holds the text.
    """
    # The state may still hold the text of an earlier turn, under our id: leave it out.
    others = [message for message in messages if message_id(message) != id or _is_shown([message], text)]
    if not text or all(isinstance(message, BaseMessage) for message in others):
        return _view(others, place_in_system(others, text, id))
    raw = {"role": "system", "content": text, "id": id} if isinstance(others[0], Mapping) else ("system", text)
    return View([raw, *others], raw)


def _view(before: Sequence[Any], after: list[BaseMessage]) -> View:
    """Return the view of `after`, with the one message in which it differs from `before`."""
    if len(after) > len(before):
        return View(after, after[0])
    changed = [(new, old) for new, old in zip(after, before, strict=True) if new is not old]
    return View(after, *changed[0]) if changed else View(after)


def message_id(message: object) -> str | None:
    """Return the id of a message in any form; None if it has none."""
    return message.get("id") if isinstance(message, Mapping) else getattr(message, "id", None)


def message_text(message: object) -> object:
    """Return the text of a message in any form."""
    return message.get("content") if isinstance(message, Mapping) else getattr(message, "text", message)


def _is_shown(messages: Sequence[object], text: str) -> bool:
    """Return whether a message already holds the text, as when a wrapped node calls a wrapped model."""
    return any(text in str(message_text(message)) for message in messages)


def _with_text(message: M, text: str, *, before: bool) -> M:
    """Return a copy of `message` with `text` before or after its content; other content blocks stay as they are."""
    content = message.content
    if isinstance(content, str):
        parts = [text, content] if before else [content, text]
        return message.model_copy(update={"content": SEPARATOR.join(part for part in parts if part)})
    block: dict[str, Any] = {"type": "text", "text": text}
    return message.model_copy(update={"content": [block, *content] if before else [*content, block]})
