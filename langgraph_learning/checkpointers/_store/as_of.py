"""A store as it stood at one revision."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from langgraph.store.base import BaseStore, Op, PutOp, Result, TTLConfig

from langgraph_learning.checkpointers._store.batch_plan import BatchPlan
from langgraph_learning.errors import UnsupportedByStore

if TYPE_CHECKING:
    from langgraph_learning.checkpointers._store.store import HybridStore

PLAIN_READS: TTLConfig = {"refresh_on_read": False}  # a read must not become a write unless the caller asks for that


class StoreAsOf(BaseStore):
    """A read-only store as it was at one revision; the same read always returns the same."""

    supports_ttl = True

    def __init__(self, store: "HybridStore", revision: int) -> None:
        self.ttl_config = PLAIN_READS
        self._store, self.revision = store, revision

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Run reads; a write raises `UnsupportedByStore`."""
        return self._store.execute_as_of(BatchPlan.of(_check_reads(ops), ()), self.revision)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Run `batch()` without blocking the loop."""
        plan = BatchPlan.of(_check_reads(ops), ())
        return await self._store.aexecute_as_of(plan, self.revision)


def _check_reads(ops: Iterable[Op]) -> list[Op]:
    every = list(ops)
    if any(isinstance(op, PutOp) for op in every):
        raise UnsupportedByStore("a store as of a revision is read-only: write to the store itself")
    return every
