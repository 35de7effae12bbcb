"""A checkpointer around any checkpointer, that remembers with each checkpoint what was known when it was made.

A store of ours counts its commits: a *revision* names one state of everything learned. `LearningSaver` writes the
revision into the metadata of each checkpoint, so that a run which starts from an older checkpoint can recall what was
known then (`revision_of`). Two things make that harder than it sounds:

- LangGraph saves in the background, so a checkpoint may be written after a later step has learned something. The
  revision is therefore taken when the checkpoint is made. The one call a saver gets at that moment, `get_next_version`,
  must not wait for a database, so it takes `store.last_revision`, the newest revision the store has seen by itself.
- A fork of an older checkpoint (an update, new input, a replay) is the thread's newest checkpoint and still knows no
  more than the one it was made from: it takes over that one's revision, marked as belonging to the past.
"""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Collection, Generator
from contextvars import ContextVar
from datetime import datetime
from functools import partial, wraps
from threading import Lock
from typing import Any, Protocol, Self, TypeAlias, TypeVar, cast, runtime_checkable

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.store.base import BaseStore

from langgraph_learning.checkpointers.contract import Saver
from langgraph_learning.checkpointers.sessions import erase_sessions, erase_taught
from langgraph_learning.labels import label

REVISION = "learning_revision"
PAST = "learning_past"
OPTIONAL = tuple(prefix + name for name in ("copy_thread", "delete_for_runs", "prune") for prefix in ("", "a"))

Method = TypeVar("Method", bound=Callable[..., object])
Found: TypeAlias = CheckpointTuple | None
Reading: TypeAlias = Generator[RunnableConfig, Found, Found]
Stamp: TypeAlias = dict[str, int]


@runtime_checkable
class Revisioned(Protocol):
    """A store that counts its commits."""

    def revision(self) -> int:
        """Return the number of the newest commit."""


class Counting(Revisioned, Protocol):
    """A store that also knows, without asking the database, the newest commit it has seen or made."""

    last_revision: int


@runtime_checkable
class Dated(Protocol):
    """A store that knows when it saw which of its commits."""

    def seen_by(self, at: datetime) -> int | None:
        """Return the newest revision it had seen by then, if it still knows."""


# the newest channel version that this context was given, and the revision known at that moment: a checkpoint that has
# this version was made right then (LangGraph saves it later, in a copy of the context)
_MADE: ContextVar[tuple[object, int]] = ContextVar("langgraph_learning_made", default=(None, 0))


def _passed_on(method: Method) -> Method:
    """Return a method that calls the inner saver's; the result of an async one is awaited by the caller."""

    @wraps(method)
    def passed_on(self: "LearningSaver", *args: object, **kwargs: object) -> object:
        return getattr(self.saver, method.__name__)(*args, **kwargs)

    return cast("Method", passed_on)


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

    def __new__(  # noqa: D102 - documented by the class
        cls, saver: Saver | None = None, *args: object, **kwargs: object
    ) -> Self:
        # LangGraph asks the type what a checkpointer can do, so the type depends on the inner one's
        return super().__new__(cls if saver is None else cast("type[Self]", _able(cls, type(saver))))

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
        self._forget_thread = forget_thread or partial(erase_taught, store)
        self._starts = _Starts()
        self._counts = isinstance(store, Revisioned)
        self._counts_here = self._counts and hasattr(store, "last_revision")

    def revision_of(self, config: RunnableConfig) -> int | None:
        """Return the revision that the run of a node's `config` has to recall, `None` for what is known now.

        It is a number in a run that was started from an explicit older checkpoint, or from a fork of one.
        """
        if (start := _start(config)) and start not in self._starts:
            self.get_tuple(_at(*start))
        return self._starts.get(start)

    async def arevision_of(self, config: RunnableConfig) -> int | None:
        """Return the revision that the run of a node's `config` has to recall, `None` for what is known now."""
        if (start := _start(config)) and start not in self._starts:
            await self.aget_tuple(_at(*start))
        return self._starts.get(start)

    def revision_at(self, thread_id: str, checkpoint_ns: str, checkpoint_id: str) -> int | None:
        """Return the revision that was known when the checkpoint was made, if it is recorded."""
        return _revision(self.saver.get_tuple(_at(thread_id, checkpoint_id, checkpoint_ns)))

    async def arevision_at(self, thread_id: str, checkpoint_ns: str, checkpoint_id: str) -> int | None:
        """Return the revision that was known when the checkpoint was made, if it is recorded."""
        return _revision(await self.saver.aget_tuple(_at(thread_id, checkpoint_id, checkpoint_ns)))

    def get_tuple(self, config: RunnableConfig) -> Found:
        """Return the checkpoint of `config`, the latest one of its thread when it names none."""
        self._look()
        return _run(self._reading(config), self.saver.get_tuple)

    async def aget_tuple(self, config: RunnableConfig) -> Found:
        """Return the checkpoint of `config`, the latest one of its thread when it names none."""
        if self._counts_here:
            await asyncio.to_thread(self._look)
        return await _arun(self._reading(config), self.saver.aget_tuple)

    def _look(self) -> None:
        """Let the store see what other processes have committed: every run begins by reading a checkpoint."""
        if self._counts_here:
            self._now()

    def _reading(self, config: RunnableConfig) -> Reading:
        """Read a checkpoint; of one that is asked for by its id, note what a run starting there has to recall."""
        found = yield config
        at = config["configurable"]
        if found is not None and at.get("checkpoint_id") and not at.get("checkpoint_ns") and self._counts:
            head = yield _at(at["thread_id"], None)
            past = found.metadata.get(PAST) or (head is not None and head.checkpoint["id"] != found.checkpoint["id"])
            asked = _start(config) or (str(at["thread_id"]), at["checkpoint_id"])
            self._starts.note(asked, _revision(found) if past else None)
        return found

    def get_next_version(self, current: Any, channel: None) -> Any:
        """Return the inner checkpointer's next version of a channel."""
        version = self.saver.get_next_version(current, channel)
        if self._counts_here:
            _MADE.set((version, cast("Counting", self.store).last_revision))
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
        stamp = self._now() if stamp is None else stamp
        return self.saver.put(config, checkpoint, _stamped(metadata, stamp), new_versions)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save a checkpoint with the revision that was current when it was made."""
        stamp = self._stamp(config, checkpoint, metadata, new_versions)
        stamp = await asyncio.to_thread(self._now) if stamp is None else stamp
        return await self.saver.aput(config, checkpoint, _stamped(metadata, stamp), new_versions)

    def _stamp(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, new: ChannelVersions
    ) -> Stamp | None:
        """Return what to add to `metadata`, or `None` when only the store can tell."""
        if not self._counts or REVISION in metadata:  # a copied checkpoint keeps its own
            return {}
        if (past := self._starts.get(_start(config))) is not None:
            # The steps of the run know no more than its start; where it ends the thread goes on in the present.
            return {REVISION: past} if metadata.get("source") == "loop" else {REVISION: past, PAST: True}
        made_of, known = _MADE.get()
        if self._counts_here and made_of in new.values():
            return {REVISION: known}
        # A wrapper that counts versions itself, as LangGraph's server does: go by the time.
        seen = self.store.seen_by(datetime.fromisoformat(checkpoint["ts"])) if isinstance(self.store, Dated) else None
        return {REVISION: seen} if seen is not None else None

    def _now(self) -> Stamp:
        return {REVISION: cast("Revisioned", self.store).revision()}

    def delete_thread(self, thread_id: str, *, learned: bool = False) -> None:
        """Delete a thread with its session context; with `learned`, also what users taught in it."""
        self.saver.delete_thread(thread_id)  # first: a thread id it refuses leaves nothing half done
        self._forget(str(thread_id), learned)

    async def adelete_thread(self, thread_id: str, *, learned: bool = False) -> None:
        """Delete a thread with its session context; with `learned`, also what users taught in it."""
        await self.saver.adelete_thread(thread_id)
        await asyncio.to_thread(self._forget, str(thread_id), learned)

    def _forget(self, thread_id: str, learned: bool) -> None:
        erase_sessions(self.store, self._thread_label(thread_id), thread_id)
        if learned:
            self._forget_thread(thread_id)

    @property
    def config_specs(self) -> Any:
        """The inner checkpointer's own options."""
        return self.saver.config_specs

    list, alist = _passed_on(BaseCheckpointSaver.list), _passed_on(BaseCheckpointSaver.alist)
    put_writes, aput_writes = _passed_on(BaseCheckpointSaver.put_writes), _passed_on(BaseCheckpointSaver.aput_writes)
    get_delta_channel_history = _passed_on(BaseCheckpointSaver.get_delta_channel_history)
    aget_delta_channel_history = _passed_on(BaseCheckpointSaver.aget_delta_channel_history)

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> Saver:
        """Return this saver around one that may load these types too."""
        inner = self.saver.with_allowlist(extra_allowlist)
        if inner is self.saver:
            return self
        clone = copy.copy(self)  # shares what it knows of the runs
        clone.saver, clone.serde = inner, inner.serde
        return clone


class _Starts:
    """Which revision each run that was started from an explicit checkpoint has to recall; the oldest are dropped."""

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._lock = Lock()
        self._revisions: dict[tuple[str, str], int | None] = {}

    def __contains__(self, start: tuple[str, str]) -> bool:
        return start in self._revisions

    def get(self, start: tuple[str, str] | None) -> int | None:
        return self._revisions.get(start) if start else None

    def note(self, start: tuple[str, str], revision: int | None) -> None:
        with self._lock:
            self._revisions.pop(start, None)
            self._revisions[start] = revision
            if len(self._revisions) > self._limit:
                del self._revisions[next(iter(self._revisions))]


def _start(config: RunnableConfig) -> tuple[str, str] | None:
    """Return thread and checkpoint that the caller of this run named; LangGraph keeps the latter in the metadata."""
    thread = config.get("configurable", {}).get("thread_id")
    checkpoint = config.get("metadata", {}).get("checkpoint_id")
    return (str(thread), str(checkpoint)) if thread and checkpoint else None


def _at(thread_id: str, checkpoint_id: str | None, checkpoint_ns: str = "") -> RunnableConfig:
    at = {"thread_id": str(thread_id), "checkpoint_ns": checkpoint_ns}
    return {"configurable": {**at, "checkpoint_id": checkpoint_id} if checkpoint_id else at}


def _revision(found: Found) -> int | None:
    revision = found.metadata.get(REVISION) if found else None
    return revision if isinstance(revision, int) else None


def _stamped(metadata: CheckpointMetadata, stamp: Stamp) -> CheckpointMetadata:
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


def _able(wrapper: type[LearningSaver], inner: type[Saver]) -> type[LearningSaver]:
    """Return `wrapper` with those optional methods that `inner` has."""
    able = tuple(name for name in OPTIONAL if getattr(inner, name) is not getattr(BaseCheckpointSaver, name))
    if able and (wrapper, able) not in _TYPES:
        _TYPES[wrapper, able] = type(
            wrapper.__name__, (wrapper,), {name: _passed_on(getattr(BaseCheckpointSaver, name)) for name in able}
        )
    return _TYPES.get((wrapper, able), wrapper)


_TYPES: dict[tuple[type[LearningSaver], tuple[str, ...]], type[LearningSaver]] = {}
