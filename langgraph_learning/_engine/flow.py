"""Flows, their effects, and the driver that runs them for sync and async code.

A flow is a step of learning, written as a plain generator. It yields *effects* (data: store operations, a write, a
model call) and gets their results back. It knows no store, no model and no event loop, so a test can step it by hand.
`Driver.run` and `Driver.arun` perform the effects. When an effect fails, its error is raised inside the flow, which may
retry, clean up or continue.
"""

import asyncio
import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypeAlias, TypeVar, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.vectorstores import VectorStore
from langgraph.constants import TAG_NOSTREAM
from langgraph.errors import GraphBubbleUp
from langgraph.store.base import BaseStore, Op, PutOp, Result

from langgraph_learning._engine.learning.model_call import (
    CallLimits,
    Options,
    ainvoke_in_time,
    invoke_in_time,
    structured_model,
)
from langgraph_learning.errors import ConfigurationError, LearningError, StoreError, UnsupportedByStore
from langgraph_learning.json_schema import Schema
from langgraph_learning.langgraph_private import checkpointer, without_streaming
from langgraph_learning.versioned_store import Expected as Expected
from langgraph_learning.versioned_store import VersionedStore, is_versioned, searched_anywhere, sift

log = logging.getLogger("langgraph_learning")

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Batch:
    """The effect of running store operations in order; with `as_of`, on the store as it was at that revision."""

    ops: tuple[Op, ...]
    as_of: int | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """The effect of writing all puts or none, if the items in `expect` have these versions (0: must not exist)."""

    puts: tuple[PutOp, ...]
    expect: Expected = field(default_factory=dict)
    commit: str | None = None
    """The id of the commit, for the store's history."""
    within: Callable[[object], None] | None = None
    """A function that gets the driver's connection inside the transaction, in databases with a queue of jobs."""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """The effect of calling a model for an object of `schema`; the result is `{"raw": AIMessage, "parsed": ...}`.

    `options` go to `with_structured_output`.
    """

    model: BaseChatModel
    schema: Schema
    messages: tuple[BaseMessage, ...]
    options: Options
    limits: CallLimits = field(default_factory=CallLimits)


@dataclass(frozen=True, slots=True)
class StoreCall:
    """The effect of calling a method of `VersionedStore`; without that method, it raises `UnsupportedByStore`."""

    method: str
    arguments: tuple[object, ...]
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SaverCall:
    """The effect of calling a method of the run's checkpointer; async runs call its `a...` twin."""

    method: str
    arguments: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class VectorStoreCall:
    """The effect of calling a method of the vector store that searches a learning store."""

    vectors: VectorStore
    method: Literal["add_documents", "delete", "similarity_search"]
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DescribeStore:
    """The effect of asking what the store can do in this run; the result is a `StoreInfo`."""


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """Whether the store ranks what it finds, and the revision to recall in a run from an older checkpoint."""

    ranks: bool = False
    revision: int | None = None


Effect: TypeAlias = Batch | Write | ModelCall | StoreCall | SaverCall | VectorStoreCall | DescribeStore
# `Any`, because a generator has one type for all that is sent to it: each function below casts its own result.
Flow: TypeAlias = Generator[Effect, Any, T]


def batch(*ops: Op, as_of: int | None = None) -> Flow[list[Result]]:
    """Return one result for each operation."""
    return cast("list[Result]", (yield Batch(ops, as_of)))


def write(
    puts: Sequence[PutOp],
    expect: Expected,
    commit: str | None = None,
    within: Callable[[object], None] | None = None,
) -> Flow[None]:
    """Write `puts`; raises `ConflictError` if a store with versions finds that another writer was first."""
    yield Write(tuple(puts), expect, commit, within)


def call_store(method: Callable[Concatenate[VersionedStore, P], T], *arguments: P.args, **options: P.kwargs) -> Flow[T]:
    """Return the result of a method of the store.

    Example: `states = yield from call_store(VersionedStore.history, namespace, key)`
    """
    return cast("T", (yield StoreCall(method.__name__, arguments, options)))


def call_saver(method: str, *arguments: object) -> Flow[object]:
    """Return the result of a method of the checkpointer."""
    return (yield SaverCall(method, arguments))


def describe_store() -> Flow[StoreInfo]:
    """Return what the store can do in this run."""
    return cast("StoreInfo", (yield DescribeStore()))


def call_vector_store(
    vectors: VectorStore, method: Literal["add_documents", "delete", "similarity_search"], **arguments: object
) -> Flow[object]:
    """Return the result of a method of the vector store; raises `StoreError` if it fails."""
    return (yield VectorStoreCall(vectors, method, arguments))


class TimeTravelSaver(Protocol):
    """A checkpointer that records with each checkpoint what was known then, as `connect()` opens it."""

    store: BaseStore

    def revision_of(self, config: RunnableConfig) -> int | None:
        """Return the revision that a run must recall."""

    async def arevision_of(self, config: RunnableConfig) -> int | None:
        """Return the revision that a run must recall."""


_OTHER_DATABASE = (
    "the checkpointer counts the revisions of another database than the one the machine learns into: a run from an"
    " older checkpoint recalls what is known now. Take both from one connect(), or use LearningSaver(saver, store)"
    " with a store on the machine's database"
)


@dataclass(frozen=True, slots=True)
class _Failed:
    error: Exception


def _advance(flow: Flow[T], outcome: object) -> Effect:
    return flow.throw(outcome.error) if isinstance(outcome, _Failed) else flow.send(outcome)


def _wrap_error(effect: Effect, error: Exception) -> _Failed:
    """Return a backend's error as a `StoreError`; this package's errors and LangGraph's signals stay as they are."""
    if isinstance(effect, ModelCall) or isinstance(error, LearningError | GraphBubbleUp):
        return _Failed(error)
    failed = "vector store" if isinstance(effect, VectorStoreCall) else "store"
    wrapped = StoreError(f"the {failed} failed: {type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return _Failed(wrapped)


@dataclass(frozen=True, slots=True)
class Driver:
    """The driver that performs the effects of a flow, in sync or async code."""

    store: BaseStore | None = None
    config: RunnableConfig = field(default_factory=RunnableConfig)
    warn_once: Callable[[str, str], object] = field(default=lambda kind, message: log.warning(message), compare=False)
    """A function that logs a warning, and each kind of warning only once."""

    def run(self, flow: Flow[T]) -> T:
        """Run `flow` to its end and return its result."""
        outcome: object = None
        try:
            while True:
                effect = _advance(flow, outcome)
                try:
                    outcome = self._perform(effect)
                except Exception as error:  # noqa: BLE001 - raised inside the flow, which decides
                    outcome = _wrap_error(effect, error)
        except StopIteration as done:
            return cast("T", done.value)
        finally:
            flow.close()  # after a cancelled run, the flow's own `finally` still runs

    async def arun(self, flow: Flow[T]) -> T:
        """Run `flow` to its end without blocking the event loop."""
        outcome: object = None
        try:
            while True:
                effect = _advance(flow, outcome)
                try:
                    outcome = await self._aperform(effect)
                except Exception as error:  # noqa: BLE001 - as in `run`
                    outcome = _wrap_error(effect, error)
        except StopIteration as done:
            return cast("T", done.value)
        finally:
            flow.close()

    def _perform(self, effect: Effect) -> object:
        if isinstance(effect, ModelCall):
            model = structured_model(effect.model, effect.schema, effect.options, effect.limits)
            return invoke_in_time(model, effect.messages, without_streaming(_CONFIG), effect.limits.timeout)
        if (answer := self._in_evaluation(effect)) is not None:
            return answer
        if isinstance(effect, DescribeStore):
            saver = self._time_travel_saver()
            return StoreInfo(self.ranks, saver.revision_of(self.config) if saver else None)
        if isinstance(effect, Batch):
            if not self.ranks:
                return sift(effect.ops, self.require_store().batch(searched_anywhere(effect.ops)))
            return self._store_at(effect.as_of).batch(effect.ops)
        if isinstance(effect, StoreCall):
            return self._store_method(effect.method)(*effect.arguments, **effect.options)
        if isinstance(effect, SaverCall):
            return getattr(checkpointer(self.config), effect.method)(*effect.arguments)
        if isinstance(effect, VectorStoreCall):
            return getattr(effect.vectors, effect.method)(**effect.arguments)
        store = self.require_store()
        if is_versioned(store):
            return store.transact(effect.puts, **_write_options(effect))
        return store.batch(effect.puts)

    async def _aperform(self, effect: Effect) -> object:
        if isinstance(effect, ModelCall):
            model = structured_model(effect.model, effect.schema, effect.options, effect.limits)
            return await ainvoke_in_time(model, effect.messages, without_streaming(_CONFIG), effect.limits.timeout)
        if (answer := self._in_evaluation(effect)) is not None:
            return answer
        if isinstance(effect, DescribeStore):
            same = getattr(checkpointer(self.config), "store", None) is self.store
            # Comparing two stores may open both of them, which blocks.
            saver = self._time_travel_saver() if same else await asyncio.to_thread(self._time_travel_saver)
            return StoreInfo(self.ranks, await saver.arevision_of(self.config) if saver else None)
        if isinstance(effect, Batch):
            if not self.ranks:
                return sift(effect.ops, await _abatch(self.require_store(), searched_anywhere(effect.ops)))
            return await _abatch(self._store_at(effect.as_of), effect.ops)
        if isinstance(effect, StoreCall):
            return await self._acall_store(effect)
        if isinstance(effect, SaverCall):
            return await getattr(checkpointer(self.config), f"a{effect.method}")(*effect.arguments)
        if isinstance(effect, VectorStoreCall):
            return await _acall_vector_store(effect)
        store = self.require_store()
        if is_versioned(store):
            return await store.atransact(effect.puts, **_write_options(effect))
        return await _abatch(store, effect.puts)

    @property
    def ranks(self) -> bool:
        """Whether the store's own search ranks well enough: by words, and by vectors if there are any."""
        return is_versioned(self.store)

    def _in_evaluation(self, effect: Effect) -> StoreInfo | None:
        """Return what an evaluation recalls, and refuse to write; None in any other run."""
        if (revision := pinned_revision()) is None:
            return None
        if isinstance(effect, Write):
            raise LearningError("nothing is learned while the agent is evaluated")
        return StoreInfo(self.ranks, revision) if isinstance(effect, DescribeStore) else None

    def _store_at(self, revision: int | None) -> BaseStore:
        store = self.require_store()
        return store.as_of(revision) if revision is not None and is_versioned(store) else store

    def _time_travel_saver(self) -> TimeTravelSaver | None:
        """Return the run's checkpointer if it counts the revisions of this store's database."""
        saver = checkpointer(self.config)
        # By attribute, not by isinstance: LangGraph's server wraps the checkpointer in an object that passes attributes
        # on.
        if not callable(getattr(saver, "revision_of", None)):
            return None
        saver = cast("TimeTravelSaver", saver)
        if saver.store is self.store:
            return saver
        own, saver_database = (getattr(store, "database", None) for store in (self.store, saver.store))
        if own and saver_database and own != saver_database:
            self.warn_once("database", _OTHER_DATABASE)
        return saver if own and own == saver_database else None

    def _store_method(self, name: str) -> Callable[..., object]:
        method: Callable[..., object] | None = getattr(self.require_store(), name, None)
        if method is None:
            raise UnsupportedByStore(f"a {type(self.store).__name__} has no {name}(): open one with connect()")
        return method

    async def _acall_store(self, effect: StoreCall) -> object:
        if (method := getattr(self.store, f"a{effect.method}", None)) is not None:
            return await method(*effect.arguments, **effect.options)
        return await asyncio.to_thread(self._store_method(effect.method), *effect.arguments, **effect.options)

    def require_store(self) -> BaseStore:
        """Return the store.

        Raises:
            ConfigurationError: There is no store.
        """
        if self.store is None:
            raise ConfigurationError(
                "there is no store to learn into. Give one of these three: create_learning_agent(..., db=connect(url)),"
                " LearningMachine(store=...), or a store given to the graph: builder.compile(store=...)"
            )
        return self.store


def _write_options(effect: Write) -> dict[str, Any]:
    within = {"within": effect.within} if effect.within is not None else {}
    return {"expect": effect.expect, "source": {"commit": effect.commit}, **within}


async def _abatch(store: BaseStore, ops: Sequence[Op]) -> list[Result]:
    """Run `abatch`, or `batch` in a thread for stores without it, such as LangGraph's `SqliteStore`."""
    try:
        return await store.abatch(ops)
    except NotImplementedError:
        return await asyncio.to_thread(store.batch, ops)


async def _acall_vector_store(effect: VectorStoreCall) -> object:
    """Call the async twin of a method, or the method in a thread if the vector store has no twin."""
    try:
        return await getattr(effect.vectors, f"a{effect.method}")(**effect.arguments)
    except NotImplementedError:
        return await asyncio.to_thread(getattr(effect.vectors, effect.method), **effect.arguments)


# The tokens of an extraction are not part of the reply: `nostream` keeps them out of the user's stream.
_CONFIG: RunnableConfig = {"tags": [TAG_NOSTREAM], "run_name": "learning.extract"}


_pinned: ContextVar[int | None] = ContextVar("langgraph_learning_pinned", default=None)


def pinned_revision() -> int | None:
    """Return the revision that this run recalls, because it is an evaluation; None in any other run."""
    return _pinned.get()


@contextmanager
def pin_revision(revision: int) -> Iterator[None]:
    """Recall `revision` within this block, in threads and tasks that are started there, too, and learn nothing."""
    token = _pinned.set(revision)
    try:
        yield
    finally:
        _pinned.reset(token)
