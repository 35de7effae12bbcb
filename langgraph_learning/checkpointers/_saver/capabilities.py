"""Optional methods of a wrapping checkpointer: LangGraph looks at the type to learn which ones it has."""

import asyncio
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, TypeVar, cast

from langgraph.checkpoint.base import BaseCheckpointSaver

from langgraph_learning.checkpointers._saver.async_saver import Saver

if TYPE_CHECKING:
    from langgraph_learning.checkpointers._saver.learning_saver import LearningSaver

Method = TypeVar("Method", bound=Callable[..., object])


def delegate(method: Method) -> Method:
    """Return a method that calls the inner saver's method of the same name; an async one returns a coroutine."""

    @wraps(method)
    def passes_on(self: "LearningSaver", *args: object, **kwargs: object) -> object:
        return getattr(self.saver, method.__name__)(*args, **kwargs)

    return cast("Method", passes_on)


def copy_thread(self: "LearningSaver", source_thread_id: str, target_thread_id: str) -> None:
    """Copy a thread with its session context; what the target already has stays."""
    self.saver.copy_thread(source_thread_id, target_thread_id)
    self.copy_session(source_thread_id, target_thread_id)


async def acopy_thread(self: "LearningSaver", source_thread_id: str, target_thread_id: str) -> None:
    """Copy a thread with its session context; what the target already has stays."""
    await self.saver.acopy_thread(source_thread_id, target_thread_id)
    await asyncio.to_thread(self.copy_session, source_thread_id, target_thread_id)


def prune(self: "LearningSaver", thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
    """Keep the latest checkpoints of the threads; `strategy="delete"` keeps nothing, as `delete_thread` does."""
    self.saver.prune(thread_ids, strategy=strategy)
    if strategy == "delete":
        self.forget_sessions(thread_ids)


async def aprune(self: "LearningSaver", thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
    """Keep the latest checkpoints of the threads; `strategy="delete"` keeps nothing, as `delete_thread` does."""
    await self.saver.aprune(thread_ids, strategy=strategy)
    if strategy == "delete":
        await asyncio.to_thread(self.forget_sessions, thread_ids)


_METHODS: dict[str, Callable[..., object]] = {
    **{method.__name__: method for method in (copy_thread, acopy_thread, prune, aprune)},
    "delete_for_runs": delegate(BaseCheckpointSaver.delete_for_runs),
    "adelete_for_runs": delegate(BaseCheckpointSaver.adelete_for_runs),
}
_TYPES: dict[tuple[type, tuple[str, ...]], type] = {}


def with_capabilities(wrapper: type["LearningSaver"], inner: type[Saver]) -> type["LearningSaver"]:
    """Return a subclass of `wrapper` with those optional methods that `inner` has."""
    can = tuple(name for name in _METHODS if getattr(inner, name) is not getattr(BaseCheckpointSaver, name))
    if can and (wrapper, can) not in _TYPES:
        _TYPES[wrapper, can] = type(wrapper.__name__, (wrapper,), {name: _METHODS[name] for name in can})
    return _TYPES.get((wrapper, can), wrapper)
