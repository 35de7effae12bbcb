"""A person's answer to proposals: the only place where a proposed change becomes permanent."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from langgraph.store.base import GetOp, Item
from pydantic import JsonValue

from langgraph_learning._engine.approval.proposals import (
    ProposalsById,
    all_proposals,
    load_proposals,
    pending_proposals,
    put_proposal,
)
from langgraph_learning._engine.flow import Flow, batch
from langgraph_learning._engine.learning.commit import retry_on_conflict, write_commit
from langgraph_learning._engine.learning.commit_draft import (
    CommitDraft,
    CommitKind,
    CommitRules,
    OperationRequest,
    Reviewers,
)
from langgraph_learning._engine.learning.commit_plan import CommitPlan
from langgraph_learning._engine.repository import scoped_to
from langgraph_learning._engine.snapshots import load_snapshots
from langgraph_learning.errors import ConfigurationError, ScopeError
from langgraph_learning.masking import Mask, mask_secrets
from langgraph_learning.records import Identity, Namespace, Proposal, Record, derived_id
from langgraph_learning.reports import Outcome, Result
from langgraph_learning.stores import LearningStore
from langgraph_learning.stores.maintenance_operations import ON_REJECT

Answer: TypeAlias = Literal["approve", "edit", "reject"]
NO_PROPOSAL = "there is no such proposal"


@dataclass(frozen=True)
class ReviewDecision:
    """A person's answer to one proposal; an edit gives new arguments, never another operation."""

    proposal: str
    answer: Answer
    args: Mapping[str, JsonValue] | None = None
    message: str | None = None


@dataclass(frozen=True)
class Approver:
    """The person who decides, the time, and the rule for what they may decide."""

    name: str | None
    at: datetime
    acts_for: str | None = None
    """The user in whose name the code runs. Without reviewers they decide only about proposals to themselves."""
    reviewers: Reviewers | None = None

    def may_decide(self, proposal: Proposal, answer: Answer = "approve") -> bool:
        """Return whether this person may give this answer.

        Raises:
            ConfigurationError: `reviewers` is asynchronous; its coroutine would count as a yes.
        """
        proposer = proposal.identity.user_id
        if self.reviewers is None:
            return self.acts_for == proposer
        if self.name is None or (proposal.namespace is not None and answer != "reject" and self.name == proposer):
            return False
        allowed = ask_reviewers(self.reviewers, self.name, proposal)
        if inspect.isawaitable(allowed):
            getattr(allowed, "close", lambda: None)()
            raise ConfigurationError("LearningMachine(reviewers=...) takes a plain function, not an async one")
        return allowed is True

    def check(self, proposal: Proposal, answer: Answer) -> None:
        """Raise unless this person may give this answer.

        Raises:
            ScopeError: They may not.
        """
        if not self.may_decide(proposal, answer):
            fix = "name who reviews by LearningMachine(reviewers=...)" if self.reviewers is None else "ask a reviewer"
            raise ScopeError(f"{self.name!r} may not {answer} proposal {proposal.id!r}: {fix}")


def ask_reviewers(reviewers: Reviewers, name: str, proposal: Proposal) -> object:
    """Call the application's function by the names of its parameters if they fit, else by position."""
    offered = {"reviewer": name, "proposal": proposal}
    asked = list(inspect.signature(reviewers).parameters)
    if set(asked) <= offered.keys():
        return reviewers(**{parameter: offered[parameter] for parameter in asked})
    return reviewers(name, proposal)


@dataclass
class ApprovalRound:
    """One attempt to decide: the plan of the approved changes, the changed proposals, and the outcomes."""

    plan: CommitPlan
    approver: Approver
    changed: list[Proposal] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        # The records before this answer, so that proposals in one answer do not make each other stale.
        self.before = {name: snapshot.by_id for name, snapshot in self.plan.snapshots.items()}

    def decide_one(self, decision: ReviewDecision, proposal: Proposal | None) -> None:
        """Apply one decision, or say in its outcome why it cannot be applied."""
        if proposal is None:
            self._add_outcome(decision, "gone", NO_PROPOSAL)
        elif proposal.status != "pending":
            by = f" by {proposal.decided_by}" if proposal.decided_by else ""
            why = f": {proposal.message}" if proposal.status == "withdrawn" else ""
            self._add_outcome(decision, "decided", f"it was {proposal.status}{by} already{why}")
        elif (operation := self._operation(decision, proposal)) is None:
            self._apply(None, decision, proposal)
        elif proposal.store not in self.before:
            self._add_outcome(
                decision, "refused", f"this machine has no learning store {proposal.store!r} for this user"
            )
        elif (namespace := self.plan.snapshots[proposal.store].scope.namespace) != proposal.namespace:
            wanted, own = _describe_namespace(proposal.namespace), _describe_namespace(namespace)
            reason = f"it is for {wanted}, and this machine keeps {proposal.store} in {own}"
            self._add_outcome(decision, "refused", reason)
        elif (present := _versions(proposal, self.before[proposal.store])) != proposal.expects:
            records = self.before[proposal.store]
            says = "; ".join(records[key].text if key in records else "nothing" for key in proposal.expects)
            self.changed.append(proposal.model_copy(update={"expects": present}))
            reason = f"a record it would change has changed meanwhile, and now says: {says}"
            self._add_outcome(decision, "stale", reason)
        else:
            self._apply(operation, decision, proposal)

    def _operation(self, decision: ReviewDecision, proposal: Proposal) -> str | None:
        """Return the operation to carry out; None if nothing is left to do for a rejection.

        The rejection of a proposal about a record that was set aside may remove it.
        """
        if decision.answer != "reject":
            return proposal.name
        present = self.before.get(proposal.store, {}).keys() & proposal.expects.keys()
        return ON_REJECT.get(proposal.name) if present else None

    def _apply(self, operation: str | None, decision: ReviewDecision, proposal: Proposal) -> None:
        """Plan an operation completely and close its proposal, or do neither."""
        commit = None
        if operation is not None:
            by = {"approved_by": self.approver.name, "approved_at": self.approver.at}
            edited = {"actor": "person", "quote": None} if decision.answer == "edit" else {}
            source = proposal.source.model_copy(update={**by, **edited})
            args = proposal.args if decision.args is None else decision.args
            said_at = proposal.said_at or proposal.at
            trial = self.plan.fork()
            trial.add(OperationRequest(operation, args, source, store=proposal.store, said_at=said_at))
            if trial.refused:
                self._add_outcome(decision, "refused", "; ".join(refusal.reason for refusal in trial.refused))
                return
            self.plan, commit = trial, trial.draft.id
        status: Result = "rejected" if decision.answer == "reject" else "approved"
        answer = {"status": status, "message": decision.message, "commit": commit}
        answered = {"decided_at": self.approver.at, "decided_by": self.approver.name}
        self.changed.append(proposal.model_copy(update={**answer, **answered}))
        self._add_outcome(decision, status, decision.message or "", commit)

    def _add_outcome(self, decision: ReviewDecision, result: Result, reason: str, commit: str | None = None) -> None:
        self.outcomes.append(Outcome(proposal=decision.proposal, result=result, reason=reason, commit=commit))


def _describe_namespace(namespace: str | None) -> str:
    return "what is the user's own" if namespace is None else f"the namespace {namespace!r}"


def _versions(proposal: Proposal, records: Mapping[str, Record]) -> dict[str, int]:
    """Return the present versions of the records that a proposal would change; others than it expects make it stale."""
    return {key: records[key].version if key in records else 0 for key in proposal.expects}


def decide(
    stores: Sequence[LearningStore],
    decisions: Sequence[ReviewDecision],
    held: ProposalsById,
    approver: Approver,
    mask: Mask = mask_secrets,
) -> Flow[list[Outcome]]:
    """Apply a person's decisions about proposals; those of one identity that are approved become one commit.

    After a lost race it plans again: of two people who answer at once, one wins, and the other's outcome says so.

    Args:
        stores: The learning stores of the machine.
        decisions: The decisions, each about another proposal.
        held: The proposals as they were just read; one that is missing is gone.
        approver: The person who decides.
        mask: The function that masks secrets in an edit.

    Raises:
        ScopeError: The person may not decide about one of them; nothing is decided.
        ConflictError: Other writers were first every time.
    """
    ids = [decision.proposal for decision in decisions]
    outcomes = {key: Outcome(proposal=key, result="gone", reason=NO_PROPOSAL) for key in ids}
    by_owner: dict[Identity, list[ReviewDecision]] = {}
    for decision in decisions:
        if decision.proposal in held:
            proposal = held[decision.proposal][0]
            approver.check(proposal, decision.answer)
            by_owner.setdefault(proposal.identity, []).append(decision)
    for owner, own_decisions in by_owner.items():
        own = {decision.proposal: held[decision.proposal] for decision in own_decisions}
        results = yield from _decide_together(stores, owner, own_decisions, own, approver, mask)
        outcomes.update((outcome.proposal, outcome) for outcome in results)
    return [outcomes[key] for key in ids]


def _decide_together(
    stores: Sequence[LearningStore],
    owner: Identity,
    decisions: Sequence[ReviewDecision],
    held: ProposalsById,
    approver: Approver,
    mask: Mask,
) -> Flow[list[Outcome]]:
    """Decide about the proposals of one identity, which are in the same scopes, in one commit."""
    first_try = iter([held])

    def attempt() -> Flow[list[Outcome]]:
        current = next(first_try, None) or (yield from load_proposals((owner, key) for key in held))
        proposals_by_id = {key: proposal for key, (proposal, _) in current.items()}
        names = {proposal.store for proposal in proposals_by_id.values()}
        _, snapshots = yield from load_snapshots(scoped_to([store for store in stores if store.name in names], owner))
        # The same approval gives the same commit id, so that a second answer finds the first and adds nothing.
        pending = sorted(key for key, proposal in proposals_by_id.items() if proposal.status == "pending")
        key, rules = derived_id("approved", *pending), CommitRules(mask=mask)
        draft = CommitDraft(CommitKind.APPROVAL, key, owner, approver.at, rules)
        by_store = {snapshot.store.name: snapshot for snapshot in snapshots}
        decision_round = ApprovalRound(CommitPlan(draft, by_store), approver)
        for decision in decisions:
            decision_round.decide_one(decision, proposals_by_id.get(decision.proposal))
        operations = [put_proposal(proposal) for proposal in decision_round.changed]
        expect = {(put.namespace, put.key): current[put.key][1] for put in operations}
        yield from write_commit(decision_round.plan, snapshots, operations, expect)
        return decision_round.outcomes

    return (yield from retry_on_conflict(attempt))


def proposals(stores: Sequence[LearningStore], identity: Identity) -> Flow[list[Proposal]]:
    """Return the pending proposals; one is marked stale if a record it would change has changed."""
    return (yield from mark_stale(stores, (yield from pending_proposals(identity))))


def review_queue(
    stores: Sequence[LearningStore], approver: Approver | None, namespace: str | None = None
) -> Flow[list[Proposal]]:
    """Return the pending proposals of all users and of runs without a user, oldest first.

    Args:
        stores: The learning stores of the proposals.
        approver: The person who asks; they get the proposals that they may decide. None gets all.
        namespace: The shared namespace to look at; None for all.
    """
    waiting = yield from all_proposals()
    visible = [
        proposal
        for proposal in waiting
        if namespace in (None, proposal.namespace) and (approver is None or approver.may_decide(proposal))
    ]
    return (yield from mark_stale(stores, visible))


def mark_stale(stores: Sequence[LearningStore], waiting: Sequence[Proposal]) -> Flow[list[Proposal]]:
    """Return the proposals; one is marked stale if a record it would change has changed."""
    addresses = {
        (proposal.id, key): (*scope.path, store.name)
        for proposal in waiting
        for store, scope in scoped_to([store for store in stores if store.name == proposal.store], proposal.identity)
        for key in proposal.expects
    }
    records = yield from _read_records((path, key) for (_, key), path in addresses.items())
    present: dict[str, dict[str, Record]] = {proposal.id: {} for proposal in waiting}
    for (proposal_id, key), path in addresses.items():
        if (record := records.get((path, key))) is not None:
            present[proposal_id][key] = record
    return [
        proposal.model_copy(update={"stale": _versions(proposal, present[proposal.id]) != proposal.expects})
        for proposal in waiting
    ]


def _read_records(addresses: Iterable[tuple[Namespace, str]]) -> Flow[dict[tuple[Namespace, str], Record]]:
    wanted = list(dict.fromkeys(addresses))
    if not wanted:
        return {}
    results = yield from batch(*(GetOp(namespace, key, refresh_ttl=False) for namespace, key in wanted))
    return {
        address: Record.from_item(item) for address, item in zip(wanted, results, strict=True) if isinstance(item, Item)
    }
