"""Background learning, as a graph sees it: a step writes the turn into the store, and the reply does not wait."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Protocol, cast

from langgraph.store.base import BaseStore

from langgraph_learning._engine.background.learner import BackgroundLearner, learner_for
from langgraph_learning._engine.background.pending import schedule_turns
from langgraph_learning._engine.flow import Flow, StoreCall
from langgraph_learning._engine.learning.extract import turn_commit_id
from langgraph_learning._engine.learning.grounding import ThreadWords
from langgraph_learning._engine.learning.turn import TurnInput
from langgraph_learning.config import Background
from langgraph_learning.nodes.begun_turns import BegunItems, learn_begun
from langgraph_learning.nodes.run_context import Run
from langgraph_learning.records import Namespace

Defer = Callable[[object, Namespace, datetime], None]


class DeferJob(Protocol):
    """A job queue that wakes workers in other processes."""

    def defer(self, connection: object, namespace: Namespace, due_at: datetime) -> None:
        """Add a job on this connection, inside its open transaction."""


def wake_learner(run: Run) -> None:
    """Start the background learner, which also learns from turns that an earlier process left."""
    if run.settings.background is not None and (store := run.driver.store) is not None:
        learner_for(run.settings, store).start()


def schedule_step(run: Run, turns: Sequence[TurnInput], thread: ThreadWords) -> Flow[None]:
    """Write the turns of one user into the store, to be learned from in the background."""
    background, store = run.settings.background, run.driver.require_store()
    assert background is not None
    learner = learner_for(run.settings, store)
    learner.remember_model(run.model)
    yield from learn_begun(run, turns, lambda begun: _schedule_begun(run, learner, begun, thread, store, background))


def _schedule_begun(
    run: Run,
    learner: BackgroundLearner,
    begun: BegunItems,
    thread: ThreadWords,
    store: BaseStore,
    background: Background,
) -> Flow[None]:
    works = run.settings.extractions(run.model)
    now = datetime.now(UTC)
    # Where it is learned nobody knows this run: its checkpoint and its task are those of the turn.
    heard = [replace(turn, checkpoint_id=run.checkpoint_id, run=run.task_id) for turn in begun.unlearned]
    keyed = [] if not works else [(turn_commit_id(works, turn), turn) for turn in heard if turn.turn.human]
    if not keyed:  # no learning store extracts, or no turn has words of the user
        return
    defer = yield from _find_queue(store, background, run.settings.name)
    delay, mask = timedelta(seconds=background.delay), run.settings.mask
    scheduled = yield from schedule_turns(keyed, run.settings.name, now, delay, mask, thread, defer, begun.own)
    if scheduled:
        learner.schedule(scheduled[0].namespace, scheduled[-1].due_at)
        run.emit("scheduled", turns=[turn.id for turn in scheduled], due_at=scheduled[-1].due_at.isoformat())


def _find_queue(store: BaseStore, background: Background, machine: str) -> Flow[Defer | None]:
    """Return the function that queues a job for other processes; None if this process learns, or there is no queue.

    Without procrastinate, workers in other processes poll the store instead.
    """
    if background.in_process or not hasattr(store, "jobs") or find_spec("procrastinate") is None:
        return None
    queue = cast("DeferJob", (yield StoreCall("jobs", (machine,), {})))
    return queue.defer
