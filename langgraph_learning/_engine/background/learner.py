"""Background threads of this process that learn from due turns, one user at a time."""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import cast

from langchain_core.language_models import BaseChatModel
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from langgraph_learning._engine.background.learn_pending import LearningProgress, Work, learn_pending
from langgraph_learning._engine.background.lease import LeaseKeeper
from langgraph_learning._engine.background.pending import find_namespaces, load_pending
from langgraph_learning._engine.flow import Driver
from langgraph_learning._engine.settings import MachineSettings
from langgraph_learning.config import Background
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.records import Namespace

log = logging.getLogger("langgraph_learning")

THREADS = 4
"""How many users a process learns from at once."""
RESCAN = timedelta(seconds=60)
"""How often a process looks for turns that other processes left when they ended or died."""
RETRY_STORE = timedelta(seconds=10)
"""How long a process waits after the store has failed."""
CLOSING = 5.0
"""How many seconds closing the database waits for turns to be learned from."""
_POLL = timedelta(seconds=0.2)
_AT_ONCE = datetime.min.replace(tzinfo=UTC)


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


@dataclass
class _Queue:
    """The users with turns to learn from, each as the namespace of their turns.

    `due` says when each is due, `busy` holds those that a thread learns from now, `asked` those that `drain` waits for.
    """

    due: dict[Namespace, datetime] = field(default_factory=dict)
    busy: set[Namespace] = field(default_factory=set)
    asked: set[Namespace] = field(default_factory=set)
    left: set[Namespace] = field(default_factory=set)
    """The users that `drain` asked for and that still have turns."""
    rescan_at: datetime | None = None

    def next_moment(self) -> datetime | None:
        """Return when a free thread next has something to do; None if nothing is planned."""
        moments = [moment for namespace, moment in self.due.items() if namespace not in self.busy]
        return min((*moments, *((self.rescan_at,) if self.rescan_at else ())), default=None)

    def take(self, now: datetime) -> Namespace | None:
        """Return the user who has been due longest, and mark them busy; None if nobody is due."""
        ready = [(moment, place) for place, moment in self.due.items() if place not in self.busy and moment <= now]
        if not ready:
            return None
        namespace = min(ready)[1]
        del self.due[namespace]
        self.busy.add(namespace)
        return namespace


class BackgroundLearner:
    """The threads of this process that learn from the turns waiting in one store.

    Args:
        settings: The machine that learns.
        store: The store in which the turns wait.
        threads: How many users to learn from at once; by default none if another process learns.
        rescan: How often to look for turns that other processes left.
        clock: The function that returns the current time.
    """

    def __init__(
        self,
        settings: MachineSettings,
        store: BaseStore,
        *,
        threads: int | None = None,
        rescan: timedelta = RESCAN,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.settings, self._store = settings, store
        self.background = settings.background or Background()
        self._driver = Driver(store, warn_once=settings.warn_once)
        self._size = threads if threads is not None else THREADS if self.background.in_process else 0
        self._rescan, self._clock = rescan, clock
        self._model: BaseChatModel | None = None
        self._queue, self._changed = _Queue(), threading.Condition()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self.leases = LeaseKeeper(self._driver, clock)
        self._process = os.getpid()

    def remember_model(self, model: BaseChatModel | None) -> None:
        """Use the agent's own model for extraction if the machine has none."""
        self._model = model or self._model

    def schedule(self, namespace: Namespace, due_at: datetime) -> None:
        """Plan to learn from the turns of a user when they are due."""
        with self._changed:
            self._queue.due[namespace] = min(due_at, self._queue.due.get(namespace, due_at))
            self._changed.notify()
        self.start()

    def start(self) -> None:
        """Start the threads, once; they first look for turns that an earlier process left."""
        with self._changed:
            if self._threads or self._closed or not self._size:
                return
            self._queue.rescan_at = self._clock()
            names = [f"learning-{number}" for number in range(self._size)]
            self._threads = [threading.Thread(target=self._loop, name=name, daemon=True) for name in names]
        for thread in self._threads:
            thread.start()

    def learn(self, namespace: Namespace, *, hasten: bool = False) -> LearningProgress:
        """Learn from the due turns of one user, in the calling thread.

        Raises:
            ConfigurationError: There is no model.
            StoreError: The store failed.
        """
        work = Work(self.settings, self.background, self._clock, self._model, hasten, self.leases.held)
        with self.leases.while_learning():
            return self._driver.run(learn_pending(work, namespace))

    def drain(self, timeout: float | None = None) -> bool:
        """Learn at once from everything that this process has scheduled; return whether nothing of it is left.

        If another process does the learning, wait for it.
        """
        ends = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            waiting = set(self._queue.due) | self._queue.busy
        if not self._size:
            return self._wait_for_others(waiting, ends)
        self.start()
        with self._changed:
            self._queue.left -= waiting
            self._queue.asked |= waiting
            self._queue.due.update(dict.fromkeys(waiting, _AT_ONCE))
            self._changed.notify_all()
            left = None if ends is None else max(0.0, ends - time.monotonic())
            done = self._changed.wait_for(lambda: not self._queue.asked & waiting or self._closed, left)
            return done and not self._queue.left & waiting

    def _wait_for_others(self, waiting: set[Namespace], ends: float | None) -> bool:
        if waiting:
            self.settings.warn_once(
                "drain",
                "drain() waits for a worker, because this process does not learn (in_process=False): start"
                " `langgraph-learning worker`, or give drain(timeout=...)",
            )
        while waiting := {place for place in waiting if self._waits(place)}:
            if ends is not None and time.monotonic() >= ends:
                return False
            time.sleep(_POLL.total_seconds())
        with self._changed:
            self._queue.due.clear()
        return True

    def _waits(self, namespace: Namespace) -> bool:
        turns = self._driver.run(load_pending(namespace, self.settings.name))
        return any(turn.status == "waiting" for turn in turns)

    def close(self, timeout: float = CLOSING) -> None:
        """Learn until the timeout, then end; the other turns wait in the store for the next start."""
        if self._process != os.getpid():  # a forked process does not have its parent's threads
            return
        if self._size and not self._closed:
            self.drain(timeout)
        self._end()

    def _end(self) -> None:
        self.leases.end()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Finish the current work and end; the other turns wait in the store."""
        self._end()
        for thread in self._threads:
            thread.join()

    def _loop(self) -> None:
        while (namespace := self._next()) is not None:
            if namespace == ():
                self._find_left()
                continue
            with self._changed:
                hasten = namespace in self._queue.asked
            self._finish(namespace, self._try(namespace, hasten), hasten)

    def _next(self) -> Namespace | None:
        """Wait for work and return it: a user; `()` to look for turns that other processes left; None to end."""
        with self._changed:
            while not self._closed:
                now = self._clock()
                if (namespace := self._queue.take(now)) is not None:
                    return namespace
                if self._queue.rescan_at is not None and self._queue.rescan_at <= now:
                    self._queue.rescan_at = now + self._rescan
                    return ()
                moment = self._queue.next_moment()
                self._changed.wait(None if moment is None else max(0.0, (moment - now).total_seconds()))
        return None

    def _try(self, namespace: Namespace, hasten: bool) -> LearningProgress:
        try:
            return self.learn(namespace, hasten=hasten)
        except ConfigurationError as error:
            self.settings.warn_once("background_model", f"turns wait to be learned from: {error}")
            return LearningProgress(next_at=self._clock() + self._rescan)
        except Exception:  # the outermost call of a thread: the turns stay, to be tried again
            if not self._closed:
                log.exception("could not learn behind the reply; what waits goes on waiting")
            return LearningProgress(next_at=self._clock() + RETRY_STORE)

    def _finish(self, namespace: Namespace, progress: LearningProgress, hasten: bool) -> None:
        with self._changed:
            self._queue.busy.discard(namespace)
            if hasten and progress.leased:  # `drain` waits, and another learner has the lease
                self._queue.due[namespace] = self._clock() + _POLL
            elif progress.next_at is not None:
                there = self._queue.due.get(namespace, progress.next_at)
                self._queue.due[namespace] = min(there, progress.next_at)
            if hasten and not progress.leased:
                self._queue.asked.discard(namespace)
                (self._queue.left.add if progress.next_at else self._queue.left.discard)(namespace)
            self._changed.notify_all()

    def _find_left(self) -> None:
        try:
            namespaces = self._driver.run(find_namespaces())
        except Exception:  # the outermost call of a thread
            if not self._closed:
                log.exception("could not look for turns that wait")
            return
        with self._changed:
            now = self._clock()
            for namespace in namespaces:
                if namespace not in self._queue.busy:
                    self._queue.due.setdefault(namespace, now)
            self._changed.notify_all()


def learner_for(settings: MachineSettings, store: BaseStore) -> BackgroundLearner:
    """Return the learner of this process for `store`; the first call makes it."""
    key = (os.getpid(), getattr(store, "database", None) or id(store))  # a fork lacks its parent's threads
    learner = cast("BackgroundLearner | None", settings.learners.get(key))
    if learner is not None:
        return learner
    learner = BackgroundLearner(replace(settings), store)
    settings.learners[key] = learner
    if callable(before_close := getattr(store, "before_close", None)):

        def close() -> None:
            settings.learners.pop(key, None)
            learner.close()

        before_close(close)
    if type(store) is InMemoryStore:
        settings.warn_once(
            "in_memory",
            "turns wait in memory to be learned from: what waits is lost when this process ends. connect() opens a"
            " store that keeps it",
        )
    return learner


def drain(settings: MachineSettings, timeout: float | None) -> bool:
    """Learn now from everything that this process has scheduled, in all stores; return whether nothing is left."""
    ends = None if timeout is None else time.monotonic() + timeout
    mine = [learner for (process, _), learner in settings.learners.items() if process == os.getpid()]
    learners = cast("list[BackgroundLearner]", mine)
    rest = [learner.drain(None if ends is None else max(0.0, ends - time.monotonic())) for learner in learners]
    return all(rest)
