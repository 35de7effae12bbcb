"""What stands in for a model in the examples, where no key or server is named."""

import re

from langchain_core.messages import BaseMessage
from pydantic import JsonValue

from langgraph_learning.testing import op


def stand_in_reply(messages: list[BaseMessage]) -> str:
    """Say what a real model would have been shown: a script cannot answer what it does not know."""
    prompt = "\n".join(str(message.text) for message in messages)
    recalled = "\n".join(re.findall("<learning_context>(.*?)</learning_context>", prompt, flags=re.S))
    facts = [line for line in recalled.splitlines() if line.lstrip().startswith("- ")]
    listing = "\n".join(facts) or "(nothing yet)"
    return f"[scripted] I cannot think of an answer. A model would know this about you:\n{listing}"


def stand_in_extraction(messages: list[BaseMessage]) -> list[dict[str, JsonValue]]:
    """Take sentences about oneself as memories, and names as names: a few patterns, in the place of a model."""
    texts = re.findall(r'<message from="user">(.*?)</message>', str(messages[-1].text), flags=re.S)
    operations = []
    for sentence in (part.strip() for text in texts for part in re.split(r"(?<=[.!?])\s+", text)):
        if name := re.search(r"(?:my name is|call me) ([^.,!?]+)", sentence, flags=re.I):
            field = "preferred_name" if "call me" in sentence.lower() else "name"
            operations.append(op("update_user_profile", quote=sentence, **{field: name[1].strip()}))
        elif re.match(r"(I|I'm|My|We|Our)\b", sentence) and not sentence.endswith("?"):
            operations.append(op("add_memory", content=sentence, quote=sentence))
    return operations
