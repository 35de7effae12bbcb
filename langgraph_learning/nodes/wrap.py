"""`wrap`: a node of the user's, as it is, that sees the recalled text as the first of its messages."""

import copy
import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import get_type_hints

from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.types import Command, Overwrite, Send
from pydantic import BaseModel

from langgraph_learning._engine.settings import MachineSettings
from langgraph_learning.langgraph_private import as_runnable
from langgraph_learning.nodes.flow_node import Node, annotate
from langgraph_learning.nodes.identity import get_field
from langgraph_learning.nodes.run_context import Run
from langgraph_learning.nodes.steps import text_step, with_context


class Wrapped(Node):
    """Shows the recalled text to `node` and takes it out of what the node returns."""

    def __init__(self, node: object, settings: MachineSettings) -> None:
        self._node, self._settings = as_runnable(node), settings
        self.name = getattr(node, "name", None) or getattr(node, "__name__", None) or type(node).__name__
        if self.name == "<lambda>":
            self.name = "agent"
        annotate(self, *hints(node))

    def __call__(self, state: object) -> object:
        """Stand for the signature of the user's node."""
        return self.invoke(state)

    def invoke(self, input: object, config: RunnableConfig | None = None, **kwargs: object) -> object:
        """Run the node on a state that shows the recalled text."""
        run, messages = Run.current(self._settings, config), get_messages(input, self._settings.messages_key)
        text = run.driver.run(text_step(run, input, messages)) if messages is not None else ""
        return without_context(self._node.invoke(self._with_text(input, messages, text), config), self._settings)

    async def ainvoke(self, input: object, config: RunnableConfig | None = None, **kwargs: object) -> object:
        """Run the node on a state that shows the recalled text."""
        run, messages = Run.current(self._settings, config), get_messages(input, self._settings.messages_key)
        text = await run.driver.arun(text_step(run, input, messages)) if messages is not None else ""
        answer = await self._node.ainvoke(self._with_text(input, messages, text), config)
        return without_context(answer, self._settings)

    def _with_text(self, state: object, messages: list[BaseMessage] | None, text: str) -> object:
        if messages is None or not text:
            return state
        return with_value(state, self._settings.messages_key, with_context(messages, text, self._settings))


def get_messages(state: object, key: str) -> list[BaseMessage] | None:
    """Return the messages of a state of any kind; None where it has none."""
    found = get_field(state, key)
    return list(found) if isinstance(found, Sequence) and not isinstance(found, str) else None


def with_value(state: object, key: str, value: object) -> object:
    """Return a copy of `state` with another value for `key`, whatever kind of state it is."""
    if isinstance(state, Mapping):
        return {**state, key: value}
    if isinstance(state, BaseModel):
        return state.model_copy(update={key: value})
    changed = copy.copy(state)
    object.__setattr__(changed, key, value)  # also a frozen dataclass, without running its __post_init__ again
    return changed


def without_context(answer: object, settings: MachineSettings) -> object:
    """Return what a node answered without our message, also inside commands and lists of them."""
    if isinstance(answer, Command):
        update, goto = without_context(answer.update, settings), without_context(answer.goto, settings)
        return dataclasses.replace(answer, update=update, goto=goto)
    if isinstance(answer, Send):
        return Send(answer.node, without_context(answer.arg, settings), timeout=answer.timeout)
    if (
        isinstance(answer, tuple) and len(answer) == 2 and answer[0] == settings.messages_key
    ):  # an update written as pairs
        return (answer[0], _drop_context(answer[1], settings.context_id))
    if isinstance(answer, list | tuple):
        return type(answer)(without_context(item, settings) for item in answer)
    if isinstance(answer, Mapping):  # a node may copy its messages under another key
        clean = {key: _drop_context(value, settings.context_id) for key, value in answer.items()}
        return clean if any(clean[key] is not answer[key] for key in clean) else answer
    value = get_field(answer, settings.messages_key)
    cleaned = _drop_context(value, settings.context_id)
    return answer if cleaned is value else with_value(answer, settings.messages_key, cleaned)


def _drop_context(value: object, ours: str) -> object:
    if isinstance(value, Overwrite):
        return Overwrite(_drop_context(value.value, ours))
    if isinstance(value, list) and any(getattr(message, "id", None) == ours for message in value):
        return [message for message in value if getattr(message, "id", None) != ours]
    if isinstance(value, BaseMessage) and value.id == ours:
        return []
    return value


def hints(node: object) -> tuple[object, object]:
    """Return the annotations of a node's state and result, as LangGraph would read them; None where there are none."""
    function = node if inspect.isroutine(node) else getattr(node, "__call__", None)  # noqa: B004 - its signature
    if function is None or (isinstance(node, Runnable) and "__call__" not in dir(type(node))):
        return None, None
    try:
        found = get_type_hints(function)
        first = next(iter(inspect.signature(node).parameters), "")  # type: ignore[arg-type]
    except (NameError, TypeError, ValueError):
        return None, None
    return found.get(first), found.get("return")
