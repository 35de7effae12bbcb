"""The flow that curates: duplicates are merged, and what no longer holds is archived, all in one commit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langgraph.store.base import Op
from pydantic import JsonValue

from langgraph_learning import prompts
from langgraph_learning._engine.approval.proposals import find_proposals, read_proposals
from langgraph_learning._engine.flow import Flow
from langgraph_learning._engine.learning.commit import retry_on_conflict, write_commit
from langgraph_learning._engine.learning.commit_draft import CommitDraft, CommitKind, CommitRules, OperationRequest
from langgraph_learning._engine.learning.commit_plan import CommitPlan
from langgraph_learning._engine.learning.operation_schema import answer_schema, read_operation
from langgraph_learning._engine.learning.structured_output import OutputMethods, ask_for_operations
from langgraph_learning._engine.repository import EVERYTHING, ScopeSnapshot, scoped_to
from langgraph_learning._engine.snapshots import load_snapshots
from langgraph_learning.masking import Mask, mask_secrets
from langgraph_learning.records import (
    ACTIVE,
    Change,
    Identity,
    Proposal,
    Record,
    Refusal,
    Scope,
    Source,
    Usage,
    derived_id,
)
from langgraph_learning.reports import Curated, CurationReport
from langgraph_learning.stores import LearningStore
from langgraph_learning.stores.maintenance_operations import MERGE, RETIRE, takes_text

BATCH = 50
"""The number of records that a model judges in one call."""
LONGEST = 2_000
"""The number of characters that a record may have to be judged; a record shown in part cannot be merged."""


@dataclass(frozen=True)
class Judge:
    """The model that finds what words alone do not show, and its ways to answer."""

    model: BaseChatModel
    methods: OutputMethods


@dataclass(frozen=True)
class Judgement:
    """A request of the model, with the records it was shown."""

    request: OperationRequest
    shown: tuple[Record, ...]

    def holds(self, plan: CommitPlan) -> bool:
        """Return whether the records still are as the model was shown."""
        present = {record.id: record for record in plan.snapshots[self.shown[0].store].records}
        return all(
            (now := present.get(record.id)) is not None and (now.text, now.status) == (record.text, record.status)
            for record in self.shown
        )


@dataclass
class JudgeResult:
    """All requests of the model, those refused, and the usage."""

    judgements: list[Judgement] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)


@dataclass
class CurationRound:
    """One attempt to curate: the plan and its report."""

    plan: CommitPlan
    judged: JudgeResult
    merged: list[Curated] = field(default_factory=list)
    retired: list[Curated] = field(default_factory=list)
    proposed: list[Curated] = field(default_factory=list)

    def tidy(self, max_age: timedelta | None) -> None:
        """Apply what the learning stores themselves find."""
        at = self.plan.draft.at.astimezone(ZoneInfo(self.plan.draft.identity.timezone))
        for snapshot in list(self.plan.snapshots.values()):
            curated = snapshot.store.curate(snapshot.records, at, max_age)
            # All changes at once: applying them one by one would copy all records for each merge.
            changes = [change for finding in curated for change in finding.changes]
            self.plan.add_changes(self.plan.snapshots[snapshot.store.name], changes, Source())
            self.merged += [finding for finding in curated if finding.kind == "merged"]
            self.retired += [finding for finding in curated if finding.kind != "merged"]

    def judge(self) -> None:
        """Apply the model's requests whose records are still as it was shown."""
        for judgement in self.judged.judgements:
            if not judgement.holds(self.plan):
                continue
            changes, proposed = len(self.plan.changes), len(self.plan.proposed)
            self.plan.add(judgement.request)
            if own_changes := self.plan.changes[changes:]:
                report = _to_curated(judgement, own_changes)
                (self.merged if report.kind == "merged" else self.retired).append(report)
            for proposal in self.plan.proposed[proposed:]:
                self.proposed.append(_to_curated(judgement, proposal.changes))

    def report(self, *, dry_run: bool) -> CurationReport:
        """Return what was found, and what was done about it."""
        planned = self.plan.to_commit()
        written = not dry_run and bool(planned.changes or planned.proposed)
        return CurationReport(
            dry_run=dry_run,
            merged=tuple(self.merged),
            retired=tuple(self.retired),
            proposed=tuple(self.proposed),
            refused=(*self.judged.refused, *planned.refused),
            changes=len(planned.changes),
            commit=planned.id if written else None,
            usage=self.judged.usage,
        )


def _to_curated(judgement: Judgement, changes: Sequence[Change]) -> Curated:
    request, shown = judgement.request, judgement.shown
    merging = request.operation == MERGE.__name__
    return Curated(
        store=shown[0].store,
        kind="merged" if merging else "retired",
        ids=tuple(record.id for record in shown),
        texts=tuple(record.text for record in shown),
        reason=f"the same as: {request.arguments['text']}" if merging else str(request.arguments["because"]),
        changes=tuple(changes),
    )


def curate(
    stores: Sequence[LearningStore],
    identity: Identity,
    at: datetime,
    *,
    dry_run: bool,
    max_age: timedelta | None = None,
    judge: Judge | None = None,
    mask: Mask = mask_secrets,
) -> Flow[CurationReport]:
    """Merge and archive records in one commit, and return the report; a lost race is planned again.

    Args:
        stores: The learning stores to curate.
        identity: The identity whose scopes are curated.
        at: The present time in the user's time zone.
        dry_run: Whether to write nothing.
        max_age: The age from which unchanged records are archived, in learning stores that rank.
        judge: The model to ask once about each `BATCH` of records; it is not asked again after a lost race.
        mask: The function that masks secrets in what is written.

    Raises:
        ExtractionError: The model's answer cannot be used; nothing is written.
        ConflictError: Other writers were first every time.
    """
    scoped_stores = scoped_to(stores, identity)
    judged: JudgeResult | None = None

    def attempt() -> Flow[CurationReport]:
        nonlocal judged
        snapshots, earlier = yield from _load_scopes(scoped_stores, identity)
        key = derived_id("curation", identity.user_id, identity.thread_id, at.isoformat())
        draft = CommitDraft(CommitKind.MAINTENANCE, key, identity, at, CommitRules(mask=mask))
        curation_round = CurationRound(
            CommitPlan(draft, {snapshot.store.name: snapshot for snapshot in snapshots}, earlier),
            judged or JudgeResult(),
        )
        curation_round.tidy(max_age)
        if judge is not None and judged is None:
            judged = curation_round.judged = yield from _judge_scopes(
                judge, list(curation_round.plan.snapshots.values())
            )
        curation_round.judge()
        report = curation_round.report(dry_run=dry_run)
        if report.commit is not None:
            plan = curation_round.plan
            plan.draft = replace(draft, usage=curation_round.judged.usage)
            yield from write_commit(plan, snapshots)
        return report

    return (yield from retry_on_conflict(attempt))


def _load_scopes(
    scoped_stores: Sequence[tuple[LearningStore, Scope]], identity: Identity
) -> Flow[tuple[list[ScopeSnapshot], list[Proposal]]]:
    """Return all records and earlier proposals, in one round trip."""
    first: list[Op] = (
        [find_proposals(identity, decided=True)] if any(store.proposes for store, _ in scoped_stores) else []
    )
    results, snapshots = yield from load_snapshots(scoped_stores, *first, limit=EVERYTHING)
    return snapshots, read_proposals(identity, results[0]) if results else []


def _judge_scopes(judge: Judge, snapshots: Iterable[ScopeSnapshot]) -> Flow[JudgeResult]:
    """Ask the model about each batch of records that recall ranks; those that are always shown need no judging."""
    judged = JudgeResult()
    for snapshot in snapshots:
        if snapshot.store.recalled == "relevant":
            judging = [record for record in snapshot.records if record.status == ACTIVE and len(record.text) <= LONGEST]
            for start in range(0, len(judging), BATCH):
                if len(shown := judging[start : start + BATCH]) > 1:
                    yield from _ask_judge(judge, snapshot, shown, judged)
    return judged


def _ask_judge(judge: Judge, snapshot: ScopeSnapshot, shown: Sequence[Record], judged: JudgeResult) -> Flow[None]:
    kinds = (MERGE, RETIRE) if all(takes_text(record) for record in shown) else (RETIRE,)
    schema = answer_schema(kinds, "What is to be tidied", quoted=False)
    ids = {record.id for record in shown}
    labels = {label: record for label, record in snapshot.labels.items() if record.id in ids}
    answer = yield from ask_for_operations(judge.model, schema, _notes(snapshot.store, labels), judge.methods)
    judged.usage += answer.usage
    for item in answer.operations:
        name = str(item.get("operation")) if isinstance(item, dict) else f"{item!r:.40}"
        try:
            judged.judgements.append(_judgement(snapshot.store, item, labels, [kind.__name__ for kind in kinds]))
        except LookupError as error:
            judged.refused.append(Refusal(operation=name, reason=str(error.args[0])))


def _notes(store: LearningStore, labels: dict[str, Record]) -> list[BaseMessage]:
    # Each on one line: a line break in a stored text could forge a line with a short id.
    lines = (
        f"{label} ({record.created_at:%Y-%m-%d}, {record.updated_at:%Y-%m-%d}): "
        + " ".join(prompts.escape(record.text).split())
        for label, record in labels.items()
    )
    return [
        SystemMessage(prompts.render("curation", capture=store.extraction_instructions)),
        HumanMessage(prompts.render("curation_input", notes="\n".join(lines))),
    ]


def _judgement(store: LearningStore, item: JsonValue, labels: dict[str, Record], offered: Sequence[str]) -> Judgement:
    """Return one operation of the answer as a judgement; it names records by their short ids, and each only once.

    The labels of its records are removed from `labels`.

    Raises:
        LookupError: The operation cannot be carried out.
    """
    asked = item if isinstance(item, dict) else {}
    if (name := asked.get("operation")) not in offered:
        raise LookupError(f"there is no operation {name!r}")
    arguments = {key: value for key, value in asked.items() if key != "operation"}
    _, operation, refused = read_operation([store], name, arguments, maintenance=True)
    if operation is None:
        raise LookupError("; ".join(refusal.reason for refusal in refused))
    given = operation.model_dump(mode="json")
    wanted = list(dict.fromkeys(given.get("ids") or [given.get("id")]))
    if unknown := [label for label in wanted if label not in labels]:
        raise LookupError(f"there is no note {unknown[0]!r}, or another operation has used it")
    taken = [labels.pop(label) for label in wanted]
    shown = tuple(sorted(taken, key=lambda record: (record.created_at, record.id)))
    named: dict[str, JsonValue] = {"ids": [record.id for record in shown]} if "ids" in given else {"id": shown[0].id}
    return Judgement(OperationRequest(str(name), {**given, **named}, shown[0].source, store=store.name), shown)
