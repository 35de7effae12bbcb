"""From what a model asked for to one atomic write: validate, plan, cap, write, and again on a lost race."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from langgraph.store.base import PutOp
from pydantic import JsonValue

from langgraph_learning._engine.approval.proposals import load_turn, put_proposal
from langgraph_learning._engine.flow import Expected, Flow, write
from langgraph_learning._engine.learning.capture import Captured, commit_keys, plan_capture, with_keys
from langgraph_learning._engine.learning.operation_schema import read_operation
from langgraph_learning._engine.learning.turn import derived_id
from langgraph_learning._engine.recall.vector_index import outbox_entries, sync_index
from langgraph_learning._engine.repository import ScopeSnapshot, put_commit, record_puts
from langgraph_learning.errors import ConflictError
from langgraph_learning.masking import Mask, mask_secrets, mask_values
from langgraph_learning.records import Change, Commit, Identity, Proposal, Record, Refusal, Remove, Scope, Source, Usage
from langgraph_learning.stores import Operation, Refused
from langgraph_learning.stores.base import FAULTS
from langgraph_learning.stores.maintenance import MAINTENANCE, plan_maintenance

log = logging.getLogger(__name__)
T = TypeVar("T")

TRIES = 50
"""How often a commit is planned anew: of so many writers of one record, each loses to every other once at most."""


@dataclass(frozen=True)
class OperationRequest:
    """One operation as a model asked for it, and what it rests on."""

    operation: object
    arguments: Mapping[str, JsonValue]
    source: Source = field(default_factory=Source)
    tool_only_terms: tuple[str, ...] = ()
    """Words of it that only a tool has used."""
    store: str | None = None
    """Of which learning store, where that is known: operations for upkeep are called the same in all of them."""
    said_at: datetime | None = None
    """When that was said which it rests on: relative dates count from there; by default when it is committed."""


@dataclass(frozen=True)
class Draft:
    """What is to be committed: asked by whom, under which id, with which limits.

    `limits` are changes per learning store; `pinned` are the record ids by the short ids that a model was shown, per
    learning store: by the time of writing the order of the records may be another; `marked` keeps also an empty
    commit, so that the same turn is not asked about again; `approved` is what a person has said yes to; `upkeep` may
    ask for what every learning store can do, and names records by their own ids; `recalled` is what the turn was shown.
    """

    id: str
    identity: Identity
    at: datetime
    requests: tuple[OperationRequest, ...]
    limits: Mapping[str, int]
    shown_ids: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    keep_empty: bool = True
    approved: bool = False
    upkeep: bool = False
    mask: Mask = mask_secrets
    turn_id: str = ""
    graph_ns: str = ""
    position: int = 0
    """Where in its turn it stands: proposals are shown in the order of the tool calls, which run at once."""
    recalled: tuple[tuple[str, str], ...] = ()
    captured: Captured | None = None
    """The messages to keep, where a learning store keeps them."""
    cited_by: tuple[Record, ...] = ()
    """What rests on these messages already."""

    def day_of(self, said_at: datetime | None) -> date:
        """Return the day on which something was said, where the user is."""
        return (said_at or self.at).astimezone(ZoneInfo(self.identity.timezone)).date()


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
        self.remaining = dict(self.draft.limits)

    def add(self, request: OperationRequest) -> None:
        """Plan one request; what cannot be carried out is refused, and its siblings stand."""
        name = str(request.operation)
        stores = [known.store for known in self.known.values() if request.store in (None, known.store.name)]
        arguments = {key: mask_values(value, self.draft.mask) for key, value in request.arguments.items()}
        upkeep = self._by_own_ids and request.store is not None
        try:
            store, operation, refused = read_operation(stores, request.operation, arguments, upkeep=upkeep)
        except LookupError as error:
            self.refused.append(Refusal(operation=name, reason=str(error.args[0])))
            return
        self.refused += refused
        if operation is None:
            return
        if request.tool_only_terms and not store.accepts_tool_claims:
            words = ", ".join(map(repr, request.tool_only_terms[:5]))
            self.refused.append(Refusal(operation=name, reason=f"only a tool has said {words}: not learned"))
            return
        source = self._clean_source(request)
        known = self.known[store.name]
        if (planned := self._plan_operation(known, name, operation, request.said_at)) is None:
            return
        operation, changes = planned
        if store.proposes and not self.draft.approved:
            self.propose(known, operation, self._apply_limit(known, name, changes), source, request.said_at)
        else:
            self.add_changes(known, self._apply_limit(known, name, changes), source)

    @property
    def _by_own_ids(self) -> bool:
        """Whether records are named by their own ids: a model is never shown one."""
        return self.draft.approved or self.draft.upkeep

    def _clean_source(self, request: OperationRequest) -> Source:
        source = request.source.model_copy(update={"actor": "tool"} if request.tool_only_terms else {})
        return source.model_copy(update={"quote": self.draft.mask(source.quote)}) if source.quote else source

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
                self.refused.append(Refusal(operation=name, reason=str(error.args[0])))
                return error.rest, known.store.plan(error.rest, known.records)
        except Refused as error:
            self.refused.append(Refusal(operation=name, reason=str(error.args[0])))
        except FAULTS as error:
            log.exception("%s.plan failed", known.store.name)
            self.refused.append(Refusal(operation=name, reason=f"{known.store.name} failed: {type(error).__name__}"))
        return None

    def _resolve_short_id(self, operation: Operation, known: ScopeSnapshot) -> Operation:
        """Put the record's own id in the place of the short one."""
        short = getattr(operation, "id", None) if "id" in type(operation).model_fields else None
        if short is None:
            return operation
        ids = {record.id for record in known.records}
        labels = self.labels[known.store.name]
        found = str(short) if self._by_own_ids and short in ids else labels.get(str(short))
        if found not in ids:
            there = ", ".join(label for label, record in labels.items() if record in ids)
            raise Refused(f"there is no record {short!r}; there {f'is {there}' if there else 'are none'}")
        return operation.model_copy(update={"id": found})

    def _apply_limit(self, known: ScopeSnapshot, name: str, changes: list[Change]) -> list[Change]:
        """Return the changes that the limit leaves room for."""
        limit, left = self.draft.limits[known.store.name], self.remaining[known.store.name]
        if len(changes) > left:
            log.warning("%s: over %d changes a turn, the rest is dropped", known.store.name, limit)
            self.refused.append(Refusal(operation=name, reason=f"over the limit of {limit} changes a turn"))
        self.remaining[known.store.name] -= len(changes[:left])
        return changes[:left]

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
        shared = {} if stands else {"user_id": self.draft.identity.user_id}
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
            turn=draft.turn_id,
            origin=draft.graph_ns,
            at=draft.at,
            said_at=said_at,
            place=draft.position + len(self.proposed),
        )
        again = next((each for each in (*self.earlier, *self.proposed) if made.same_as(each)), None)
        if again is None:
            self.proposed.append(made)
        else:
            reason = "was rejected" if again.status == "rejected" else "waits for a person already"
            self.refused.append(Refusal(operation=name, reason=f"the same {reason}"))

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


def expected_versions(changes: Sequence[Change], records: Sequence[Record]) -> dict[str, int]:
    """Return the versions that the records have now that `changes` are about; 0: there is none."""
    versions = {record.id: record.version for record in records}
    return {change.id: versions.get(change.id, 0) for change in changes if change.id}


def commit(draft: Draft, known: Sequence[ScopeSnapshot], earlier: Sequence[Proposal] = ()) -> Flow[Commit]:
    """Write what `draft` asks for, given what is `known`; a lost race is planned again on what is there now.

    Raises:
        ConflictError: Others were first every time.
    """
    scopes = [(each.store, each.scope) for each in known]
    at_hand = iter([(None, known, earlier)])
    session = draft.captured.session if draft.captured else None

    def attempt() -> Flow[Commit]:
        found, there, before = next(at_hand, None) or (yield from load_turn(scopes, draft.identity, draft.id, session))
        if found is not None:
            return found
        plan = CommitPlan(draft, {each.store.name: each for each in there}, before)
        for request in draft.requests:
            plan.add(request)
        plan.capture()
        made = to_commit(plan)
        if made.changes or made.proposed or draft.keep_empty:
            yield from write_commit(made, there, plan.proposed)
        return made

    return (yield from retry_on_conflict(attempt))


def retry_on_conflict(attempt: Callable[[], Flow[T]]) -> Flow[T]:
    """Return what `attempt` comes to; when it loses a race it is made again, on what is there then.

    Raises:
        ConflictError: Others were first every time.
    """
    for left in reversed(range(TRIES)):
        try:
            return (yield from attempt())
        except ConflictError:
            if not left:
                raise
    raise AssertionError("unreachable")


def to_commit(plan: CommitPlan) -> Commit:
    """Return the commit that a plan comes to."""
    return Commit(
        id=plan.draft.id,
        identity=plan.draft.identity,
        at=plan.draft.at,
        changes=tuple(plan.changes),
        refused=tuple(plan.refused),
        proposed=tuple(proposal.id for proposal in plan.proposed),
        usage=plan.draft.usage,
        turn=plan.draft.turn_id,
        recalled=plan.draft.recalled,
        namespaces={name: place for name, each in plan.known.items() if (place := each.scope.namespace) is not None},
    )


def write_commit(
    made: Commit,
    known: Sequence[ScopeSnapshot],
    proposed: Sequence[Proposal] = (),
    more: Sequence[PutOp] = (),
    expects: Expected | None = None,
) -> Flow[None]:
    """Write a commit with its changes, what it proposes, and `more`, all or nothing, if nobody was first."""
    new = [put_commit(made), *map(put_proposal, proposed)]
    operations, expect = [*new, *more], {**{(put.namespace, put.key): 0 for put in new}, **(expects or {})}
    for each in known:
        mine = [change for change in made.changes if change.store == each.store.name]
        changed, versions = record_puts(each, mine, made.at)
        operations += [*changed, *outbox_entries(each.store, each.scope, (change.id for change in mine))]
        expect.update(versions)
    keyed, versions = yield from commit_keys(made, known, made.at)
    operations, expect = [*operations, *keyed], {**expect, **versions}
    yield from write(operations, expect, made.id)
    for each in known:
        yield from sync_index(each.store, each.scope, [change.id for change in made.changes])
