"""From what was asked for to changes: validated, judged by whose words they rest on, limited, or left to a person."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from pydantic import JsonValue

from langgraph_learning._engine.learning.capture import plan_capture, with_keys
from langgraph_learning._engine.learning.draft import CommitKind, Draft, OperationRequest, Shared
from langgraph_learning._engine.learning.operation_schema import read_operation
from langgraph_learning._engine.learning.provenance import (
    Verdict,
    is_supported,
    judge_removal,
    judge_statement,
    only_a_tool,
    tool_only_terms,
)
from langgraph_learning._engine.learning.turn import derived_id
from langgraph_learning._engine.repository import ScopeSnapshot
from langgraph_learning.masking import mask_values
from langgraph_learning.records import Change, Identity, Proposal, Record, Refusal, Remove, Scope, Source
from langgraph_learning.stores import LearningStore, Operation, Refused
from langgraph_learning.stores.base import FAULTS
from langgraph_learning.stores.common_operations import MAINTENANCE, plan_maintenance

log = logging.getLogger(__name__)

LONGEST_STATEMENT = 30_000
"""How long one statement may be, in characters: every later turn reads and ranks it."""
LONGEST_QUOTE = 1_000
"""How much of a quote is kept, in characters."""
NOBODY = "without a user nothing shared is taught: give context={'user_id': ...} to invoke"


@dataclass
class CommitPlan:
    """The changes so far, what is known when they are made, and what waits for a person."""

    draft: Draft
    known: dict[str, ScopeSnapshot]
    earlier: Sequence[Proposal] = ()
    """What was proposed before and is pending or rejected: it is not proposed again."""
    changes: list[Change] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    proposed: list[Proposal] = field(default_factory=list)

    def __post_init__(self) -> None:
        pinned = self.draft.shown_ids
        self.labels = {name: {**known.short_ids, **pinned.get(name, {})} for name, known in self.known.items()}
        self.used = Counter[str]()

    def fork(self) -> "CommitPlan":
        """Return a plan that goes on from here and leaves this one as it is."""
        other = copy(self)
        other.known, other.used = dict(self.known), self.used.copy()
        other.changes, other.refused, other.proposed = list(self.changes), list(self.refused), list(self.proposed)
        return other

    def add(self, request: OperationRequest) -> None:
        """Plan one request; what cannot be carried out is refused, and its siblings stand."""
        name, kind, mask = str(request.operation), self.draft.kind, self.draft.rules.mask
        stores = [known.store for known in self.known.values() if request.store in (None, known.store.name)]
        arguments = {key: mask_values(value, mask) for key, value in request.arguments.items()}
        upkeep = kind in (CommitKind.APPROVAL, CommitKind.UPKEEP) and request.store is not None
        try:
            store, operation, refused = read_operation(stores, request.operation, arguments, upkeep=upkeep)
        except LookupError as error:
            self._refuse(name, str(error.args[0]))
            return
        self.refused += refused
        if operation is None:
            return
        known = self.known[store.name]
        if reason := self._forbidden(known, arguments):
            self._refuse(name, reason)
        elif (planned := self._plan_operation(known, name, operation, request.said_at)) is not None:
            operation, changes = planned
            source = self._mark_source(known, arguments, request.source)
            self._accept(known, operation, changes, source, request.said_at)

    def _refuse(self, operation: str, reason: str) -> None:
        self.refused.append(Refusal(operation=operation, reason=reason))

    def _forbidden(self, known: ScopeSnapshot, arguments: Mapping[str, JsonValue]) -> str | None:
        """Return why a request is not even planned; None if it may be."""
        draft, store = self.draft, known.store
        asked_by_run = draft.kind.is_conversation or draft.kind is CommitKind.PERSON
        if asked_by_run and not may_teach(store, known.scope, draft.identity, draft.rules.shared):
            return NOBODY
        if (limit := draft.limit(store)) is not None and self.used[store.name] >= limit:
            return self._over_limit(store, limit)
        if draft.thread is None or store.about_user or store.accepts_tool_claims:
            return None
        foreign = tool_only_terms(arguments, draft.thread)
        return only_a_tool(foreign) if foreign else None

    def _over_limit(self, store: LearningStore, limit: int) -> str:
        log.warning("%s: over %d changes a turn, the rest is dropped", store.name, limit)
        return f"over the limit of {limit} changes a turn"

    def _mark_source(self, known: ScopeSnapshot, arguments: Mapping[str, JsonValue], source: Source) -> Source:
        """Return the source with its quote masked, and marked as a tool's where it may rest on one."""
        store, thread = known.store, self.draft.thread
        if thread is not None and thread.is_mixed and not store.about_user and store.rejects_tool_claims:
            quotes_own = source.actor in ("user", "agent") and source.quote is not None
            if not quotes_own and not is_supported(arguments, thread):
                source = source.model_copy(update={"actor": "tool"})
        masked = self.draft.rules.mask(source.quote)[:LONGEST_QUOTE] if source.quote else None
        return source.model_copy(update={"quote": masked})

    def _plan_operation(
        self, known: ScopeSnapshot, name: str, operation: Operation, said_at: datetime | None
    ) -> tuple[Operation, list[Change]] | None:
        try:
            operation = self._resolve_short_id(operation, known)
            if isinstance(operation, MAINTENANCE):
                return operation, plan_maintenance(known.store.name, operation, known.records)
            operation = known.store.resolve_dates(operation, self.draft.day_of(said_at))
            try:
                return operation, known.store.plan(operation, known.records)
            except Refused as error:
                if error.rest is None:
                    raise
                self._refuse(name, str(error.args[0]))
                return error.rest, known.store.plan(error.rest, known.records)
        except Refused as error:
            self._refuse(name, str(error.args[0]))
        except FAULTS as error:
            log.exception("%s.plan failed", known.store.name)
            self._refuse(name, f"{known.store.name} failed: {type(error).__name__}")
        return None

    def _resolve_short_id(self, operation: Operation, known: ScopeSnapshot) -> Operation:
        """Put the record's own id in the place of the short one."""
        short = getattr(operation, "id", None) if "id" in type(operation).model_fields else None
        if short is None:
            return operation
        ids = {record.id for record in known.records}
        labels = self.labels[known.store.name]
        own = str(short) if self.draft.kind.names_own_ids and short in ids else labels.get(str(short))
        if own not in ids:
            there = ", ".join(label for label, record in labels.items() if record in ids)
            raise Refused(f"there is no record {short!r}; there {f'is {there}' if there else 'are none'}")
        return operation.model_copy(update={"id": own})

    def _room_for(self, store: LearningStore, name: str, wanted: int) -> int:
        """Return how many of the changes that are wanted the limit leaves room for, and count them."""
        if (limit := self.draft.limit(store)) is None:
            return wanted
        left = limit - self.used[store.name]
        if wanted > left:
            self._refuse(name, self._over_limit(store, limit))
        self.used[store.name] += min(wanted, left)
        return left

    def _accept(
        self,
        known: ScopeSnapshot,
        operation: Operation,
        changes: list[Change],
        source: Source,
        said_at: datetime | None,
    ) -> None:
        """Make the changes, have a person decide about them, or refuse what nobody vouches for."""
        name = type(operation).__name__
        fitting = [change for change in changes if len(change.text) <= LONGEST_STATEMENT]
        if len(fitting) < len(changes):
            self._refuse(name, f"a statement has at most {LONGEST_STATEMENT:,} characters: say it in fewer")
        judged = [(change, self._judge(known, change, source)) for change in fitting]
        for reason in dict.fromkeys(verdict.reason for _, verdict in judged if verdict.result == "refuse"):
            self._refuse(name, reason)
        allowed = [(change, verdict) for change, verdict in judged if verdict.result != "refuse"]
        allowed = allowed[: self._room_for(known.store, name, len(allowed))]
        waits = [
            (change, verdict)
            for change, verdict in allowed
            if verdict.result == "propose" or self._needs_yes(known, change)
        ]
        for sure, group in groupby((pair for pair in allowed if pair not in waits), key=lambda pair: pair[1].source):
            self.add_changes(self.known[known.store.name], [change for change, _ in group], sure)
        if waits:
            self.propose(known, operation, [change for change, _ in waits], waits[0][1].source, said_at)

    def _judge(self, known: ScopeSnapshot, change: Change, source: Source) -> Verdict:
        """Return what becomes of a change that a conversation asks for, by whose words it rests on."""
        store, thread = known.store, self.draft.thread
        if thread is None or not store.about_user or not store.rejects_tool_claims:
            return Verdict("keep", source)
        old, takes_tools = known.by_id.get(change.id), store.accepts_tool_claims
        if isinstance(change, Remove):
            return judge_removal(old.text if old else change.text, source, thread, takes_tools=takes_tools)
        return judge_statement(change.content, old.text if old else "", source, thread, takes_tools=takes_tools)

    def _needs_yes(self, known: ScopeSnapshot, change: Change) -> bool:
        """Whether a person has to say yes to a change before it is made."""
        kind, rules = self.draft.kind, self.draft.rules
        if kind is CommitKind.APPROVAL:
            return False
        if known.store.proposes:
            # A person's own hand is the yes, where nobody else was named to say it.
            return kind is not CommitKind.PERSON or rules.reviewers is not None
        if kind is CommitKind.UPKEEP or known.scope.namespace is None or rules.shared == "write":
            return False
        old = known.by_id.get(change.id)
        return old is not None and old.source.user_id != self.draft.identity.user_id

    def add_changes(self, known: ScopeSnapshot, changes: Sequence[Change], source: Source) -> None:
        """Add changes to those of the commit; what they say of their own source stands."""
        taken = [self._with_source(known.scope, change, source) for change in changes]
        self.changes += taken
        self.known[known.store.name] = known.with_changes(taken, self.draft.at)

    def _with_source(self, scope: Scope, change: Change, source: Source) -> Change:
        """Give a change its source, and a new record an id that a repeated run gives it, too."""
        identified = change.id or derived_id("record", self.draft.id, len(self.changes), change.text)
        if stands := change.source != Source():  # about what was known: whose words these are, they stay
            approved = {"approved_by": source.approved_by, "approved_at": source.approved_at}
            source = change.source.model_copy(update=approved if source.approved_at else {})
        if scope.namespace is None:
            return change.model_copy(update={"source": source, "id": identified})
        shared = {} if stands else {"user_id": source.user_id or self.draft.identity.user_id}
        # Somebody else's words do not stay in this user's commits when they are removed: `forget` would miss them.
        words = {"text": ""} if isinstance(change, Remove) else {}
        return change.model_copy(update={"source": source.model_copy(update=shared), "id": identified, **words})

    def propose(
        self,
        known: ScopeSnapshot,
        operation: Operation,
        changes: Sequence[Change],
        source: Source,
        said_at: datetime | None = None,
    ) -> None:
        """Have a person decide about changes, unless they were proposed before."""
        if not changes:
            return
        name, draft = type(operation).__name__, self.draft
        made = Proposal(
            id=derived_id("proposal", draft.id, len(self.proposed), name, [change.text for change in changes]),
            identity=draft.identity,
            store=known.store.name,
            namespace=known.scope.namespace,
            name=name,
            args=operation.model_dump(mode="json", exclude_none=True),
            changes=tuple(changes),
            expects=expected_versions(changes, known.records),
            source=source,
            provenance=draft.provenance.at(draft.provenance.position + len(self.proposed)),
            at=draft.at,
            said_at=said_at,
        )
        again = next((proposal for proposal in (*self.earlier, *self.proposed) if made.same_as(proposal)), None)
        if again is None:
            self.proposed.append(made)
        else:
            reason = "was rejected" if again.status == "rejected" else "waits for a person already"
            self._refuse(name, f"the same {reason}")

    def capture(self) -> None:
        """Keep the messages, each found by what was learned from it, too."""
        captured = self.draft.captured
        if captured is None:
            return
        facts = [record for each in self.known.values() for record in each.records if record.session is None]
        for known in [each for each in self.known.values() if each.store.captures]:
            changes = plan_capture(known, captured, self.draft.at)
            changes = with_keys(changes, [*self.draft.cited_by, *facts])
            self.changes += changes
            self.known[known.store.name] = known.with_changes(changes, self.draft.at)


def may_teach(store: LearningStore, scope: Scope, identity: Identity, shared: Shared) -> bool:
    """Return whether `identity` may teach in `scope`: an unknown user may at most propose something to others."""
    return scope.namespace is None or identity.user_id is not None or store.proposes or shared == "write"


def expected_versions(changes: Sequence[Change], records: Sequence[Record]) -> dict[str, int]:
    """Return the versions that the records have now that `changes` are about; 0: there is none."""
    versions = {record.id: record.version for record in records}
    return {change.id: versions.get(change.id, 0) for change in changes if change.id}
