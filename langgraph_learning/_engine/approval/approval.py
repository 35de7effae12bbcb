"""A person's answer to proposals: only here does what was proposed become permanent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from langgraph.store.base import GetOp, Item
from pydantic import JsonValue

from langgraph_learning._engine.approval.proposals import (
    pending_proposals,
    proposals_namespace,
    put_proposal,
    read_proposal,
)
from langgraph_learning._engine.flow import Flow, batch, write
from langgraph_learning._engine.learning.commit import (
    CommitPlan,
    Draft,
    OperationRequest,
    retry_on_conflict,
    to_commit,
    write_commit,
)
from langgraph_learning._engine.learning.turn import derived_id
from langgraph_learning._engine.repository import EVERYTHING, ScopeSnapshot, load_snapshots, scoped_to
from langgraph_learning.masking import Mask, mask_secrets
from langgraph_learning.records import Frozen, Identity, Proposal, Record
from langgraph_learning.stores import LearningStore
from langgraph_learning.stores.maintenance import ON_REJECT

Answer: TypeAlias = Literal["approve", "edit", "reject"]
Result: TypeAlias = Literal["approved", "rejected", "stale", "refused", "decided", "gone"]
ProposalsByUser: TypeAlias = Mapping[str, tuple[Proposal, int]]


@dataclass(frozen=True)
class ReviewDecision:
    """What a person said to one proposal; an edit names the operation and its arguments anew."""

    proposal: str
    answer: Answer
    name: str | None = None
    args: Mapping[str, JsonValue] | None = None
    message: str | None = None


@dataclass(frozen=True)
class Approver:
    """Who decides, and when."""

    name: str | None
    at: datetime


class Outcome(Frozen):
    """What came of a decision.

    `stale`: a record it would change has changed since, so nothing was applied; it waits for another look. `refused`:
    it cannot be carried out, and waits. `decided`: somebody else was first. `gone`: there is no such proposal.
    """

    proposal: str
    result: Result
    reason: str = ""
    commit: str | None = None


@dataclass
class ApprovalRound:
    """One try at deciding: the plan of what was approved, the proposals as they then stand, and what came of each."""

    plan: CommitPlan
    approver: Approver
    seen: Mapping[str, Mapping[str, Record]]
    """The records as they were before this answer: siblings in one answer do not make each other stale."""
    changed: list[Proposal] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def decide_one(self, decision: ReviewDecision, proposal: Proposal | None) -> None:
        """Take one decision."""
        if proposal is None:
            self._add_outcome(decision, "gone", "there is no such proposal")
        elif proposal.status != "pending":
            by = f" by {proposal.decided_by}" if proposal.decided_by else ""
            self._add_outcome(decision, "decided", f"it was {proposal.status}{by} already")
        elif decision.answer == "reject" and not self._keep_or_remove(proposal):
            self._close_proposal(proposal, "rejected", decision)
        elif proposal.store not in self.seen:
            self._add_outcome(
                decision, "refused", f"this machine has no learning store {proposal.store!r} for this user"
            )
        elif (place := self.plan.known[proposal.store].scope.namespace) != proposal.namespace:
            wanted, own = _describe_namespace(proposal.namespace), _describe_namespace(place)
            reason = f"it is for {wanted}, and this machine keeps {proposal.store} in {own}"
            self._add_outcome(decision, "refused", reason)
        elif is_stale(proposal, self.seen[proposal.store]):
            self._stale(decision, proposal)
        else:
            self._apply(decision, proposal)

    def _keep_or_remove(self, proposal: Proposal) -> str | None:
        """The operation that a no carries out: what was set aside until the answer goes, if it is still there."""
        there = self.seen.get(proposal.store, {}).keys() & proposal.expects.keys()
        return ON_REJECT.get(proposal.name) if there else None

    def _stale(self, decision: ReviewDecision, proposal: Proposal) -> None:
        records = self.seen[proposal.store]
        says = "; ".join(records[key].text if key in records else "nothing" for key in proposal.expects)
        self.changed.append(proposal.model_copy(update={"expects": _versions(proposal, records)}))
        self._add_outcome(decision, "stale", f"what it would change has changed meanwhile, and says now: {says}")

    def _apply(self, decision: ReviewDecision, proposal: Proposal) -> None:
        by = {"approved_by": self.approver.name, "approved_at": self.approver.at}
        edited = {"actor": "person", "quote": None} if decision.answer == "edit" else {}
        args = proposal.args if decision.args is None else decision.args
        plan, before = self.plan, (list(self.plan.changes), dict(self.plan.known), len(self.plan.refused))
        source = proposal.source.model_copy(update={**by, **edited})
        rejected = decision.answer == "reject"
        name = self._keep_or_remove(proposal) if rejected else decision.name or proposal.name
        said_at = proposal.said_at or proposal.at
        plan.add(OperationRequest(name, args, source, store=proposal.store, said_at=said_at))
        if refused := plan.refused[before[2] :]:
            plan.changes, plan.known = before[:2]  # the whole of it, or nothing
            self._add_outcome(decision, "refused", "; ".join(refusal.reason for refusal in refused))
        else:
            self._close_proposal(proposal, "rejected" if rejected else "approved", decision, plan.draft.id)

    def _close_proposal(
        self,
        proposal: Proposal,
        status: Literal["approved", "rejected"],
        decision: ReviewDecision,
        commit: str | None = None,
    ) -> None:
        told = {"status": status, "message": decision.message, "commit": commit}
        by = {"decided_at": self.approver.at, "decided_by": self.approver.name}
        self.changed.append(proposal.model_copy(update={**told, **by}))
        self._add_outcome(decision, status, decision.message or "", commit)

    def _add_outcome(self, decision: ReviewDecision, result: Result, reason: str, commit: str | None = None) -> None:
        self.outcomes.append(Outcome(proposal=decision.proposal, result=result, reason=reason, commit=commit))


def _describe_namespace(namespace: str | None) -> str:
    return "what is the user's own" if namespace is None else f"the namespace {namespace!r}"


def is_stale(proposal: Proposal, records: Mapping[str, Record]) -> bool:
    """Whether a record that `proposal` would change has changed since it was made or last looked at."""
    return _versions(proposal, records) != proposal.expects


def _versions(proposal: Proposal, records: Mapping[str, Record]) -> dict[str, int]:
    return {key: records[key].version if key in records else 0 for key in proposal.expects}


def decide(
    stores: Sequence[LearningStore],
    identity: Identity,
    decisions: Sequence[ReviewDecision],
    approver: Approver,
    mask: Mask = mask_secrets,
) -> Flow[list[Outcome]]:
    """Carry out what a person decided about proposals to `identity`; what is approved together is one commit.

    A lost race is planned again: of two people who answer at once, one wins and the other's outcome says so.

    Raises:
        ConflictError: Others were first every time.
    """
    held = yield from _load_proposals(identity, decisions)
    owner_of = {key: proposal.identity for key, (proposal, _) in held.items()}
    outcomes: dict[str, Outcome] = {}
    for owner in dict.fromkeys(owner_of.get(decision.proposal, identity) for decision in decisions):
        mine = [each for each in decisions if owner_of.get(each.proposal, identity) == owner]
        made = yield from _decide_together(stores, owner, mine, held, approver, mask)
        outcomes.update((outcome.proposal, outcome) for outcome in made)
    return [outcomes[decision.proposal] for decision in decisions]


def _decide_together(
    stores: Sequence[LearningStore],
    owner: Identity,
    decisions: Sequence[ReviewDecision],
    held: ProposalsByUser,
    approver: Approver,
    mask: Mask,
) -> Flow[list[Outcome]]:
    """Decide about the proposals of one turn's identity: they are in the same scopes."""
    at_hand = iter([held])

    def attempt() -> Flow[list[Outcome]]:
        there = next(at_hand, None) or (yield from _load_proposals(owner, decisions))
        names = {there[decision.proposal][0].store for decision in decisions if decision.proposal in there}
        _, known = yield from load_snapshots(scoped_to([store for store in stores if store.name in names], owner))
        made = _plan_round(owner, decisions, there, known, approver, mask)
        yield from _write_round(made, known, there)
        return made.outcomes

    return (yield from retry_on_conflict(attempt))


def _plan_round(
    owner: Identity,
    decisions: Sequence[ReviewDecision],
    held: ProposalsByUser,
    known: Sequence[ScopeSnapshot],
    approver: Approver,
    mask: Mask,
) -> ApprovalRound:
    seen = {each.store.name: {record.id: record for record in each.records} for each in known}
    asked = [held[decision.proposal][0] for decision in decisions if decision.proposal in held]
    # Of the same yes comes the same commit: who answers a second time is told, and nothing is added twice.
    key = derived_id("approved", *sorted(each.id for each in asked if each.status == "pending"))
    limits = dict.fromkeys(seen, EVERYTHING)
    draft = Draft(id=key, identity=owner, at=approver.at, requests=(), limits=limits, approved=True, mask=mask)
    made = ApprovalRound(CommitPlan(draft, {each.store.name: each for each in known}), approver, seen)
    for decision in decisions:
        made.decide_one(decision, held[decision.proposal][0] if decision.proposal in held else None)
    return made


def _write_round(made: ApprovalRound, known: Sequence[ScopeSnapshot], held: ProposalsByUser) -> Flow[None]:
    """Write the commit and the proposals as they then stand, if nobody decided or changed anything meanwhile."""
    operations = [put_proposal(proposal) for proposal in made.changed]
    expect = {(put.namespace, put.key): held[put.key][1] for put in operations}
    commit = to_commit(made.plan).model_copy(update={"refused": ()})
    if commit.changes:
        yield from write_commit(commit, known, more=operations, expects=expect)
    elif operations:
        yield from write(operations, expect)


def _load_proposals(identity: Identity, decisions: Iterable[ReviewDecision]) -> Flow[ProposalsByUser]:
    """Return the proposals that are decided about, each with its version in the store, by id."""
    namespace = proposals_namespace(identity)
    wanted = dict.fromkeys(decision.proposal for decision in decisions)
    found = yield from batch(*(GetOp(namespace, key, refresh_ttl=False) for key in wanted))
    items = [item for item in found if isinstance(item, Item)]
    return {item.key: (read_proposal(item), int(getattr(item, "version", 1))) for item in items}


def proposals(stores: Sequence[LearningStore], identity: Identity) -> Flow[list[Proposal]]:
    """Return what waits for a person, each marked if what it would change has changed meanwhile."""
    return (yield from mark_stale(stores, (yield from pending_proposals(identity))))


def mark_stale(stores: Sequence[LearningStore], waiting: Sequence[Proposal]) -> Flow[list[Proposal]]:
    """Return the proposals, each marked if what it would change has changed meanwhile."""
    seen: dict[tuple[Identity, str], Mapping[str, Record]] = {}
    for owner in dict.fromkeys(proposal.identity for proposal in waiting):
        names = {proposal.store for proposal in waiting if proposal.identity == owner}
        _, known = yield from load_snapshots(scoped_to([store for store in stores if store.name in names], owner))
        seen.update({(owner, each.store.name): {record.id: record for record in each.records} for each in known})
    return [
        proposal.model_copy(update={"stale": is_stale(proposal, seen.get((proposal.identity, proposal.store), {}))})
        for proposal in waiting
    ]
