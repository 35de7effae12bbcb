"""A worker: it learns from the turns that wait in a database, until the process is asked to end."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from importlib.util import find_spec

from langgraph.store.base import BaseStore

from langgraph_learning._engine.background.learner import BackgroundLearner, utc_now
from langgraph_learning._engine.background.pending import find_namespaces
from langgraph_learning._engine.flow import Driver
from langgraph_learning._engine.maintenance.periodic import periodic_tasks, run_in_background
from langgraph_learning.config import Background
from langgraph_learning.machine import LearningMachine

POLL = timedelta(seconds=2)
"""How often a worker looks for new turns if there is no job queue that notifies it."""


class Worker:
    """A worker of one learning machine; any number of them may run on one database.

    Args:
        learning: The machine that learns; with a model of its own, because a worker cannot know the agent's model.
        concurrency: From how many users it learns at once.
        curate_every: How often the records of all users are curated; None is never.
        sweep_every: How often expired records are erased; None is never.

    Raises:
        ConfigurationError: The machine has no model.
    """

    def __init__(
        self,
        learning: LearningMachine,
        *,
        concurrency: int,
        curate_every: timedelta | None = None,
        sweep_every: timedelta | None = None,
    ) -> None:
        settings = learning._settings
        settings.extractions()  # raises if there is no model
        self._settings = replace(settings, background=settings.background or Background())
        self._learning, self._concurrency = learning, concurrency
        self._curate_every, self._sweep_every = curate_every, sweep_every

    def run(self, store: BaseStore, ready: Callable[[], object] = lambda: None) -> None:
        """Learn from what waits in `store` until SIGTERM or ctrl+c; call `ready` when the work begins."""
        self._start_periodic(store)
        # With a job queue (Postgres and procrastinate) new turns wake the worker; without one the learner polls.
        jobs = getattr(store, "jobs", None)
        if jobs is not None and find_spec("procrastinate") is not None:
            learner = BackgroundLearner(self._settings, store, threads=0)
            ready()
            jobs(self._settings.name).work(
                lambda namespace: learner.learn(namespace).next_at,
                lambda: Driver(store).run(find_namespaces()),
                concurrency=self._concurrency,
            )
            return
        learner = BackgroundLearner(self._settings, store, threads=self._concurrency, rescan=POLL)
        with _asked_to_end() as ended:
            learner.start()
            ready()
            ended.wait()
            learner.stop()

    def _start_periodic(self, store: BaseStore) -> None:
        """Start the regular tasks, in a thread of their own."""
        tasks = periodic_tasks(
            self._settings,
            curate_every=self._curate_every,
            sweep_every=self._sweep_every,
            reflect=partial(self._learning.reflect, store=store),
        )
        run_in_background(Driver(store), tasks, utc_now)


@contextmanager
def _asked_to_end() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and ctrl+c set; restore the signal handlers at the end."""
    ended = threading.Event()
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
