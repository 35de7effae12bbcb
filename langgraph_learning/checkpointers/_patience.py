"""How long to wait for a database: long enough for a hiccup, and only once for an outage."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from langgraph_learning.errors import StoreError

TIMEOUT = 5.0
"""Seconds that any wait for a database takes at the most."""
SHARE = 0.8
"""How much of it one wait may take: one reply touches the database several times."""
BRIEF = 0.05
"""How much of it a wait may take while the one before it was in vain."""


class Patience:
    """How long the next wait may take.

    A reply recalls and then learns. If each waited its full time for a database that is down, the reply would be late
    by the sum; so after a wait in vain the following ones are brief, until one succeeds or `timeout` has passed.
    """

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self.timeout = timeout
        self._in_vain_until = 0.0

    @property
    def seconds(self) -> float:
        """How long the next wait may take."""
        return self.timeout * (BRIEF if time.monotonic() < self._in_vain_until else SHARE)

    def note_failure(self) -> None:
        """Note that a wait was in vain."""
        self._in_vain_until = time.monotonic() + self.timeout

    def note_success(self) -> None:
        """Note that the database answers."""
        self._in_vain_until = 0.0


class PatientLock:
    """A lock that is waited for with patience, then given up with a reason."""

    def __init__(self, patience: Patience, *, reentrant: bool = False) -> None:
        self._patience = patience
        self._lock = threading.RLock() if reentrant else threading.Lock()

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            StoreError: Another thread holds it for too long.
        """
        if not self._lock.acquire(timeout=(seconds := self._patience.seconds)):
            self._patience.note_failure()
            raise StoreError(f"another thread has been using this database for more than {seconds:g} s")

    def release(self) -> None:
        """Give the lock back."""
        self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


@contextmanager
def hold_slot(slots: threading.BoundedSemaphore, patience: Patience) -> Iterator[None]:
    """Hold one of `slots`.

    Raises:
        StoreError: None becomes free in time.
    """
    if not slots.acquire(timeout=(seconds := patience.seconds)):
        raise StoreError(f"other writers have kept this database busy for more than {seconds:g} s")
    try:
        yield
    finally:
        slots.release()
