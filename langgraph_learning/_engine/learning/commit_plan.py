"""Planning a commit: requests become changes, which are validated, judged, limited, or left to a person."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from pydantic import JsonValue

from langgraph_learning._engine.learning.capture import plan_capture, with_keys
from langgraph_learning._engine.learning.commit_draft import CommitDraft, CommitKind, OperationRequest, Shared
from langgraph_learning._engine.learning.grounding import (
    ONLY_A_TOOL,
    is_supported,
    judge_change,
    tool_only_terms,
)
from langgraph_learning._engine.learning.operation_schema import read_operation
from langgraph_learning._engine.repository import ScopeSnapshot
from langgraph_learning.masking import mask_values
from langgraph_learning.records import (
    SUPERSEDED,
    Change,
    Commit,
    Identity,
    Proposal,
    Record,
    Refusal,
    Remove,
    Scope,
    Source,
    derived_id,
)
from langgraph_learning.stores import LearningStore, Operation, Refused
from langgraph_learning.stores.base import FAULTS, LONGEST_STATEMENT
from langgraph_learning.stores.maintenance_operations import MAINTENANCE, plan_maintenance

log = logging.getLogger(__name__)

NAMED = 20
"""The number of short ids that a refusal lists, of those that there are."""
LONGEST_QUOTE = 1_000
"""The number of characters of a quote that are kept."""
NOBODY = "a run without a user cannot teach a shared namespace: give context={'user_id': ...} to invoke"


@dataclass
class CommitPlan:
    """The changes so far, the records they change, and the proposals that wait for a person."""

    draft: CommitDraft
    snapshots: dict[str, ScopeSnapshot]
    """The records by learning store, as they are after the changes."""
    earlier: Sequence[Proposal] = ()
    """Earlier proposals that are pending or rejected; the same change is not proposed again."""
    changes: list[Change] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    proposed: list[Proposal] = field(default_factory=list)

    def __post_init__(self) -> None:
        pinned = self.draft.shown_ids
        self.labels = {
            name: {**snapshot.short_ids, **pinned.get(name, {})} for name, snapshot in self.snapshots.items()
        }
        self.used = Counter[str]()

    def fork(self) -> "CommitPlan":
        """Return a copy of this plan that can go on without changing this one."""
        forked = copy(self)
        forked.snapshots, forked.used = dict(self.snapshots), self.used.copy()
        forked.changes, forked.refused, forked.proposed = list(self.changes), list(self.refused), list(self.proposed)
        return forked

    def add(self, request: OperationRequest) -> None:
        """Plan one request; if it cannot be carried out, it is refused and the others stay."""
        name, kind, mask = str(request.operation), self.draft.kind, self.draft.rules.mask
        stores = [
            candidate.store for candidate in self.snapshots.values() if request.store in (None, candidate.store.name)
        ]
        arguments = {key: mask_values(value, mask) for key, value in request.arguments.items()}
        maintenance = kind in (CommitKind.APPROVAL, CommitKind.MAINTENANCE) and request.store is not None
        try:
            store, operation, refused = read_operation(stores, request.operation, arguments, maintenance=maintenance)
        except LookupError as error:
            self._refuse(name, str(error.args[0]))
            return
        self.refused += refused
        if operation is None:
            return
        snapshot = self.snapshots[store.name]
        if reason := self._forbidden(snapshot, arguments):
            self._refuse(name, reason)
        elif (planned := self._plan_operation(snapshot, name, operation, request.said_at)) is not None:
            operation, changes = planned
            source = self._mark_source(snapshot, arguments, request)
            self._accept(snapshot, operation, changes, source, request.said_at)

    def _refuse(self, operation: str, reason: str) -> None:
        self.refused.append(Refusal(operation=operation, reason=reason))

    def _forbidden(self, snapshot: ScopeSnapshot, arguments: Mapping[str, JsonValue]) -> str | None:
        """Return why a request must not be planned; None if it may."""
        draft, store = self.draft, snapshot.store
        asked_by_run = draft.kind.is_conversation or draft.kind is CommitKind.PERSON
        if asked_by_run and not may_teach(store, snapshot.scope, draft.identity, draft.rules.shared):
            return NOBODY
        if (limit := draft.limit(store)) is not None and self.used[store.name] >= limit:
            return self._over_limit(store, limit)
        if draft.thread is None or store.about_user or store.accepts_tool_claims:
            return None
        foreign = tool_only_terms(arguments, draft.thread)
        return ONLY_A_TOOL.format(len(foreign)) if foreign else None

    def _over_limit(self, store: LearningStore, limit: int) -> str:
        log.warning("%s: over %d changes a turn, the rest is dropped", store.name, limit)
        return f"over the limit of {limit} changes a turn"

    def _mark_source(
        self, snapshot: ScopeSnapshot, arguments: Mapping[str, JsonValue], request: OperationRequest
    ) -> Source:
        """Return the source with its quote masked and its day; the actor is a tool if the statement may rest on one."""
        store, thread, source = snapshot.store, self.draft.thread, request.source
        if thread is not None and thread.is_mixed and not store.about_user and store.rejects_tool_claims:
            quotes_own = source.actor in ("user", "agent") and source.quote is not None
            if not quotes_own and not is_supported(arguments, thread):
                source = source.model_copy(update={"actor": "tool"})
        masked = self.draft.rules.mask(source.quote)[:LONGEST_QUOTE] if source.quote else None
        is_earlier = request.said_at is not None and self.draft.at - request.said_at > timedelta(days=1)
        return source.model_copy(update={"quote": masked, "said_at": request.said_at if is_earlier else None})

    def _plan_operation(
        self, snapshot: ScopeSnapshot, name: str, operation: Operation, said_at: datetime | None
    ) -> tuple[Operation, list[Change]] | None:
        try:
            operation = self._resolve_short_id(operation, snapshot)
            if isinstance(operation, MAINTENANCE):
                return operation, plan_maintenance(snapshot.store.name, operation, snapshot.records)
            operation = snapshot.store.resolve_dates(operation, self.draft.day_of(said_at))
            try:
                return operation, snapshot.store.plan(operation, snapshot.records)
            except Refused as error:
                if error.rest is None:
                    raise
                self._refuse(name, str(error.args[0]))
                return error.rest, snapshot.store.plan(error.rest, snapshot.records)
        except Refused as error:
            self._refuse(name, str(error.args[0]))
        except FAULTS as error:
            log.exception("%s.plan failed", snapshot.store.name)
            self._refuse(name, f"{snapshot.store.name} failed: {type(error).__name__}")
        return None

    def _resolve_short_id(self, operation: Operation, snapshot: ScopeSnapshot) -> Operation:
        """Replace a short id by the id of the record."""
        short = getattr(operation, "id", None) if "id" in type(operation).model_fields else None
        if short is None:
            return operation
        ids = {record.id for record in snapshot.records}
        labels = self.labels[snapshot.store.name]
        own = str(short) if self.draft.kind.names_own_ids and short in ids else labels.get(str(short))
        if own not in ids:
            shown = [label for label, record in labels.items() if record in ids]
            available = ", ".join(shown[:NAMED]) + (f" and {len(shown) - NAMED} more" if len(shown) > NAMED else "")
            raise Refused(f"there is no record {short!r}; there {f'is {available}' if available else 'are none'}")
        return operation.model_copy(update={"id": own})

    def _room_for(self, store: LearningStore, name: str, wanted: int) -> int:
        """Return how many of the wanted changes the limit allows, and count them."""
        if (limit := self.draft.limit(store)) is None:
            return wanted
        room = limit - self.used[store.name]
        if wanted > room:
            self._refuse(name, self._over_limit(store, limit))
        self.used[store.name] += min(wanted, room)
        return room

    def _accept(
        self,
        snapshot: ScopeSnapshot,
        operation: Operation,
        changes: list[Change],
        source: Source,
        said_at: datetime | None,
    ) -> None:
        """Add the changes, propose them to a person, or refuse those without support."""
        name = type(operation).__name__
        fitting = [change for change in changes if len(change.text) <= LONGEST_STATEMENT]
        if len(fitting) < len(changes):
            self._refuse(name, f"a statement has at most {LONGEST_STATEMENT:,} characters: say it in fewer")
        judged = [
            (change, judge_change(change, snapshot.by_id.get(change.id), source, self.draft.thread, snapshot.store))
            for change in fitting
        ]
        for reason in dict.fromkeys(verdict.reason for _, verdict in judged if verdict.result == "refuse"):
            self._refuse(name, reason)
        allowed = [(change, verdict) for change, verdict in judged if verdict.result != "refuse"]
        allowed = allowed[: self._room_for(snapshot.store, name, len(allowed))]
        waits = [
            (change, verdict)
            for change, verdict in allowed
            if verdict.result == "propose" or self._needs_yes(snapshot, change)
        ]
        for own_source, group in groupby(
            (pair for pair in allowed if pair not in waits), key=lambda pair: pair[1].source
        ):
            own_changes = [change for change, _ in group]
            self.add_changes(self.snapshots[snapshot.store.name], own_changes, own_source, said_at or self.draft.at)
        if waits:
            self.propose(snapshot, operation, [change for change, _ in waits], waits[0][1].source, said_at)

    def _needs_yes(self, snapshot: ScopeSnapshot, change: Change) -> bool:
        """Return whether a person has to approve a change before it is written."""
        kind, rules = self.draft.kind, self.draft.rules
        if kind is CommitKind.APPROVAL:
            return False
        if snapshot.store.proposes:
            # A change by a person's own hand is approved by that, unless reviewers are configured.
            return kind is not CommitKind.PERSON or rules.reviewers is not None
        if kind is CommitKind.MAINTENANCE or snapshot.scope.namespace is None or rules.shared == "write":
            return False
        old = snapshot.by_id.get(change.id)
        return old is not None and old.source.user_id != self.draft.identity.user_id

    def add_changes(
        self, snapshot: ScopeSnapshot, changes: Sequence[Change], source: Source, said_at: datetime | None = None
    ) -> None:
        """Add changes to the commit; a change that has its own source keeps it.

        If `said_at` is given, dates that a learning store has left open become that time.
        """
        dated = [_with_date(change, snapshot.by_id.get(change.id), said_at) for change in changes]
        taken = [self._with_source(snapshot.scope, change, source) for change in dated]
        self.changes += taken
        self.snapshots[snapshot.store.name] = snapshot.with_changes(taken, self.draft.at)

    def _with_source(self, scope: Scope, change: Change, source: Source) -> Change:
        """Return a change with its source and id; a repeated run gives a new record the same id."""
        identified = change.id or derived_id("record", self.draft.id, len(self.changes), change.text)
        keeps_source = change.source != Source()
        if keeps_source:  # it moves a known statement, and whoever said that stays its source
            approved = {"approved_by": source.approved_by, "approved_at": source.approved_at}
            source = change.source.model_copy(update=approved if source.approved_at else {})
        if scope.namespace is None:
            return change.model_copy(update={"source": source, "id": identified})
        shared = {} if keeps_source else {"user_id": source.user_id or self.draft.identity.user_id}
        # A removed statement of another user must not stay in this user's commits, where `forget` would miss it.
        words = {"text": ""} if isinstance(change, Remove) else {}
        return change.model_copy(update={"source": source.model_copy(update=shared), "id": identified, **words})

    def propose(
        self,
        snapshot: ScopeSnapshot,
        operation: Operation,
        changes: Sequence[Change],
        source: Source,
        said_at: datetime | None = None,
    ) -> None:
        """Propose changes to a person, unless the same was proposed before."""
        if not changes:
            return
        name, draft = type(operation).__name__, self.draft
        proposal = Proposal(
            id=derived_id("proposal", draft.id, len(self.proposed), name, [change.text for change in changes]),
            identity=draft.identity,
            store=snapshot.store.name,
            namespace=snapshot.scope.namespace,
            name=name,
            args=operation.model_dump(mode="json", exclude_none=True),
            changes=tuple(changes),
            expects=expected_versions(changes, snapshot.records),
            source=source,
            provenance=draft.provenance.at(draft.provenance.position + len(self.proposed)),
            at=draft.at,
            said_at=said_at,
        )
        again = next((candidate for candidate in (*self.earlier, *self.proposed) if proposal.same_as(candidate)), None)
        if again is None:
            self.proposed.append(proposal)
        else:
            reason = "was rejected" if again.status == "rejected" else "waits for a person already"
            self._refuse(name, f"the same {reason}")

    def to_commit(self) -> Commit:
        """Return the commit that the plan results in."""
        draft = self.draft
        scopes = {name: snapshot.scope for name, snapshot in self.snapshots.items()}
        return Commit(
            id=draft.id,
            identity=draft.identity,
            at=draft.at,
            changes=tuple(self.changes),
            refused=(*draft.refused, *self.refused),
            proposed=tuple(proposal.id for proposal in self.proposed),
            usage=draft.usage,
            costs=dict(draft.costs),
            provenance=draft.provenance,
            trajectory=draft.trajectory,
            namespaces={name: scope.namespace for name, scope in scopes.items() if scope.namespace is not None},
        )

    def capture(self) -> None:
        """Add the messages to keep, each with the facts learned from it as keys."""
        captured = self.draft.captured
        if captured is None:
            return
        facts = [
            record
            for scope_snapshot in self.snapshots.values()
            for record in scope_snapshot.records
            if record.session is None
        ]
        for snapshot in [candidate for candidate in self.snapshots.values() if candidate.store.captures]:
            changes = plan_capture(snapshot, captured, self.draft.at)
            changes = with_keys(changes, [*self.draft.cited_by, *facts])
            self.changes += changes
            self.snapshots[snapshot.store.name] = snapshot.with_changes(changes, self.draft.at)


def _with_date(change: Change, old: Record | None, said_at: datetime | None) -> Change:
    """Return a change with its date: the old and the new statement get the same one."""
    if isinstance(change, Remove) or said_at is None or not (change.from_now_on or change.status == SUPERSEDED):
        return change
    begun = old.valid_from if old is not None else None
    since = max(said_at, begun or said_at)  # a history may be learned out of order, and nothing may end before it began
    name = "valid_to" if change.status == SUPERSEDED else "valid_from"
    return change if getattr(change, name) else change.model_copy(update={name: since})


def may_teach(store: LearningStore, scope: Scope, identity: Identity, shared: Shared) -> bool:
    """Return whether `identity` may teach in `scope`: a run without a user may at most propose something to others."""
    return scope.namespace is None or identity.user_id is not None or store.proposes or shared == "write"


def expected_versions(changes: Sequence[Change], records: Sequence[Record]) -> dict[str, int]:
    """Return the present versions of the records that `changes` are about; 0: there is none."""
    versions = {record.id: record.version for record in records}
    return {change.id: versions.get(change.id, 0) for change in changes if change.id}
