"""A flow as a LangGraph node: one `Runnable`, sync and async, that declares our private state as its input."""

from collections.abc import Callable
from types import MethodType
from typing import Any, TypeAlias

from langchain_core.runnables import Runnable, RunnableConfig

from langgraph_learning._engine.flow import Flow
from langgraph_learning._engine.settings import MachineSettings
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.langgraph_private import is_cached, reads_channels
from langgraph_learning.nodes.run_context import Run
from langgraph_learning.nodes.state_keys import Keys

# `Any`, because our nodes go into graphs of any state type.
Node: TypeAlias = Runnable[Any, Any]
State: TypeAlias = dict[str, Any]
Step = Callable[[Run, State], Flow[State]]


class FlowNode(Node):
    """A node that runs one step of learning, with the private state added to its input; sync and async."""

    def __init__(self, name: str, settings: MachineSettings, step: Step) -> None:
        self.name = name
        self._settings, self._step = settings, step
        # Declaring the messages key would add a channel of that name to a graph without messages. So it is declared
        # only where the running graph's channels cannot be read.
        messages_key = None if reads_channels() else settings.messages_key
        annotate(self, Keys(settings.name).schema(messages_key=messages_key), None)

    def __call__(self, state: object) -> object:
        """Run the step; LangGraph reads the input schema from the version of this method that `annotate` makes."""
        return self.invoke(state)

    def invoke(self, input: object, config: RunnableConfig | None = None, **kwargs: object) -> object:
        """Run the step."""
        run = self._run(config)
        return run.driver.run(self._step(run, run.full_state(input)))

    async def ainvoke(self, input: object, config: RunnableConfig | None = None, **kwargs: object) -> object:
        """Run the step without blocking the event loop."""
        run = self._run(config)
        return await run.driver.arun(self._step(run, run.full_state(input)))

    def _run(self, config: RunnableConfig | None) -> Run:
        run = Run.current(self._settings, config)
        refuse_cache(run, str(self.name))
        return run


def refuse_cache(run: Run, name: str) -> None:
    """Refuse a `CachePolicy` on a node that reads a user's records.

    Raises:
        ConfigurationError: The node has a `CachePolicy`.
    """
    if is_cached(run.config):
        raise ConfigurationError(
            f"the node {name!r} has a CachePolicy, and LangGraph takes its key from the node's input alone: one user"
            " would get the answer that was made for another. Take the policy away from this node"
        )


def annotate(node: Node, state: object, result: object) -> None:
    """Give `node` its own annotated `__call__`: LangGraph infers the input schema and the destinations from it."""

    def call(self: Node, state: object) -> object:
        return self.invoke(state)

    call.__annotations__ = {key: hint for key, hint in (("state", state), ("return", result)) if hint is not None}
    vars(node)["__call__"] = MethodType(call, node)
