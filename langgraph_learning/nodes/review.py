"""The review step: an interrupt shows the turn's proposals; a proposed change is stored only if a person approves."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from langchain_core.messages import BaseMessage
from langgraph.types import interrupt
from pydantic import BaseModel, Field, JsonValue, create_model, model_validator

from langgraph_learning._engine.approval.approval import Approver, ReviewDecision, decide, mark_stale
from langgraph_learning._engine.approval.proposals import load_proposals
from langgraph_learning._engine.flow import Flow, call_saver
from langgraph_learning._engine.learning.operation_schema import read_operation
from langgraph_learning.errors import ScopeError
from langgraph_learning.langgraph_private import checkpointer, resume_write
from langgraph_learning.nodes.run_context import Run, run_guarded
from langgraph_learning.nodes.state_keys import Keys, Update
from langgraph_learning.nodes.steps import proposals_of_turn, read_conversation, read_listed
from langgraph_learning.nodes.wiring_checks import REVIEW
from langgraph_learning.records import Identity, Proposal
from langgraph_learning.reports import Outcome
from langgraph_learning.stores import LearningStore, Operation
from langgraph_learning.stores.maintenance_operations import MAINTENANCE
from langgraph_learning.stores.operations import tool_schema

ALLOWED = ["approve", "edit", "reject"]


class Approve(BaseModel):
    """Approval of the proposal as it is."""

    type: Literal["approve"]


class EditedAction(BaseModel):
    """The operation with the person's changes."""

    name: str
    args: dict[str, JsonValue]


class Edit(BaseModel):
    """Approval with changes."""

    type: Literal["edit"]
    edited_action: EditedAction


class Reject(BaseModel):
    """Rejection: the change is not proposed again."""

    type: Literal["reject"]
    message: str | None = None


class Answers(BaseModel):
    """One decision per action request, in the same order: LangChain's `HITLResponse`."""

    decisions: list[Annotated[Approve | Edit | Reject, Field(discriminator="type")]]

    @model_validator(mode="before")
    @classmethod
    def check_shape(cls, value: object) -> object:
        """Name the shape of an answer: a bare "yes" is what people try first."""
        if isinstance(value, Mapping) and isinstance(value.get("decisions"), list):
            return value
        raise ValueError('resume with {"decisions": [{"type": "approve"}, ...]}: one for each action request, in order')


def review_step(run: Run, state: Update) -> Flow[Update]:
    """Interrupt with the turn's proposals and carry out the decisions; do nothing if there are no proposals."""
    run.settings.steps.add(REVIEW)
    if not run.settings.proposes:
        return {}
    messages = (yield from read_conversation(run, "review", state)).messages
    identity = yield from identify_reviewed(run, messages)
    shown = yield from run_guarded(run, "review", _proposals_to_show(run, identity, state, run.turn_id(messages)), [])
    yield from review_proposals(run, identity, shown)
    return {}


def identify_reviewed(run: Run, messages: list[BaseMessage], *, reviewing: bool = True) -> Flow[Identity]:
    """Return the identity whose turn is reviewed; if the run may not act for it, remove the resume answer and raise.

    Raises:
        ScopeError: The run may not act for this identity.
    """
    try:
        return run.identity(messages, reviewing=reviewing)
    except ScopeError:
        yield from _withdraw_answer(run)
        raise


def _withdraw_answer(run: Run) -> Flow[None]:
    """Remove a refused answer from the checkpointer: LangGraph would give it to the next run, as its user's answer."""
    if checkpointer(run.config) is not None and (write := resume_write(run.config)) is not None:
        yield from call_saver("put_writes", *write)


def _proposals_to_show(run: Run, identity: Identity, state: Update, turn: str) -> Flow[list[Proposal]]:
    """Return the proposals that an earlier step listed, the same on every resume; else the turn's pending ones."""
    listed = read_listed(state.get(Keys(run.settings.name).proposals), turn)
    ids = listed if listed is not None else (yield from proposals_of_turn(run, identity, turn))
    held = yield from load_proposals((identity, proposal_id) for proposal_id in ids)
    return (yield from mark_stale(run.settings.stores, [proposal for proposal, _ in held.values()]))


def review_proposals(run: Run, identity: Identity, shown: Sequence[Proposal]) -> Flow[list[Outcome]]:
    """Ask about all of `shown`, even about a proposal decided elsewhere meanwhile, and return the outcomes.

    The answers are matched by position: with a shorter list they would reach the wrong proposals.
    """
    if not any(proposal.status == "pending" for proposal in shown):
        return []
    if checkpointer(run.config) is None:  # without one no resume is possible
        run.settings.warn_once(
            "checkpointer",
            "a person cannot be asked in a graph without a checkpointer: what was proposed waits for"
            " scoped(...).decide(). Compile with one, builder.compile(checkpointer=...)",
        )
        return []
    stores, approver = run.settings.stores, run.approver(identity)
    try:
        answer = interrupt(review_request(stores, shown), response_schema=answers_model(stores, shown, approver))
    except ScopeError:
        yield from _withdraw_answer(run)
        raise

    def carry_out() -> Flow[list[Outcome]]:
        held = yield from load_proposals((proposal.identity, proposal.id) for proposal in shown)
        return (yield from decide(stores, read_decisions(shown, answer), held, approver, run.settings.mask))

    outcomes = yield from run_guarded(run, "review", carry_out(), [])
    run.emit("decided", outcomes=[outcome.model_dump(mode="json") for outcome in outcomes])
    return outcomes


def review_request(stores: Sequence[LearningStore], shown: Sequence[Proposal]) -> dict[str, JsonValue]:
    """Return the request that the person gets: LangChain's `HITLRequest`."""
    kinds = {kind.__name__: kind for store in stores for kind in (*store.operations, *MAINTENANCE)}
    actions: list[JsonValue] = [
        {
            "name": proposal.name,
            # Postgres orders the keys of JSON by length, so a form would start with an unimportant field.
            "args": in_field_order(proposal.args, kinds[proposal.name]) if proposal.name in kinds else proposal.args,
            "description": proposal.description,
        }
        for proposal in shown
    ]
    configs: list[JsonValue] = [
        {
            "action_name": proposal.name,
            "allowed_decisions": list(ALLOWED),
            **({"args_schema": tool_schema(kinds[proposal.name])} if proposal.name in kinds else {}),
        }
        for proposal in shown
    ]
    return {"action_requests": actions, "review_configs": configs}


def in_field_order(args: dict[str, JsonValue], operation: type[Operation]) -> dict[str, JsonValue]:
    """Return arguments in the order of the operation's fields; unknown arguments come last."""
    return {name: args[name] for name in operation.model_fields if name in args} | args


def answers_model(stores: Sequence[LearningStore], shown: Sequence[Proposal], approver: Approver) -> type[Answers]:
    """Return the schema that checks an answer before LangGraph stores it: a stored answer is replayed on every resume.

    It also checks that the person may give each decision, and raises a `ScopeError` if not.
    """

    class Checked(Answers):
        @model_validator(mode="after")
        def check(self) -> Self:
            if len(self.decisions) != len(shown):
                raise ValueError(f"give {len(shown)} decisions, one per action request, not {len(self.decisions)}")
            for proposal, decision in zip(shown, self.decisions, strict=True):
                if isinstance(decision, Edit):
                    check_edit(stores, proposal, decision.edited_action.name, decision.edited_action.args)
                if proposal.status == "pending":
                    approver.check(proposal, decision.type)
            return self

    # The class name and docstring become the title and description of the JSON schema.
    return create_model("ReviewAnswer", __base__=Checked, __doc__=Answers.__doc__)


def check_edit(stores: Sequence[LearningStore], proposal: Proposal, operation: str, args: dict[str, JsonValue]) -> None:
    """Check that an edit is valid for its learning store and keeps the same operation.

    Raises:
        ValueError: The edit is wrong; the message says how.
    """
    if operation != proposal.name:
        raise ValueError(f"an edit changes arguments: {proposal.name!r} may not become {operation!r}")
    mine = [store for store in stores if store.name == proposal.store]
    try:
        _, read, refused = read_operation(mine, operation, args, maintenance=True)
    except LookupError as error:
        raise ValueError(str(error.args[0])) from error
    unknown = [key for key in args if read is not None and key not in type(read).model_fields]
    wrong = [refusal.reason for refusal in refused] + [f"{key}: there is no such field" for key in unknown]
    if wrong or read is None:
        raise ValueError(f"{operation}: {'; '.join(wrong)}")


def read_decisions(shown: Sequence[Proposal], answer: Answers) -> list[ReviewDecision]:
    """Return the person's decision on each of `shown`."""
    return [
        ReviewDecision(
            proposal.id,
            decision.type,
            args=decision.edited_action.args if isinstance(decision, Edit) else None,
            message=decision.message if isinstance(decision, Reject) else None,
        )
        for proposal, decision in zip(shown, answer.decisions, strict=True)
    ]
