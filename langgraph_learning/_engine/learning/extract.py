"""The flow that learns from a turn: one model call for all learning stores that share a model."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from langchain_core.language_models import BaseChatModel

from langgraph_learning._engine.approval.proposals import load_turn
from langgraph_learning._engine.flow import Flow, batch
from langgraph_learning._engine.learning.capture import find_citing, read_capture
from langgraph_learning._engine.learning.commit import commit
from langgraph_learning._engine.learning.commit_draft import CommitDraft, CommitKind, CommitRules
from langgraph_learning._engine.learning.commit_plan import may_teach
from langgraph_learning._engine.learning.edited_messages import edited_proposals, withdraw_edited
from langgraph_learning._engine.learning.extraction_prompt import build_prompt, offered_operations
from langgraph_learning._engine.learning.grounding import ThreadWords, read_turn
from langgraph_learning._engine.learning.messages import TurnMessage
from langgraph_learning._engine.learning.operation_schema import answer_schema
from langgraph_learning._engine.learning.parse_requests import cut_operations, read_requests
from langgraph_learning._engine.learning.structured_output import OutputMethods, ask_for_operations
from langgraph_learning._engine.learning.turn import Turn, TurnInput, commit_id, failed_trajectory, join_turns
from langgraph_learning._engine.learning.usage_shares import share_usage
from langgraph_learning._engine.repository import ScopeSnapshot, find_commit, find_undo, read_commit, scoped_to
from langgraph_learning.records import Commit, Refusal, Scope, Source, derived_id
from langgraph_learning.stores import LearningStore
from langgraph_learning.versioned_store import Address

log = logging.getLogger("langgraph_learning")
LONGEST_QUERY = 4_000
"""The number of characters of the user's words that select older records."""
_CUT_OFF = Refusal(
    operation="answer",
    reason="the model's answer ended too early or is too long: its complete operations are used, the rest is lost",
)


_UNDONE = (
    "a turn was not learned again: its commit %s was undone. To bring back what it taught, undo the commit %s;"
    " to learn from its messages anew, give them other ids"
)


@dataclass(frozen=True)
class Extraction:
    """One model call: the model, the learning stores that share it, and its ways to answer."""

    model: BaseChatModel
    stores: Sequence[LearningStore]
    methods: OutputMethods
    tools: bool = False
    """Whether the model sees the results of tools, because its learning stores are configured to learn from them."""
    trajectory: bool = False
    """Whether the model sees the agent's tool calls, because its learning stores read them."""


def extract(
    works: Sequence[Extraction],
    turn_input: TurnInput,
    rules: CommitRules,
    *,
    thread: ThreadWords | None = None,
    pending: Sequence[Address] = (),
    begun: Sequence[Address] = (),
    capturing: Sequence[LearningStore] = (),
    current: Sequence[TurnMessage] | None = None,
) -> Flow[Commit | None]:
    """Learn from a turn and return its commit. None if nobody spoke, or if the turn's commit was undone.

    A turn that has a commit is not learned again. But its reply may have been given anew, so its messages are kept as
    they are now; if that changes something, return the commit that does it, else the turn's own.

    Args:
        works: The model calls to make, one per model; their answers become one commit.
        turn_input: The turn.
        rules: The rules for the commit.
        thread: Who has said what in the thread so far; by default only this turn counts.
        pending: The addresses of the waiting turn in the store; the commit deletes them.
        begun: The addresses at which a subgraph has begun it; the commit marks their ids as learned.
        capturing: The learning stores that keep messages, in the same commit; if a call fails, in a commit of their
            own.
        current: The messages of the thread, with their present texts.

    Raises:
        ExtractionError: A model's answer cannot be used; nothing is learned.
        StoreError: The store failed; an unread store is not an empty one, so nothing is written.
    """
    turn, identity = turn_input.turn, turn_input.identity
    reached = _stores(works, capturing, turn_input)
    stores = [(store, scope) for store, scope in reached if may_teach(store, scope, identity, rules.shared)]
    if not stores or not (turn.human or (capturing and turn.messages)):
        return None
    key = _commit_id(stores, turn_input)
    query = "\n".join(message.text for message in turn.human)[:LONGEST_QUERY]
    captured = read_capture(turn_input, key, rules.mask, current) if capturing else None
    session = captured.session if captured else None
    turn_commit, snapshots, earlier = yield from load_turn(stores, identity, key, query, session)
    if turn_commit is not None and not (yield from stands(turn_commit)):
        return None
    if turn_commit is not None:
        return (yield from keep_messages(turn_input, key, rules, capturing, current)) or turn_commit
    facts = [snapshot for snapshot in snapshots if not snapshot.store.captures]
    withdrawn = yield from withdraw_edited(facts, turn, identity)
    shown = [snapshot.without(change.id for change in withdrawn) for snapshot in snapshots]
    spoken = read_turn(turn)
    draft = CommitDraft(
        CommitKind.TURN,
        key,
        identity,
        turn_input.at,
        rules,
        provenance=turn_input.provenance,
        shown_ids={snapshot.store.name: snapshot.short_ids for snapshot in shown},
        query=query,
        thread=thread.including(spoken) if thread else spoken,
        pending=tuple(pending),
        begun=tuple(begun),
        captured=captured,
        heard=turn.message_ids,
        cited_by=tuple((yield from find_citing(identity, captured, snapshots)) if captured else ()),
        trajectory=failed_trajectory(turn, rules.mask) if any(work.trajectory for work in works) else None,
    )
    try:
        for work in _works_for(turn, works):
            draft = yield from _ask_model(work, shown, turn_input, draft)
    except Exception:  # a provider may raise anything: the messages are kept first, then the error goes to the caller
        yield from keep_messages(turn_input, key, rules, capturing, current)
        raise
    turn_commit = yield from commit(draft, snapshots, earlier, withdrawn, edited_proposals(earlier, turn, identity))
    for refusal in turn_commit.refused:
        log.info("refused %s: %s", refusal.operation, refusal.reason)
    return turn_commit


def keep_messages(
    turn_input: TurnInput,
    key: str,
    rules: CommitRules,
    capturing: Sequence[LearningStore],
    current: Sequence[TurnMessage] | None,
) -> Flow[Commit | None]:
    """Keep the messages of a turn as they are now, in a commit of their own; None if nothing changes.

    Args:
        turn_input: The turn.
        key: The id of the turn's own commit, by which messages without a thread are found again.
        rules: The rules for the commit.
        capturing: The learning stores that keep messages.
        current: The messages of the thread, with their present texts.
    """
    stores = scoped_to(capturing, turn_input.identity)
    if not stores:
        return None
    captured = read_capture(turn_input, key, rules.mask, current)
    _, snapshots, _ = yield from load_turn(stores, turn_input.identity, key, "", captured.session)
    draft = CommitDraft(
        CommitKind.MAINTENANCE,  # without changes, no commit is written
        derived_id("said", key, turn_input.at.isoformat()),
        turn_input.identity,
        turn_input.at,
        rules,
        # What was recalled in the turn is counted with the commit that learns from it.
        provenance=turn_input.provenance.model_copy(update={"recalled": (), "recalled_tokens": {}}),
        captured=captured,
        cited_by=tuple((yield from find_citing(turn_input.identity, captured, snapshots))),
    )
    new_commit = yield from commit(draft, snapshots)
    return new_commit if new_commit.changes else None


def _ask_model(
    work: Extraction, snapshots: Sequence[ScopeSnapshot], turn_input: TurnInput, draft: CommitDraft
) -> Flow[CommitDraft]:
    """Ask one model what the turn teaches; return the draft with its requests, what was refused, and the costs."""
    snapshots = [snapshot for snapshot in snapshots if snapshot.store in work.stores]
    if not snapshots:
        return draft
    prompt = build_prompt(snapshots, turn_input, work.tools, work.trajectory, work.model)
    schema = answer_schema(offered_operations(snapshots))
    answer = yield from ask_for_operations(work.model, schema, prompt.messages, work.methods)
    stores = [snapshot.store for snapshot in snapshots]
    items, dropped = cut_operations(answer.operations, stores, draft.rules.limits)
    source = Source(thread_id=draft.identity.thread_id, checkpoint_id=turn_input.checkpoint_id)
    requests, refused = read_requests(items, turn_input.turn, source, snapshots, work.tools, work.trajectory)
    costs = Counter(draft.costs)
    costs.update(share_usage(answer.usage, prompt.shares, items, work.stores))
    return replace(
        draft,
        requests=(*draft.requests, *requests),
        refused=(*draft.refused, *([_CUT_OFF] if answer.cut_off else []), *dropped, *refused),
        usage=draft.usage + answer.usage,
        costs=dict(costs),
    )


def _works_for(turn: Turn, works: Sequence[Extraction]) -> Sequence[Extraction]:
    """Return the model calls for a turn; none without words of the user.

    Without tool calls, stores that read trajectories share a call with the others. Otherwise, every turn of an agent
    that learns procedures would need one more model call.
    """
    if not turn.human:
        return []
    if turn.trajectory:
        return works
    merged: dict[tuple[int, bool], Extraction] = {}
    for work in works:
        first = merged.get(key := (id(work.model), work.tools))
        stores = (*first.stores, *work.stores) if first else tuple(work.stores)
        merged[key] = replace(first or work, stores=stores, trajectory=False)
    return list(merged.values())


def _stores(
    works: Sequence[Extraction], capturing: Sequence[LearningStore], turn_input: TurnInput
) -> list[tuple[LearningStore, Scope]]:
    return scoped_to([*(store for work in works for store in work.stores), *capturing], turn_input.identity)


def join_unlearned(
    works: Sequence[Extraction], turns: Sequence[TurnInput], capturing: Sequence[LearningStore] = ()
) -> Flow[TurnInput | None]:
    """Return those turns of a user that no commit has yet, as one; None if there are none.

    A process may die after it has committed some turns and before its graph has recorded that.
    """
    if not turns:
        return None
    beginnings = [join_turns(turns[:count]) for count in range(1, len(turns))]
    learned, _ = yield from find_learned(works, beginnings, capturing)
    return join_turns(turns[learned:])


def find_learned(
    works: Sequence[Extraction], beginnings: Sequence[TurnInput], capturing: Sequence[LearningStore] = ()
) -> Flow[tuple[int, Commit | None]]:
    """Return the number of the last of several turns that has a commit, counted from 1, and its commit; 0 if none has.

    The turns begin alike, each longer than the one before it.
    """
    if not beginnings:
        return 0, None
    stores = _stores(works, capturing, beginnings[-1])
    results = yield from batch(*(find_commit(one.identity, _commit_id(stores, one)) for one in beginnings))
    commits = [(count, found) for count, item in enumerate(results, 1) if (found := read_commit(item)) is not None]
    return commits[-1] if commits else (0, None)


def stands(turn_commit: Commit) -> Flow[bool]:
    """Return whether a turn's commit was not undone; if it was, say so in the log."""
    undo = yield from find_undo(turn_commit)
    if undo is not None:
        log.warning(_UNDONE, turn_commit.id, undo.id)
    return undo is None


def turn_commit_id(works: Sequence[Extraction], turn_input: TurnInput) -> str:
    """Return the commit id of a turn that is learned alone."""
    return _commit_id(scoped_to([store for work in works for store in work.stores], turn_input.identity), turn_input)


def _commit_id(stores: Sequence[tuple[LearningStore, Scope]], turn_input: TurnInput) -> str:
    # Two agents in one turn learn it once, unless one of their learning stores is an agent's own.
    owned = any(scope.agent for _, scope in stores)
    whose = turn_input.identity if owned else turn_input.identity.model_copy(update={"agent": None})
    names = (_store_key(store, scope) for store, scope in stores)
    if turn_input.turn.human:
        return commit_id(turn_input.turn, whose, names, turn_input.run)
    message_keys = [[message.id or f"#{message.position}", message.text] for message in turn_input.turn.messages]
    return derived_id("unasked", whose.user_id, whose.thread_id, whose.agent, sorted(names), message_keys)


def _store_key(store: LearningStore, scope: Scope) -> str:
    """Return a key that tells a learning store from one of the same name in another namespace."""
    return store.name if scope.namespace is None else f"{scope.tag}/{store.name}"
