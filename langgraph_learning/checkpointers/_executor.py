"""Threads of our own, in which the synchronous core works for whoever awaits it.

Nothing here belongs to an event loop, so one object serves sync code, any loop, two loops, and sync code inside a
running loop. The threads are ours and few: the default executor of a loop is shared with everybody's blocking calls.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from langgraph_learning.checkpointers._fork import abandon, renew_in_child
from langgraph_learning.errors import StoreError

P = ParamSpec("P")
T = TypeVar("T")


class WorkerThreads:
    """Awaits sync methods in a few threads; they start when they are first needed."""

    def __init__(self, count: int, *, name: str = "langgraph-learning") -> None:
        self._count, self._name = count, name
        self._executor = self._start()
        renew_in_child(self)

    def renew(self) -> None:
        """Start threads anew in a forked process, which has none of its parent's."""
        abandon(self._executor)
        self._executor = self._start()

    def _start(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._count, thread_name_prefix=self._name)

    def submit(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[T]":
        """Return what the running loop awaits while a thread calls `method`.

        Raises:
            StoreError: The threads were closed.
        """
        try:
            return asyncio.get_running_loop().run_in_executor(self._executor, lambda: method(*args, **kwargs))
        except RuntimeError as closed:
            raise StoreError(f"this store is closed ({closed})") from closed

    async def __call__(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `method` returns, without keeping the event loop waiting."""
        return await self.submit(method, *args, **kwargs)

    def close(self) -> None:
        """Wait for what is under way, and end the threads."""
        self._executor.shutdown()


async def await_event(event: threading.Event, seconds: float) -> bool:
    """Wait for an event of another thread without taking one of the loop's own threads for it."""
    deadline = time.monotonic() + seconds
    while not event.is_set() and time.monotonic() < deadline:
        await asyncio.sleep(0.005)
    return event.is_set()
