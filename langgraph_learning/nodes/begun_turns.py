"""A subgraph's turn, saved in the store when it starts, because a subgraph's state is lost when its run ends.

An agent that hands over by `Command(graph=Command.PARENT)` never comes to extraction, nor does one whose process dies
or whose client hangs up; the next turn begins with an empty state. So the words are stored next to the user's records,
among the waiting turns, until they are learned: at the agent's next turn in the thread, in any process, or in the
background after a day.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

from pydantic import ValidationError

from langgraph_learning._engine.background.pending import (
    PendingTurn,
    erase_items,
    load_pending,
    mask_turn,
    pending_namespace,
)
from langgraph_learning._engine.flow import Flow, batch, pinned_revision, write
from langgraph_learning._engine.learning.commit import TurnGone
from langgraph_learning._engine.learning.turn import TurnInput
from langgraph_learning._engine.repository import find_commit, read_commit
from langgraph_learning.langgraph_private import checkpoints_of
from langgraph_learning.nodes.run_context import Run
from langgraph_learning.records import Identity
from langgraph_learning.versioned_store import Address


@dataclass(frozen=True)
class BegunItems:
    """What lies in the store of some turns that are about to be learned."""

    unlearned: list[TurnInput]
    """The turns that no commit has learned from there."""
    own: list[Address] = field(default_factory=list)
    """The items of this agent; the commit marks their ids as learned, or another run would learn them once more."""
    all: list[Address] = field(default_factory=list)
    """Also those that other agents of the thread have begun of the same turns."""


def load_begun(run: Run, identity: Identity, under_way: str) -> Flow[list[TurnInput]]:
    """Return the turns that this subgraph has begun in the thread before, and that nobody has learned from."""
    items = yield from _load_items(run, identity)
    mine = [(item, turn) for item, turn in items if turn.provenance.turn_id != under_way and _is_ours(run, turn)]
    left = {turn.provenance.turn_id: turn for item, turn in mine if not _is_under_way(run, item, turn)}
    return list(left.values())  # a step that was killed and tried again has begun its turn twice


def keep_begun(run: Run, turn: TurnInput) -> Flow[TurnInput]:
    """Write a turn down as far as it has come, where the user has said something; return it with the item's id."""
    if not (_may_keep(run) and turn.turn.human):
        return turn
    now = datetime.now(UTC)
    begun = replace(turn, begun=turn.begun or str(uuid4()))
    item = PendingTurn(
        id=str(begun.begun),
        machine=run.settings.name,
        identity=begun.identity,
        turn=mask_turn(begun, run.settings.mask).to_json(),
        scheduled_at=now,
        due_at=now,
        status="begun",
        checkpoints=checkpoints_of(run.config),
    )
    yield from write([item.put()], {})
    return begun


def learn_begun(run: Run, turns: Sequence[TurnInput], learn: Callable[[BegunItems], Flow[None]]) -> Flow[None]:
    """Learn from turns of one user, and erase what is begun of them.

    If another run learns some of them meanwhile, `learn` writes nothing, raises `TurnGone`, and is called again for
    those that are left; there may be none.
    """
    begun = yield from find_begun(run, turns)
    while True:
        try:
            yield from learn(begun)
            break
        except TurnGone:
            now = yield from find_begun(run, turns)
            left = replace(now, unlearned=_drop_gone(begun, now))
            if left == begun:
                raise
            begun = left
    yield from erase_begun(begun)
    run.forget_calls(turn.provenance.turn_id for turn in turns)


def find_begun(run: Run, turns: Sequence[TurnInput]) -> Flow[BegunItems]:
    """Return what is begun of the turns of one user."""
    if not (turns and _may_keep(run)):
        return BegunItems(list(turns))
    whose = turns[-1].identity
    ids, opened_by = {turn.begun for turn in turns if turn.begun}, {turn.provenance.turn_id for turn in turns}
    items = yield from _load_items(run, whose, ids)
    of_these = [(i, turn) for i, turn in items if i.id in ids or turn.provenance.turn_id in opened_by]
    # The commit that learns what an item holds is found under the item's id, too.
    keys = sorted({*ids, *(i.id for i, _ in of_these)})
    commits = (yield from batch(*(find_commit(whose, key) for key in keys))) if keys else []
    marks = zip(keys, map(read_commit, commits), strict=True)
    learned = {key: mark.message_ids for key, mark in marks if mark is not None}
    rests = (_unlearned_part(turn, learned) for turn in turns)
    unlearned = [rest for rest in rests if rest is not None]
    mine = [i for i, turn in of_these if i.id not in learned and (i.id in ids or _is_ours(run, turn))]
    return BegunItems(unlearned, [(i.namespace, i.id) for i in mine], [(i.namespace, i.id) for i, _ in of_these])


def _unlearned_part(turn: TurnInput, learned: Mapping[str, Sequence[str]]) -> TurnInput | None:
    """Return the part of a turn that no commit has learned; None if there is none.

    A turn that was interrupted for long is learned without its end. When it goes on, the end is learned by itself.
    """
    heard = learned.get(turn.begun) if turn.begun else None
    if heard is None:
        return turn
    left = tuple(message for message in turn.turn.messages if message.id and message.id not in heard)
    said = any(message.role == "user" for message in left)
    return replace(turn, begun=None, turn=replace(turn.turn, messages=left)) if heard and said else None


def _drop_gone(before: BegunItems, now: BegunItems) -> list[TurnInput]:
    """Return the turns that are left where a commit found an item gone: another run has learned it, or it is forgotten.

    Args:
        before: What lay in the store before the commit.
        now: What lies there now.
    """
    gone = {key for _, key in before.own} - {key for _, key in now.own}
    return [turn for turn in now.unlearned if turn.begun not in gone]


def erase_begun(items: BegunItems) -> Flow[None]:
    """Erase what lies in the store of turns that are learned."""
    if items.all:
        yield from erase_items(items.all, scrub=False)


def _load_items(run: Run, identity: Identity, ids: Collection[str] = ()) -> Flow[list[tuple[PendingTurn, TurnInput]]]:
    """Return what is begun in the thread, each with the turn it holds; of `ids` also what has come to wait by now."""
    if not _may_keep(run):
        return []
    items = yield from load_pending(pending_namespace(identity), run.settings.name)
    here = [item for item in items if item.identity.thread_id == identity.thread_id]
    begun = [item for item in here if item.status == "begun" or item.id in ids]
    return [(item, replace(turn, begun=item.id)) for item in begun for turn in _read(item)]


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


def _is_under_way(run: Run, item: PendingTurn, turn: TurnInput) -> bool:
    """Return whether a turn belongs to a graph that runs beside this one, in the same step of a graph around both."""
    around: list[str] = []
    for theirs, ours in zip(turn.provenance.graph_ns.split("|")[:-1], run.graph.split("|")[:-1], strict=True):
        if theirs != ours:
            break
        around.append(ours)
    return _same(item.checkpoints, checkpoints_of(run.config), "|".join(around))


def _same(left: Mapping[str, str], right: Mapping[str, str], graph_ns: str) -> bool:
    return graph_ns in left and left[graph_ns] == right.get(graph_ns)


def _read(item: PendingTurn) -> list[TurnInput]:
    try:
        return [item.heard]
    except ValidationError:  # another version of this package wrote it
        return []
