"""A person's answer to proposals: only here does what was proposed become permanent."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from langgraph.store.base import GetOp, Item
from pydantic import JsonValue

from langgraph_learning._engine.approval.proposals import (
    all_proposals,
    pending_proposals,
    proposals_namespace,
    put_proposal,
    read_proposal,
)
from langgraph_learning._engine.flow import Flow, batch, write
from langgraph_learning._engine.learning.commit import retry_on_conflict, to_commit, write_commit
from langgraph_learning._engine.learning.commit_plan import CommitPlan
from langgraph_learning._engine.learning.draft import CommitKind, CommitRules, Draft, OperationRequest, Reviewers
from langgraph_learning._engine.learning.turn import derived_id
from langgraph_learning._engine.repository import ScopeSnapshot, load_snapshots, scoped_to
from langgraph_learning.errors import ConfigurationError, ScopeError
from langgraph_learning.masking import Mask, mask_secrets
from langgraph_learning.records import Frozen, Identity, Namespace, Proposal, Record
from langgraph_learning.stores import LearningStore
from langgraph_learning.stores.common_operations import ON_REJECT

Answer: TypeAlias = Literal["approve", "edit", "reject"]
Result: TypeAlias = Literal["approved", "rejected", "stale", "refused", "decided", "gone"]
ProposalsById: TypeAlias = Mapping[str, tuple[Proposal, int]]


@dataclass(frozen=True)
class ReviewDecision:
    """What a person said to one proposal; an edit gives its arguments anew, never another operation."""

    proposal: str
    answer: Answer
    args: Mapping[str, JsonValue] | None = None
    message: str | None = None
    owner: Identity | None = None
    """To whom it was proposed, where that is somebody else than the one in whose name this is decided."""


@dataclass(frozen=True)
class Approver:
    """Who decides, when, and who says whether they may."""

    name: str | None
    at: datetime
    acts_for: str | None = None
    """The user in whose name this runs: without reviewers they decide about what was proposed to them, and no more."""
    reviewers: Reviewers | None = None

    def may_decide(self, proposal: Proposal, answer: Answer = "approve") -> bool:
        """Return whether this person may give this answer.

        Raises:
            ConfigurationError: `reviewers` is asynchronous: its promise of an answer would count as a yes.
        """
        proposer = proposal.identity.user_id
        if self.reviewers is None:
            return self.acts_for == proposer
        if self.name is None or (proposal.namespace is not None and answer != "reject" and self.name == proposer):
            return False
        allowed = ask_reviewers(self.reviewers, self.name, proposal)
        if inspect.isawaitable(allowed):
            getattr(allowed, "close", lambda: None)()
            raise ConfigurationError("LearningMachine(reviewers=...) takes a plain function: it was given an async one")
        return allowed is True

    def check(self, proposal: Proposal, answer: Answer) -> None:
        """Refuse an answer of somebody who may not give it.

        Raises:
            ScopeError: They may not.
        """
        if not self.may_decide(proposal, answer):
            fix = "name who reviews by LearningMachine(reviewers=...)" if self.reviewers is None else "ask a reviewer"
            raise ScopeError(f"{self.name!r} may not {answer} proposal {proposal.id!r}: {fix}")


def ask_reviewers(reviewers: Reviewers, name: str, proposal: Proposal) -> object:
    """Call the application's function with what its parameters ask for by name, else by position."""
    offered = {"reviewer": name, "proposal": proposal}
    asked = list(inspect.signature(reviewers).parameters)
    if set(asked) <= offered.keys():
        return reviewers(**{parameter: offered[parameter] for parameter in asked})
    return reviewers(name, proposal)


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
    """One try at deciding: the plan of what was approved, the proposals as they then are, and what came of each."""

    plan: CommitPlan
    approver: Approver
    before: Mapping[str, Mapping[str, Record]]
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
        elif proposal.store not in self.before:
            self._add_outcome(
                decision, "refused", f"this machine has no learning store {proposal.store!r} for this user"
            )
        elif (namespace := self.plan.known[proposal.store].scope.namespace) != proposal.namespace:
            wanted, own = _describe_namespace(proposal.namespace), _describe_namespace(namespace)
            reason = f"it is for {wanted}, and this machine keeps {proposal.store} in {own}"
            self._add_outcome(decision, "refused", reason)
        elif is_stale(proposal, self.before[proposal.store]):
            self._mark_stale(decision, proposal)
        else:
            self._apply(decision, proposal)

    def _keep_or_remove(self, proposal: Proposal) -> str | None:
        """Return the operation that a no carries out: what was set aside until the answer goes, if it is there."""
        there = self.before.get(proposal.store, {}).keys() & proposal.expects.keys()
        return ON_REJECT.get(proposal.name) if there else None

    def _mark_stale(self, decision: ReviewDecision, proposal: Proposal) -> None:
        records = self.before[proposal.store]
        says = "; ".join(records[key].text if key in records else "nothing" for key in proposal.expects)
        self.changed.append(proposal.model_copy(update={"expects": _versions(proposal, records)}))
        self._add_outcome(decision, "stale", f"what it would change has changed meanwhile, and says now: {says}")

    def _apply(self, decision: ReviewDecision, proposal: Proposal) -> None:
        """Plan what was approved: the whole of it, or nothing."""
        by = {"approved_by": self.approver.name, "approved_at": self.approver.at}
        edited = {"actor": "person", "quote": None} if decision.answer == "edit" else {}
        source = proposal.source.model_copy(update={**by, **edited})
        rejected = decision.answer == "reject"
        name = self._keep_or_remove(proposal) if rejected else proposal.name
        args = proposal.args if decision.args is None else decision.args
        trial = self.plan.fork()
        said_at = proposal.said_at or proposal.at
        trial.add(OperationRequest(name, args, source, store=proposal.store, said_at=said_at))
        if trial.refused:
            self._add_outcome(decision, "refused", "; ".join(refusal.reason for refusal in trial.refused))
            return
        self.plan = trial
        self._close_proposal(proposal, "rejected" if rejected else "approved", decision, trial.draft.id)

    def _close_proposal(
        self,
        proposal: Proposal,
        status: Literal["approved", "rejected"],
        decision: ReviewDecision,
        commit: str | None = None,
    ) -> None:
        answer = {"status": status, "message": decision.message, "commit": commit}
        by = {"decided_at": self.approver.at, "decided_by": self.approver.name}
        self.changed.append(proposal.model_copy(update={**answer, **by}))
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
        ScopeError: The person may not decide about one of them; nothing is decided.
        ConflictError: Others were first every time.
    """
    held = yield from _load_proposals(identity, decisions)
    for decision in decisions:
        if decision.proposal in held:
            approver.check(held[decision.proposal][0], decision.answer)
    owner_of = {key: proposal.identity for key, (proposal, _) in held.items()}
    outcomes: dict[str, Outcome] = {}
    for owner in dict.fromkeys(owner_of.get(decision.proposal, identity) for decision in decisions):
        mine = [decision for decision in decisions if owner_of.get(decision.proposal, identity) == owner]
        made = yield from _decide_together(stores, owner, mine, held, approver, mask)
        outcomes.update((outcome.proposal, outcome) for outcome in made)
    return [outcomes[decision.proposal] for decision in decisions]


def _decide_together(
    stores: Sequence[LearningStore],
    owner: Identity,
    decisions: Sequence[ReviewDecision],
    held: ProposalsById,
    approver: Approver,
    mask: Mask,
) -> Flow[list[Outcome]]:
    """Decide about the proposals of one turn's identity: they are in the same scopes."""
    first_try = iter([held])

    def attempt() -> Flow[list[Outcome]]:
        current = next(first_try, None) or (yield from _load_proposals(owner, decisions))
        names = {current[decision.proposal][0].store for decision in decisions if decision.proposal in current}
        _, known = yield from load_snapshots(scoped_to([store for store in stores if store.name in names], owner))
        made = _plan_round(owner, decisions, current, known, approver, mask)
        yield from _write_round(made, known, current)
        return made.outcomes

    return (yield from retry_on_conflict(attempt))


def _plan_round(
    owner: Identity,
    decisions: Sequence[ReviewDecision],
    held: ProposalsById,
    known: Sequence[ScopeSnapshot],
    approver: Approver,
    mask: Mask,
) -> ApprovalRound:
    before = {snapshot.store.name: snapshot.by_id for snapshot in known}
    asked = [held[decision.proposal][0] for decision in decisions if decision.proposal in held]
    # Of the same yes comes the same commit: who answers a second time is told, and nothing is added twice.
    key = derived_id("approved", *sorted(proposal.id for proposal in asked if proposal.status == "pending"))
    draft = Draft(CommitKind.APPROVAL, key, owner, approver.at, CommitRules(mask=mask))
    made = ApprovalRound(CommitPlan(draft, {snapshot.store.name: snapshot for snapshot in known}), approver, before)
    for decision in decisions:
        made.decide_one(decision, held[decision.proposal][0] if decision.proposal in held else None)
    return made


def _write_round(made: ApprovalRound, known: Sequence[ScopeSnapshot], held: ProposalsById) -> Flow[None]:
    """Write the commit and the proposals as they then stand, if nobody decided or changed anything meanwhile."""
    operations = [put_proposal(proposal) for proposal in made.changed]
    expect = {(put.namespace, put.key): held[put.key][1] for put in operations}
    commit = to_commit(made.plan)
    if commit.changes:
        yield from write_commit(commit, known, more=operations, expects=expect)
    elif operations:
        yield from write(operations, expect)


def _load_proposals(identity: Identity, decisions: Iterable[ReviewDecision]) -> Flow[ProposalsById]:
    """Return the proposals that are decided about, each with its version in the store, by id."""
    wanted = {decision.proposal: proposals_namespace(decision.owner or identity) for decision in decisions}
    results = yield from batch(*(GetOp(namespace, key, refresh_ttl=False) for key, namespace in wanted.items()))
    items = [item for item in results if isinstance(item, Item)]
    return {item.key: (read_proposal(item), int(getattr(item, "version", 1))) for item in items}


def proposals(stores: Sequence[LearningStore], identity: Identity) -> Flow[list[Proposal]]:
    """Return what waits for a person, each marked if what it would change has changed meanwhile."""
    return (yield from mark_stale(stores, (yield from pending_proposals(identity))))


def review_queue(
    stores: Sequence[LearningStore], approver: Approver | None, namespace: str | None = None
) -> Flow[list[Proposal]]:
    """Return what waits of all users, and of none, the oldest first; of one namespace, or of all.

    Args:
        stores: The learning stores that it is about.
        approver: Who asks: they are told what they may decide about. None is told everything.
        namespace: The shared namespace to look at.
    """
    waiting = yield from all_proposals()
    mine = [
        proposal
        for proposal in waiting
        if namespace in (None, proposal.namespace) and (approver is None or approver.may_decide(proposal))
    ]
    return (yield from mark_stale(stores, mine))


def mark_stale(stores: Sequence[LearningStore], waiting: Sequence[Proposal]) -> Flow[list[Proposal]]:
    """Return the proposals, each marked if what it would change has changed meanwhile."""
    addresses = {
        (proposal.id, key): (*scope.path, store.name)
        for proposal in waiting
        for store, scope in scoped_to([store for store in stores if store.name == proposal.store], proposal.identity)
        for key in proposal.expects
    }
    found = yield from _read_records((path, key) for (_, key), path in addresses.items())
    seen: dict[str, dict[str, Record]] = {proposal.id: {} for proposal in waiting}
    for (proposal_id, key), path in addresses.items():
        if (record := found.get((path, key))) is not None:
            seen[proposal_id][key] = record
    return [proposal.model_copy(update={"stale": is_stale(proposal, seen[proposal.id])}) for proposal in waiting]


def _read_records(addresses: Iterable[tuple[Namespace, str]]) -> Flow[dict[tuple[Namespace, str], Record]]:
    wanted = list(dict.fromkeys(addresses))
    if not wanted:
        return {}
    results = yield from batch(*(GetOp(namespace, key, refresh_ttl=False) for namespace, key in wanted))
    return {
        address: Record.from_item(item) for address, item in zip(wanted, results, strict=True) if isinstance(item, Item)
    }
