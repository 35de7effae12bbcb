"""The curate flow: what is said twice becomes one, what holds no longer is set aside, all in one commit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langgraph.store.base import Op
from pydantic import JsonValue

from langgraph_learning import prompts
from langgraph_learning._engine.approval.proposals import find_proposals, read_proposals
from langgraph_learning._engine.flow import Flow
from langgraph_learning._engine.learning.commit import retry_on_conflict, to_commit, write_commit
from langgraph_learning._engine.learning.commit_plan import CommitPlan
from langgraph_learning._engine.learning.draft import CommitKind, CommitRules, Draft, OperationRequest
from langgraph_learning._engine.learning.operation_schema import answer_schema, read_operation
from langgraph_learning._engine.learning.structured_output import OutputMethods, ask_for_operations
from langgraph_learning._engine.learning.turn import derived_id
from langgraph_learning._engine.repository import EVERYTHING, ScopeSnapshot, load_snapshots, scoped_to
from langgraph_learning.masking import Mask, mask_secrets
from langgraph_learning.records import (
    ACTIVE,
    Change,
    Curated,
    CurationReport,
    Identity,
    Proposal,
    Record,
    Refusal,
    Scope,
    Source,
    Usage,
)
from langgraph_learning.stores import LearningStore
from langgraph_learning.stores.common_operations import MERGE, RETIRE, takes_text

BATCH = 50
"""How many records a model judges in one call."""
LONGEST = 2_000
"""How long a record may be that a model judges, in characters: what is shown in part cannot be merged."""


@dataclass(frozen=True)
class Judge:
    """The model that judges what words alone do not show, and the way it answers."""

    model: BaseChatModel
    methods: OutputMethods


@dataclass(frozen=True)
class Judgement:
    """What a model asked for, and what it was shown of the records that it is about."""

    request: OperationRequest
    shown: tuple[Record, ...]

    def holds(self, plan: CommitPlan) -> bool:
        """Whether the records still say what the model was shown."""
        there = {record.id: record for record in plan.known[self.shown[0].store].records}
        return all(
            (now := there.get(each.id)) is not None and (now.text, now.status) == (each.text, each.status)
            for each in self.shown
        )


@dataclass
class JudgeResult:
    """All that a model asked for, what of it cannot be done, and what it cost."""

    judgements: list[Judgement] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)


@dataclass
class CurationRound:
    """One try: the plan, and the report of it."""

    plan: CommitPlan
    judged: JudgeResult
    merged: list[Curated] = field(default_factory=list)
    retired: list[Curated] = field(default_factory=list)
    proposed: list[Curated] = field(default_factory=list)

    def tidy(self, max_age: timedelta | None) -> None:
        """Do what the learning stores themselves say."""
        at = self.plan.draft.at.astimezone(ZoneInfo(self.plan.draft.identity.timezone))
        for known in list(self.plan.known.values()):
            curated = known.store.curate(known.records, at, max_age)
            # At once: to apply each by itself would copy all records as often as something is merged.
            changes = [change for one in curated for change in one.changes]
            self.plan.add_changes(self.plan.known[known.store.name], changes, Source())
            self.merged += [one for one in curated if one.kind == "merged"]
            self.retired += [one for one in curated if one.kind != "merged"]

    def judge(self) -> None:
        """Do what the model asked for, where the records are still what it was shown."""
        for each in self.judged.judgements:
            if not each.holds(self.plan):
                continue
            changes, proposed = len(self.plan.changes), len(self.plan.proposed)
            self.plan.add(each.request)
            if made := self.plan.changes[changes:]:
                report = _to_curated(each, made)
                (self.merged if report.kind == "merged" else self.retired).append(report)
            for proposal in self.plan.proposed[proposed:]:
                self.proposed.append(_to_curated(each, proposal.changes))

    def report(self, *, dry_run: bool) -> CurationReport:
        """Return what was found, and what was done about it."""
        made = to_commit(self.plan)
        written = not dry_run and bool(made.changes or made.proposed)
        return CurationReport(
            dry_run=dry_run,
            merged=tuple(self.merged),
            retired=tuple(self.retired),
            proposed=tuple(self.proposed),
            refused=(*self.judged.refused, *made.refused),
            changes=len(made.changes),
            commit=made.id if written else None,
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
    """Merge and set aside, as one commit, and return the report; a lost race is planned again.

    Args:
        stores: The learning stores to look through.
        identity: In whose scopes.
        at: Now, where the user is.
        dry_run: Whether nothing is to be written.
        max_age: Since when what ranks must have been changed.
        judge: Is asked once about each `BATCH` of the records, not again after a lost race.
        mask: Takes secrets out of what it writes.

    Raises:
        ExtractionError: The model's answer cannot be used; nothing is written.
        ConflictError: Others were first every time.
    """
    mine = scoped_to(stores, identity)
    judged: JudgeResult | None = None

    def attempt() -> Flow[CurationReport]:
        nonlocal judged
        known, earlier = yield from _load_scopes(mine, identity)
        key = derived_id("curation", identity.user_id, identity.thread_id, at.isoformat())
        draft = Draft(CommitKind.UPKEEP, key, identity, at, CommitRules(mask=mask))
        made = CurationRound(
            CommitPlan(draft, {each.store.name: each for each in known}, earlier), judged or JudgeResult()
        )
        made.tidy(max_age)
        if judge is not None and judged is None:
            judged = made.judged = yield from _judge_scopes(judge, list(made.plan.known.values()))
        made.judge()
        report = made.report(dry_run=dry_run)
        if report.commit is not None:
            commit = to_commit(made.plan).model_copy(update={"usage": made.judged.usage})
            yield from write_commit(commit, known, made.plan.proposed)
        return report

    return (yield from retry_on_conflict(attempt))


def _load_scopes(
    mine: Sequence[tuple[LearningStore, Scope]], identity: Identity
) -> Flow[tuple[list[ScopeSnapshot], list[Proposal]]]:
    """Return all there is, and what was proposed before, in one round trip."""
    first: list[Op] = [find_proposals(identity, decided=True)] if any(store.proposes for store, _ in mine) else []
    found, known = yield from load_snapshots(mine, *first, limit=EVERYTHING)
    return known, read_proposals(identity, found[0]) if found else []


def _judge_scopes(judge: Judge, known: Iterable[ScopeSnapshot]) -> Flow[JudgeResult]:
    """Ask the model about every batch of what is chosen by how well it fits; what is always shown is seen anyway."""
    judged = JudgeResult()
    for each in known:
        if each.store.recalled == "relevant":
            judging = [one for one in each.records if one.status == ACTIVE and len(one.text) <= LONGEST]
            for start in range(0, len(judging), BATCH):
                if len(shown := judging[start : start + BATCH]) > 1:
                    yield from _ask_judge(judge, each, shown, judged)
    return judged


def _ask_judge(judge: Judge, known: ScopeSnapshot, shown: Sequence[Record], judged: JudgeResult) -> Flow[None]:
    kinds = (MERGE, RETIRE) if all(takes_text(record) for record in shown) else (RETIRE,)
    schema = answer_schema(kinds, "What is to be tidied", quoted=False)
    ids = {record.id for record in shown}
    labels = {label: record for label, record in known.labels.items() if record.id in ids}
    answer = yield from ask_for_operations(judge.model, schema, _notes(known.store, labels), judge.methods)
    judged.usage += answer.usage
    for item in answer.operations:
        name = str(item.get("operation")) if isinstance(item, dict) else f"{item!r:.40}"
        try:
            judged.judgements.append(_judgement(known.store, item, labels, [kind.__name__ for kind in kinds]))
        except LookupError as error:
            judged.refused.append(Refusal(operation=name, reason=str(error.args[0])))


def _notes(store: LearningStore, labels: dict[str, Record]) -> list[BaseMessage]:
    # Each on one line: a line break in a stored text could begin a line with a short id, and so forge one.
    lines = (
        f"{label} ({record.created_at:%Y-%m-%d}, {record.updated_at:%Y-%m-%d}): "
        + " ".join(prompts.escape(record.text).split())
        for label, record in labels.items()
    )
    return [
        SystemMessage(prompts.render("curation", capture=store.extraction_instructions)),
        HumanMessage(prompts.render("notes", notes="\n".join(lines))),
    ]


def _judgement(store: LearningStore, item: JsonValue, labels: dict[str, Record], offered: Sequence[str]) -> Judgement:
    """Read one operation of the answer; it names its records by the ids that were shown, and each once.

    Raises:
        LookupError: It cannot be done. What is taken is taken out of `labels`.
    """
    asked = item if isinstance(item, dict) else {}
    if (name := asked.get("operation")) not in offered:
        raise LookupError(f"there is no operation {name!r}")
    arguments = {key: value for key, value in asked.items() if key != "operation"}
    _, operation, refused = read_operation([store], name, arguments, upkeep=True)
    if operation is None:
        raise LookupError("; ".join(refusal.reason for refusal in refused))
    given = operation.model_dump(mode="json")
    wanted = list(dict.fromkeys(given.get("ids") or [given.get("id")]))
    if unknown := [label for label in wanted if label not in labels]:
        raise LookupError(f"there is no note {unknown[0]!r}, or something else was asked about it")
    taken = [labels.pop(label) for label in wanted]
    shown = tuple(sorted(taken, key=lambda record: (record.created_at, record.id)))
    named: dict[str, JsonValue] = {"ids": [record.id for record in shown]} if "ids" in given else {"id": shown[0].id}
    return Judgement(OperationRequest(str(name), {**given, **named}, shown[0].source, store=store.name), shown)
