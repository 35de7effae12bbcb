"""Learning as `create_agent` middleware: recall before the agent, the text before the model, extraction after it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeAlias, cast

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AnyMessage, SystemMessage
from langchain_core.tools import BaseTool
from langgraph.config import get_config
from langgraph.runtime import Runtime

from langgraph_learning._engine.learning.messages import has_human_role
from langgraph_learning._engine.settings import MachineSettings
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.nodes.configurable_model import chat_model_of
from langgraph_learning.nodes.kept_turns import observe_replies
from langgraph_learning.nodes.model_wrapper import without_context
from langgraph_learning.nodes.placement import place_in_system, place_in_turn
from langgraph_learning.nodes.review import review_step
from langgraph_learning.nodes.run_context import Run
from langgraph_learning.nodes.state_keys import MACHINE, Keys, Update
from langgraph_learning.nodes.steps import capture_step, extract_step, recall_step, text_step
from langgraph_learning.nodes.wiring_checks import WIRED

State: TypeAlias = AgentState[Any]
AgentRuntime: TypeAlias = Runtime[Any]
Request: TypeAlias = ModelRequest[Any]
Response: TypeAlias = ModelResponse[Any]


class MachineName(str):
    """The name of a middleware, which explains the error when two machines have the same name.

    `create_agent` collects the names in a set, and fails for two equal ones without saying which, or what to do.
    """

    machine: object = None

    @classmethod
    def of(cls, settings: MachineSettings, name: str) -> "MachineName":
        """Return the name of a part of a machine."""
        named = cls(name)
        named.machine = settings.warned
        return named

    def __eq__(self, other: object) -> bool:
        same = str.__eq__(self, other) is True
        if same and isinstance(other, MachineName) and other.machine is not self.machine:
            raise ConfigurationError(
                f"two learning machines in this agent are called {str(self)!r}: give one of them another name,"
                " LearningMachine(name=...)"
            )
        return same

    __hash__ = str.__hash__


class _MachineMiddleware(AgentMiddleware[Any, Any, Any]):
    """The common base of a machine's middleware: its private state, and the current run."""

    def __init__(self, settings: MachineSettings, model: BaseChatModel | None = None) -> None:
        super().__init__()
        # `create_agent` keeps its messages under this key, whatever key other graphs of the machine use.
        self._settings, self._model = replace(settings, messages_key="messages"), model
        self.state_schema = Keys(settings.name).schema(PrivateStateAttr)
        self.tools = []

    def _run(self, runtime: AgentRuntime) -> Run:
        config = get_config()
        return Run(self._settings, runtime, config, chat_model_of(self._model, config))


class LearningMiddleware(_MachineMiddleware):
    """The middleware that recalls and learns.

    Put it first in the list: it then extracts after your `after_agent` hooks, and no prompt of yours erases its text.
    """

    def __init__(self, settings: MachineSettings, model: BaseChatModel | None = None, *, extract: bool = True) -> None:
        super().__init__(settings, model)
        self._extract = extract
        if extract:
            settings.steps.add(WIRED)

    @property
    def name(self) -> str:
        """The machine's name; two machines in one agent need different names."""
        return MachineName.of(self._settings, self._settings.name)

    def before_agent(self, state: State, runtime: AgentRuntime) -> Update | None:
        """Recall, once a turn."""
        run = self._run(runtime)
        return run.driver.run(recall_step(run, run.full_state(state), keep=self._extract))

    async def abefore_agent(self, state: State, runtime: AgentRuntime) -> Update | None:
        """Recall, once a turn."""
        run = self._run(runtime)
        return await run.driver.arun(recall_step(run, run.full_state(state), keep=self._extract))

    def wrap_model_call(self, request: Request, handler: Callable[[Request], Response]) -> Response:
        """Show the recalled text to the model of this call only."""
        run = self._observe_request(request)
        text = run.driver.run(text_step(run, request.messages))
        response = handler(self._add_context(request, text))
        observe_replies(run, request.messages, response.result)
        return response

    async def awrap_model_call(self, request: Request, handler: Callable[[Request], Awaitable[Response]]) -> Response:
        """Show the recalled text to the model of this call only."""
        run = self._observe_request(request)
        text = await run.driver.arun(text_step(run, request.messages))
        response = await handler(self._add_context(request, text))
        observe_replies(run, request.messages, response.result)
        return response

    def after_agent(self, state: State, runtime: AgentRuntime) -> Update | None:
        """Learn from the turn."""
        run = self._run(runtime)
        step = extract_step if self._can_extract() else capture_step
        return run.driver.run(step(run, run.full_state(state))) if self._extract else None

    async def aafter_agent(self, state: State, runtime: AgentRuntime) -> Update | None:
        """Learn from the turn."""
        run = self._run(runtime)
        step = extract_step if self._can_extract() else capture_step
        return await run.driver.arun(step(run, run.full_state(state))) if self._extract else None

    def _can_extract(self) -> bool:
        """Return whether there is a model; a guard may end a turn before the agent's own is known."""
        lacking = [store.name for store in self._settings.extracting if not self._settings.models.get(store.name)]
        if lacking and self._model is None:
            names = ", ".join(lacking)
            self._settings.warn_once(
                "model", f"{names}: nothing is learned from a turn in which the agent's model is not called"
            )
            return False
        return True

    def _observe_request(self, request: Request) -> Run:
        """Record which model the agent uses, and check that it was given the learning tools.

        Raises:
            ConfigurationError: The agent has another tool under the name of a learning tool.
        """
        if self._model is None:
            self._model = without_context(request.model)
        given = {tool.name: (tool.metadata or {}).get(MACHINE) for tool in request.tools if isinstance(tool, BaseTool)}
        wanted = {operation.__name__ for store in self._settings.stores for operation in store.tools}
        if clashing := sorted(name for name in wanted & given.keys() if given[name] != self._settings.name):
            raise ConfigurationError(  # of two tools with one name, `create_agent` silently keeps the last
                f"the agent's tool {clashing[0]!r} has the name of a learning tool and is another one: rename yours"
            )
        if missing := sorted(wanted - given.keys()):
            self._settings.warn_once(
                f"tools of {id(self)}",
                f"the agent has no tool {', '.join(missing)}: add them, create_agent(tools=[..., *learning.tools()])",
            )
        return self._run(request.runtime)

    def _add_context(self, request: Request, text: str) -> Request:
        """Put the text into the user's last message, where no system prompt set by other middleware can erase it."""
        if not text:
            return request
        asked = any(map(has_human_role, request.messages))
        if self._settings.placement == "turn" and asked:
            return request.override(messages=cast("list[AnyMessage]", place_in_turn(request.messages, text)))
        head = [request.system_message] if request.system_message else []
        [system] = place_in_system(head, text, None if head else self._settings.context_id)
        return request.override(system_message=cast("SystemMessage", system))


class ReviewMiddleware(_MachineMiddleware):
    """The middleware that asks a person about the turn's proposals.

    It is listed before `LearningMiddleware`, and so its `after_agent` hook runs after it.
    """

    @property
    def name(self) -> str:
        """The machine's name with the suffix `_review`."""
        return MachineName.of(self._settings, f"{self._settings.name}_review")

    def after_agent(self, state: State, runtime: AgentRuntime) -> Update | None:
        """Ask, and apply the answer."""
        run = self._run(runtime)
        return run.driver.run(review_step(run, run.full_state(state)))

    async def aafter_agent(self, state: State, runtime: AgentRuntime) -> Update | None:
        """Ask, and apply the answer."""
        run = self._run(runtime)
        return await run.driver.arun(review_step(run, run.full_state(state)))
