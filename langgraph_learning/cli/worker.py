"""The commands for background learning: run a worker, and list the turns that wait for one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.util import find_spec
from typing import Annotated, Any

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import Column, day, notice, show
from langgraph_learning.cli.target import Target

POLL = timedelta(seconds=2)
"""How often a worker looks for new turns if there is no job queue that notifies it."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, worker, scoped=False)
    command(app, pending)


def worker(
    at: Target,
    machine: Annotated[
        str, typer.Argument(metavar="MODULE:NAME", help="Your LearningMachine, e.g. app.agent:learning.")
    ],
    concurrency: Annotated[int, typer.Option("--concurrency", "-c", min=1, help="From how many users at once.")] = 4,
    curate_days: Annotated[
        float | None, typer.Option(min=0.01, help="Curate what all users taught every so many days.", metavar="DAYS")
    ] = None,
    sweep_days: Annotated[
        float | None, typer.Option(min=0.01, help="Erase what has expired every so many days.", metavar="DAYS")
    ] = None,
) -> None:
    """Learn from the turns that wait in a database, until it is asked to end; any number of workers may run.

    Example: langgraph-learning worker -d postgresql://localhost/app app.agent:learning --concurrency 8
    """
    from langgraph_learning._engine.background.learner import BackgroundLearner, utc_now
    from langgraph_learning._engine.background.pending import find_namespaces
    from langgraph_learning._engine.background.schedule import care_in_background, care_tasks
    from langgraph_learning._engine.flow import Driver
    from langgraph_learning.cli.machines import load_machine
    from langgraph_learning.config import Background

    learning = load_machine(machine)
    settings = learning._settings
    settings.extractions()  # raises if the machine has no model of its own: a worker cannot know the agent's model
    settings = replace(settings, background=settings.background or Background())
    with at.open(make=True) as opened:
        tasks = care_tasks(
            settings,
            curate_every=timedelta(days=curate_days) if curate_days else None,
            sweep_every=timedelta(days=sweep_days) if sweep_days else None,
            reflect=partial(learning.reflect, store=opened.store),
        )
        care_in_background(Driver(opened.store), tasks, utc_now)
        # With a job queue (Postgres and procrastinate) new turns wake the worker; without one the learner polls.
        jobs: Any = getattr(opened.store, "jobs", None)
        if jobs is not None and find_spec("procrastinate") is not None:
            learner = BackgroundLearner(settings, opened.store, threads=0)
            notice(f"learning from what waits, {concurrency} users at once; end it by ctrl+c or SIGTERM")
            jobs(settings.name).work(
                lambda namespace: learner.learn(namespace).next_at,
                lambda: Driver(opened.store).run(find_namespaces()),
                concurrency=concurrency,
            )
            return
        learner = BackgroundLearner(settings, opened.store, threads=concurrency, rescan=POLL)
        with _asked_to_end() as ended:
            learner.start()
            notice(f"learning from what waits, {concurrency} users at once; end it by ctrl+c or SIGTERM")
            ended.wait()
            learner.stop()


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


PENDING = (
    Column("id", lambda turn: turn.id, "id"),
    Column("user", lambda turn: turn.identity.user_id, "name"),
    Column("thread", lambda turn: turn.identity.thread_id, "name"),
    Column("status", lambda turn: f"{turn.status}, {turn.attempts} attempts" if turn.attempts else turn.status, "name"),
    Column("due", lambda turn: day(turn.due_at), "time"),
    Column("said", lambda turn: turn.text),
    Column("error", lambda turn: turn.error),
)


def pending(
    at: Target,
    retry: Annotated[bool, typer.Option("--retry", help="Let those that failed wait again, due at once.")] = False,
) -> None:
    """List the turns that wait to be learned from, and those that failed, of one user or of all.

    Example: langgraph-learning pending -d sqlite:///learning.db --retry
    """
    from langgraph_learning._engine.background.pending import (
        load_all_pending,
        load_pending,
        pending_namespace,
        retry_failed,
    )
    from langgraph_learning._engine.flow import Driver
    from langgraph_learning.records import Identity

    with at.open() as opened:
        driver = Driver(opened.store)
        if at.user is None:
            turns = driver.run(load_all_pending())
        else:
            turns = driver.run(load_pending(pending_namespace(Identity(user_id=at.user))))
        if retry:
            notice(f"{driver.run(retry_failed(turns, datetime.now(UTC)))} wait again")
            turns = [turn for turn in driver.run(load_all_pending()) if at.user in (None, turn.identity.user_id)]
    show(turns, PENDING, as_json=at.as_json, none="nothing waits")
