"""A checkpointer around any checkpointer, that remembers with each checkpoint what was known when it was made.

A store of ours counts its commits: a *revision* names one state of everything learned. `LearningSaver` writes the
revision into the metadata of each checkpoint, so that a run which starts from an older checkpoint can recall what was
known then (`revision_of`). Two things make that harder than it sounds:

- LangGraph saves in the background, so a checkpoint may be written after a later step has learned something. The
  revision is therefore taken when the checkpoint is made. The one call a saver gets at that moment, `get_next_version`,
  must not wait for a database, so it takes `store.last_revision`, the newest revision the store has seen by itself.
- A fork of an older checkpoint (an update, new input, a replay) is the thread's newest checkpoint and still knows no
  more than the one it was made from: it takes over that one's revision, marked as belonging to the past. So do the
  steps after it, and a run that goes on where they were interrupted, though it names no checkpoint; new input does not.
"""

import asyncio
import copy
import logging
from collections.abc import Awaitable, Callable, Collection, Generator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Event, Lock
from typing import Any, Generic, Self, TypeAlias, TypeVar, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.store.base import BaseStore

from langgraph_learning.checkpointers._executor import await_event
from langgraph_learning.checkpointers._fork import renew_in_child
from langgraph_learning.checkpointers._saver.async_saver import Saver
from langgraph_learning.checkpointers._saver.capabilities import delegate, with_capabilities
from langgraph_learning.checkpointers._saver.thread_data import (
    Thread,
    copy_sessions,
    erase_sessions,
    erase_thread_records,
)
from langgraph_learning.errors import ScopeError
from langgraph_learning.labels import fault_of_id, label
from langgraph_learning.langgraph_private import checkpoint_of, is_unfinished, saves_at_exit
from langgraph_learning.versioned_store import VersionedStore, supports

log = logging.getLogger("langgraph_learning")

_NO_STAMP = "the store does not say its revision: a run from this checkpoint will recall what is known by then"
REVISION = "learning_revision"
PAST = "learning_past"
PATIENCE = 10.0  # seconds to wait for a checkpoint that is being saved in the background
_KNOWN = Event()
_KNOWN.set()

K = TypeVar("K")
V = TypeVar("V")
Found: TypeAlias = CheckpointTuple | None
Reading: TypeAlias = Generator[RunnableConfig, Found, Found]
Stamp: TypeAlias = dict[str, int]


# the newest channel version that this context was given, and the revision known at that moment: a checkpoint that has
# this version was made right then (LangGraph saves it later, in a copy of the context)
_MADE: ContextVar[tuple[object, int]] = ContextVar("langgraph_learning_made", default=(None, 0))


class LearningSaver(BaseCheckpointSaver[Any]):
    """Any checkpointer, with the store's revision in the metadata of each checkpoint.

    `copy_thread`, `delete_for_runs` and `prune` (and their async twins) exist where `saver` has them.

    Args:
        saver: The checkpointer that keeps the checkpoints.
        store: The store that learns. Without a `revision()` method nothing is stamped.
        thread_label: How a thread id is written as a label of a store namespace.
        forget_thread: Erases what users taught in a thread, for `delete_thread(thread_id, learned=True)`; by default
            their records in `store` whose source is the thread, and its commits.
    """

    def __new__(cls, saver: Saver | None = None, *args: object, **kwargs: object) -> Self:
        # LangGraph asks the type what a checkpointer can do, so the type depends on the inner one's
        return super().__new__(cls if saver is None else cast("type[Self]", with_capabilities(cls, type(saver))))

    def __init__(
        self,
        saver: Saver,
        store: BaseStore,
        *,
        thread_label: Callable[[str], str] = label,
        forget_thread: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__(serde=saver.serde)
        self.saver = saver
        self.store = store
        self._thread_label = thread_label
        self._forget_thread = forget_thread or partial(erase_thread_records, store)
        self._starts: _RecentValues[tuple[str, str], int | None] = _RecentValues()
        self._left: _RecentValues[str, _UnfinishedReplay] = _RecentValues()
        self._counts = supports(store, VersionedStore.revision)
        self._counts_here = self._counts and hasattr(store, "last_revision")

    def revision_of(self, config: RunnableConfig) -> int | None:
        """Return the revision that the run of a node's `config` has to recall, `None` for what is known now.

        It is a number in a run that was started from an explicit older checkpoint or from a fork of one, and in a run
        that goes on with what such a run left unfinished.
        """
        if (start := _start_of(config)) is None:
            return self._continued_replay(config, self._await_beginning(config).wait(PATIENCE))
        if start not in self._starts:
            self.get_tuple(_checkpoint_config(*start))
        return self._starts.get(start)

    async def arevision_of(self, config: RunnableConfig) -> int | None:
        """Return the revision that the run of a node's `config` has to recall, `None` for what is known now."""
        if (start := _start_of(config)) is None:
            began = self._await_beginning(config)
            return self._continued_replay(config, await await_event(began, PATIENCE))
        if start not in self._starts:
            await self.aget_tuple(_checkpoint_config(*start))
        return self._starts.get(start)

    def _await_beginning(self, config: RunnableConfig) -> Event:
        """What to wait for before it is known whether a run goes on with a replay, or began with new input over it."""
        left = self._left.get(_thread(config))
        if left is None or saves_at_exit(config) or checkpoint_of(config) in (left.id, None):
            return _KNOWN
        return left.began

    def _continued_replay(self, config: RunnableConfig, known: bool) -> int | None:
        left = self._left.get(_thread(config))
        return left.revision if left and known else None

    def revision_at(self, thread_id: str, checkpoint_ns: str, checkpoint_id: str) -> int | None:
        """Return the revision that was known when the checkpoint was made, if it is recorded."""
        return _revision_in(self.saver.get_tuple(_checkpoint_config(thread_id, checkpoint_id, checkpoint_ns)))

    async def arevision_at(self, thread_id: str, checkpoint_ns: str, checkpoint_id: str) -> int | None:
        """Return the revision that was known when the checkpoint was made, if it is recorded."""
        return _revision_in(await self.saver.aget_tuple(_checkpoint_config(thread_id, checkpoint_id, checkpoint_ns)))

    def get_tuple(self, config: RunnableConfig) -> Found:
        """Return the checkpoint of `config`, the latest one of its thread when it names none."""
        _check_thread(config)
        if self._counts_here:  # every run begins by reading a checkpoint: see what other processes have committed
            self._current_stamp()
        return _run(self._read_flow(config), self.saver.get_tuple)

    async def aget_tuple(self, config: RunnableConfig) -> Found:
        """Return the checkpoint of `config`, the latest one of its thread when it names none."""
        _check_thread(config)
        if self._counts_here:
            await self._acurrent_stamp()
        return await _arun(self._read_flow(config), self.saver.aget_tuple)

    def _read_flow(self, config: RunnableConfig) -> Reading:
        """Read a checkpoint, and note what a run that starts there has to recall."""
        found = yield config
        at = config["configurable"]
        if found is None or at.get("checkpoint_ns") or not self._counts:
            return found
        past = _is_in_replay(found)
        if asked := at.get("checkpoint_id"):
            head = yield _checkpoint_config(at["thread_id"], None)
            past = past or (head is not None and head.checkpoint["id"] != found.checkpoint["id"])
            start = _start_of(config) or (str(at["thread_id"]), asked)
            self._starts.put(start, _revision_in(found) if past else None)
        elif past and (revision := _revision_in(found)) is not None:
            self._left.put(_thread(config), _UnfinishedReplay(found.checkpoint["id"], revision, Event()))
        else:
            self._left.drop(_thread(config))
        return found

    def get_next_version(self, current: Any, channel: None) -> Any:
        """Return the inner checkpointer's next version of a channel."""
        version = self.saver.get_next_version(current, channel)
        if self._counts_here:
            _MADE.set((version, cast("VersionedStore", self.store).last_revision))
        return version

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save a checkpoint with the revision that was current when it was made."""
        stamp = self._stamp(config, checkpoint, metadata, new_versions)
        stamp = self._current_stamp() if stamp is None else stamp
        return self.saver.put(config, checkpoint, _with_stamp(metadata, stamp), new_versions)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save a checkpoint with the revision that was current when it was made."""
        stamp = self._stamp(config, checkpoint, metadata, new_versions)
        stamp = await self._acurrent_stamp() if stamp is None else stamp
        return await self.saver.aput(config, checkpoint, _with_stamp(metadata, stamp), new_versions)

    def _stamp(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, new: ChannelVersions
    ) -> Stamp | None:
        """Return what to add to `metadata`, or `None` when only the store can tell."""
        if not self._counts or REVISION in metadata:  # a copied checkpoint keeps its own
            return {}
        if (past := self._replayed_revision(config, metadata)) is not None:
            return {REVISION: past, PAST: True}
        made_of, known = _MADE.get()
        if self._counts_here and made_of in new.values():
            return {REVISION: known}
        # A wrapper that counts versions itself, as LangGraph's server does: go by the time.
        if not supports(store := self.store, VersionedStore.revision_seen_at):
            return None
        seen = cast("VersionedStore", store).revision_seen_at(datetime.fromisoformat(checkpoint["ts"]))
        return {REVISION: seen} if seen is not None else None

    def _replayed_revision(self, config: RunnableConfig, metadata: CheckpointMetadata) -> int | None:
        """Return the revision that the run of a new checkpoint recalls, `None` in the present."""
        if start := _start_of(config):
            return self._starts.get(start)
        if (left := self._left.get(thread := _thread(config))) is None:
            return None
        if not config["configurable"].get("checkpoint_ns"):  # the first one after it tells how the run began
            if new := metadata.get("source") == "input":
                self._left.drop(thread)
            left.began.set()
            if new:
                return None
        return left.revision

    def _current_stamp(self) -> Stamp:
        try:
            return {REVISION: cast("VersionedStore", self.store).revision()}
        except Exception:
            log.warning(_NO_STAMP, exc_info=True)
            return {}

    async def _acurrent_stamp(self) -> Stamp:
        if not supports(self.store, VersionedStore.arevision):
            return self._current_stamp()
        try:
            return {REVISION: await cast("VersionedStore", self.store).arevision()}
        except Exception:
            log.warning(_NO_STAMP, exc_info=True)
            return {}

    def delete_thread(self, thread_id: str, *, learned: bool = False) -> None:
        """Delete a thread with its session context; with `learned`, also what users taught in it."""
        self.saver.delete_thread(thread_id)  # first: a thread id it refuses leaves nothing half done
        self._forget(str(thread_id), learned)

    async def adelete_thread(self, thread_id: str, *, learned: bool = False) -> None:
        """Delete a thread with its session context; with `learned`, also what users taught in it."""
        await self.saver.adelete_thread(thread_id)
        await asyncio.to_thread(self._forget, str(thread_id), learned)

    def _forget(self, thread_id: str, learned: bool) -> None:
        self.forget_sessions([thread_id])
        if learned:
            self._forget_thread(thread_id)

    def forget_sessions(self, thread_ids: Sequence[str]) -> None:
        """Erase the session context of threads, with its history where the store keeps one."""
        for thread_id in map(str, thread_ids):
            erase_sessions(self.store, self._thread_label(thread_id), thread_id)

    def copy_session(self, source_thread_id: str, target_thread_id: str) -> None:
        """Give a thread the session context of another one; what it already has stays."""
        source, target = str(source_thread_id), str(target_thread_id)
        copy_sessions(
            self.store, Thread(source, self._thread_label(source)), Thread(target, self._thread_label(target))
        )

    @property
    def config_specs(self) -> Any:
        """The inner checkpointer's own options."""
        return self.saver.config_specs

    list, alist = delegate(BaseCheckpointSaver.list), delegate(BaseCheckpointSaver.alist)
    put_writes, aput_writes = delegate(BaseCheckpointSaver.put_writes), delegate(BaseCheckpointSaver.aput_writes)
    get_delta_channel_history = delegate(BaseCheckpointSaver.get_delta_channel_history)
    aget_delta_channel_history = delegate(BaseCheckpointSaver.aget_delta_channel_history)

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> Saver:
        """Return this saver around one that may load these types too."""
        inner = self.saver.with_allowlist(extra_allowlist)
        if inner is self.saver:
            return self
        clone = copy.copy(self)  # shares what it knows of the runs
        clone.saver, clone.serde = inner, inner.serde
        return clone


@dataclass(frozen=True, slots=True)
class _UnfinishedReplay:
    """The newest checkpoint of a thread, where a run in the past was left unfinished."""

    id: str
    revision: int
    began: Event  # that the next run has saved a checkpoint


class _RecentValues(Generic[K, V]):
    """What is remembered of runs; the oldest are dropped."""

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._lock = Lock()
        self._values: dict[K, V] = {}
        renew_in_child(self)

    def renew(self) -> None:
        """Take a new lock in a forked process: a thread of the parent may hold this one."""
        self._lock = Lock()

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def get(self, key: K) -> V | None:
        return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._values.pop(key, None)
            self._values[key] = value
            if len(self._values) > self._limit:
                del self._values[next(iter(self._values))]

    def drop(self, key: K) -> None:
        with self._lock:
            self._values.pop(key, None)


def _check_thread(config: RunnableConfig) -> None:
    if fault := fault_of_id("thread id", _thread(config)):
        raise ScopeError(fault)


def _start_of(config: RunnableConfig) -> tuple[str, str] | None:
    """Return thread and checkpoint that the caller of this run named; LangGraph keeps the latter in the metadata."""
    thread = config.get("configurable", {}).get("thread_id")
    checkpoint = config.get("metadata", {}).get("checkpoint_id")
    return (str(thread), str(checkpoint)) if thread and checkpoint else None


def _thread(config: RunnableConfig) -> str:
    return str(config.get("configurable", {}).get("thread_id"))


def _is_in_replay(found: CheckpointTuple) -> bool:
    """Whether who goes on from here stays in the past; where a replay ended the thread goes on in the present."""
    metadata = found.metadata
    return bool(metadata.get(PAST)) and (metadata.get("source") != "loop" or is_unfinished(found))


def _checkpoint_config(thread_id: str, checkpoint_id: str | None, checkpoint_ns: str = "") -> RunnableConfig:
    at = {"thread_id": str(thread_id), "checkpoint_ns": checkpoint_ns}
    return {"configurable": {**at, "checkpoint_id": checkpoint_id} if checkpoint_id else at}


def _revision_in(found: Found) -> int | None:
    revision = found.metadata.get(REVISION) if found else None
    return revision if isinstance(revision, int) else None


def _with_stamp(metadata: CheckpointMetadata, stamp: Stamp) -> CheckpointMetadata:
    return cast("CheckpointMetadata", {**metadata, **stamp})


def _run(reading: Reading, read: Callable[[RunnableConfig], Found]) -> Found:
    found = None
    try:
        while True:
            found = read(reading.send(found))
    except StopIteration as done:
        return cast("Found", done.value)


async def _arun(reading: Reading, read: Callable[[RunnableConfig], Awaitable[Found]]) -> Found:
    found = None
    try:
        while True:
            found = await read(reading.send(found))
    except StopIteration as done:
        return cast("Found", done.value)
