"""A flow as a LangGraph node: one `Runnable`, sync and async, which declares our private state as its input."""

from collections.abc import Callable
from types import MethodType
from typing import Any, TypeAlias

from langchain_core.runnables import Runnable, RunnableConfig

from langgraph_learning._engine.flow import Flow
from langgraph_learning._engine.settings import MachineSettings
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.langgraph_private import is_cached, reads_channels
from langgraph_learning.nodes.run_context import Run
from langgraph_learning.nodes.state import Keys

# Whatever a graph's state is: a node of ours goes into graphs of any state.
Node: TypeAlias = Runnable[Any, Any]
State: TypeAlias = dict[str, Any]
Step = Callable[[Run, State], Flow[State]]


class FlowNode(Node):
    """Runs a step of learning on the part of the state that is ours, under `invoke` and `ainvoke`."""

    def __init__(self, name: str, settings: MachineSettings, step: Step) -> None:
        self.name = name
        self._settings, self._step = settings, step
        # The messages are read from the run: declared here, a graph without them would get a channel of that name.
        messages_key = None if reads_channels() else settings.messages_key
        annotate(self, Keys(settings.name).schema(messages_key=messages_key), None)

    def __call__(self, state: object) -> object:
        """Stand for the signature that LangGraph reads the input schema from."""
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
    """Refuse a `CachePolicy` on a node that reads what a user has taught.

    Raises:
        ConfigurationError: The node has one.
    """
    if is_cached(run.config):
        raise ConfigurationError(
            f"the node {name!r} has a CachePolicy, and LangGraph takes its key from the node's input alone: one user"
            " would get the answer that was made for another. Take the policy away from this node"
        )


def annotate(node: Node, state: object, result: object) -> None:
    """Give `node` a signature of its own: LangGraph infers input schema and destinations from `__call__`."""

    def call(self: Node, state: object) -> object:
        return self.invoke(state)

    call.__annotations__ = {key: hint for key, hint in (("state", state), ("return", result)) if hint is not None}
    vars(node)["__call__"] = MethodType(call, node)
