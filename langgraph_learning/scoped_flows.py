"""The calls of the data API as flows, which `Scoped` runs for sync and async code."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, cast
from zoneinfo import ZoneInfo

from langchain_core.messages import BaseMessage, convert_to_messages
from langchain_core.messages.utils import MessageLikeRepresentation
from langgraph.store.base import Item, SearchOp
from typing_extensions import TypeVar  # a default for a variable comes with Python 3.13

from langgraph_learning._engine.approval.approval import Answer, Approver, ReviewDecision, decide, review_queue
from langgraph_learning._engine.approval.proposals import find_proposal, load_proposals, load_turn
from langgraph_learning._engine.background.pending import load_pending, pending_namespace, retry_failed
from langgraph_learning._engine.flow import Flow, batch
from langgraph_learning._engine.learning.chunks import learn_history
from langgraph_learning._engine.learning.commit import commit
from langgraph_learning._engine.learning.commit_draft import CommitDraft, CommitKind, OperationRequest
from langgraph_learning._engine.learning.commit_plan import may_teach
from langgraph_learning._engine.maintenance.curate import Judge, curate
from langgraph_learning._engine.maintenance.feedback import feedback
from langgraph_learning._engine.maintenance.user_data import load as load_rows
from langgraph_learning._engine.recall.recall import recall, search
from langgraph_learning._engine.reflection.reflect_arguments import reflect_flow
from langgraph_learning._engine.repository import EVERYTHING, commits_namespace, read_commit, scoped_to
from langgraph_learning._engine.settings import MachineSettings, resolve_model
from langgraph_learning._engine.snapshots import load_snapshots
from langgraph_learning.config import Model
from langgraph_learning.errors import ConfigurationError, ProposalError, RecordError, ScopeError
from langgraph_learning.masking import Mask
from langgraph_learning.nodes.review import check_edit
from langgraph_learning.option_checks import (
    check_bool,
    check_function,
    check_limit,
    check_list,
    check_string,
    check_text,
)
from langgraph_learning.records import Commit, Identity, Proposal, Record, Source, derived_id
from langgraph_learning.reports import CurationReport, Feedback, Outcome, Recall, Receipt, Reflection
from langgraph_learning.schemas import UserProfile
from langgraph_learning.stores import LearningStore, UserProfileStore
from langgraph_learning.versioned_store import Json

NOBODY_APPLIES = "the record would have no owner: give scoped(user_id=..., thread_id=...)"
P = TypeVar("P", bound=UserProfile, default=UserProfile)


@dataclass(frozen=True)
class ScopedFlows:
    """One user (in one thread), and the flows on their records."""

    _settings: MachineSettings
    identity: Identity

    @property
    def stores(self) -> tuple[LearningStore, ...]:
        """The learning stores of the machine."""
        return self._settings.stores

    @property
    def mask(self) -> Mask:
        """The function that masks secrets in a text before it is stored."""
        return self._settings.mask

    def _load(self, rows: Iterable[Mapping[str, Json]], vouched: bool) -> Flow[int]:
        check_bool("load(vouched=...)", vouched)
        if isinstance(rows, Mapping):
            raise RecordError("load(rows) was given one row: give the rows of an export, each a mapping")
        entries = check_list("load(rows), the rows of an export", rows)
        return load_rows(self._settings.stores, self.identity, entries, self._settings.mask, vouched=vouched)

    def _records(self, name: str | None) -> Flow[list[Record]]:
        _, snapshots = yield from load_snapshots(scoped_to(self._resolve_stores(name), self.identity), limit=EVERYTHING)
        return [record for snapshot in snapshots for record in snapshot.records]

    def _search(self, query: str, limit: int, name: str | None, at: datetime | None) -> Flow[list[Record]]:
        check_string("search(query)", query)
        most = check_limit("search(limit=...)", limit)
        if most is None:
            raise ConfigurationError("search(limit=None): give the largest number of records, a whole number from 1")
        return search(self._resolve_stores(name), self.identity, query, most, self._moment(at))

    def _recall(self, query: str, at: datetime | None) -> Flow[Recall]:
        check_string("recall(query)", query)
        return recall(self._settings.recall_rules, self.identity, query, at=self._moment(at))

    def _moment(self, at: datetime | None) -> datetime | None:
        """Return the time of an argument `at`; one without a zone is in the user's zone."""
        if at is not None and not isinstance(at, datetime):
            raise ConfigurationError(f"at={at!r}: give a datetime, such as datetime(2026, 1, 31, tzinfo=UTC)")
        return at.replace(tzinfo=ZoneInfo(self.identity.timezone)) if at is not None and at.tzinfo is None else at

    def _learn(
        self,
        messages: Sequence[MessageLikeRepresentation],
        at: datetime | None,
        progress: Callable[[int, int], object] | None,
    ) -> Flow[Commit | None]:
        check_function("learn", "progress", progress, "of the number of messages learned from and the total")
        history, said_at = _read_history(messages), self._moment(at)
        self._check_learner()
        return learn_history(self._settings, self.identity, history, said_at, progress)

    def _check_learner(self) -> None:
        """Check that something can be learned for this user; warn once of what learns nothing.

        Raises:
            ScopeError: No learning store may write without a user, or without a thread.
        """
        settings, identity = self._settings, self.identity
        if not settings.learning:
            settings.warn_once(
                "learn nothing",
                "learn(): no learning store of this machine learns from messages; give one the mode ALWAYS or PROPOSE,"
                " or keep the messages by LearningMachine(conversations=True)",
            )
            return
        scopes = scoped_to(settings.learning, identity)
        able = [store for store, scope in scopes if may_teach(store, scope, identity, settings.shared)]
        idle = ", ".join(store.name for store in settings.learning if store not in able)
        missing = "user_id" if identity.user_id is None else "thread_id"
        told = f"learn(): {idle} cannot learn without a {missing}: give scoped({missing}=...)"
        if not able:
            raise ScopeError(told)
        if idle:
            settings.warn_once(f"learn without {missing}", told)

    def _decide(
        self, key: str, answer: object, edit: Mapping[str, Json] | None, by: str | None, message: str | None
    ) -> Flow[Outcome]:
        if not isinstance(key, str):
            raise ProposalError(f"decide({key!r}, ...): give the id of a proposal, as `proposals()` lists them")
        if answer not in ("approve", "reject") or (edit is not None and answer == "reject"):
            raise ProposalError(
                f"decide({key!r}, {answer!r}): give 'approve', with edit={{...}} or without, or 'reject'"
            )
        stores, reviewers = self._settings.stores, self._settings.reviewers
        held = yield from load_proposals([(self.identity, key)])
        if not held and reviewers is not None:  # a reviewer may decide about proposals to any user
            held = yield from find_proposal(key)
        args: dict[str, Json] | None = None
        if edit is not None and key in held:
            proposal = held[key][0]
            args = {**proposal.args, **edit}
            try:
                check_edit(stores, proposal, proposal.name, args)
            except ValueError as error:
                raise ProposalError(f"the edit is not valid: {error}") from error
        kind: Answer = "edit" if edit is not None else "approve" if answer == "approve" else "reject"
        decision = ReviewDecision(key, kind, args=args, message=message)
        [outcome] = yield from decide(stores, [decision], held, self._approver(by), self._settings.mask)
        if outcome.result not in ("approved", "rejected"):
            raise ProposalError(f"proposal {key!r}: {outcome.reason}")
        return outcome

    def _retry_pending(self) -> Flow[int]:
        turns = yield from load_pending(pending_namespace(self.identity))
        return (yield from retry_failed(turns, datetime.now(UTC)))

    def _approver(self, by: str | None = None) -> Approver:
        user = self.identity.user_id
        return Approver(by or user, datetime.now(UTC), acts_for=user, reviewers=self._settings.reviewers)

    def _review_queue(self, namespace: str | None) -> Flow[list[Proposal]]:
        if namespace is not None:
            check_text("review_queue(namespace=...)", namespace)
        whole = self.identity.user_id is None
        return review_queue(self._settings.stores, None if whole else self._approver(), namespace)

    def _apply(self, name: str, arguments: Mapping[str, Json], kind: CommitKind = CommitKind.PERSON) -> Flow[Commit]:
        offering = [store for store in self._settings.stores if any(kind.__name__ == name for kind in store.operations)]
        if not offering:
            names = [kind.__name__ for store in self._settings.stores for kind in store.operations]
            raise ConfigurationError(f"this machine has no operation {name!r}; it has {', '.join(names) or 'none'}")
        scoped_stores = scoped_to(offering[:1], self.identity)
        if not scoped_stores or not may_teach(*scoped_stores[0], self.identity, self._settings.shared):
            raise ScopeError(f"{name}: {NOBODY_APPLIES}")
        _check_arguments(offering[0], name, arguments)
        at, identity = datetime.now(UTC), self.identity
        actor: Literal["person", "agent"] = "person" if kind is CommitKind.PERSON else "agent"
        key = derived_id(actor, identity.user_id, identity.thread_id, name, arguments, at.isoformat())
        request = OperationRequest(name, arguments, Source(thread_id=identity.thread_id, actor=actor))
        _, snapshots, earlier = yield from load_turn(scoped_stores, identity, key)
        own_ids = {snapshot.store.name: {record.id: record.id for record in snapshot.records} for snapshot in snapshots}
        draft = CommitDraft(kind, key, identity, at, self._settings.rules, requests=(request,), shown_ids=own_ids)
        new_commit = yield from commit(draft, snapshots, earlier)
        if new_commit.refused:
            raise ValueError(f"{name}: " + "; ".join(refusal.reason for refusal in new_commit.refused))
        return new_commit

    def _curate(self, dry_run: bool, model: Model | None, days: float | None) -> Flow[CurationReport]:
        if days is not None and (isinstance(days, bool) or not isinstance(days, int | float) or not days > 0):
            raise ConfigurationError(f"curate(max_age_days={days!r}): give a number of days above 0")
        check_bool("curate(dry_run=...)", dry_run)
        chat = resolve_model(model)
        judge = Judge(chat, self._settings.methods) if chat is not None else None
        age = timedelta(days=days) if days is not None else None
        now = datetime.now(UTC)
        options = self._settings
        return curate(options.stores, self.identity, now, dry_run=dry_run, max_age=age, judge=judge, mask=options.mask)

    def _reflect(
        self, namespace: str | None, since: datetime | None, model: Model | None, *, dry_run: bool
    ) -> Flow[Reflection]:
        check_bool("reflect(dry_run=...)", dry_run)
        if namespace is not None:
            check_text("reflect(namespace=...)", namespace)
        user = self.identity.user_id
        return reflect_flow(self._settings, user, namespace, since=since, model=model, dry_run=dry_run)

    def _feedback(self, about: Commit | Receipt | str, helpful: bool) -> Flow[Feedback]:
        check_feedback(about, helpful)
        return feedback(self._settings.stores, self.identity, about, helpful, datetime.now(UTC))

    def _profile(self, schema: type[P]) -> Flow[P]:
        [store] = self._resolve_stores("user_profile")
        if not isinstance(store, UserProfileStore):
            raise ConfigurationError(
                f"{type(store).__name__} is no UserProfileStore: read it by records('user_profile')"
            )
        if schema is not UserProfile and schema is not store.schema:
            raise ConfigurationError(
                f"the configured schema is {store.schema.__name__}: ask for profile({store.schema.__name__}), or give"
                f" UserProfileConfig(schema={getattr(schema, '__name__', repr(schema))})"
            )
        _, snapshots = yield from load_snapshots(scoped_to([store], self.identity))
        return cast("P", store.profile([record for snapshot in snapshots for record in snapshot.records]))

    def _commits(self) -> Flow[list[Commit]]:
        if self.identity.user_id is None:
            return []
        namespace = commits_namespace(self.identity)
        [result] = yield from batch(SearchOp(namespace, limit=EVERYTHING, refresh_ttl=False))
        items = [item for item in cast("list[Item]", result) if tuple(item.namespace) == namespace]
        commits = [commit for item in items if (commit := read_commit(item)) is not None]
        commits = [commit for commit in commits if commit.changes or commit.refused]
        return sorted(commits, key=lambda commit: (commit.at, commit.id))

    def _resolve_stores(self, name: str | None) -> tuple[LearningStore, ...]:
        if name is None:
            return self._settings.stores
        chosen = tuple(store for store in self._settings.stores if store.name == name)
        if not chosen:
            names = ", ".join(store.name for store in self._settings.stores) or "none"
            raise ConfigurationError(f"this machine has no learning store {name!r}; it has {names}")
        return chosen


def check_feedback(about: object, helpful: object) -> None:
    """Raise `ConfigurationError` unless these are the arguments of `feedback`."""
    if not isinstance(about, Commit | Receipt | str) or not isinstance(helpful, bool):
        raise ConfigurationError("feedback takes a commit, its id or a receipt, and True or False")


def _read_history(messages: object) -> list[BaseMessage]:
    """Return the messages of a history; a text alone would be read letter by letter."""
    example = 'give a list of messages, such as [("user", "I prefer tea.")]'
    if not isinstance(messages, Iterable) or isinstance(messages, str | bytes | Mapping | BaseMessage):
        raise ConfigurationError(f"learn({messages!r:.80}): {example}")
    try:
        return convert_to_messages(cast("Sequence[MessageLikeRepresentation]", messages))
    except KeyError as error:
        raise ConfigurationError(f"learn(): a message has no {error}: give it, or leave the message out") from error
    except (NotImplementedError, ValueError, TypeError) as error:
        raise ConfigurationError(f"learn(): a message cannot be read: {error}; {example}") from error


def _check_arguments(store: LearningStore, name: str, arguments: Mapping[str, object]) -> None:
    """Raise `ValueError` unless the arguments of an operation are JSON, and those that it needs are not empty."""
    [kind] = [kind for kind in store.operations if kind.__name__ == name]
    needed = [field for field, info in kind.model_fields.items() if info.is_required()]
    if empty := [field for field in needed if arguments.get(field) is None or arguments[field] == ""]:
        raise ValueError(f"{name}({', '.join(kind.model_fields)}): {' and '.join(empty)} must be given and not empty")
    try:
        json.dumps(arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: arguments are plain JSON values: {error}") from error
