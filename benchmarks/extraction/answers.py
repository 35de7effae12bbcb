"""A model's answers in a file, one line each as they come: an interrupted run goes on where it stopped.

It is a cache of LangChain's, so what counts is the request: the same one is answered from the file, and any change of
prompt, schema or model asks anew. After a change in how answers are read, a second run scores the same answers again.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from langchain_core.caches import RETURN_VAL_TYPE, BaseCache
from langchain_core.messages import AIMessage, message_to_dict, messages_from_dict
from langchain_core.outputs import ChatGeneration


class AnswerFile(BaseCache):
    """What was answered to which request."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._answers: dict[str, dict[str, Any]] = {}
        self.read = 0
        """How many requests were answered from the file."""
        if path.exists():
            rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
            self._answers = {row["request"]: row["answer"] for row in rows}

    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        answer = self._answers.get(_digest(prompt, llm_string))
        if answer is None:
            return None
        self.read += 1
        return [ChatGeneration(message=message) for message in messages_from_dict([answer])]

    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        first = return_val[0]
        if not isinstance(first, ChatGeneration) or not isinstance(first.message, AIMessage):
            return
        key, answer = _digest(prompt, llm_string), message_to_dict(first.message)
        self._answers[key] = answer
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"request": key, "answer": answer}, ensure_ascii=False) + "\n")

    def clear(self, **kwargs: Any) -> None:
        self._answers.clear()
        self._path.unlink(missing_ok=True)


def _digest(prompt: str, llm_string: str) -> str:
    return hashlib.sha256(f"{llm_string}\n{prompt}".encode()).hexdigest()[:24]
