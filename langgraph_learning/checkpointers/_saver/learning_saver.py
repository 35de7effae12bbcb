"""A checkpointer around any checkpointer; it stores with each checkpoint the revision of the store at that moment.

A store of this package counts its commits: a *revision* names one state of everything learned. `LearningSaver` writes
the revision into the metadata of each checkpoint, so that a run which starts from an older checkpoint can recall what
was known then (`revision_of`). Two things make that harder than it sounds:

- LangGraph saves in the background, so a checkpoint may be written after a later step has learned something. The
  revision is therefore taken when the checkpoint is made. LangGraph then calls only `get_next_version`, which must not
  wait for a database; so it takes `store.last_revision`, the newest revision that this process has seen.
- A fork of an older checkpoint (an update, new input, a replay) becomes the newest checkpoint of its thread, but it
  knows no more than the checkpoint it comes from. So it takes over that revision and is marked as belonging to the
  past. The same holds for the steps after it, and for a run that continues an interrupted replay without naming a
  checkpoint. New input without a checkpoint belongs to the present again.
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

from langgraph_learning.checkpointers._after_fork import renew_in_child
from langgraph_learning.checkpointers._executor import await_event
from langgraph_learning.checkpointers._saver.async_saver import Saver
from langgraph_learning.checkpointers._saver.capabilities import delegate, with_capabilities
from langgraph_learning.checkpointers._saver.thread_data import (
    Thread,
    copy_sessions,
    erase_sessions,
    erase_thread_records,
)
from langgraph_learning.errors import ScopeError
from langgraph_learning.langgraph_private import checkpoint_of, is_unfinished, saves_at_exit
from langgraph_learning.namespace_labels import fault_of_id, label
from langgraph_learning.versioned_store import VersionedStore, supports

log = logging.getLogger("langgraph_learning")

_NO_STAMP = "the store's revision is unknown: a run from this checkpoint will recall the present records"
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


# The newest channel version that this context was given, and the revision at that moment. A checkpoint with this
# version was made in the same moment, but LangGraph saves it later, in a copy of the context.
_MADE: ContextVar[tuple[object, int]] = ContextVar("langgraph_learning_made", default=(None, 0))


class LearningSaver(BaseCheckpointSaver[Any]):
    """Any checkpointer, with the store's revision in the metadata of each checkpoint.

    `copy_thread`, `delete_for_runs` and `prune` (and their async twins) exist where `saver` has them.

    Args:
        saver: The checkpointer that stores the checkpoints.
        store: The store to learn into. Without a `revision()` method, checkpoints get no revision.
        thread_label: A function that returns the label of a thread id in a namespace of the store.
        forget_thread: A function that erases what users taught in a thread, for `delete_thread(thread_id,
            learned=True)`; by default it erases their records in `store` whose source is the thread, and its commits.
    """

    def __new__(cls, saver: Saver | None = None, *args: object, **kwargs: object) -> Self:
        # LangGraph looks at the type to learn what a checkpointer can do, so the type depends on the inner one's
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
        """Return the revision that the run with a node's `config` must recall; None for the present.

        It is a number in a run that starts from an explicit older checkpoint or from a fork of one, and in a run that
        continues what such a run left unfinished.
        """
        if (start := _start_of(config)) is None:
            return self._continued_replay(config, self._await_beginning(config).wait(PATIENCE))
        if start not in self._starts:
            self.get_tuple(_checkpoint_config(*start))
        return self._starts.get(start)

    async def arevision_of(self, config: RunnableConfig) -> int | None:
        """Return the revision that the run with a node's `config` must recall; None for the present."""
        if (start := _start_of(config)) is None:
            began = self._await_beginning(config)
            return self._continued_replay(config, await await_event(began, PATIENCE))
        if start not in self._starts:
            await self.aget_tuple(_checkpoint_config(*start))
        return self._starts.get(start)

    def _await_beginning(self, config: RunnableConfig) -> Event:
        """Return the event after which it is certain whether a run continues a replay or began with new input."""
        unfinished = self._left.get(_thread(config))
        if unfinished is None or saves_at_exit(config) or checkpoint_of(config) in (unfinished.id, None):
            return _KNOWN
        return unfinished.began

    def _continued_replay(self, config: RunnableConfig, began: bool) -> int | None:
        unfinished = self._left.get(_thread(config))
        return unfinished.revision if unfinished and began else None

    def revision_at(self, thread_id: str, checkpoint_ns: str, checkpoint_id: str) -> int | None:
        """Return the revision of the store when the checkpoint was made; None if it was not recorded."""
        return _revision_in(self.saver.get_tuple(_checkpoint_config(thread_id, checkpoint_id, checkpoint_ns)))

    async def arevision_at(self, thread_id: str, checkpoint_ns: str, checkpoint_id: str) -> int | None:
        """Return the revision of the store when the checkpoint was made; None if it was not recorded."""
        return _revision_in(await self.saver.aget_tuple(_checkpoint_config(thread_id, checkpoint_id, checkpoint_ns)))

    def get_tuple(self, config: RunnableConfig) -> Found:
        """Return the checkpoint of `config`; without a checkpoint id, the latest one of its thread."""
        _check_thread(config)
        if self._counts_here:  # every run reads a checkpoint first: see here what other processes have committed
            self._current_stamp()
        return _run(self._read_flow(config), self.saver.get_tuple)

    async def aget_tuple(self, config: RunnableConfig) -> Found:
        """Return the checkpoint of `config`; without a checkpoint id, the latest one of its thread."""
        _check_thread(config)
        if self._counts_here:
            await self._acurrent_stamp()
        return await _arun(self._read_flow(config), self.saver.aget_tuple)

    def _read_flow(self, config: RunnableConfig) -> Reading:
        """Read a checkpoint, and remember which revision a run that starts there must recall."""
        saved = yield config
        at = config["configurable"]
        if saved is None or at.get("checkpoint_ns") or not self._counts:
            return saved
        past = _is_in_replay(saved)
        if asked := at.get("checkpoint_id"):
            head = yield _checkpoint_config(at["thread_id"], None)
            past = past or (head is not None and head.checkpoint["id"] != saved.checkpoint["id"])
            start = _start_of(config) or (str(at["thread_id"]), asked)
            self._starts.put(start, _revision_in(saved) if past else None)
        elif past and (revision := _revision_in(saved)) is not None:
            self._left.put(_thread(config), _UnfinishedReplay(saved.checkpoint["id"], revision, Event()))
        else:
            self._left.drop(_thread(config))
        return saved

    def get_next_version(self, current: Any, channel: None) -> Any:
        """Return the next version of a channel from the inner checkpointer."""
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
        """Save a checkpoint with the revision of the moment when it was made."""
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
        """Save a checkpoint with the revision of the moment when it was made."""
        stamp = self._stamp(config, checkpoint, metadata, new_versions)
        stamp = await self._acurrent_stamp() if stamp is None else stamp
        return await self.saver.aput(config, checkpoint, _with_stamp(metadata, stamp), new_versions)

    def _stamp(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, new: ChannelVersions
    ) -> Stamp | None:
        """Return what to add to `metadata`; None if only the store can tell."""
        if not self._counts or REVISION in metadata:  # a copied checkpoint keeps its own revision
            return {}
        if (past := self._replayed_revision(config, metadata)) is not None:
            return {REVISION: past, PAST: True}
        made_of, revision = _MADE.get()
        if self._counts_here and made_of in new.values():
            return {REVISION: revision}
        # A wrapper such as LangGraph's server counts channel versions itself; then the time of the checkpoint decides.
        if not supports(store := self.store, VersionedStore.revision_seen_at):
            return None
        revision_then = cast("VersionedStore", store).revision_seen_at(datetime.fromisoformat(checkpoint["ts"]))
        return {REVISION: revision_then} if revision_then is not None else None

    def _replayed_revision(self, config: RunnableConfig, metadata: CheckpointMetadata) -> int | None:
        """Return the revision that the run of a new checkpoint recalls; None in the present."""
        if start := _start_of(config):
            return self._starts.get(start)
        if (unfinished := self._left.get(thread := _thread(config))) is None:
            return None
        if not config["configurable"].get("checkpoint_ns"):  # the root graph's first one shows how the run began
            if new := metadata.get("source") == "input":
                self._left.drop(thread)
            unfinished.began.set()
            if new:
                return None
        return unfinished.revision

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
        self.saver.delete_thread(thread_id)  # first, because it refuses an invalid thread id before anything is erased
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
        """Erase the session context of threads, with its history if the store has one."""
        for thread_id in map(str, thread_ids):
            erase_sessions(self.store, self._thread_label(thread_id), thread_id)

    def copy_session(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy the session context of one thread to another; what the target already has stays."""
        source, target = str(source_thread_id), str(target_thread_id)
        copy_sessions(
            self.store, Thread(source, self._thread_label(source)), Thread(target, self._thread_label(target))
        )

    @property
    def config_specs(self) -> Any:
        """The config fields of the inner checkpointer."""
        return self.saver.config_specs

    list, alist = delegate(BaseCheckpointSaver.list), delegate(BaseCheckpointSaver.alist)
    put_writes, aput_writes = delegate(BaseCheckpointSaver.put_writes), delegate(BaseCheckpointSaver.aput_writes)
    get_delta_channel_history = delegate(BaseCheckpointSaver.get_delta_channel_history)
    aget_delta_channel_history = delegate(BaseCheckpointSaver.aget_delta_channel_history)

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> Saver:
        """Return a saver like this one that may also load these types."""
        inner = self.saver.with_allowlist(extra_allowlist)
        if inner is self.saver:
            return self
        clone = copy.copy(self)  # both share what is remembered about runs
        clone.saver, clone.serde = inner, inner.serde
        return clone


@dataclass(frozen=True, slots=True)
class _UnfinishedReplay:
    """The newest checkpoint of a thread in which a replay was left unfinished."""

    id: str
    revision: int
    began: Event  # set when the next run has saved a checkpoint


class _RecentValues(Generic[K, V]):
    """A dictionary with a size limit, for what is remembered about runs; the oldest entries are dropped."""

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
    """Return the thread and the checkpoint that the caller of a run named; the metadata holds the latter."""
    thread = config.get("configurable", {}).get("thread_id")
    checkpoint = config.get("metadata", {}).get("checkpoint_id")
    return (str(thread), str(checkpoint)) if thread and checkpoint else None


def _thread(config: RunnableConfig) -> str:
    return str(config.get("configurable", {}).get("thread_id"))


def _is_in_replay(saved: CheckpointTuple) -> bool:
    """Return whether a run that continues from here belongs to the past; after a finished replay it does not."""
    metadata = saved.metadata
    return bool(metadata.get(PAST)) and (metadata.get("source") != "loop" or is_unfinished(saved))


def _checkpoint_config(thread_id: str, checkpoint_id: str | None, checkpoint_ns: str = "") -> RunnableConfig:
    at = {"thread_id": str(thread_id), "checkpoint_ns": checkpoint_ns}
    return {"configurable": {**at, "checkpoint_id": checkpoint_id} if checkpoint_id else at}


def _revision_in(saved: Found) -> int | None:
    revision = saved.metadata.get(REVISION) if saved else None
    return revision if isinstance(revision, int) else None


def _with_stamp(metadata: CheckpointMetadata, stamp: Stamp) -> CheckpointMetadata:
    return cast("CheckpointMetadata", {**metadata, **stamp})


def _run(reading: Reading, read: Callable[[RunnableConfig], Found]) -> Found:
    saved = None
    try:
        while True:
            saved = read(reading.send(saved))
    except StopIteration as done:
        return cast("Found", done.value)


async def _arun(reading: Reading, read: Callable[[RunnableConfig], Awaitable[Found]]) -> Found:
    saved = None
    try:
        while True:
            saved = await read(reading.send(saved))
    except StopIteration as done:
        return cast("Found", done.value)
