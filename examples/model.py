"""The model of the examples: a real one where a key or server is named, else a script that says it is one."""

import os
import re
from collections.abc import Sequence
from typing import Any

from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, SystemMessage
from pydantic import JsonValue

from langgraph_learning.testing import ScriptedChatModel, op

REAL = "The model is {name}."
SCRIPTED = (
    "No OPENAI_API_KEY, OPENAI_BASE_URL or LEARNING_MODEL=provider:name: the model's words are scripted."
    " The rest is real: the graph, SQLite on disk, the parsing of extractions, recall."
)


def chosen(replies: Sequence[Any], extractions: Sequence[Any], *, repeat: bool = False) -> tuple[BaseChatModel, str]:
    """Return the model to use and the line that says what it is."""
    name = os.environ.get("LEARNING_MODEL", "gpt-5.2")
    if ":" in name:
        return init_chat_model(name), REAL.format(name=name)
    if not (os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL")):
        return ScriptedChatModel(replies=replies, extractions=extractions, repeat=repeat), SCRIPTED
    from langchain_openai import ChatOpenAI

    os.environ.setdefault("OPENAI_API_KEY", "none")  # a local server may want none, the client wants one
    return ChatOpenAI(model=name), REAL.format(name=name)


def stand_in_reply(messages: list[BaseMessage]) -> str:
    """Say what a real model would have been shown: a script cannot answer what it does not know."""
    told = [message for message in messages if isinstance(message, SystemMessage)]
    known = [line for message in told for line in str(message.text).splitlines() if line.startswith("- ")]
    shown = "\n".join(known) or "(nothing yet)"
    return f"[scripted] I cannot think of an answer. A model would know this about you:\n{shown}"


def stand_in_extraction(messages: list[BaseMessage]) -> list[dict[str, JsonValue]]:
    """Take sentences about oneself as memories, and names as names: a few patterns, in the place of a model."""
    said = re.findall(r'<message from="user">(.*?)</message>', str(messages[-1].text), flags=re.S)
    operations = []
    for sentence in (part.strip() for text in said for part in re.split(r"(?<=[.!?])\s+", text)):
        if name := re.search(r"(?:my name is|call me) ([^.,!?]+)", sentence, flags=re.I):
            field = "preferred_name" if "call me" in sentence.lower() else "name"
            operations.append(op("update_user_profile", quote=sentence, **{field: name[1].strip()}))
        elif re.match(r"(I|I'm|My|We|Our)\b", sentence) and not sentence.endswith("?"):
            operations.append(op("add_memory", content=sentence, quote=sentence))
    return operations
