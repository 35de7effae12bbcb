"""`wrap`: a user's node, unchanged, that gets the recalled text as the first of its messages."""

import copy
import dataclasses
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast, get_type_hints

from langchain_core.language_models import BaseLanguageModel
from langchain_core.messages import BaseMessage, RemoveMessage, convert_to_messages
from langchain_core.messages.utils import MessageLikeRepresentation
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langgraph.errors import ParentCommand
from langgraph.pregel import Pregel
from langgraph.types import Command, Overwrite, Send
from pydantic import BaseModel

from langgraph_learning._engine.flow import Flow
from langgraph_learning._engine.settings import MachineSettings, Placement
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.langgraph_private import as_runnable, read_channel
from langgraph_learning.nodes.delivery_check import ModelCalls
from langgraph_learning.nodes.flow_node import Node, annotate, refuse_cache
from langgraph_learning.nodes.identity import get_field
from langgraph_learning.nodes.kept_turns import observe_replies
from langgraph_learning.nodes.placement import View, read_messages, show_first, show_in_turn
from langgraph_learning.nodes.run_context import Run
from langgraph_learning.nodes.steps import text_step

NOTHING_KNOWN = "Nothing is known from earlier conversations."


class Shower:
    """The wrapper that adds the recalled text to a node's input, and removes it from the node's answer."""

    def __init__(self, name: str, settings: MachineSettings, placement: Placement, *, remembers: bool = False) -> None:
        self.name, self._settings, self._placement, self._remembers = name, settings, placement, remembers

    def run(
        self, state: object, config: RunnableConfig | None, call: Callable[[object, RunnableConfig], object]
    ) -> object:
        """Call a node with a state that holds the text, and return its answer without the text."""
        run, messages = self._begin(state, config)
        text = run.driver.run(text_step(run, read_messages(messages))) if messages is not None else ""
        view, calls = self._view(messages or [], text), ModelCalls(run, self.name, text)
        try:
            with calls.watch(config or {}) as watched:
                answer = call(self._with_text(state, messages, view), watched)
            self._observe(run, messages, answer)
        except ParentCommand as handoff:  # a `Command` to the parent graph: its messages may hold the text
            raise self._handoff(handoff, view) from None
        return restore(answer, view, self._settings.messages_key)

    async def arun(
        self, state: object, config: RunnableConfig | None, call: Callable[[object, RunnableConfig], Awaitable[object]]
    ) -> object:
        """Call an async node, as `run` calls a sync one."""
        run, messages = self._begin(state, config)
        text = await run.driver.arun(text_step(run, read_messages(messages))) if messages is not None else ""
        view, calls = self._view(messages or [], text), ModelCalls(run, self.name, text)
        try:
            with calls.watch(config or {}) as watched:
                answer = await call(self._with_text(state, messages, view), watched)
            self._observe(run, messages, answer)
        except ParentCommand as handoff:
            raise self._handoff(handoff, view) from None
        return restore(answer, view, self._settings.messages_key)

    def _observe(self, run: Run, messages: list[Any] | None, answer: object) -> None:
        """Remember the replies in a node's answer, also in one that is a command."""
        said = get_field(answer.update if isinstance(answer, Command) else answer, self._settings.messages_key)
        # One message may stand alone, also as a tuple of role and text.
        observe_replies(run, read_messages(messages or []), read_messages(said if isinstance(said, list) else [said]))

    def _handoff(self, handoff: ParentCommand, view: View) -> ParentCommand:
        return ParentCommand(cast("Command[Any]", restore(handoff.args[0], view, self._settings.messages_key)))

    def _begin(self, state: object, config: RunnableConfig | None) -> tuple[Run, list[object] | None]:
        run = Run.current(self._settings, config)
        refuse_cache(run, self.name)
        messages = _raw_messages(state, self._settings.messages_key)
        if messages is None:
            run.settings.warn_once(
                f"no messages in {self.name}",
                f"the node {self.name!r} is shown nothing: its state has no {self._settings.messages_key!r}. Give its"
                " chat model to learning.model(...), or LearningMachine(messages_key=...) the key it has",
            )
        return run, messages

    def _view(self, messages: Sequence[object], text: str) -> View:
        # A graph with its own memory (`checkpointer=True`) still holds the last text, maybe another user's. So the text
        # is always replaced, even by "nothing is known".
        if self._remembers:
            return show_first(messages, text or NOTHING_KNOWN, self._settings.context_id)
        if self._placement == "turn":
            return show_in_turn(messages, text) if text else View(list(messages))
        return show_first(messages, text, self._settings.context_id)

    def _with_text(self, state: object, messages: list[object] | None, view: View) -> object:
        if messages is None or view.shown is None:
            return state
        return with_value(state, self._settings.messages_key, view.messages)


class Wrapped(Node):
    """A node that calls the user's `node` with the recalled text, and removes the text from its answer."""

    def __init__(
        self, node: object, settings: MachineSettings, placement: Placement = "system", name: str | None = None
    ) -> None:
        if isinstance(node, BaseLanguageModel):
            raise ConfigurationError(
                f"wrap() and around() take a node or a graph, not a model ({type(node).__name__}): give a chat model to"
                " learning.model(...)"
            )
        try:
            self._node = as_runnable(node)
        except TypeError as error:
            raise ConfigurationError(
                f"wrap() and around() take a node, such as a function or a Runnable, or a graph, not {node!r:.80}"
            ) from error
        self.name = name or getattr(node, "name", None) or getattr(node, "__name__", None) or type(node).__name__
        if self.name == "<lambda>":
            self.name = "agent"
        self._shower = Shower(self.name, settings, placement)
        annotate(self, *hints(node))

    def __call__(self, state: object) -> object:
        """Run the node; `annotate` gives each instance a version with the user's type hints, for LangGraph to read."""
        return self.invoke(state)

    def invoke(self, input: object, config: RunnableConfig | None = None, **kwargs: object) -> object:
        """Run the node on a state that holds the recalled text."""
        return self._shower.run(input, config, self._node.invoke)

    async def ainvoke(self, input: object, config: RunnableConfig | None = None, **kwargs: object) -> object:
        """Run the node on a state that holds the recalled text."""
        return await self._shower.arun(input, config, self._node.ainvoke)


def show_to_graph(
    graph: Pregel[Any, Any, Any, Any], settings: MachineSettings, name: str, *, deletes: bool = False
) -> Node:
    """Return a compiled graph as a node that gets the text in its input; xray and state snapshots still see the graph.

    Args:
        graph: The compiled graph.
        settings: The machine.
        name: The name of its node.
        deletes: Whether a message that the graph deletes is deleted in the outer graph too.
    """
    remembers = graph.checkpointer is True
    shower = Shower(name, settings, settings.placement, remembers=remembers)

    # Closures on purpose: LangGraph finds a subgraph in the variables that a node's function closes over.
    def call(state: object, config: RunnableConfig) -> object:
        answer = shower.run(state, config, lambda given, watched: graph.invoke(given, watched))
        return with_deletions(state, answer, settings.messages_key) if deletes else answer

    async def acall(state: object, config: RunnableConfig) -> object:
        answer = await shower.arun(state, config, lambda given, watched: graph.ainvoke(given, watched))
        return with_deletions(state, answer, settings.messages_key) if deletes else answer

    return RunnableLambda(call, acall, name=name)


def with_deletions(state: object, answer: object, key: str) -> object:
    """Return the graph's answer with a `RemoveMessage` for each message that it was given and no longer has."""
    before, after = get_messages(state, key), get_messages(answer, key)
    if before is None or after is None:
        return answer
    left = {message.id for message in after}
    gone = [RemoveMessage(id=message.id) for message in before if message.id and message.id not in left]
    return with_value(answer, key, [*gone, *after]) if gone else answer


def get_messages(state: object, key: str) -> list[BaseMessage] | None:
    """Return the messages of a state of any type; None if it has none."""
    raw = _raw_messages(state, key)
    return read_messages(raw) if raw is not None else None


def require_messages(settings: MachineSettings, state: object) -> list[BaseMessage]:
    """Return the messages of a state, or of a list given in place of one.

    Raises:
        ConfigurationError: There are none.
    """
    if (messages := _given_messages(settings, state)) is None:
        raise ConfigurationError(
            f"there are no messages at {settings.messages_key!r} in this state: give"
            " LearningMachine(messages_key=...) the key they have, or give the list of messages itself"
        )
    return messages


def context_text(run: Run, state: object) -> Flow[str]:
    """Return the recalled text of the run for the messages of `state`, by default for the graph's own."""
    messages = _given_messages(run.settings, state)
    if messages is None:
        messages = read_messages(read_channel(run.config, run.settings.messages_key))
    return text_step(run, messages)


def _given_messages(settings: MachineSettings, state: object) -> list[BaseMessage] | None:
    messages = get_messages(state, settings.messages_key)
    if isinstance(state, Mapping) and state.get(settings.messages_key, ...) is None:  # nothing was written to it yet
        return []
    if messages is None and isinstance(state, Sequence) and not isinstance(state, str | bytes):
        return convert_to_messages(cast("Sequence[MessageLikeRepresentation]", state))
    return messages


def _raw_messages(state: object, key: str) -> list[object] | None:
    value = get_field(state, key)
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else None


def with_value(state: object, key: str, value: object) -> object:
    """Return a copy of `state`, which may be of any type, with another value for `key`."""
    if isinstance(state, Mapping):
        return {**state, key: value}
    if isinstance(state, BaseModel):
        return state.model_copy(update={key: value})
    changed = copy.copy(state)
    object.__setattr__(changed, key, value)  # works for a frozen dataclass, and does not run __post_init__ again
    return changed


def restore(answer: object, view: View, key: str) -> object:
    """Return a node's answer without the recalled text, also inside commands, sends and lists."""
    if view.shown is None:
        return answer
    if isinstance(answer, Command):
        update, goto = restore(answer.update, view, key), restore(answer.goto, view, key)
        return dataclasses.replace(answer, update=update, goto=goto)
    if isinstance(answer, Send):
        return Send(answer.node, restore(answer.arg, view, key), timeout=answer.timeout)
    if isinstance(answer, tuple) and len(answer) == 2 and answer[0] == key:  # an update written as pairs
        return (answer[0], _restore_value(answer[1], view))
    if isinstance(answer, list | tuple):
        return type(answer)(restore(item, view, key) for item in answer)
    if isinstance(answer, Mapping):  # a node may copy its messages under another key
        clean = {name: _restore_value(value, view) for name, value in answer.items()}
        return clean if any(clean[name] is not answer[name] for name in clean) else answer
    value = get_field(answer, key)
    cleaned = _restore_value(value, view)
    return answer if cleaned is value else with_value(answer, key, cleaned)


def _restore_value(value: object, view: View) -> object:
    if isinstance(value, Overwrite):
        return Overwrite(_restore_value(value.value, view))
    if isinstance(value, list) and any(view.holds(message) for message in value):
        return view.restore(value)
    if isinstance(value, BaseMessage) and view.holds(value):
        return [] if view.original is None else view.original
    return value


def hints(node: object) -> tuple[object, object]:
    """Return the annotations of a node's state and result, as LangGraph would read them; None for a missing one."""
    function = node if inspect.isroutine(node) else getattr(node, "__call__", None)  # noqa: B004 - its signature
    if function is None or (isinstance(node, Runnable) and "__call__" not in dir(type(node))):
        return None, None
    try:
        types = get_type_hints(function)
        first = next(iter(inspect.signature(node).parameters), "")  # type: ignore[arg-type]
    except (NameError, TypeError, ValueError):
        return None, None
    return types.get(first), types.get("return")
