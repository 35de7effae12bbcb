"""A subgraph's turn, saved in the store when it starts: its state ends with its run, however that ends.

An agent that hands over by `Command(graph=Command.PARENT)` never comes to extraction, nor does one whose process dies
or whose client hangs up; the next turn begins with an empty state. So the words lie beside what their user has taught,
among the turns that wait, until they are learned: at the agent's next turn in the thread, in whatever process.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import ValidationError

from langgraph_learning._engine.background.pending import (
    PendingTurn,
    erase_items,
    load_pending,
    mask_turn,
    pending_namespace,
)
from langgraph_learning._engine.flow import Flow, pinned_revision, write
from langgraph_learning._engine.learning.turn import TurnInput, derived_id
from langgraph_learning.nodes.run_context import Run
from langgraph_learning.records import Identity


def load_begun(run: Run, identity: Identity, under_way: str) -> Flow[list[TurnInput]]:
    """Return the turns that this subgraph has begun in the thread before, and that nobody has learned from."""
    if not _may_keep(run):
        return []
    waiting = yield from load_pending(pending_namespace(identity), run.settings.name)
    begun = [turn for turn in waiting if turn.status == "begun" and turn.identity.thread_id == identity.thread_id]
    return [
        turn for kept in begun for turn in _read(kept) if turn.provenance.turn_id != under_way and _is_ours(run, turn)
    ]


def keep_begun(run: Run, turn: TurnInput) -> Flow[None]:
    """Write a turn down as far as it has come, where the user has said something."""
    if _may_keep(run) and turn.turn.human:
        now = datetime.now(UTC)
        kept = PendingTurn(
            id=_key(run, turn),
            machine=run.settings.name,
            identity=turn.identity,
            turn=mask_turn(turn, run.settings.mask).to_json(),
            scheduled_at=now,
            due_at=now,
            status="begun",
        )
        yield from write([kept.put()], {})


def erase_begun(run: Run, turns: Iterable[TurnInput]) -> Flow[None]:
    """Erase turns that are learned, also what another agent of the thread has begun of them."""
    if _may_keep(run):
        places = [(pending_namespace(turn.identity), _key(run, turn)) for turn in turns]
        yield from erase_items(places, scrub=False)


def _may_keep(run: Run) -> bool:
    """Return whether this is a subgraph whose state ends with its run, in a thread, in a run that may write."""
    return bool(run.graph and run.thread and run.settings.learning) and pinned_revision() is None


def _is_ours(run: Run, turn: TurnInput) -> bool:
    """Return whether the same nodes led to the graph that began the turn; a namespace has new ids in every run."""
    return _path(turn.provenance.graph_ns) == _path(run.graph)


def _path(graph_ns: str) -> list[str]:
    return [part.partition(":")[0] for part in graph_ns.split("|")]


def _read(kept: PendingTurn) -> list[TurnInput]:
    try:
        return [kept.heard]
    except ValidationError:  # of another version
        return []


def _key(run: Run, turn: TurnInput) -> str:
    whose = turn.identity
    return derived_id("begun", run.settings.name, whose.user_id, whose.thread_id, turn.provenance.turn_id)
