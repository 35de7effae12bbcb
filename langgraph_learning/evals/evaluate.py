"""Running tasks with an agent on memory as it was after a number of commits."""

import logging
from collections.abc import Awaitable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast
from uuid import uuid4

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.runnables import RunnableConfig
from langgraph.store.base import BaseStore

from langgraph_learning._engine.flow import pin_revision
from langgraph_learning.errors import ConfigurationError, UnsupportedByStore
from langgraph_learning.evals.curve import LearningCurve, LearningPoint, TaskResult
from langgraph_learning.evals.milestones import Milestone, find_milestones
from langgraph_learning.evals.tasks import Task
from langgraph_learning.option_checks import check_list
from langgraph_learning.versioned_store import is_versioned
from langgraph_learning.words import tokens

log = logging.getLogger("langgraph_learning")


class Learning(Protocol):
    """A learning machine."""

    @property
    def store(self) -> BaseStore | None:
        """The store that it learns into; None if it is that of the graph."""


class Agent(Protocol):
    """A compiled graph."""

    def invoke(self, input: Any, config: RunnableConfig | None = None, **options: Any) -> object:
        """Run the graph."""

    def ainvoke(self, input: Any, config: RunnableConfig | None = None, **options: Any) -> Awaitable[object]:
        """Run the graph without blocking the loop."""


class _Meter(BaseCallbackHandler):
    """A counter of model calls and their tokens."""

    def __init__(self) -> None:
        self.calls = 0
        self.tokens = 0

    def on_llm_end(self, response: LLMResult, **_: object) -> None:
        self.calls += 1
        for generation in (candidate for candidates in response.generations for candidate in candidates):
            message = generation.message if isinstance(generation, ChatGeneration) else None
            used = message.usage_metadata if isinstance(message, AIMessage) else None
            self.tokens += used["total_tokens"] if used else tokens(generation.text)


def evaluate(
    agent: Agent,
    tasks: Sequence[Task],
    *,
    learning: Learning,
    at: Sequence[int] = (0, 10, 100, 1000),
    store: BaseStore | None = None,
) -> LearningCurve:
    """Run the same tasks with an agent on memory as it was after numbers of commits, and return the learning curve.

    Nothing is learned during the evaluation, and no thread is written. A task fails if the agent or the check raises an
    error; the result holds the error.

    Args:
        agent: A compiled graph that learns, such as `create_learning_agent` returns.
        tasks: The tasks to run.
        learning: The agent's learning machine.
        at: The numbers of commits, of all users; if there are fewer, the curve ends with all there are.
        store: The store with the records; by default that of the machine, or of the agent.

    Raises:
        ConfigurationError: There are no tasks, or no store.
        UnsupportedByStore: The store keeps no history: open one with `connect()`.
    """
    flow = _put_tasks(agent, tasks, learning, at, store)
    try:
        run = next(flow)
        while True:
            run = flow.send(_try(run))
    except StopIteration as done:
        return cast("LearningCurve", done.value)
    finally:
        flow.close()  # if the process is interrupted, the revision must not stay pinned


async def aevaluate(
    agent: Agent,
    tasks: Sequence[Task],
    *,
    learning: Learning,
    at: Sequence[int] = (0, 10, 100, 1000),
    store: BaseStore | None = None,
) -> LearningCurve:
    """Run `evaluate` without blocking the loop."""
    flow = _put_tasks(agent, tasks, learning, at, store)
    try:
        run = next(flow)
        while True:
            run = flow.send(await _atry(run))
    except StopIteration as done:
        return cast("LearningCurve", done.value)
    finally:
        flow.close()  # if the process is interrupted, the revision must not stay pinned


@dataclass(frozen=True)
class _Run:
    """One task, as the agent runs it."""

    agent: Agent
    input: Mapping[str, object]
    config: RunnableConfig
    context: dict[str, str]


@dataclass(frozen=True)
class _Raised:
    """The error that an agent raised instead of an answer."""

    error: Exception


def _try(run: _Run) -> object:
    try:
        return run.agent.invoke(run.input, run.config, context=run.context)
    except Exception as error:  # noqa: BLE001 - an agent may raise anything; then the task has failed
        return _Raised(error)


async def _atry(run: _Run) -> object:
    try:
        return await run.agent.ainvoke(run.input, run.config, context=run.context)
    except Exception as error:  # noqa: BLE001 - as in `_try`
        return _Raised(error)


def _put_tasks(
    agent: Agent, tasks: Sequence[Task], learning: Learning, at: Sequence[int], store: BaseStore | None
) -> Generator[_Run, object, LearningCurve]:
    """Yield each run of the agent, receive its result, and return the curve."""
    tasks, at = check_list("evaluate(tasks=...)", tasks), check_list("evaluate(at=...)", at)
    bare, milestones, curve = _prepare(agent, tasks, learning, at, store)
    points: list[LearningPoint] = []
    for milestone in milestones:
        meter, results = _Meter(), list[TaskResult]()
        for task in tasks:
            config = _config(task, meter)
            message = {"messages": [HumanMessage(task.input, id=str(uuid4()))]}
            context = {} if task.user_id is None else {"user_id": task.user_id}
            with pin_revision(milestone.revision):
                answer = yield _Run(bare, message, config, context)
            results.append(_failure(task, answer.error) if isinstance(answer, _Raised) else _judge(task, answer))
        points.append(_point(milestone, meter, results))
    return curve.model_copy(update={"points": tuple(points)})


def _prepare(
    agent: Agent, tasks: Sequence[Task], learning: Learning, at: Sequence[int], store: BaseStore | None
) -> tuple[Agent, list[Milestone], LearningCurve]:
    """Return the agent without its checkpointer, the revisions to recall, and the curve without points."""
    if not tasks:
        raise ConfigurationError("evaluate(tasks=[]): give at least one Task")
    if not at or any(isinstance(count, bool) or not isinstance(count, int) or count < 0 for count in at):
        raise ConfigurationError(f"evaluate(at={at!r}): give numbers of commits, such as (0, 10, 100)")
    records_store = store or learning.store or getattr(agent, "store", None)
    if records_store is None:
        raise ConfigurationError("there is no store: give evaluate(store=...), or LearningMachine(store=...)")
    if not is_versioned(records_store):
        raise UnsupportedByStore(f"a {type(records_store).__name__} keeps no history: open one with connect()")
    milestones, total = find_milestones(records_store, sorted(set(at)))
    beyond = tuple(sorted(count for count in set(at) if count > total))
    return _without_checkpointer(agent), milestones, LearningCurve(points=(), commits=total, beyond=beyond)


def _without_checkpointer(agent: Agent) -> Agent:
    """Return the agent without its checkpointer, so that an evaluation adds nothing to any thread."""
    copied = getattr(agent, "copy", None)
    if not callable(copied) or not hasattr(agent, "checkpointer"):
        return agent
    return cast("Agent", copied({"checkpointer": None}))


def _config(task: Task, meter: _Meter) -> RunnableConfig:
    thread = task.thread_id or f"evaluation-{uuid4()}"
    return {"configurable": {"thread_id": thread}, "callbacks": [meter]}


def _judge(task: Task, answer: object) -> TaskResult:
    text = _text(answer)
    try:
        score = float(task.check(text))
    except Exception as error:  # noqa: BLE001 - a check is the user's own code: the task has failed
        return _failure(task, error, text)
    return TaskResult(input=task.input, answer=text, score=min(max(score, 0.0), 1.0))


def _failure(task: Task, error: Exception, answer: str = "") -> TaskResult:
    log.warning("the task %r failed: %s: %s", task.input[:80], type(error).__name__, error)
    return TaskResult(input=task.input, answer=answer, error=f"{type(error).__name__}: {error}")


def _text(answer: object) -> str:
    """Return the text of the last message of a state; any other answer as text."""
    messages = answer.get("messages") if isinstance(answer, dict) else None
    last = messages[-1] if messages else answer
    return str(getattr(last, "text", last))


def _point(milestone: Milestone, meter: _Meter, results: Sequence[TaskResult]) -> LearningPoint:
    rate = sum(result.score for result in results) / len(results)
    return LearningPoint(
        at=milestone.commits, pass_rate=rate, tokens=meter.tokens, model_calls=meter.calls, results=tuple(results)
    )
