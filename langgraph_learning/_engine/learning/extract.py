"""The extract flow: one model call after the reply, for all learning stores that share the model."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from langchain_core.language_models import BaseChatModel

from langgraph_learning._engine.approval.proposals import load_turn
from langgraph_learning._engine.flow import Flow
from langgraph_learning._engine.learning.commit import Draft, OperationRequest, commit
from langgraph_learning._engine.learning.extraction_prompt import build_prompt, offered_operations
from langgraph_learning._engine.learning.operation_request import read_requests
from langgraph_learning._engine.learning.operation_schema import answer_schema
from langgraph_learning._engine.learning.structured_output import OutputMethods, ask_for_operations
from langgraph_learning._engine.learning.turn import TurnInput, commit_id
from langgraph_learning._engine.repository import scoped_to
from langgraph_learning.masking import Mask, mask_secrets
from langgraph_learning.records import Commit, Refusal, Scope, Source, Usage
from langgraph_learning.stores import LearningStore

log = logging.getLogger("langgraph_learning")
_CUT_OFF = Refusal(
    operation="answer", reason="the model's answer ended too early: what was complete stands, the rest is lost"
)


@dataclass(frozen=True)
class Extraction:
    """One call: the model, the learning stores that share it, and the way it answers."""

    model: BaseChatModel
    stores: Sequence[LearningStore]
    methods: OutputMethods
    tools: bool = False
    """Whether it is shown what tools returned, because its learning stores are configured to take it."""


def extract(
    works: Sequence[Extraction], heard: TurnInput, limits: Mapping[str, int], mask: Mask = mask_secrets
) -> Flow[Commit | None]:
    """Learn from a turn and return its commit; the one it already has, without a model call; None if nobody spoke.

    Args:
        works: The calls to make, one per model; what they answer becomes one commit.
        heard: The turn.
        limits: How many changes each learning store may make.
        mask: Takes secrets out of what is stored.

    Raises:
        ExtractionError: A model's answer cannot be used; nothing is written.
        StoreError: The store failed; an unread store is not an empty one, so nothing is written.
    """
    turn, identity = heard.turn, heard.identity
    stores = scoped_to([store for work in works for store in work.stores], identity)
    if not turn.human or not stores:
        return None
    # Two agents that hear one turn learn it once, unless something they learn is an agent's own.
    owned = any(scope.agent for _, scope in stores)
    whose = identity if owned else identity.model_copy(update={"agent": None})
    key = commit_id(turn, whose, (_store_key(store, scope) for store, scope in stores), heard.run)
    made, known, earlier = yield from load_turn(stores, identity, key)
    if made is not None:
        return made
    source = Source(thread_id=identity.thread_id, checkpoint_id=heard.checkpoint_id)
    requests: list[OperationRequest] = []
    refused: list[Refusal] = []
    usage = Usage()
    for work in works:
        if mine := [snapshot for snapshot in known if snapshot.store in work.stores]:
            schema = answer_schema(offered_operations(mine))
            prompt = build_prompt(mine, heard, work.tools, work.model)
            answer = yield from ask_for_operations(work.model, schema, prompt, work.methods)
            asked, objections = read_requests(answer.operations, turn, source, mine, work.tools)
            requests += asked
            refused += [*([_CUT_OFF] if answer.cut_off else []), *objections]
            usage += answer.usage
    draft = Draft(
        id=key,
        identity=identity,
        at=heard.at,
        requests=tuple(requests),
        refused=tuple(refused),
        limits=limits,
        shown_ids={snapshot.store.name: snapshot.short_ids for snapshot in known},
        usage=usage,
        mask=mask,
        turn_id=heard.turn_id,
        graph_ns=heard.graph_ns,
        recalled=heard.recalled,
    )
    commit_made = yield from commit(draft, known, earlier)
    for refusal in commit_made.refused:
        log.info("refused %s: %s", refusal.operation, refusal.reason)
    return commit_made


def _store_key(store: LearningStore, scope: Scope) -> str:
    """Return what tells a learning store from another machine's of the same name that lies elsewhere."""
    return store.name if scope.namespace is None else f"{scope.tag}/{store.name}"
