"""Periodic jobs, such as curation and the deletion of expired records: one worker runs each, once per period."""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import cast

from langgraph.store.base import GetOp, Item, ListNamespacesOp, MatchCondition, PutOp

from langgraph_learning._engine.flow import Driver, Flow, StoreCall, batch, write
from langgraph_learning._engine.maintenance.curate import curate
from langgraph_learning._engine.repository import EVERYTHING
from langgraph_learning._engine.settings import MachineSettings
from langgraph_learning.errors import ConfigurationError, ConflictError, LearningError
from langgraph_learning.namespace_labels import unlabel
from langgraph_learning.records import CARE, ROOT, Identity, Namespace

log = logging.getLogger("langgraph_learning")

LOOK = timedelta(minutes=1)
"""How often a worker checks whether a task is due."""
_PLACE = (ROOT, CARE)
Task = Callable[[datetime], Flow[None]]


def claim_period(name: str, every: timedelta, now: datetime) -> Flow[bool]:
    """Return whether this worker is to run a task: it is due, and no other worker claimed this period before."""
    [there] = yield from batch(GetOp(_PLACE, name, refresh_ttl=False))
    if isinstance(there, Item) and datetime.fromisoformat(there.value["at"]) + every > now:
        return False
    try:
        put = PutOp(_PLACE, name, {"at": now.isoformat()}, index=False)
        yield from write([put], {(_PLACE, name): getattr(there, "version", 0)})
    except ConflictError:
        return False
    return True


def curate_all(settings: MachineSettings, now: datetime) -> Flow[None]:
    """Curate the records of every user."""
    conditions = (MatchCondition("prefix", (ROOT, "user")),)
    [namespaces] = yield from batch(ListNamespacesOp(conditions, max_depth=3, limit=EVERYTHING))
    for namespace in cast("list[Namespace]", namespaces):
        identity = Identity(user_id=unlabel(namespace[2]))
        try:
            yield from curate(settings.stores, identity, now, dry_run=False, mask=settings.mask)
        except LearningError:  # a failure for one user must not stop the others
            log.exception("could not curate what a user has taught")


def sweep() -> Flow[None]:
    """Erase expired records, in a store that keeps them until a sweep."""
    yield StoreCall("sweep", (), {})


def _call(step: Callable[[], object]) -> Flow[None]:
    """Run a plain function as a flow."""
    step()
    yield from ()  # makes this function a generator, as a flow must be


def periodic_tasks(
    settings: MachineSettings,
    *,
    curate_every: timedelta | None = None,
    sweep_every: timedelta | None = None,
    reflect: Callable[[], object] | None = None,
) -> dict[str, tuple[timedelta, Task]]:
    """Return the tasks by name, each with its period; a task without a period is left out.

    Raises:
        ConfigurationError: `Background(reflect_every=...)` is set, but this machine cannot reflect.
    """
    tasks: dict[str, tuple[timedelta, Task]] = {}
    if curate_every is not None:
        tasks[f"curate {settings.name}"] = (curate_every, lambda now: curate_all(settings, now))
    if sweep_every is not None:
        tasks["sweep"] = (sweep_every, lambda _: sweep())
    if settings.background is not None and settings.background.reflect_every is not None:
        if reflect is None:
            raise ConfigurationError("Background(reflect_every=...): this machine cannot reflect; leave it out")
        tasks[f"reflect {settings.name}"] = (settings.background.reflect_every, lambda _: _call(reflect))
    return tasks


def run_due(driver: Driver, tasks: Mapping[str, tuple[timedelta, Task]], now: datetime) -> list[str]:
    """Run the due tasks and return their names; a failure is logged, and the task runs again in the next period."""
    done = []
    for name, (every, task) in tasks.items():
        try:
            if driver.run(claim_period(name, every, now)):
                driver.run(task(now))
                done.append(name)
        except LearningError:
            log.exception("%s failed", name)
    return done


def run_in_background(
    driver: Driver, tasks: Mapping[str, tuple[timedelta, Task]], clock: Callable[[], datetime]
) -> None:
    """Start a daemon thread that runs due tasks until the process ends."""
    ended = threading.Event()

    def loop() -> None:
        run_due(driver, tasks, clock())
        while not ended.wait(LOOK.total_seconds()):
            run_due(driver, tasks, clock())

    if tasks:
        threading.Thread(target=loop, name="learning-periodic", daemon=True).start()
