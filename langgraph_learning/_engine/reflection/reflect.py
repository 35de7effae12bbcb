"""The reflect flow: the events of many turns become procedures, rules and learnings, one operation at a time.

A batch of events makes one model call and one commit. The same write moves the mark, which says up to which event the
agent's turns were reflected on. So earlier commits stay if a later batch fails. If two reflections run at once, only
one of them can move the mark; the other goes on from there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langgraph.store.base import GetOp, Item, ListNamespacesOp, MatchCondition, Op, SearchOp
from pydantic import JsonValue

from langgraph_learning import prompts
from langgraph_learning._engine.approval.proposals import find_proposals, read_proposals
from langgraph_learning._engine.flow import Flow, batch
from langgraph_learning._engine.learning.commit import write_commit
from langgraph_learning._engine.learning.commit_draft import CommitDraft, CommitKind, CommitRules, OperationRequest
from langgraph_learning._engine.learning.commit_plan import CommitPlan
from langgraph_learning._engine.learning.extraction_prompt import describe_store, list_stored, offered_operations
from langgraph_learning._engine.learning.grounding import ThreadWords
from langgraph_learning._engine.learning.operation_schema import answer_schema
from langgraph_learning._engine.learning.parse_requests import cut_operations
from langgraph_learning._engine.learning.structured_output import OutputMethods, ask_for_operations
from langgraph_learning._engine.learning.usage_shares import share_usage
from langgraph_learning._engine.maintenance.votes import find_ballots, read_ballots
from langgraph_learning._engine.reflection.evidence import (
    REFLECTION,
    Evidence,
    Mark,
    events_of_commit,
    events_of_votes,
    read_mark,
)
from langgraph_learning._engine.repository import EVERYTHING, ScopeSnapshot, commits_namespace, read_commit, scoped_to
from langgraph_learning._engine.snapshots import load_snapshots
from langgraph_learning.errors import ConflictError, ExtractionError
from langgraph_learning.namespace_labels import COMMITS, label
from langgraph_learning.records import (
    ROOT,
    Change,
    Commit,
    Identity,
    Namespace,
    Proposal,
    Provenance,
    Refusal,
    Remove,
    Scope,
    Source,
    Update,
    Usage,
    derived_id,
)
from langgraph_learning.reports import Reflection
from langgraph_learning.stores import LearningStore
from langgraph_learning.words import tokens, words

BATCH = 12
"""How many events the model gets in one call."""
REFLECTIONS = "reflections"
"""The last part of the namespace that holds the marks of a scope."""
KEPT_SHARE = 0.3
"""The share of a record's words that an update must keep, unless a person's words ask for the change."""
TRIES = 50
"""How often a commit is tried if other writes conflict with it."""


@dataclass(frozen=True)
class Reflector:
    """The settings of a reflection: the learning stores that may change, the model, and the rules of every commit."""

    stores: Sequence[LearningStore]
    model: BaseChatModel
    methods: OutputMethods
    rules: CommitRules
    namespace: str
    since: datetime | None = None

    def mark_scope(self, identity: Identity) -> Scope:
        """Return the scope that holds the mark: the user's, or without a user the namespace's."""
        return Scope(user_id=identity.user_id) if identity.user_id else Scope(namespace=self.namespace)


@dataclass(frozen=True)
class Material:
    """The input of one agent's reflection: the records, the proposals, the events after the mark, and the mark."""

    identity: Identity
    snapshots: list[ScopeSnapshot]
    earlier: list[Proposal]
    events: list[Evidence]
    mark: Mark


@dataclass(frozen=True)
class Lesson:
    """One operation that the model asked for, and the events that contain its quote."""

    request: OperationRequest
    events: tuple[Evidence, ...]

    def may_remove(self, record_id: str) -> bool:
        """Return whether people asked for the removal: a user in their words, or most voters on the record."""
        return self.request.source.actor == "user" or any(event.against == record_id for event in self.events)


@dataclass(frozen=True)
class Lessons:
    """The operations that the model asked for in answer to one batch of events."""

    events: tuple[Evidence, ...]
    asked: tuple[Lesson, ...]
    refused: tuple[Refusal, ...]
    shown_ids: dict[str, dict[str, str]]
    usage: Usage
    costs: dict[str, int]


@dataclass
class ReflectionProgress:
    """The results of a reflection so far."""

    events: int = 0
    changes: list[Change] = field(default_factory=list)
    proposed: list[Proposal] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    failed: str | None = None

    def add(self, plan: CommitPlan, new_commit: Commit, *, written: bool) -> None:
        """Add the results of one batch."""
        self.changes += new_commit.changes
        self.proposed += plan.proposed
        self.refused += new_commit.refused
        if written:
            self.commits.insert(0, new_commit.id)  # newest first

    def report(self, *, dry_run: bool) -> Reflection:
        """Return the results in the form that the caller gets."""
        return Reflection(
            dry_run=dry_run,
            events=self.events,
            changes=tuple(self.changes),
            proposed=tuple(self.proposed),
            refused=tuple(self.refused),
            commits=tuple(self.commits),
            usage=self.usage,
            failed=self.failed,
        )


def reflect(reflector: Reflector, user_id: str | None, *, dry_run: bool) -> Flow[Reflection]:
    """Reflect on the events since the last reflection, agent by agent, and return the results.

    Raises:
        ExtractionError: An answer of the model cannot be used, and nothing was written before it.
    """
    progress = ReflectionProgress()
    commits = yield from _read_commits(reflector, user_id)
    agents = list(dict.fromkeys(commit.identity.agent for commit in commits)) or [None]
    try:
        for number, agent in enumerate(agents):
            identity = Identity(user_id=user_id, agent=agent)
            mine = [commit for commit in commits if commit.identity.agent == agent]
            # Votes on records that agents share count once, with the first agent.
            yield from _reflect_on_agent(reflector, identity, mine, progress, first=not number, dry_run=dry_run)
    except ExtractionError as error:
        if not progress.commits:
            raise
        progress.failed = str(error)
    return progress.report(dry_run=dry_run)


def _reflect_on_agent(
    reflector: Reflector,
    identity: Identity,
    commits: Sequence[Commit],
    progress: ReflectionProgress,
    *,
    first: bool,
    dry_run: bool,
) -> Flow[None]:
    done: set[tuple[str, str]] = set()  # needed in a dry run, which does not move the mark
    while True:
        material = yield from _gather(reflector, identity, commits, votes_on_shared=first)
        events = tuple(event for event in material.events if event.place not in done)[:BATCH]
        if not events or not material.snapshots:
            return
        lessons = yield from _ask(reflector, material.snapshots, events)
        progress.usage += lessons.usage
        if dry_run:
            plan = _plan(reflector, material, lessons)
            progress.add(plan, plan.to_commit(), written=False)
        elif not (yield from _commit_lessons(reflector, material, commits, lessons, progress, first=first)):
            continue  # another reflection was first: go on from its mark
        progress.events += len(events)
        done |= {event.place for event in events}


def _commit_lessons(
    reflector: Reflector,
    material: Material,
    commits: Sequence[Commit],
    lessons: Lessons,
    progress: ReflectionProgress,
    *,
    first: bool,
) -> Flow[bool]:
    """Write the lessons and move the mark, in one write; return False if another reflection moved it first."""
    mark, last = material.mark, lessons.events[-1]
    for _ in range(TRIES):
        plan = _plan(reflector, material, lessons)
        expects = {(mark.namespace, mark.key): mark.version}
        try:
            new_commit = yield from write_commit(plan, material.snapshots, [mark.moved_to(last)], expects)
        except ConflictError:
            # Something changed since it was read. If it was not the mark, plan again on what is stored now.
            material = yield from _gather(reflector, material.identity, commits, votes_on_shared=first)
            if material.mark != mark:
                return False
        else:
            progress.add(plan, new_commit, written=bool(new_commit.changes or new_commit.proposed))
            return True
    raise ConflictError("others were first every time: reflect again")


def _read_commits(reflector: Reflector, user_id: str | None) -> Flow[list[Commit]]:
    """Return the commits to reflect on: a user's, or those of all turns that could write to the namespace."""
    if user_id is not None:
        places = [commits_namespace(Identity(user_id=user_id))]
    else:
        conditions = (MatchCondition("prefix", (ROOT, "user")), MatchCondition("suffix", (COMMITS,)))
        [listed] = yield from batch(ListNamespacesOp(conditions, limit=EVERYTHING))
        places = [tuple(place) for place in cast("list[Namespace]", listed)]
    results = yield from batch(*(SearchOp(place, limit=EVERYTHING, refresh_ttl=False) for place in places))
    items = [
        item
        for place, result in zip(places, results, strict=True)
        for item in cast("Iterable[Item]", result or ())
        if tuple(item.namespace) == place
    ]
    commits = [commit for item in items if (commit := read_commit(item)) is not None]
    if user_id is None:
        commits = [commit for commit in commits if reflector.namespace in commit.namespaces.values()]
    return sorted(commits, key=lambda commit: (commit.at, commit.id))


def _gather(
    reflector: Reflector, identity: Identity, commits: Sequence[Commit], *, votes_on_shared: bool
) -> Flow[Material]:
    """Read the records, the earlier proposals, the votes and the mark, in one round trip."""
    stores = scoped_to(reflector.stores, identity)
    scopes = list(dict.fromkeys(scope for _, scope in stores))
    place, key = (*reflector.mark_scope(identity).path, REFLECTIONS), label(identity.agent or "-")
    reads: list[Op] = [
        find_proposals(identity, decided=True),
        GetOp(place, key, refresh_ttl=False),
        *map(find_ballots, scopes),
    ]
    results, snapshots = yield from load_snapshots(stores, *reads, limit=EVERYTHING)
    mark = read_mark(place, key, results[1])
    names = [store.name for store, _ in stores]
    events = [event for commit in commits for event in events_of_commit(commit, names)]
    for scope, result in zip(scopes, results[2:], strict=True):
        ballots = list(read_ballots(scope, result).values())
        if scope.agent is not None or votes_on_shared:
            events += [
                event
                for snapshot in snapshots
                if snapshot.scope == scope
                for event in events_of_votes(snapshot, ballots)
            ]
    since = reflector.since
    wanted = [event for event in events if (event.at > since if since else event.place > mark.place)]
    wanted.sort(key=lambda event: event.place)
    return Material(identity, snapshots, read_proposals(identity, results[0]), wanted, mark)


def _ask(reflector: Reflector, snapshots: Sequence[ScopeSnapshot], events: tuple[Evidence, ...]) -> Flow[Lessons]:
    """Ask the model once what the events teach; refuse an operation whose quote is in none of them."""
    schema = answer_schema(offered_operations(snapshots), "What these events teach")
    answer = yield from ask_for_operations(reflector.model, schema, _prompt(snapshots, events), reflector.methods)
    items, refused = cut_operations(answer.operations, reflector.stores, reflector.rules.limits)
    asked: list[Lesson] = []
    for item in items:
        lesson = _read_lesson(item, events)
        if lesson is not None:
            asked.append(lesson)
            continue
        name = str(item.get("operation")) if isinstance(item, dict) else f"{item!r:.40}"
        refused.append(Refusal(operation=name, reason="its quote stands in none of the events: not learned"))
    shown = {snapshot.store.name: snapshot.short_ids for snapshot in snapshots}
    shares = {snapshot.store.name: tokens(describe_store(snapshot)) for snapshot in snapshots}
    costs = share_usage(answer.usage, shares, items, reflector.stores)
    return Lessons(events, tuple(asked), tuple(refused), shown, answer.usage, costs)


def _prompt(snapshots: Sequence[ScopeSnapshot], events: Sequence[Evidence]) -> list[BaseMessage]:
    text = "\n".join(event.line for event in events)
    stored = "\n".join(list_stored(snapshot, text) for snapshot in snapshots)
    rules = prompts.render("reflection", stores="\n\n".join(describe_store(snapshot) for snapshot in snapshots))
    return [SystemMessage(rules), HumanMessage(prompts.render("reflection_input", stored=stored, events=text))]


def _read_lesson(item: JsonValue, events: Sequence[Evidence]) -> Lesson | None:
    """Return the operation that an item asks for, with the events that contain its quote; None if none does."""
    quote = item.get("quote") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(quote, str):
        return None
    resting = [(event, actor) for event in events if (actor := event.speaker(quote)) is not None]
    if not resting:
        return None
    event, actor = resting[0]
    source = Source(
        thread_id=event.thread_id,
        message_ids=tuple(dict.fromkeys(turn for event, _ in resting for turn in event.turns)),
        quote=quote.strip(),
        actor=actor,
        user_id=event.user_id,
    )
    arguments = {key: value for key, value in item.items() if key not in ("operation", "quote")}
    request = OperationRequest(item.get("operation"), arguments, source)
    return Lesson(request, tuple(event for event, _ in resting))


def _plan(reflector: Reflector, material: Material, lessons: Lessons) -> CommitPlan:
    """Plan the operations that the model asked for, on what is stored now."""
    at, identity = datetime.now(UTC), material.identity
    spoken = ThreadWords(tuple(part for event in lessons.events for part in event.spoken))
    draft = CommitDraft(
        CommitKind.REFLECTION,
        derived_id(REFLECTION, identity.user_id, identity.agent, lessons.events[-1].key, at.isoformat()),
        identity,
        at,
        reflector.rules,
        refused=lessons.refused,
        provenance=Provenance(turn_id=REFLECTION),
        shown_ids=lessons.shown_ids,
        usage=lessons.usage,
        costs=lessons.costs,
        thread=spoken,
    )
    plan = CommitPlan(draft, {snapshot.store.name: snapshot for snapshot in material.snapshots}, material.earlier)
    for lesson in lessons.asked:
        # Each operation is tried on a copy of the plan, so that a refused one leaves no trace.
        trial = plan.fork()
        trial.add(lesson.request)
        if reason := _why_too_much(plan, trial, lesson):
            plan.refused.append(Refusal(operation=str(lesson.request.operation), reason=reason))
        else:
            plan = trial
    return plan


def _why_too_much(before: CommitPlan, after: CommitPlan, lesson: Lesson) -> str | None:
    """Return why an operation would lose too much of what is known; None if it does not, or if people asked for it."""
    proposed = [change for proposal in after.proposed[len(before.proposed) :] for change in proposal.changes]
    for change in [*after.changes[len(before.changes) :], *proposed]:
        if lesson.may_remove(change.id):
            continue
        if isinstance(change, Remove):
            return "only what people said or voted takes something out: not removed"
        old = before.snapshots[change.store].by_id.get(change.id)
        if isinstance(change, Update) and old is not None and _kept_share(old.text, change.text) < KEPT_SHARE:
            return "it would replace what stands there by something else: give it a title of its own"
    return None


def _kept_share(old: str, new: str) -> float:
    there, left = set(words(old)), set(words(new))
    return len(there & left) / len(there) if there else 1.0
