"""Time limits for a database: long enough for a short interruption, and paid only once during an outage."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from langgraph_learning.errors import StoreError

TIMEOUT = 5.0
"""The longest time that any wait for a database may take, in seconds."""
SHARE = 0.8
"""The part of `TIMEOUT` that one wait may take; one reply waits for the database several times."""
BRIEF = 0.05
"""The part of `TIMEOUT` that a wait may take after the wait before it failed."""


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
    """A lock with a time limit: who cannot get it in time gets a `StoreError`."""

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
        """Release the lock."""
        self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


@contextmanager
def hold_slot(slots: threading.BoundedSemaphore, patience: Patience) -> Iterator[None]:
    """Hold one of `slots`.

    Raises:
        StoreError: No slot becomes free in time.
    """
    if not slots.acquire(timeout=(seconds := patience.seconds)):
        raise StoreError(f"other writers have kept this database busy for more than {seconds:g} s")
    try:
        yield
    finally:
        slots.release()
