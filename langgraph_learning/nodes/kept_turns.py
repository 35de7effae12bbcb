"""Turns that are not learned from yet: private state keeps them, with their messages."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from langchain_core.messages import BaseMessage
from pydantic import ValidationError

from langgraph_learning._engine.flow import Flow
from langgraph_learning._engine.learning.messages import Speakers, last_turn_start, shorten_trajectory
from langgraph_learning._engine.learning.turn import (
    ANCHORS,
    TurnInput,
    Watermark,
    complete_turn,
    keep_newest,
    turn_beginning,
    turn_id,
    turn_of,
    turn_since,
)
from langgraph_learning._engine.repository import scoped_to
from langgraph_learning.nodes.begun_turns import keep_begun, load_begun
from langgraph_learning.nodes.channel import PrivateUpdate
from langgraph_learning.nodes.run_context import Run, run_guarded
from langgraph_learning.nodes.state import Keys, Update
from langgraph_learning.nodes.turn_state import shown_in
from langgraph_learning.records import Identity, Provenance


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


def keep_turns(run: Run, step: str, kept: Sequence[TurnInput]) -> Flow[Update]:
    """Return the state update that keeps these turns; streams show only the ids of their messages.

    A subgraph also saves the newest turn in the store.
    """
    if not run.settings.learning:
        return {}
    of_somebody = [turn for turn in kept if scoped_to(run.settings.learning, turn.identity)]
    ids = [message.id for turn in of_somebody for message in turn.turn.messages]
    if of_somebody:
        last = of_somebody.pop()
        of_somebody.append((yield from run_guarded(run, step, keep_begun(run, last), last)))
    rows = [turn.to_json() for turn in keep_newest(of_somebody)]
    return {Keys(run.settings.name).kept: PrivateUpdate({"ids": ids}, rows)}


def begin_turn(
    run: Run,
    state: Update,
    messages: list[BaseMessage],
    identity: Identity,
    speakers: Speakers,
    shown: Provenance,
) -> Flow[list[TurnInput]]:
    """Return the turns that wait and, last, the new turn with its first words.

    The new turn keeps its words even if the messages are trimmed later. The last waiting turn was never completed, so
    it ends where the new one begins.
    """
    opened_by = turn_id(messages)
    kept = yield from _load_turns(run, state, identity, opened_by)
    begin = last_turn_start(messages)
    if kept and kept[-1].provenance.turn_id == opened_by:  # recall runs again in the same turn: a retry, or a loop
        return [*kept[:-1], complete_turn(kept[-1], messages, speakers, datetime.now(UTC))]
    now = datetime.now(UTC)
    provenance = shown.model_copy(update={"turn_id": opened_by, "graph_ns": run.graph})
    if kept:
        last = kept[-1]
        kept[-1] = complete_turn(last, messages[:begin], run.speakers(messages, last.identity), last.said_at)
        turn = turn_of(messages[begin:], speakers, now)
        # A message is learned from once: the new turn leaves out what the earlier turn already holds.
        known = {message.id for message in kept[-1].turn.messages if message.id}
        turn = replace(turn, messages=tuple(message for message in turn.messages if message.id not in known))
    else:
        mark: Watermark | None = state.get(Keys(run.settings.name).mark)
        begin = turn_beginning(messages, mark, identity.user_id)
        turn = turn_since(messages, mark, identity.user_id, speakers, now)
    anchors = tuple(message.id for message in messages[:begin][-ANCHORS:] if message.id)
    return [*kept, TurnInput(turn, identity, now, run.checkpoint_id, run.task_id, provenance, anchors)]


def turns_to_learn(
    run: Run, state: Update, messages: list[BaseMessage], identity: Identity, speakers: Speakers
) -> Flow[list[TurnInput]]:
    """Return the turns that wait, the last one complete; if recall kept none for this turn, make it from `messages`."""
    turn = run.frozen_turn(messages)
    opened_by = run.turn_id(messages)
    kept = yield from _load_turns(run, state, identity, opened_by)
    if not kept or kept[-1].provenance.turn_id != opened_by:
        return (yield from begin_turn(run, state, messages, identity, speakers, shown_in(turn, Provenance())))
    current = complete_turn(_with_replies(run, kept[-1], messages), messages, speakers, datetime.now(UTC))
    return [*kept[:-1], current]


def observe_replies(run: Run, messages: Sequence[BaseMessage], answers: Sequence[BaseMessage]) -> None:
    """Remember what the agent has just said in the turn under way: a later node may trim the conversation.

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
    if said:
        turn = run.turn_id(messages)
        run.remember_replies(turn, (*run.replies_of(turn), *said))


def _with_replies(run: Run, kept: TurnInput, messages: Sequence[BaseMessage]) -> TurnInput:
    """Return a turn with the replies added that were trimmed away together with their question.

    While the question is there, a missing reply was deleted on purpose, and stays away.
    """
    ids, texts = {message.id for message in messages}, {str(message.text).strip() for message in messages}
    if not ids.isdisjoint(message.id for message in kept.turn.human):
        return kept
    replies = [reply for reply in run.replies_of(kept.provenance.turn_id) if reply.text not in texts]
    lost = [reply for reply in replies if reply.id is None or reply.id not in ids]
    end = max((message.position for message in kept.turn.with_tools), default=-1) + 1
    placed = tuple(replace(reply, position=end + place) for place, reply in enumerate(lost))
    return replace(kept, turn=replace(kept.turn, messages=(*kept.turn.messages, *placed)))


def observe_calls(run: Run, messages: Sequence[BaseMessage]) -> None:
    """Remember the tool calls that the turn under way has made, just before a model call.

    A long turn may be summarised before it ends, and then the messages of its calls are gone. Only this process keeps
    the calls: none of our steps runs between two model calls, so none can write them into the state.
    """
    turn, reading = run.frozen_turn(messages), run.read_private(Keys(run.settings.name).kept)
    if turn is None or turn.get("graph_ns") != run.graph or reading is None or not isinstance(reading.value, list):
        return
    for kept in _read_rows(reading.value[-1:]):
        seen = complete_turn(_with_calls(run, kept), messages, Speakers(learning_tools=run.settings.tool_names))
        run.remember_calls(kept.provenance.turn_id, shorten_trajectory(seen.turn.trajectory))


def _with_calls(run: Run, kept: TurnInput) -> TurnInput:
    """Return a turn with the tool calls that this process remembers of it added."""
    if not (seen := run.calls_of(kept.provenance.turn_id)):
        return kept
    ids = {step.id for step in seen}
    calls = [*seen, *(step for step in kept.turn.trajectory if step.id not in ids)]
    # The messages of these calls may be gone, so the calls have no position of their own. They came after the user's
    # words, in this order.
    end = max((message.position for message in (*kept.turn.messages, *kept.turn.tools)), default=-1) + 1
    placed = tuple(replace(step, position=end + place) for place, step in enumerate(calls))
    return replace(kept, turn=replace(kept.turn, trajectory=placed))
