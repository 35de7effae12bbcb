"""The examples in the extraction prompt, and how to tell their words from those of the user.

Examples help small models a lot, and small models copy them into the answer. So everything in them is invented, with
words that nobody uses, and an operation with such a word is refused unless the turn has it too.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TypedDict, cast

from pydantic import JsonValue

from langgraph_learning import prompts
from langgraph_learning._engine.learning.operation_schema import operation_schema
from langgraph_learning.stores import Operation
from langgraph_learning.words import fold, words

MOST_EXAMPLES = 4


class Example(TypedDict, total=False):
    """A turn, the records stored before it, and the right operations for it."""

    turn: list[tuple[str, str]]
    stored: list[str]
    needs: list[str]
    """The operations that the example needs to make sense."""
    operations: list[dict[str, JsonValue]]


@cache
def _load() -> dict[str, list[JsonValue]]:
    loaded: dict[str, list[JsonValue]] = json.loads(prompts.read("examples.json"))
    return loaded


@cache
def invented_words() -> frozenset[str]:
    """Return the words that only the examples use, folded."""
    return frozenset(fold(str(word)) for word in _load()["invented"])


def render_examples(offered: Sequence[type[Operation]]) -> str:
    """Return the examples that fit the offered operations, as text."""
    kinds = {kind.__name__: kind for kind in offered}
    shown: list[str] = []
    for example in cast("list[Example]", _load()["examples"]):
        answer = [
            _complete(operation, kinds) for operation in example["operations"] if str(operation["operation"]) in kinds
        ]
        taught = any(operation["operation"] != "update_session_context" for operation in example["operations"])
        fits = set(example.get("needs", [])) <= kinds.keys()
        # An empty answer would be wrong for a turn that teaches something.
        if (
            fits
            and len(shown) < MOST_EXAMPLES
            and not (taught and all(_only_session(operation) for operation in answer))
        ):
            shown.append(_render(example, answer, len(shown) + 1))
    return "\n\n".join(shown)


def _only_session(operation: dict[str, JsonValue]) -> bool:
    return operation["operation"] == "update_session_context"


def _complete(given: dict[str, JsonValue], kinds: dict[str, type[Operation]]) -> dict[str, JsonValue]:
    """Return an operation with all keys of an answer, in their order; missing ones are blank."""
    properties = cast("dict[str, dict[str, JsonValue]]", operation_schema(kinds[str(given["operation"])])["properties"])
    blanks: dict[str, JsonValue] = {"array": [], "string": ""}
    return {name: given.get(name, blanks.get(str(field.get("type")))) for name, field in properties.items()}


def _render(example: Example, answer: list[dict[str, JsonValue]], number: int) -> str:
    stored = [f"<stored>\n{chr(10).join(example['stored'])}\n</stored>"] if "stored" in example else []
    lines = [f'<message from="{role}">{prompts.escape(text)}</message>' for role, text in example["turn"]]
    answer_json = json.dumps({"operations": answer}, ensure_ascii=False)
    return "\n".join([f"Example {number}", *stored, "<turn>", *lines, "</turn>", f"Answer: {answer_json}"])


def copied_words(texts: Iterable[str], turn_texts: Iterable[str]) -> list[str]:
    """Return the words of an operation that only an example can have taught."""
    spoken = {word for text in turn_texts for word in words(text)}
    return [word for text in texts for word in words(text) if word in invented_words() and word not in spoken]
