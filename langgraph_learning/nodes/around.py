"""`around`: recall, a node or compiled graph, extract and review, as one graph to compile or to build on."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeAlias, cast, get_type_hints

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig, RunnableSequence
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph

from langgraph_learning._engine.settings import MachineSettings
from langgraph_learning.config import LearningContext
from langgraph_learning.nodes.flow_node import FlowNode, Node
from langgraph_learning.nodes.run_context import Run
from langgraph_learning.nodes.steps import text_step, with_context
from langgraph_learning.nodes.wrap import Wrapped, get_messages, hints, with_value, without_context

AnyGraph: TypeAlias = StateGraph[Any, Any, Any, Any]
NOTHING_KNOWN = "Nothing is known from earlier conversations."


class _Before(Node):
    """Puts the recalled text into the input of a compiled graph."""

    def __init__(self, settings: MachineSettings, *, remembers: bool) -> None:
        self._settings, self._remembers = settings, remembers

    def invoke(self, input: object, config: RunnableConfig | None = None, **kwargs: object) -> object:
        run, messages = Run.current(self._settings, config), get_messages(input, self._settings.messages_key)
        return self._with_text(input, messages, run.driver.run(text_step(run, input, messages or [])))

    async def ainvoke(self, input: object, config: RunnableConfig | None = None, **kwargs: object) -> object:
        run, messages = Run.current(self._settings, config), get_messages(input, self._settings.messages_key)
        return self._with_text(input, messages, await run.driver.arun(text_step(run, input, messages or [])))

    def _with_text(self, state: object, messages: list[BaseMessage] | None, text: str) -> object:
        if messages is None:
            return state
        # A graph with a memory of its own still holds the last text, maybe another user's: it is always replaced.
        text = text or (NOTHING_KNOWN if self._remembers else "")
        return with_value(state, self._settings.messages_key, with_context(messages, text, self._settings))


class _After(Node):
    """Takes it out of what the graph returns."""

    def __init__(self, settings: MachineSettings) -> None:
        self._settings = settings

    def invoke(self, input: object, config: RunnableConfig | None = None, **kwargs: object) -> object:
        return without_context(input, self._settings)


def around(
    inner: object,
    nodes: tuple[FlowNode, FlowNode, FlowNode],
    settings: MachineSettings,
    *,
    name: str,
    state_schema: type | None,
    context_schema: type | None,
) -> AnyGraph:
    """Return the four nodes around `inner` as a graph that is not compiled yet."""
    if isinstance(inner, CompiledStateGraph):
        own: AnyGraph = inner.builder
        # A sequence keeps the graph in sight of xray, get_subgraphs and get_state(subgraphs=True).
        before = _Before(settings, remembers=inner.checkpointer is True)
        node: Node = RunnableSequence(before, inner, _After(settings))
        schemas = {"input_schema": own.input_schema, "output_schema": own.output_schema}
        schemas = schemas if state_schema is None else {}
        builder: AnyGraph = StateGraph(
            state_schema or own.state_schema, context_schema or own.context_schema or LearningContext, **schemas
        )
    else:
        node = Wrapped(inner, settings)
        state, _ = hints(inner)
        # A state has fields: `Any` and `dict` are types as well, and say nothing.
        own_state = state if isinstance(state, type) and get_type_hints(state) else MessagesState
        schema = state_schema or own_state
        builder = StateGraph(schema, context_schema or LearningContext)
    recall, extract, review = nodes
    steps: list[tuple[str, Node]] = [
        ("recall", recall),
        (name, node),
        ("extract", extract),
        ("review", review),
    ]
    for step, runnable in steps:
        builder.add_node(step, cast("Callable[..., Any]", runnable))
    ends = [START, *(step for step, _ in steps), END]
    for start, end in pairwise(ends):
        builder.add_edge(start, end)
    return builder
