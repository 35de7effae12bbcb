"""The steps of the loop as flows, in one place for nodes and middleware: recall before, extract after."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from langchain_core.messages import BaseMessage, SystemMessage
from langgraph.errors import GraphBubbleUp

from langgraph_learning._engine.flow import Flow
from langgraph_learning._engine.learning.extract import extract
from langgraph_learning._engine.learning.turn import TurnInput, Watermark, mark_before, question, turn_since, watermark
from langgraph_learning._engine.recall.recall import Recall, recall
from langgraph_learning._engine.repository import scoped_to
from langgraph_learning._engine.settings import MachineSettings
from langgraph_learning.errors import ConfigurationError, ScopeError
from langgraph_learning.langgraph_private import read_channel
from langgraph_learning.nodes.run_context import Run, TurnState, recalled_records, turn_id
from langgraph_learning.nodes.state import Keys
from langgraph_learning.nodes.waiting import list_proposals
from langgraph_learning.records import Identity

T = TypeVar("T")
Update = dict[str, Any]


def run_guarded(run: Run, step: str, flow: Flow[T], otherwise: T) -> Flow[T]:
    """The one place where a failure of learning is decided: the reply comes first, unless `on_error="raise"`.

    A set-up that cannot work and a scope that may not be touched are the caller's to mend: they are always raised.
    """
    try:
        return (yield from flow)
    except (GraphBubbleUp, ConfigurationError, ScopeError, AssertionError):  # the last is a test's, of a scripted model
        raise
    except Exception as error:
        if run.settings.on_error == "raise":
            raise
        run.report(step, error)
        return otherwise


def recall_step(run: Run, messages: Sequence[BaseMessage]) -> Flow[Update]:
    """Freeze who asks for this turn, and recall for them.

    Raises:
        ConfigurationError: There is no store; said at the first run, whoever asks.
    """
    if run.settings.stores:
        run.driver.require_store()
    keys = Keys(run.settings.name)
    identity = run.identity()
    made = yield from run_guarded(run, "recall", _recall(run, identity, messages), Recall())
    run.warn_double_wiring(wanted := turn_id(list(messages)))
    turn: TurnState = {
        "tag": wanted,
        "graph": run.graph,
        "identity": identity.model_dump(),
        "receipt": made.receipt.model_dump(mode="json"),
    }
    run.remember_turn(turn)
    return {keys.turn: turn, keys.text: made.text}


def text_step(run: Run, state: object, messages: Sequence[BaseMessage]) -> Flow[str]:
    """Return the recalled text of this run; recall now where no step did, or where a resume has lost it."""
    keys = Keys(run.settings.name)
    text = state.get(keys.text) if isinstance(state, dict) else None
    text = text if text is not None else read_channel(run.config, keys.text)
    if isinstance(text, str):
        return text
    found = (state.get(keys.turn) if isinstance(state, dict) else None) or read_channel(run.config, keys.turn)
    if (turn := run.frozen_turn(found, list(messages))) is not None:
        run.remember_turn(turn)  # resumed: the graphs inside are about to ask
    identity = run.identity(found, list(messages))
    return (yield from run_guarded(run, "recall", _recall(run, identity, messages), Recall())).text


def _recall(run: Run, identity: Identity, messages: Sequence[BaseMessage]) -> Flow[Recall]:
    made = yield from recall(run.settings.stores, identity, question(messages), run.settings.context_tokens)
    made = made.of_turn(turn_id(list(messages)), identity, datetime.now(UTC))
    run.emit("recalled", receipt=made.receipt.model_dump(mode="json"))
    return made


def extract_step(run: Run, state: Update) -> Flow[Update]:
    """Learn from what was said since the watermark, and move it; also past turns of nobody known."""
    keys = Keys(run.settings.name)
    if (key := run.settings.messages_key) not in state:
        run.settings.warn_once(
            "messages", f"the state has no {key!r}: nothing is learned; give LearningMachine(messages_key=...)"
        )
    messages = list(state.get(key) or ())
    identity = run.identity(state.get(keys.turn), messages)
    shown = recalled_records(run.frozen_turn(state.get(keys.turn), messages))
    mark = yield from _learn(run, identity, messages, state.get(keys.mark), shown)
    listed = yield from run_guarded(run, "extract", list_proposals(run, identity, turn_id(messages)), {})
    return {**({keys.mark: mark} if mark is not None else {}), **listed}


def _learn(
    run: Run,
    identity: Identity,
    messages: Sequence[BaseMessage],
    seen: Watermark | None,
    shown: tuple[tuple[str, str], ...],
) -> Flow[Watermark | None]:
    """Learn, and return how far the thread has been learned from."""
    if scoped_to(run.settings.extracting, identity):
        heard = TurnInput(
            turn=turn_since(messages, seen, identity.user_id, run.settings.tool_names),
            identity=identity,
            at=datetime.now(UTC),
            checkpoint_id=run.checkpoint_id,
            run=run.task_id,
            turn_id=turn_id(list(messages)),
            graph_ns=run.graph,
            recalled=shown,
        )
        if not (yield from run_guarded(run, "extract", _extract(run, heard), otherwise=False)):
            return mark_before(messages, seen, identity.user_id)
    return watermark(messages, identity.user_id)


def _extract(run: Run, heard: TurnInput) -> Flow[bool]:
    commit = yield from extract(run.settings.extractions(run.model), heard, run.settings.limits, run.settings.mask)
    if commit is not None and commit.at == heard.at:  # the one a turn already has is older
        run.emit_commit(commit)
    return True


def with_context(messages: Sequence[BaseMessage], text: str, settings: MachineSettings) -> list[BaseMessage]:
    """Return `messages` with the recalled text first, and without an older one."""
    others = [message for message in messages if message.id != settings.context_id]
    return [SystemMessage(text, id=settings.context_id), *others] if text else others
