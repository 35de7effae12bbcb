"""The steps of the loop as flows, shared by nodes and middleware: recall before the model, extraction after it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from langchain_core.messages import BaseMessage, convert_to_messages
from langchain_core.messages.utils import MessageLikeRepresentation

from langgraph_learning._engine.approval.proposals import pending_proposals
from langgraph_learning._engine.flow import Flow, pinned_revision
from langgraph_learning._engine.learning.extract import extract, join_unlearned
from langgraph_learning._engine.learning.grounding import ThreadWords, read_thread
from langgraph_learning._engine.learning.messages import Speakers, TurnMessage, is_human, last_turn_start
from langgraph_learning._engine.learning.structured_output import RefusedAnswer
from langgraph_learning._engine.learning.turn import (
    TurnInput,
    last_human,
    turn_id,
    turn_of,
    watermark,
)
from langgraph_learning._engine.recall.recall import recall
from langgraph_learning._engine.repository import scoped_to
from langgraph_learning.nodes.background import schedule_step, wake_learner
from langgraph_learning.nodes.begun_turns import BegunItems, erase_begun, find_begun, learn_begun
from langgraph_learning.nodes.channel import PrivateUpdate
from langgraph_learning.nodes.kept_turns import collect_turns, keep_turns, observe_calls
from langgraph_learning.nodes.recalled_texts import recalled_in, tell_idle
from langgraph_learning.nodes.run_context import Run, run_guarded
from langgraph_learning.nodes.state_keys import Keys, Update
from langgraph_learning.nodes.turn_state import TurnState
from langgraph_learning.nodes.wiring_checks import RECALL, check_extraction, check_recall
from langgraph_learning.records import Identity
from langgraph_learning.reports import Recall

CURRENT = 500
"""How many of a thread's newest messages are compared with the kept conversation: they may have been edited."""
T = TypeVar("T")


@dataclass(frozen=True)
class Conversation:
    """The conversation in a graph's state: the messages, and the text to recall by if `turn=` returned one."""

    messages: list[BaseMessage]
    query: str | None = None


def recall_step(run: Run, state: Update, *, keep: bool = True) -> Flow[Update]:
    """Freeze the identity for this turn, keep the turn's first words, and recall.

    Args:
        run: The run.
        state: Its state.
        keep: Whether to keep the words until they are extracted; False if nothing extracts.

    Raises:
        ConfigurationError: There is no store. The first run raises this, even if it has no user.
    """
    if run.settings.stores:
        run.driver.require_store()
    keys = Keys(run.settings.name)
    conversation = yield from read_conversation(run, "recall", state)
    messages = conversation.messages
    opened_by = turn_id(messages)
    # A task belongs to the turn of the agent that gave it. And recall may run again in a resumed turn whose run names
    # no user. In both cases the frozen identity counts.
    again = (run.frozen_turn(messages) or {}).get("turn_id") == opened_by and run.person is None
    identity = run.identity(messages) if again or run.is_task(messages) else run.identity()
    tell_idle(run, identity)
    speakers = run.speakers(messages, identity)
    _warn_named(run, messages, speakers)
    memory = recalled_in(run)
    recalled = yield from run_guarded(
        run, "recall", _recall(run, conversation, identity, speakers, opened_by), Recall()
    )
    memory.current = memory.key(run, identity, opened_by)
    memory.texts[memory.current] = recalled.text
    wake_learner(run)
    run.warn_double_wiring(opened_by)
    check_recall(run, opened_by)
    run.settings.steps.add(RECALL)
    turn: TurnState = {
        "turn_id": opened_by,
        "graph_ns": run.graph,
        "identity": identity.model_dump(),
        "receipt": recalled.receipt.model_dump(mode="json"),
        "human_ids": [one.id for one in messages[last_turn_start(messages) :] if is_human(one) and one.id],
    }
    run.remember_turn(turn)
    update: Update = {keys.turn: PrivateUpdate(turn, turn)}
    if keep:
        turns = yield from collect_turns(run, state, messages, identity, speakers, turn)
        update |= yield from keep_turns(run, "recall", turns)
    return update


def read_conversation(run: Run, step: str, state: object) -> Flow[Conversation]:
    """Return the conversation in a state; an empty one if it cannot be read."""
    return run_guarded(run, step, _read_conversation(run, state), Conversation([]))


def _read_conversation(run: Run, state: object) -> Flow[Conversation]:
    """Return the messages of a state, or what `turn=` returns for it; raw dicts and tuples are converted."""
    yield from ()  # makes this function a generator, as a flow must be
    if run.settings.turn is None:
        value = state.get(run.settings.messages_key) if isinstance(state, Mapping) else None
        return Conversation(_messages(value))
    answer = run.settings.turn(run.graph_state(state))
    if isinstance(answer, tuple) and len(answer) == 2 and (answer[1] is None or isinstance(answer[1], str)):
        return Conversation(_messages(answer[0]), answer[1])
    return Conversation(_messages(answer))


def _messages(value: object) -> list[BaseMessage]:
    if value is None:
        return []
    several = value if isinstance(value, Iterable) and not isinstance(value, str | BaseMessage | Mapping) else [value]
    several = list(several)
    if all(isinstance(message, BaseMessage) for message in several):  # as usual; there may be very many
        return cast("list[BaseMessage]", several)
    return convert_to_messages([cast("MessageLikeRepresentation", message) for message in several])


def _warn_named(run: Run, messages: Sequence[BaseMessage], speakers: Speakers) -> None:
    """Warn once if the message that opened the turn has a name that is not the user's."""
    human = last_human(messages)
    if human is not None and not speakers.is_user(human.name):
        run.settings.warn_once(
            "name",
            f"messages named {human.name!r} are taken for somebody else's words, not user {speakers.user_id!r}'s:"
            " name the user's own by the user id or not at all, or say whose they are by LearningMachine(turn=...)",
        )


def text_step(run: Run, messages: Sequence[BaseMessage]) -> Flow[str]:
    """Return the recalled text of this turn; recall now if no step of the run has done it."""
    conversation = Conversation(list(messages))
    if run.settings.turn is not None:
        conversation = yield from read_conversation(run, "recall", run.full_state({}))
    messages = conversation.messages
    if (turn := run.frozen_turn(messages)) is not None:
        run.remember_turn(turn)  # after a resume, graphs inside this one need it
    identity, opened_by = run.identity(messages), run.turn_id(messages)
    tell_idle(run, identity)
    if run.settings.reads_trajectory:
        observe_calls(run, messages)
    run.settings.steps.add(RECALL)
    memory = recalled_in(run)
    memory.asked, key = True, memory.key(run, identity, opened_by)
    if key not in memory.texts:
        speakers = run.speakers(messages, identity)
        flow = _recall(run, conversation, identity, speakers, opened_by)
        recalled = yield from run_guarded(run, "recall", flow, Recall())
        memory.texts[key] = recalled.text
    return memory.texts[key]


def _recall(
    run: Run, conversation: Conversation, identity: Identity, speakers: Speakers, opened_by: str
) -> Flow[Recall]:
    """Recall for the turn, and write the receipt to the custom stream."""
    rules, messages = run.settings.recall_rules, conversation.messages
    recalled = yield from recall(
        rules, identity, conversation.query, messages=messages, speakers=speakers, turn=opened_by
    )
    run.emit_recall(recalled)
    return recalled


def model_text_step(run: Run, messages: Sequence[BaseMessage]) -> Flow[str]:
    """Return the recalled text for a model call, whose own messages may have nothing to do with the turn."""
    memory = recalled_in(run)
    if memory.current is not None and not run.settings.reads_trajectory:
        memory.asked = True
        return memory.texts[memory.current]
    conversation = yield from read_conversation(run, "recall", run.full_state({}))
    if memory.current is not None:
        memory.asked = True
        observe_calls(run, conversation.messages)
        return memory.texts[memory.current]
    return (yield from text_step(run, conversation.messages or messages))


def extract_step(run: Run, state: Update) -> Flow[Update]:
    """Learn from the turns that wait, and move the watermark, also past turns without a known user."""
    keys = Keys(run.settings.name)
    if run.settings.turn is None and (key := run.settings.messages_key) not in state:
        run.settings.warn_once(
            "messages", f"the state has no {key!r}: nothing is learned; give LearningMachine(messages_key=...)"
        )
    check_extraction(run, recalled_in(run))
    conversation = yield from read_conversation(run, "extract", state)
    messages = conversation.messages
    identity, turn, opened_by = run.identity(messages), run.frozen_turn(messages), run.turn_id(messages)
    tell_idle(run, identity)
    speakers = run.speakers(messages, identity)
    turns = yield from collect_turns(run, state, messages, identity, speakers, turn)
    thread = read_thread(messages, run.settings.name, speakers)
    current = turn_of(messages[-CURRENT:], speakers).messages if run.settings.capturing else None
    learns = run.settings.learning and pinned_revision() is None
    left = (yield from _learn_each(run, turns, thread, current)) if learns else []
    mark = watermark(messages, identity.user_id)
    listed = yield from run_guarded(run, "extract", list_proposals(run, identity, opened_by), {})
    ended = _end_turn(run, turn, messages)
    unlearned = yield from keep_turns(run, "extract", left)
    return {**({keys.mark: mark} if mark is not None else {}), **unlearned, **ended, **listed}


def capture_step(run: Run, state: Update) -> Flow[Update]:
    """Keep the conversation of the turns that wait; without a model, the turns go on waiting to be learned from."""
    if run.settings.capturing:
        messages = (yield from read_conversation(run, "extract", state)).messages
        identity = run.identity(messages)
        speakers = run.speakers(messages, identity)
        current = turn_of(messages[-CURRENT:], speakers).messages
        frozen = run.frozen_turn(messages)
        for turn in (yield from collect_turns(run, state, messages, identity, speakers, frozen)):
            if run.may_act_for(turn.identity):
                yield from run_guarded(run, "extract", _capture(run, turn, current), None)
    return {}


def _capture(run: Run, turn: TurnInput, current: Sequence[TurnMessage] | None) -> Flow[None]:
    heard, settings = replace(turn, at=datetime.now(UTC), checkpoint_id=run.checkpoint_id), run.settings
    yield from extract([], heard, settings.rules, capturing=settings.capturing, current=current)


def _end_turn(run: Run, turn: TurnState | None, messages: Sequence[BaseMessage]) -> Update:
    """Return the update that marks the turn as extracted: the next human message then starts a new turn."""
    if turn is None or turn.get("graph_ns") != run.graph:
        return {}
    ended: TurnState = {**turn, "last": turn_id(messages)}
    run.remember_turn(ended)
    return {Keys(run.settings.name).turn: PrivateUpdate(ended, ended)}


def _learn_each(
    run: Run, waiting: Sequence[TurnInput], thread: ThreadWords, current: Sequence[TurnMessage] | None
) -> Flow[list[TurnInput]]:
    """Learn from turns, with one call per user; return the turns that could not be learned from."""
    left: list[TurnInput] = []
    for user in dict.fromkeys(turn.identity.user_id for turn in waiting):
        mine = [turn for turn in waiting if turn.identity.user_id == user]
        if not scoped_to(run.settings.learning, mine[-1].identity):
            continue
        allowed = run.may_act_for(mine[-1].identity)  # else these turns wait for a run of their user
        learn = _extract_willing if run.settings.background is None else _schedule
        flow = learn(run, mine, thread, current)
        left += (yield from run_guarded(run, "extract", flow, otherwise=mine)) if allowed else mine
    return left


def _schedule(
    run: Run, turns: Sequence[TurnInput], thread: ThreadWords, current: Sequence[TurnMessage] | None
) -> Flow[list[TurnInput]]:
    """Keep the conversation, which needs no model, and let the turns wait to be learned from in the background."""
    for turn in turns if run.settings.capturing else ():
        yield from _capture(run, turn, current)
    yield from schedule_step(run, turns, thread)
    return []


def _extract_willing(
    run: Run, turns: Sequence[TurnInput], thread: ThreadWords, current: Sequence[TurnMessage] | None
) -> Flow[list[TurnInput]]:
    """Learn from turns; report and drop a turn that the model refuses, because it would refuse it again.

    If the model refuses several turns in one call, each of them is tried alone. Return the turns to try again later.
    """
    try:
        yield from _extract(run, turns, thread, current)
    except RefusedAnswer as error:
        if run.settings.on_error == "raise":
            raise
        if len(turns) == 1:
            run.report("extract", error)
            yield from erase_begun((yield from find_begun(run, turns)))
            return []
    else:
        return []
    left: list[TurnInput] = []
    for turn in turns:
        flow = _extract_willing(run, [turn], thread, current)
        left += yield from run_guarded(run, "extract", flow, otherwise=[turn])
    return left


def _extract(
    run: Run, turns: Sequence[TurnInput], thread: ThreadWords, current: Sequence[TurnMessage] | None
) -> Flow[None]:
    """Learn from turns in one commit; if another run learns some of them meanwhile, learn from the others."""
    settings = run.settings
    works, capturing = settings.extractions(run.model), settings.capturing

    def learn(begun: BegunItems) -> Flow[None]:
        for turn in turns if capturing else ():
            if turn not in begun.unlearned:  # learned, but it may say more by now
                yield from _capture(run, turn, current)
        if (joined := (yield from join_unlearned(works, begun.unlearned, capturing))) is None:
            return
        heard = replace(joined, at=datetime.now(UTC), checkpoint_id=run.checkpoint_id, run=run.task_id)
        commit = yield from extract(
            works, heard, settings.rules, thread=thread, begun=begun.own, capturing=capturing, current=current
        )
        if commit is not None and commit.at == heard.at:  # the one a turn already has is older
            run.emit_commit(commit)

    yield from learn_begun(run, turns, learn)


# the proposals of a turn: listed once, so that a resumed review shows the same ones in the same order


def list_proposals(run: Run, identity: Identity, turn: str) -> Flow[dict[str, Any]]:
    """Return the state update that lists the turn's pending proposals, for `review` to show."""
    if not run.settings.proposes:
        return {}
    ids = yield from proposals_of_turn(run, identity, turn)
    return {Keys(run.settings.name).proposals: {"turn_id": turn, "ids": ids}}


def proposals_of_turn(run: Run, identity: Identity, turn: str) -> Flow[list[str]]:
    """Return the ids of the pending proposals that this graph, or a graph inside it, made in this turn."""
    # In a shared namespace, a change of another user's record becomes a proposal even if the store does not propose.
    # A conversation does not ask about those.
    proposing = {store.name for store in run.settings.stores if store.proposes}
    within = f"{run.graph}|" if run.graph else ""
    # Background learning makes its proposals after the turn is over: the next turn of the thread shows them.
    earlier = run.settings.background is not None
    mine = [
        proposal
        for proposal in (yield from pending_proposals(identity))
        if proposal.identity.thread_id == identity.thread_id
        and (earlier or proposal.turn == turn)
        and f"{proposal.provenance.graph_ns}|".startswith(within)
        and proposal.store in proposing
    ]
    return [proposal.id for proposal in sorted(mine, key=lambda proposal: (proposal.at, proposal.provenance.position))]


def read_listed(value: object, turn: str) -> list[str] | None:
    """Return the ids that were listed for this turn; None if the list is of another turn, or there is none."""
    if not isinstance(value, dict) or value.get("turn_id", value.get("tag")) != turn:  # "tag": an older version
        return None
    return [str(id) for id in value.get("ids") or ()]
