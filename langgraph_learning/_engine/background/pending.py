"""Turns that wait to be learned from: items of the store itself, next to their user's records."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from langgraph.store.base import Item, ListNamespacesOp, MatchCondition, PutOp, SearchOp
from pydantic import Field, JsonValue, ValidationError

from langgraph_learning._engine.flow import Flow, batch, call_store, write
from langgraph_learning._engine.learning.commit import mark_learned, retry_on_conflict
from langgraph_learning._engine.learning.grounding import Spoken, ThreadWords
from langgraph_learning._engine.learning.turn import TurnInput
from langgraph_learning._engine.repository import EVERYTHING, find_commit
from langgraph_learning.errors import StoreError, UnsupportedByStore
from langgraph_learning.masking import Mask
from langgraph_learning.namespace_labels import THREAD, unlabel
from langgraph_learning.records import PENDING, ROOT, Frozen, Identity, Namespace, Scope
from langgraph_learning.versioned_store import Address, VersionedStore

log = logging.getLogger(__name__)

KEPT_WORDS = 100_000
"""How much of a thread's words is kept with a turn that waits, in characters."""
LONGEST_ERROR = 500
"""How much of an error is kept or shown with a turn, in characters."""
LEASE = "lease"
"""The key of the lease item, which lies among the turns; the keys of turns are ids."""


class PendingTurn(Frozen):
    """A turn that has begun, or waits, or could not be learned from and is kept with its error."""

    id: str
    machine: str
    identity: Identity
    turn: dict[str, JsonValue]
    thread: tuple[tuple[Spoken, str], ...] = ()
    """Who said what in the thread so far, so that words of tools and documents are not taken for the user's."""
    scheduled_at: datetime
    due_at: datetime
    status: Literal["begun", "waiting", "failed"] = "waiting"
    """`begun`: by an agent inside another graph, which learns from it itself, at its next turn at the latest."""
    checkpoints: Mapping[str, str] = Field(default_factory=dict)
    """What the graphs around a turn that has begun worked on, by their namespaces: who shares it runs at once."""
    attempts: int = 0
    error: str | None = None

    @property
    def text(self) -> str:
        """The words of the user in this turn."""
        messages: Any = cast("dict[str, Any]", self.turn.get("turn") or {}).get("messages") or ()
        return " ".join(str(message.get("text", "")) for message in messages if message.get("role") == "user")

    @property
    def namespace(self) -> Namespace:
        """The namespace in which the turn lies."""
        return pending_namespace(self.identity)

    @property
    def heard(self) -> TurnInput:
        """The turn itself.

        Raises:
            pydantic.ValidationError: Another version of this package wrote it.
        """
        return TurnInput.from_json(self.turn)

    def put(self) -> PutOp:
        """Return the store operation that saves the turn."""
        return PutOp(self.namespace, self.id, self.model_dump(mode="json", exclude={"id"}), index=False)


def pending_namespace(identity: Identity) -> Namespace:
    """Return the namespace where a user's turns wait; without a user, each thread has its own."""
    thread = identity.thread_id if identity.user_id is None else None
    return (*Scope(user_id=identity.user_id, thread_id=thread).path, PENDING)


def schedule_turns(
    turns: Sequence[tuple[str, TurnInput]],
    machine: str,
    now: datetime,
    delay: timedelta,
    mask: Mask,
    thread: ThreadWords | None = None,
    defer: Callable[[object, Namespace, datetime], None] | None = None,
    begun: Sequence[Address] = (),
) -> Flow[list[PendingTurn]]:
    """Write those turns of one user that are not learned yet, and return them; all or none.

    Args:
        turns: The turns, each with the id of the commit that is to learn it.
        machine: The name of the machine that is to learn from them.
        now: The present moment.
        delay: How long the thread is to be silent before.
        mask: Takes secrets out of what is stored.
        thread: Who has said what in the thread so far.
        defer: Enters the job into a queue, on the connection of the transaction that writes the turns.
        begun: Where a subgraph has begun these turns; the same transaction marks their ids as learned.

    Raises:
        TurnGone: Another run has learned what was begun, or its user was forgotten.
    """
    learned = yield from batch(*(find_commit(turn.identity, key) for key, turn in turns))
    spoken = _newest(thread.spoken, mask) if thread else ()
    pending = [
        PendingTurn(
            id=key,
            machine=machine,
            identity=turn.identity,
            turn=mask_turn(turn, mask).to_json(),
            thread=spoken,
            scheduled_at=now + timedelta(microseconds=place),  # turns are sorted by this
            due_at=now + delay,
        )
        for place, ((key, turn), commit) in enumerate(zip(turns, learned, strict=True))
        if commit is None
    ]
    if pending:
        within = (lambda connection: defer(connection, pending[0].namespace, pending[-1].due_at)) if defer else None

        def attempt() -> Flow[None]:
            heard = [id for _, turn in turns for id in turn.turn.message_ids]
            taken, expect = yield from mark_learned(begun, pending[-1].identity, now, heard)
            yield from write([*(turn.put() for turn in pending), *taken], expect, within=within)

        yield from retry_on_conflict(attempt)
    return pending


def _newest(spoken: Sequence[tuple[Spoken, str]], mask: Mask) -> tuple[tuple[Spoken, str], ...]:
    """Return the newest of the thread's words that fit into `KEPT_WORDS`, masked."""
    newest: list[tuple[Spoken, str]] = []
    room = KEPT_WORDS
    for speaker, text in reversed(spoken):
        if (room := room - len(text)) < 0:
            break
        newest.append((speaker, mask(text)))
    return tuple(reversed(newest))


def mask_turn(heard: TurnInput, mask: Mask) -> TurnInput:
    """Return a copy of a turn without the secrets in it."""
    turn = heard.turn
    masked = replace(
        turn,
        messages=tuple(replace(message, text=mask(message.text)) for message in turn.messages),
        tools=tuple(replace(message, text=mask(message.text)) for message in turn.tools),
        trajectory=tuple(
            replace(step, arguments=mask(step.arguments), result=mask(step.result)) for step in turn.trajectory
        ),
    )
    return replace(heard, turn=masked)


def load_pending(namespace: Namespace, machine: str | None = None) -> Flow[list[PendingTurn]]:
    """Return the begun, waiting and failed turns of one machine, or of all, in the order they were said."""
    [items] = yield from batch(SearchOp(namespace, limit=EVERYTHING, refresh_ttl=False))
    mine = [item for item in cast("list[Item]", items) if tuple(item.namespace) == namespace and item.key != LEASE]
    turns = [_read_item(item, namespace) for item in mine]
    # Whose it says it is decides where it is learned: an item that lies elsewhere was not written by us.
    ours = [turn for turn in turns if turn.namespace == namespace and machine in (None, turn.machine)]
    return sorted(ours, key=lambda turn: (turn.scheduled_at, turn.id))


def _read_item(item: Item, namespace: Namespace) -> PendingTurn:
    """Return the turn that an item holds; one that cannot be read has failed, and holds up no other."""
    try:
        return PendingTurn.model_validate({**item.value, "id": item.key})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        owner = unlabel(namespace[2]) if len(namespace) > 3 else None
        return PendingTurn(
            id=item.key,
            machine=str(item.value.get("machine")),
            identity=Identity(thread_id=owner) if namespace[1] == THREAD else Identity(user_id=owner),
            turn={},
            scheduled_at=item.created_at,
            due_at=item.created_at,
            status="failed",
            error=f"this turn cannot be read: {wrong}"[:LONGEST_ERROR],
        )


def find_namespaces() -> Flow[list[Namespace]]:
    """Return the namespaces in which turns wait, of all users."""
    conditions = (MatchCondition("prefix", (ROOT,)), MatchCondition("suffix", (PENDING,)))
    [namespaces] = yield from batch(ListNamespacesOp(conditions, limit=EVERYTHING))
    return [tuple(namespace) for namespace in cast("list[Namespace]", namespaces)]


def load_all_pending(machine: str | None = None) -> Flow[list[PendingTurn]]:
    """Return the begun, waiting and failed turns of all users."""
    turns: list[PendingTurn] = []
    for namespace in (yield from find_namespaces()):
        turns += yield from load_pending(namespace, machine)
    return sorted(turns, key=lambda turn: (turn.scheduled_at, turn.id))


def retry_failed(turns: Iterable[PendingTurn], now: datetime) -> Flow[int]:
    """Let failed turns wait again, due at once, and return how many these are."""
    # One that cannot be read has no words here; writing it anew would lose those in the store.
    failed = [turn for turn in turns if turn.status == "failed" and turn.turn]
    anew = {"status": "waiting", "attempts": 0, "due_at": now}
    if failed:
        yield from write([turn.model_copy(update=anew).put() for turn in failed], {})
    return len(failed)


def remove_pending(turns: Sequence[PendingTurn]) -> Flow[None]:
    """Erase learned turns, so that no history keeps their words."""
    yield from erase_items([(turn.namespace, turn.id) for turn in turns])


def erase_items(places: Sequence[tuple[Namespace, str]], *, scrub: bool = True) -> Flow[None]:
    """Erase items with their history; in a store without history, delete them.

    Args:
        places: The namespace and key of each item.
        scrub: Whether to clear their text from the disk at once, which takes time: False if a reply waits.
    """
    try:
        yield from call_store(VersionedStore.erase, list(places), scrub=scrub)
    except UnsupportedByStore:
        yield from write([PutOp(*place, None) for place in places], {})
    except StoreError:
        # The items are erased, but an open reader prevents emptying the write-ahead log. Any other failure of the
        # store shows at the next read.
        log.debug("could not empty the log after a turn was learned", exc_info=True)
