"""Turns that are not learned from yet: private state keeps them, with their messages."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from langchain_core.messages import BaseMessage
from pydantic import JsonValue, ValidationError

from langgraph_learning._engine.flow import Flow
from langgraph_learning._engine.learning.messages import LONGEST_MESSAGE, Speakers, last_turn_start, shorten_trajectory
from langgraph_learning._engine.learning.turn import (
    ANCHORS,
    KEPT_CHARS,
    TurnInput,
    TurnMessage,
    complete_turn,
    turn_beginning,
    turn_id,
    turn_of,
)
from langgraph_learning._engine.repository import scoped_to
from langgraph_learning.nodes.begun_turns import keep_begun, load_begun
from langgraph_learning.nodes.channel import PrivateUpdate
from langgraph_learning.nodes.run_context import Run, run_guarded
from langgraph_learning.nodes.state_keys import Keys, Update
from langgraph_learning.nodes.turn_state import TurnState, shown_in
from langgraph_learning.records import Identity, Provenance


def collect_turns(
    run: Run,
    state: Update,
    messages: list[BaseMessage],
    identity: Identity,
    speakers: Speakers,
    turn: TurnState | None,
) -> Flow[list[TurnInput]]:
    """Return the turns that wait to be learned from and, last, the one under way, as far as it has come.

    A turn that is begun keeps its words even if the messages are trimmed later. A waiting turn that was never completed
    ends where the one under way begins.

    Args:
        run: The run.
        state: Its state.
        messages: The conversation.
        identity: The user of the turn under way.
        speakers: The rules that tell the user's messages from those of others.
        turn: The turn that recall has frozen; None if it has not.
    """
    opened_by, now = turn_id(messages), datetime.now(UTC)
    waiting = yield from _load_turns(run, state, identity, opened_by)
    # The last one is under way already in extraction, or where recall runs again: after a retry, or in a loop.
    if waiting and waiting[-1].provenance.turn_id in (opened_by, (turn or {}).get("turn_id")):
        return [*waiting[:-1], complete_turn(_with_replies(run, waiting[-1], messages), messages, speakers, now)]
    if waiting:
        last, start = waiting[-1], last_turn_start(messages)
        waiting[-1] = complete_turn(last, messages[:start], run.speakers(messages, last.identity), last.said_at)
    else:
        start = turn_beginning(messages, state.get(Keys(run.settings.name).mark), identity.user_id)
    words = turn_of(messages, speakers, now, start=start)
    # A message is learned from once: the new turn leaves out what an earlier one already holds.
    earlier = {message.id for message in waiting[-1].turn.messages if message.id} if waiting else set()
    words = replace(words, messages=tuple(message for message in words.messages if message.id not in earlier))
    provenance = shown_in(turn, Provenance(turn_id=opened_by, graph_ns=run.graph))
    anchors = tuple(message.id for message in messages[:start][-ANCHORS:] if message.id)
    return [*waiting, TurnInput(words, identity, now, run.checkpoint_id, run.task_id, provenance, anchors)]


def _load_turns(run: Run, state: Update, identity: Identity, opened_by: str) -> Flow[list[TurnInput]]:
    """Return the turns that wait to be learned from: those in private state, else those saved in the store."""
    rows = state.get(Keys(run.settings.name).kept)
    begun = [] if rows else (yield from run_guarded(run, "recall", load_begun(run, identity, opened_by), []))
    return [_with_calls(run, turn) for turn in _read_rows(rows or ()) or begun]


def _read_rows(rows: Iterable[object]) -> list[TurnInput]:
    try:
        return [TurnInput.from_json(row) for row in rows]
    except ValidationError:  # forged, or written by another version
        return []


def keep_turns(run: Run, step: str, turns: Sequence[TurnInput]) -> Flow[Update]:
    """Return the state update that keeps the newest of these turns; streams show only the ids of their messages.

    A subgraph also saves the last turn in the store.
    """
    if not run.settings.learning:
        return {}
    of_users = [turn for turn in turns if scoped_to(run.settings.learning, turn.identity)]
    ids = [message.id for turn in of_users for message in turn.turn.messages]
    if of_users:
        last = of_users.pop()
        of_users.append((yield from run_guarded(run, step, keep_begun(run, last), last)))
    rows: list[dict[str, JsonValue]] = []
    room = KEPT_CHARS
    for turn in reversed(of_users):
        room -= sum(min(len(message.text), LONGEST_MESSAGE) for message in turn.turn.messages)
        if rows and room < 0:
            break
        rows.insert(0, turn.to_json())
    return {Keys(run.settings.name).kept: PrivateUpdate({"ids": ids}, rows)}


def observe_replies(run: Run, messages: Sequence[BaseMessage], answers: Sequence[BaseMessage]) -> None:
    """Remember what the agent has just said in the turn under way: a later node may trim the conversation.

    While the question is among the messages, an earlier reply that is not was taken back on purpose, and is forgotten.

    Args:
        run: The run.
        messages: The messages that the agent was given.
        answers: Those that it returned.
    """
    if not run.settings.learning:
        return
    given = {message.id for message in messages}
    words = turn_of([answer for answer in answers if answer.id is None or answer.id not in given]).messages
    said = tuple(replace(word, said_at=datetime.now(UTC)) for word in words if word.role == "assistant")
    turn = run.turn_id(messages)
    earlier = replies = run.replies_of(turn)
    if turn in given:
        absent = _absent(replies, messages)
        earlier = tuple(reply for reply in replies if reply not in absent)
    if said or earlier != replies:
        run.remember_replies(turn, (*earlier, *said))


def _with_replies(run: Run, kept: TurnInput, messages: Sequence[BaseMessage]) -> TurnInput:
    """Return a turn with the replies added that were trimmed away together with their question.

    While the question is there, a missing reply was deleted on purpose, and stays away.
    """
    if not {message.id for message in messages}.isdisjoint(message.id for message in kept.turn.human):
        return kept
    lost = _absent(run.replies_of(kept.provenance.turn_id), messages)
    end = max((message.position for message in kept.turn.with_tools), default=-1) + 1
    # By its place alone, a reply without an id would be the one of the turn before if it has the same text.
    own_id = f"#{kept.provenance.turn_id}."
    placed = (
        replace(reply, id=reply.id or f"{own_id}{place}", position=end + place) for place, reply in enumerate(lost)
    )
    return replace(kept, turn=replace(kept.turn, messages=(*kept.turn.messages, *placed)))


def _absent(replies: Sequence[TurnMessage], messages: Sequence[BaseMessage]) -> list[TurnMessage]:
    """Return the replies that are not among the messages, neither by id nor by text: a node may return them anew."""
    ids, texts = {message.id for message in messages}, {str(message.text).strip() for message in messages}
    return [reply for reply in replies if reply.text not in texts and (reply.id is None or reply.id not in ids)]


def observe_calls(run: Run, messages: Sequence[BaseMessage]) -> None:
    """Remember the tool calls that the turn under way has made, just before a model call.

    A long turn may be summarised before it ends, and then the messages of its calls are gone. Only this process keeps
    the calls: none of our steps runs between two model calls, so none can write them into the state.
    """
    turn, reading = run.frozen_turn(messages), run.read_private(Keys(run.settings.name).kept)
    if turn is None or turn.get("graph_ns") != run.graph or reading is None or not isinstance(reading.value, list):
        return
    for begun in _read_rows(reading.value[-1:]):
        current = complete_turn(_with_calls(run, begun), messages, Speakers(learning_tools=run.settings.tool_names))
        run.remember_calls(begun.provenance.turn_id, shorten_trajectory(current.turn.trajectory))


def _with_calls(run: Run, begun: TurnInput) -> TurnInput:
    """Return a turn with the tool calls that this process remembers of it added."""
    if not (seen := run.calls_of(begun.provenance.turn_id)):
        return begun
    ids = {step.id for step in seen}
    calls = [*seen, *(step for step in begun.turn.trajectory if step.id not in ids)]
    # The messages of these calls may be gone, so the calls have no position of their own. They came after the user's
    # words, in this order.
    end = max((message.position for message in (*begun.turn.messages, *begun.turn.tools)), default=-1) + 1
    placed = tuple(replace(step, position=end + place) for place, step in enumerate(calls))
    return replace(begun, turn=replace(begun.turn, trajectory=placed))
