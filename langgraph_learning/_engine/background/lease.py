"""The lease of a user's turns: an item in the store, so that one learner works on them. Its holder renews it."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from langgraph.store.base import GetOp, Item, PutOp

from langgraph_learning._engine.background.pending import LEASE, erase_items
from langgraph_learning._engine.flow import Driver, Flow, batch, write
from langgraph_learning.errors import ConflictError
from langgraph_learning.records import Namespace

log = logging.getLogger("langgraph_learning")

LEASE_TIME = timedelta(seconds=30)
"""How long a lease lasts, and so how long the turns wait if its holder is killed. If it runs out while the holder
still works, this costs a second model call, never a second commit."""
RENEW_EVERY = timedelta(seconds=10)
"""How often a holder renews its lease: a model call may take longer than a lease lasts."""


def acquire_lease(namespace: Namespace, lease: str, now: datetime) -> Flow[datetime | None]:
    """Take the lease of a user's turns; return None, or the time until which another learner has it."""
    [there] = yield from batch(GetOp(namespace, LEASE, refresh_ttl=False))
    if isinstance(there, Item) and (until := datetime.fromisoformat(there.value["until"])) > now:
        return until
    try:
        yield from _write_lease(namespace, lease, there, now)
    except ConflictError:
        return now + LEASE_TIME  # another learner took it between our read and our write
    return None


def renew_lease(namespace: Namespace, lease: str, now: datetime) -> Flow[bool]:
    """Extend a lease, and return whether it is still held."""
    [there] = yield from batch(GetOp(namespace, LEASE, refresh_ttl=False))
    if not isinstance(there, Item) or there.value["id"] != lease:
        return False
    try:
        yield from _write_lease(namespace, lease, there, now)
    except ConflictError:
        return False
    return True


def release_lease(namespace: Namespace, lease: str) -> Flow[None]:
    """Delete the lease, unless another learner has it by now."""
    [there] = yield from batch(GetOp(namespace, LEASE, refresh_ttl=False))
    if isinstance(there, Item) and there.value["id"] == lease:
        yield from erase_items([(namespace, LEASE)])


def _write_lease(namespace: Namespace, lease: str, there: object, now: datetime) -> Flow[None]:
    value = {"id": lease, "until": (now + LEASE_TIME).isoformat()}
    put = PutOp(namespace, LEASE, value, index=False)
    yield from write([put], {(namespace, LEASE): getattr(there, "version", 0)})


class LeaseKeeper:
    """The renewal of this process's leases, in a thread that runs only while something is learned.

    Args:
        driver: The driver of the store that holds the leases.
        clock: The function that returns the current time.
    """

    def __init__(self, driver: Driver, clock: Callable[[], datetime]) -> None:
        self.held: dict[Namespace, str] = {}
        """The leases by the namespace of the turns."""
        self._driver, self._clock = driver, clock
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._learning = 0
        self._thread: threading.Thread | None = None

    @contextmanager
    def while_learning(self) -> Iterator[None]:
        """Renew the held leases until the `with` block ends."""
        with self._lock:
            self._learning += 1
            if self._thread is None and not self._ended.is_set():
                self._thread = threading.Thread(target=self._loop, name="learning-leases", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._learning -= 1

    def end(self) -> None:
        """Stop renewing leases."""
        self._ended.set()

    def renew(self) -> None:
        """Renew all held leases, so that leases can be short, and a killed process blocks its users only briefly."""
        for namespace, lease in list(self.held.items()):
            try:
                self._driver.run(renew_lease(namespace, lease, self._clock()))
            except Exception:  # without a lease the call goes on, and still commits only once
                if not self._ended.is_set():
                    log.warning("could not renew a lease", exc_info=True)

    def _loop(self) -> None:
        while True:
            self._ended.wait(RENEW_EVERY.total_seconds())
            with self._lock:
                if self._ended.is_set() or not self._learning:
                    self._thread = None
                    return
            self.renew()
