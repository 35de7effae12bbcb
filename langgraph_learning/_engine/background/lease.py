"""Who learns from a user's turns just now: a lease in the store, which its holder renews as long as it lives."""

from datetime import datetime, timedelta

from langgraph.store.base import GetOp, Item, PutOp

from langgraph_learning._engine.background.pending import LEASE, erase_items
from langgraph_learning._engine.flow import Flow, batch, write
from langgraph_learning.errors import ConflictError
from langgraph_learning.records import Namespace

LEASE_TIME = timedelta(seconds=30)
"""How long nobody else learns from a user's turns after the holder was killed. A lease that runs out under a living
holder costs a model call, never a second commit."""
RENEW_EVERY = timedelta(seconds=10)
"""How often a holder renews its lease: a call may take longer than a lease lasts."""


def acquire_lease(namespace: Namespace, lease: str, now: datetime) -> Flow[datetime | None]:
    """Take the lease of a user's turns; return until when somebody else has it."""
    [there] = yield from batch(GetOp(namespace, LEASE, refresh_ttl=False))
    if isinstance(there, Item) and (until := datetime.fromisoformat(there.value["until"])) > now:
        return until
    try:
        yield from _write_lease(namespace, lease, there, now)
    except ConflictError:
        return now + LEASE_TIME
    return None


def renew_lease(namespace: Namespace, lease: str, now: datetime) -> Flow[bool]:
    """Hold a lease for longer, and return whether it is held still."""
    [there] = yield from batch(GetOp(namespace, LEASE, refresh_ttl=False))
    if not isinstance(there, Item) or there.value["id"] != lease:
        return False
    try:
        yield from _write_lease(namespace, lease, there, now)
    except ConflictError:
        return False
    return True


def release_lease(namespace: Namespace, lease: str) -> Flow[None]:
    """Give the lease back, unless somebody else has it by now."""
    [there] = yield from batch(GetOp(namespace, LEASE, refresh_ttl=False))
    if isinstance(there, Item) and there.value["id"] == lease:
        yield from erase_items([(namespace, LEASE)])


def _write_lease(namespace: Namespace, lease: str, there: object, now: datetime) -> Flow[None]:
    value = {"id": lease, "until": (now + LEASE_TIME).isoformat()}
    put = PutOp(namespace, LEASE, value, index=False)
    yield from write([put], {(namespace, LEASE): getattr(there, "version", 0)})
