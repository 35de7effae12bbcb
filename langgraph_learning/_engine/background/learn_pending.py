"""Learning from the waiting turns of one user: in order, one call per thread, each turn exactly once."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import takewhile
from uuid import uuid4

from langchain_core.language_models import BaseChatModel
from langgraph.store.base import GetOp
from pydantic import ValidationError

from langgraph_learning._engine.background.lease import acquire_lease, release_lease
from langgraph_learning._engine.background.pending import LONGEST_ERROR, PendingTurn, load_pending, remove_pending
from langgraph_learning._engine.flow import Flow, batch, write
from langgraph_learning._engine.learning.commit import TurnGone
from langgraph_learning._engine.learning.extract import Extraction, extract
from langgraph_learning._engine.learning.grounding import ThreadWords
from langgraph_learning._engine.learning.structured_output import RefusedAnswer
from langgraph_learning._engine.learning.turn import TurnInput, join_turns
from langgraph_learning._engine.repository import find_commit
from langgraph_learning._engine.settings import MachineSettings
from langgraph_learning.config import Background
from langgraph_learning.errors import ConfigurationError, ConflictError, ExtractionError
from langgraph_learning.records import Namespace

log = logging.getLogger("langgraph_learning")

LONGEST_WAIT = 15
"""A thread that is never silent is learned from after so many delays."""
LONGEST_BEGUN = timedelta(days=1)
"""How long a turn that an agent inside another graph has begun is left to that agent."""
FIRST_WAIT = timedelta(seconds=60)
FIRST_WAIT_AFTER_ANSWER = timedelta(seconds=10)
"""How long a turn waits after its first failure. If the model gave no answer, it may be down, and the turn waits
longer (`FIRST_WAIT`)."""
WAITS_FACTOR = 4
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class LearningProgress:
    """The result of learning from a user's turns, and when to look again."""

    learned: int = 0
    next_at: datetime | None = None
    """When the next turn is due; None if none waits."""
    leased: bool = False
    """Whether another learner holds the lease of these turns."""


@dataclass(frozen=True)
class Work:
    """The parts that learning from waiting turns needs: the machine, its options, the clock and the model."""

    settings: MachineSettings
    background: Background
    clock: Clock
    model: BaseChatModel | None = None
    hasten: bool = False
    """Whether all waiting turns are due now: the process is about to end, or a caller waits for the result."""
    held: dict[Namespace, str] = field(default_factory=dict)
    """The leases that this process holds. `LeaseKeeper` renews them; else a long call would lose its lease."""


def learn_pending(work: Work, namespace: Namespace) -> Flow[LearningProgress]:
    """Learn from the due turns of one user, and return when to look again.

    Raises:
        ConfigurationError: There is no model, so nothing was tried.
        StoreError: The store failed; the turns go on waiting.
    """
    turns = yield from _load_waiting(work, namespace)
    if (group := next_group(turns, work)) is None:
        return LearningProgress(0, next_due(turns, work))
    works = work.settings.extractions(work.model)
    lease = uuid4().hex
    if (until := (yield from acquire_lease(namespace, lease, work.clock()))) is not None:
        return LearningProgress(0, until, leased=True)
    work.held[namespace] = lease
    learned, tried = 0, set[str]()
    try:
        while group:
            tried.add(group[0].id)
            learned += yield from _learn_group(work, works, group)
            turns = yield from _load_waiting(work, namespace)
            group = next_group(turns, work, tried)
    except Exception:
        work.held.pop(namespace, None)
        yield from release_lease(namespace, lease)
        raise
    finally:  # also where the process ends in the middle: a lease that nobody uses is not renewed, and runs out
        work.held.pop(namespace, None)
    yield from release_lease(namespace, lease)
    return LearningProgress(learned, next_due(turns, work))


def _load_waiting(work: Work, namespace: Namespace) -> Flow[list[PendingTurn]]:
    """Return a user's turns; one that has begun long ago waits: its agent has not come back to it."""
    turns = yield from load_pending(namespace, work.settings.name)
    since = work.clock() - LONGEST_BEGUN
    return [
        turn.model_copy(update={"status": "waiting"}) if turn.status == "begun" and turn.scheduled_at <= since else turn
        for turn in turns
    ]


def next_group(
    turns: Sequence[PendingTurn], work: Work, tried: frozenset[str] | set[str] = frozenset()
) -> list[PendingTurn] | None:
    """Return the turns of one thread to learn from next, in one call; None if nothing is due.

    The oldest come first. A turn that has failed is tried alone, so that other turns do not fail with it. Until it is
    learned or given up, the user's later turns wait, because what was said later must win.
    """
    now = work.clock()
    for group in _groups(turns):
        if group[0].id in tried and group[0].attempts:
            return None
        if work.hasten or _due_at(group, work.background) <= now:
            return group
        if group[0].attempts:
            return None
    return None


def next_due(turns: Sequence[PendingTurn], work: Work) -> datetime | None:
    """Return when the next turn is due; None if none waits."""
    moments = []
    for group in _groups(turns):
        moments.append(_due_at(group, work.background))
        if group[0].attempts:
            break  # later turns wait until this one is learned or given up
    return min(moments, default=None)


def _groups(turns: Sequence[PendingTurn]) -> list[list[PendingTurn]]:
    """Return the waiting turns that one call may learn from together, for each thread."""
    threads: dict[str | None, list[PendingTurn]] = {}
    for turn in turns:
        if turn.status == "waiting":
            threads.setdefault(turn.identity.thread_id, []).append(turn)
    return [
        waiting[:1] if waiting[0].attempts else list(takewhile(lambda turn: not turn.attempts, waiting))
        for waiting in threads.values()
    ]


def _due_at(group: Sequence[PendingTurn], background: Background) -> datetime:
    """Return when a group is due: when its thread has been silent, or after the longest wait."""
    latest = group[0].scheduled_at + timedelta(seconds=background.delay * LONGEST_WAIT)
    due = max(turn.due_at for turn in group)
    return due if group[0].attempts else min(due, latest)


def _learn_group(work: Work, works: Sequence[Extraction], group: Sequence[PendingTurn]) -> Flow[int]:
    """Learn from turns of one thread; return how many were learned. A failure is stored with the first turn."""
    try:
        return (yield from _learn(work, works, group))
    except TurnGone:  # deleted, or learned by another process, meanwhile
        return 0
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001 - not swallowed: the turn is kept, with its error
        yield from _write_down(work, group[0], error, alone=len(group) == 1)
        return 0


def _learn(work: Work, works: Sequence[Extraction], group: Sequence[PendingTurn]) -> Flow[int]:
    commits = yield from batch(*(find_commit(turn.identity, turn.id) for turn in group))
    fresh = [turn for turn, commit in zip(group, commits, strict=True) if commit is None]
    heard = _without_edited([turn.heard for turn in fresh])
    if heard:
        joined = replace(join_turns(heard), at=work.clock())
        settings = work.settings
        commit = yield from extract(
            works,
            joined,
            settings.rules,
            thread=ThreadWords(fresh[-1].thread) if fresh[-1].thread else None,
            pending=[(turn.namespace, turn.id) for turn in fresh],
        )
        if commit is not None:
            log.info("learned behind the reply: %d changes, %d proposed", len(commit.changes), len(commit.proposed))
    yield from remove_pending(group)
    return len(fresh)


def _without_edited(turns: Sequence[TurnInput]) -> list[TurnInput]:
    """Return the turns without those edited while they waited: a later turn holds their message ids again."""
    latest: list[TurnInput] = []
    for turn in reversed(turns):
        ids = {message.id for message in turn.turn.human}
        later = {message.id for other in latest for message in other.turn.human}
        if None in ids or not ids or not ids <= later:
            latest.insert(0, turn)
    return latest


def _write_down(work: Work, turn: PendingTurn, error: Exception, *, alone: bool) -> Flow[None]:
    """Count a failed attempt of a turn; after the last attempt the turn is given up, and kept with its error."""
    attempts = turn.attempts + 1
    # Another attempt cannot help a turn that another version of this package wrote, or that the model refuses.
    hopeless = isinstance(error, ValidationError) or (alone and isinstance(error, RefusedAnswer))
    over = hopeless or attempts >= work.background.max_attempts
    first = FIRST_WAIT_AFTER_ANSWER if isinstance(error, ExtractionError) else FIRST_WAIT
    message = work.settings.mask(f"{type(error).__name__}: {error}")[:LONGEST_ERROR]
    log.warning(
        "a turn could not be learned from (attempt %d of %d): %s", attempts, work.background.max_attempts, message
    )
    changed = turn.model_copy(
        update={
            "attempts": attempts,
            "status": "failed" if over else "waiting",
            "due_at": work.clock() + first * WAITS_FACTOR ** (attempts - 1),
            "error": message,
        }
    )
    [there] = yield from batch(GetOp(turn.namespace, turn.id, refresh_ttl=False))
    if there is None:  # deleted meanwhile: write nothing about it
        return
    with suppress(ConflictError):
        yield from write([changed.put()], {(turn.namespace, turn.id): getattr(there, "version", 0)})
