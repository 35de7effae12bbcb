"""Time limits for a database: long enough for a short interruption, and paid only once during an outage."""

import threading
import time
from types import TracebackType
from typing import Protocol

from langgraph_learning.errors import StoreError

TIMEOUT = 5.0
"""The longest time that any wait for a database may take, in seconds."""
SHARE = 0.8
"""The part of `TIMEOUT` that one wait may take; one reply waits for the database several times."""
BRIEF = 0.05
"""The part of `TIMEOUT` that a wait may take after the wait before it failed."""


class Holdable(Protocol):
    """A lock or a semaphore."""

    def acquire(self, blocking: bool = ..., timeout: float = ...) -> bool:
        """Take it, and return whether that succeeded in time."""

    def release(self) -> None:
        """Release it."""


class Patience:
    """The time that the next wait for the database may take.

    A reply recalls and then learns. If each wait took its full time while the database is down, the reply would be late
    by their sum. So after a failed wait the next waits are short, until one succeeds or `timeout` has passed.
    """

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self.timeout = timeout
        self._in_vain_until = 0.0

    @property
    def seconds(self) -> float:
        """The time that the next wait may take."""
        return self.timeout * (BRIEF if time.monotonic() < self._in_vain_until else SHARE)

    def note_failure(self) -> None:
        """Record that a wait failed; the next waits are short."""
        self._in_vain_until = time.monotonic() + self.timeout

    def note_success(self) -> None:
        """Record that the database answers; the next waits may take their full time."""
        self._in_vain_until = 0.0


class PatientLock:
    """A lock with a time limit for the case that its holder hangs.

    The limit starts again whenever a holder finishes. So a long queue is no error, and nothing that waits in it is
    lost.

    Args:
        patience: The time in which no holder may finish before waiting threads give up.
        lock: The lock to hold; a semaphore lets several threads hold it.
    """

    def __init__(self, patience: Patience, lock: Holdable | None = None) -> None:
        self._patience, self._lock = patience, lock or threading.Lock()
        self._moved_at = 0.0

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            StoreError: No holder finished in time.
        """
        seconds = self._patience.seconds
        deadline = time.monotonic() + seconds
        while not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            deadline = self._moved_at + seconds
            if time.monotonic() >= deadline:
                self._patience.note_failure()
                raise StoreError(f"others in this process have kept this database busy for more than {seconds:g} s")

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()

    def note_movement(self) -> None:
        """Record that the queue gets on: a holder has finished, or another process for which the holder waits."""
        self._moved_at = time.monotonic()

    def moved_since(self, moment: float) -> bool:
        """Return whether a holder has finished without an error since `moment`."""
        return self._moved_at > moment

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.note_movement()
        self.release()
