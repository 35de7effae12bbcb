"""Worker threads in which async code runs the synchronous stores and savers.

Nothing here belongs to an event loop, so one object serves sync code, several loops, and sync code inside a running
loop. The package starts its own few threads because the default executor of a loop is shared with all other blocking
calls of the application.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from langgraph_learning.checkpointers._after_fork import abandon, renew_in_child
from langgraph_learning.errors import StoreError

P = ParamSpec("P")
T = TypeVar("T")


class WorkerThreads:
    """A few threads that run sync methods for async callers; they start on first use."""

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
        """Return a future of the running loop; a thread calls `method` and sets its result.

        Raises:
            StoreError: The threads are closed.
        """
        try:
            return asyncio.get_running_loop().run_in_executor(self._executor, lambda: method(*args, **kwargs))
        except RuntimeError as closed:
            raise StoreError(f"this store is closed ({closed})") from closed

    async def __call__(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `method` in a thread and return its result, without blocking the event loop."""
        return await self.submit(method, *args, **kwargs)

    def close(self) -> None:
        """Wait for the running calls to end, then stop the threads."""
        self._executor.shutdown()


async def await_event(event: threading.Event, seconds: float) -> bool:
    """Wait for an event that another thread sets, without occupying a thread of the loop's executor."""
    deadline = time.monotonic() + seconds
    while not event.is_set() and time.monotonic() < deadline:
        await asyncio.sleep(0.005)
    return event.is_set()
