"""The model of these graphs: a real one where a key or LEARNING_MODEL names it, else a script that says it is one."""

import logging
from collections.abc import Callable
from functools import cache

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from pydantic import JsonValue

from examples.model import stand_in_extraction, stand_in_reply
from langgraph_learning.testing import model_or_script, op

Reply = Callable[[list[BaseMessage]], str | AIMessage]
Extraction = Callable[[list[BaseMessage]], list[dict[str, JsonValue]]]
log = logging.getLogger(__name__)


def the_model(reply: Reply = stand_in_reply, extraction: Extraction = stand_in_extraction) -> BaseChatModel:
    """Return the model, and let the server's log say whose words it speaks.

    Args:
        reply: What the script answers.
        extraction: What the script takes from a turn.
    """
    model, model_note = model_or_script([reply], [extraction], repeat=True)
    _say_once(model_note)
    return model


@cache
def _say_once(line: str) -> None:
    log.warning(line)


def reads_tools(wants: Callable[[str], AIMessage | None]) -> Reply:
    """Return a scripted reply that calls the tool that `wants` reads from the question, and repeats what it says."""

    def reply(messages: list[BaseMessage]) -> str | AIMessage:
        last = messages[-1]
        if isinstance(last, ToolMessage):
            return f"[scripted] The tool {last.name} says: {last.text}"
        return wants(str(last.text)) or stand_in_reply(messages)

    return reply


def with_summary(messages: list[BaseMessage]) -> list[dict[str, JsonValue]]:
    """Take what the stand-in takes, and keep a session context."""
    learned = stand_in_extraction(messages)
    quotes = [str(operation["quote"]) for operation in learned]
    summary = f"[scripted] The user told: {' '.join(quotes)}" if quotes else "[scripted] The user asked something."
    return [*learned, op("update_session_context", summary=summary)]
