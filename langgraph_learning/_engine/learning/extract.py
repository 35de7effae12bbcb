"""The extract flow: one model call after the reply, for all learning stores that share the model."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from langchain_core.language_models import BaseChatModel

from langgraph_learning._engine.approval.proposals import load_turn
from langgraph_learning._engine.flow import Flow, batch
from langgraph_learning._engine.learning.capture import find_citing, read_capture
from langgraph_learning._engine.learning.commit import commit, cut_operations
from langgraph_learning._engine.learning.commit_plan import may_teach
from langgraph_learning._engine.learning.draft import CommitKind, CommitRules, Draft, OperationRequest, Shared
from langgraph_learning._engine.learning.edited_messages import withdraw_edited
from langgraph_learning._engine.learning.extraction_prompt import build_prompt, offered_operations
from langgraph_learning._engine.learning.messages import TurnMessage
from langgraph_learning._engine.learning.operation_request import drop_repeated, read_requests
from langgraph_learning._engine.learning.operation_schema import answer_schema
from langgraph_learning._engine.learning.provenance import ThreadWords, read_turn
from langgraph_learning._engine.learning.structured_output import OutputMethods, ask_for_operations
from langgraph_learning._engine.learning.turn import TurnInput, commit_id, derived_id, failed_trajectory, join_turns
from langgraph_learning._engine.repository import ScopeSnapshot, find_commit, scoped_to
from langgraph_learning.masking import Mask, mask_secrets
from langgraph_learning.records import Commit, Refusal, Scope, Source, Usage
from langgraph_learning.stores import LearningStore
from langgraph_learning.versioned_store import Address

log = logging.getLogger("langgraph_learning")
LONGEST_QUERY = 4_000
"""How much of what the user said is looked for among the older records, in characters."""
_CUT_OFF = Refusal(
    operation="answer",
    reason="the model's answer ended too early or is too long: what was read of it stands, the rest is lost",
)


@dataclass(frozen=True)
class Extraction:
    """One call: the model, the learning stores that share it, and the way it answers."""

    model: BaseChatModel
    stores: Sequence[LearningStore]
    methods: OutputMethods
    tools: bool = False
    """Whether it is shown what tools returned, because its learning stores are configured to take it."""
    trajectory: bool = False
    """Whether it is shown the agent's tool calls, because its learning stores read them."""


def extract(
    works: Sequence[Extraction],
    heard: TurnInput,
    limits: Mapping[str, int],
    mask: Mask = mask_secrets,
    *,
    shared: Shared = "propose",
    thread: ThreadWords | None = None,
    pending: Sequence[Address] = (),
    capturing: Sequence[LearningStore] = (),
    current: Sequence[TurnMessage] | None = None,
) -> Flow[Commit | None]:
    """Learn from a turn and return its commit; the one it already has, without a model call; None if nobody spoke.

    Args:
        works: The calls to make, one per model; what they answer becomes one commit.
        heard: The turn.
        limits: How many changes each learning store may make.
        mask: Takes secrets out of what is stored.
        shared: What becomes of a change to what others taught in a shared namespace.
        thread: Who has said what in the thread so far; by default only this turn is known.
        pending: Where in the store the turn waits; it goes with the commit.
        capturing: The learning stores that keep messages: in the same commit, and where a call fails, in their own.
        current: The messages of the thread, as they stand now.

    Raises:
        ExtractionError: A model's answer cannot be used; nothing is learned.
        StoreError: The store failed; an unread store is not an empty one, so nothing is written.
    """
    turn, identity = heard.turn, heard.identity
    reached = _stores(works, capturing, heard)
    stores = [(store, scope) for store, scope in reached if may_teach(store, scope, identity, shared)]
    if not stores or not (turn.human or (capturing and turn.messages)):
        return None
    key = _commit_id(stores, heard)
    query = "\n".join(message.text for message in turn.human)[:LONGEST_QUERY]
    captured = read_capture(heard, key, mask, current) if capturing else None
    made, known, earlier = yield from load_turn(stores, identity, key, query, captured.session if captured else None)
    if made is not None:
        return made
    cited_by = (yield from find_citing(str(identity.user_id), captured, known)) if captured else []
    withdrawn = yield from withdraw_edited([each for each in known if not each.store.captures], turn, identity)
    stored, known = known, [snapshot.without(change.id for change in withdrawn) for snapshot in known]
    spoken = read_turn(turn)
    draft = Draft(
        CommitKind.TURN,
        key,
        identity,
        heard.at,
        CommitRules(limits, mask, shared),
        provenance=heard.provenance,
        shown_ids={snapshot.store.name: snapshot.short_ids for snapshot in known},
        query=query,
        thread=thread.including(spoken) if thread else spoken,
        pending=tuple(pending),
        captured=captured,
        cited_by=tuple(cited_by),
        trajectory=failed_trajectory(turn, mask) if any(work.trajectory for work in works) else None,
    )
    try:
        requests, refused, usage = yield from _ask_models(works if turn.human else (), known, heard, limits)
    except Exception:  # whatever a provider raises: what was said is kept, then it goes on to whoever decides
        if captured is not None:
            kept = replace(draft, id=derived_id("said", key, heard.at.isoformat()))
            yield from commit(kept, [each for each in stored if each.store.captures])
        raise
    asked = replace(draft, requests=tuple(requests), refused=tuple(refused), usage=usage)
    made = yield from commit(asked, stored, earlier, withdrawn)
    for refusal in made.refused:
        log.info("refused %s: %s", refusal.operation, refusal.reason)
    return made


def _ask_models(
    works: Sequence[Extraction], known: Sequence[ScopeSnapshot], heard: TurnInput, limits: Mapping[str, int]
) -> Flow[tuple[list[OperationRequest], list[Refusal], Usage]]:
    """Return what the models ask for, what of it is too much, and what that cost."""
    turn = heard.turn
    source = Source(thread_id=heard.identity.thread_id, checkpoint_id=heard.checkpoint_id)
    requests: list[OperationRequest] = []
    refused: list[Refusal] = []
    usage = Usage()
    for work in works:
        if mine := [snapshot for snapshot in known if snapshot.store in work.stores]:
            schema = answer_schema(offered_operations(mine))
            prompt = build_prompt(mine, heard, work.tools, work.trajectory, work.model)
            answer = yield from ask_for_operations(work.model, schema, prompt, work.methods)
            distinct = drop_repeated(answer.operations)
            items, dropped = cut_operations(distinct, [snapshot.store for snapshot in mine], limits)
            asked, objections = read_requests(items, turn, source, mine, work.tools, work.trajectory)
            requests += asked
            refused += [*([_CUT_OFF] if answer.cut_off else []), *dropped, *objections]
            usage += answer.usage
    return requests, refused, usage


def _stores(
    works: Sequence[Extraction], capturing: Sequence[LearningStore], heard: TurnInput
) -> list[tuple[LearningStore, Scope]]:
    return scoped_to([*(store for work in works for store in work.stores), *capturing], heard.identity)


def drop_learned(
    works: Sequence[Extraction], turns: Sequence[TurnInput], capturing: Sequence[LearningStore] = ()
) -> Flow[list[TurnInput]]:
    """Return which of a user's turns in a row are not learned yet, without those that a commit has already.

    A process may die after the commit of some turns and before its graph has written down that they are learned.
    """
    stores = _stores(works, capturing, turns[-1])
    beginnings = [join_turns(turns[:count]) for count in range(1, len(turns))]
    reads = [find_commit(each.identity, _commit_id(stores, each)) for each in beginnings]
    commits = (yield from batch(*reads)) if reads else []
    learned = max((count for count, item in enumerate(commits, 1) if item is not None), default=0)
    return list(turns[learned:])


def turn_commit_id(works: Sequence[Extraction], heard: TurnInput) -> str:
    """Return the id under which a turn is learned by itself."""
    return _commit_id(scoped_to([store for work in works for store in work.stores], heard.identity), heard)


def _commit_id(stores: Sequence[tuple[LearningStore, Scope]], heard: TurnInput) -> str:
    # Two agents that hear one turn learn it once, unless something they learn is an agent's own.
    owned = any(scope.agent for _, scope in stores)
    whose = heard.identity if owned else heard.identity.model_copy(update={"agent": None})
    names = (_store_key(store, scope) for store, scope in stores)
    if heard.turn.human:
        return commit_id(heard.turn, whose, names, heard.run)
    said = [[message.id or f"#{message.position}", message.text] for message in heard.turn.messages]
    return derived_id("unasked", whose.user_id, whose.thread_id, whose.agent, sorted(names), said)


def _store_key(store: LearningStore, scope: Scope) -> str:
    """Return what tells a learning store from another machine's of the same name that lies elsewhere."""
    return store.name if scope.namespace is None else f"{scope.tag}/{store.name}"
