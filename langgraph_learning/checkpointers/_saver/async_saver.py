"""The async half of a sync checkpointer, with thread copies and run rollbacks, which LangGraph's savers lack."""

import json
from abc import ABC, abstractmethod
from builtins import list as listed  # `list` is a method of savers
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)

from langgraph_learning.checkpointers._executor import WorkerThreads
from langgraph_learning.checkpointers._store.sql_statements import Block, Dialect, load_blocks

Parameters = dict[str, str]
Saver: TypeAlias = BaseCheckpointSaver[Any]  # of any kind of channel version
Filter: TypeAlias = dict[str, Any]
Writes: TypeAlias = Sequence[tuple[str, Any]]  # channels and values


class AsyncSaverMixin(BaseCheckpointSaver[str], ABC):
    """The async half of a sync saver, with thread copies and run rollbacks.

    List it as a base before the sync saver. `SQL` names the dialect.
    """

    SQL: Dialect
    _threads: WorkerThreads

    @abstractmethod
    def _transact(self, statements: Iterable[str], parameters: Parameters) -> None:
        """Run statements in one transaction."""

    @abstractmethod
    def _query(self, statement: str) -> Sequence[str]:
        """Return the texts in the first column of a query."""

    def _block(self, name: str, file: str = "savers") -> Block:
        return load_blocks(self.SQL, file)[name]

    def thread_ids(self) -> Sequence[str]:
        """Return the ids of all threads, oldest first, without reading their checkpoints."""
        [statement] = self._block("list_threads")
        return self._query(statement)

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy every namespace, checkpoint and pending write of a thread; what the target already has stays."""
        self._transact(self._block("copy_thread"), {"source": str(source_thread_id), "target": str(target_thread_id)})

    def delete_thread(self, thread_id: str) -> None:
        """Delete all checkpoints and pending writes of a thread."""
        if self._can_be(thread_id := str(thread_id)):
            super().delete_thread(thread_id)

    def _can_be(self, thread_id: str) -> bool:
        """Return whether the database can store this text as an id; for other texts its driver raises an error."""
        nul = "\0" in thread_id and self.SQL == "postgres"
        return not nul and not any("\ud800" <= letter <= "\udfff" for letter in thread_id)

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete what the runs saved, in every thread and namespace; later checkpoints of other runs stay."""
        steps = (*self._block("create_selection"), *self._block("select_runs"), *self._block("delete_selection"))
        self._transact(steps, {"runs": json.dumps([str(run) for run in run_ids])})

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: Filter | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Return the checkpoints that match, newest first."""
        # LangGraph's iterators hold the lock, or a connection, until they are exhausted. A caller that reads another
        # checkpoint inside the loop would wait for ever, so all are read first.
        return iter(tuple(super().list(config, filter=filter, before=before, limit=limit)))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Run `get_tuple` in a thread."""
        return await self._threads(self.get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: Filter | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Run `list` in a thread."""
        for saved in await self._threads(lambda: listed(self.list(config, filter=filter, before=before, limit=limit))):
            yield saved

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Run `put` in a thread."""
        return await self._threads(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(self, config: RunnableConfig, writes: Writes, task_id: str, task_path: str = "") -> None:
        """Run `put_writes` in a thread."""
        await self._threads(self.put_writes, config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        """Run `delete_thread` in a thread."""
        await self._threads(self.delete_thread, thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Run `delete_for_runs` in a thread."""
        await self._threads(self.delete_for_runs, run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Run `copy_thread` in a thread."""
        await self._threads(self.copy_thread, source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Run `prune` in a thread."""
        await self._threads(self.prune, thread_ids, strategy=strategy)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> "dict[str, DeltaChannelHistory]":
        """Run `get_delta_channel_history` in a thread."""
        return dict(await self._threads(self.get_delta_channel_history, config=config, channels=channels))
