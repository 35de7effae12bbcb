"""Running an agent on memory as it stood: every recall reads one revision, and nothing is learned."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

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
