"""A subgraph's turn, saved in the store when it starts, because a subgraph's state is lost when its run ends.

Some runs never reach extraction: the agent hands over with `Command(graph=Command.PARENT)`, its process dies, or its
client disconnects. The agent's next turn then starts with an empty state. So the store keeps the turn's words, next to
the other turns that wait, until the agent's next turn in the thread learns from them, in any process.
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
    """Return the earlier turns that this subgraph has begun in the thread and that are not learned from yet."""
    if not _may_keep(run):
        return []
    waiting = yield from load_pending(pending_namespace(identity), run.settings.name)
    begun = [turn for turn in waiting if turn.status == "begun" and turn.identity.thread_id == identity.thread_id]
    return [
        turn for kept in begun for turn in _read(kept) if turn.provenance.turn_id != under_way and _is_ours(run, turn)
    ]


def keep_begun(run: Run, turn: TurnInput) -> Flow[None]:
    """Save a turn as far as it has come, if it has words of the user."""
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
    """Erase the saved copies of learned turns, including copies that another agent of the thread saved."""
    if _may_keep(run):
        places = [(pending_namespace(turn.identity), _key(run, turn)) for turn in turns]
        yield from erase_items(places, scrub=False)


def _may_keep(run: Run) -> bool:
    """Return whether this run may save a turn: it is a subgraph's, has a thread, and may write.

    An evaluation, which recalls a pinned revision, may not write.
    """
    return bool(run.graph and run.thread and run.settings.learning) and pinned_revision() is None


def _is_ours(run: Run, turn: TurnInput) -> bool:
    """Return whether this graph and the one that began the turn are reached by the same nodes.

    Only the node names are compared: the ids in a checkpoint namespace are new in every run.
    """
    return _path(turn.provenance.graph_ns) == _path(run.graph)


def _path(graph_ns: str) -> list[str]:
    return [part.partition(":")[0] for part in graph_ns.split("|")]


def _read(kept: PendingTurn) -> list[TurnInput]:
    try:
        return [kept.heard]
    except ValidationError:  # another version of this package wrote it
        return []


def _key(run: Run, turn: TurnInput) -> str:
    # The graph is not part of the key: agents of a thread that begin the same turn share one item.
    whose = turn.identity
    return derived_id("begun", run.settings.name, whose.user_id, whose.thread_id, turn.provenance.turn_id)
