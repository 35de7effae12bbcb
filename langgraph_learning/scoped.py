"""The data API: one user's records without a graph, for scripts, notebooks, command line and admin pages."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from langchain_core.messages.utils import MessageLikeRepresentation
from langgraph.store.base import BaseStore

from langgraph_learning._engine.approval.approval import Outcome, proposals
from langgraph_learning._engine.background.pending import PendingTurn, load_pending, pending_namespace
from langgraph_learning._engine.flow import Driver
from langgraph_learning._engine.learning.draft import CommitKind
from langgraph_learning._engine.maintenance.history import history, undo
from langgraph_learning._engine.maintenance.user_data import export, forget
from langgraph_learning._engine.recall.recall import Recall, Receipt, search
from langgraph_learning._engine.settings import MachineSettings, check_store
from langgraph_learning.config import Model
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.nodes.identity import user_label
from langgraph_learning.records import Commit, CurationReport, Feedback, Identity, Proposal, Record, Revision, check_ids
from langgraph_learning.schemas import UserProfile
from langgraph_learning.scoped_flows import P, ScopedFlows, with_zone


@dataclass(frozen=True)
class Scoped(ScopedFlows):
    """What one user (in one thread) has taught: every method has an `a...` twin."""

    _driver: Driver

    @classmethod
    def of(
        cls,
        settings: MachineSettings,
        *,
        user_id: str | int | None,
        thread_id: str | int | None,
        store: BaseStore | None,
        timezone: str | None,
        agent: str | None = None,
    ) -> "Scoped":
        """Check what `LearningMachine.scoped` was given."""
        check_store("scoped", store)
        opened = store if store is not None else settings.store
        if opened is None:
            raise ConfigurationError("there is no store: give LearningMachine(store=...) or scoped(store=...)")
        try:
            zone = ZoneInfo("UTC" if timezone is None else timezone).key
        except (ValueError, OSError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(f"{timezone!r} is no IANA time zone such as 'Europe/Berlin'") from error
        thread = user_label(thread_id, "thread_id")
        named = user_label(agent, "agent")
        identity = Identity(user_id=user_label(user_id), thread_id=thread, agent=named, timezone=zone)
        return cls(settings, check_ids(identity), Driver(opened))

    def records(self, learning_store: str | None = None) -> list[Record]:
        """Return the records, oldest first; of one learning store, or of all.

        Raises:
            ConfigurationError: The machine has no such learning store.
        """
        return self._driver.run(self._records(learning_store))

    async def arecords(self, learning_store: str | None = None) -> list[Record]:
        """Return what `records` does."""
        return await self._driver.arun(self._records(learning_store))

    def search(
        self, query: str, *, limit: int = 5, store: str | None = None, at: datetime | None = None
    ) -> list[Record]:
        """Return the records that fit `query` best, over all learning stores, or of the one named `store`.

        Args:
            query: What to look for.
            limit: How many at most.
            store: In which learning store alone.
            at: Of which moment, as `recall` takes it.

        Raises:
            ConfigurationError: The machine has no such learning store.
        """
        return self._driver.run(search(self._resolve_stores(store), self.identity, query, limit, with_zone(at)))

    async def asearch(
        self, query: str, *, limit: int = 5, store: str | None = None, at: datetime | None = None
    ) -> list[Record]:
        """Return what `search` does."""
        return await self._driver.arun(search(self._resolve_stores(store), self.identity, query, limit, with_zone(at)))

    def recall(self, query: str, *, at: datetime | None = None) -> Recall:
        """Return what a model would be shown if the user said `query`, and why.

        Args:
            query: What the user says.
            at: Of which moment: what did not hold then is left out, and what was superseded since is not.
        """
        return self._driver.run(self._recall(query, at))

    async def arecall(self, query: str, *, at: datetime | None = None) -> Recall:
        """Return what `recall` does."""
        return await self._driver.arun(self._recall(query, at))

    def learn(
        self,
        messages: Sequence[MessageLikeRepresentation],
        *,
        at: datetime | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Commit | None:
        """Learn from `messages`; return the last commit that this came to, None if they teach nothing.

        The same messages teach once. A long history is learned in parts, each a commit of its own: one that was
        interrupted goes on where it stopped when it is called again.

        Args:
            messages: A turn, or a history.
            at: When it was said; by default now.
            progress: Is told how many messages were learned from, and how many there are, after each part.

        What was asked for and refused stands in the commit's `refused`, also where nothing was changed.

        Raises:
            ConfigurationError: There is no model to extract with.
            ExtractionError: The model's answer cannot be used; of this part nothing is learned.
            StoreError: The store failed; of this part nothing is written.
        """
        return self._driver.run(self._learn(messages, at, progress))

    async def alearn(
        self,
        messages: Sequence[MessageLikeRepresentation],
        *,
        at: datetime | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Commit | None:
        """Return what `learn` does."""
        return await self._driver.arun(self._learn(messages, at, progress))

    def profile(self, schema: type[P] = UserProfile) -> P:  # type: ignore[assignment]
        """Return the user profile as an object of its schema; fields that are not known are None.

        Args:
            schema: The schema that is configured, for a type checker to know its fields; it changes nothing else.

        Raises:
            ConfigurationError: Another schema is configured, or no user profile.
        """
        return self._driver.run(self._profile(schema))

    async def aprofile(self, schema: type[P] = UserProfile) -> P:  # type: ignore[assignment]
        """Return what `profile` does."""
        return await self._driver.arun(self._profile(schema))

    def commits(self) -> list[Commit]:
        """Return what changed something, or was refused all of it, oldest first."""
        return self._driver.run(self._commits())

    async def acommits(self) -> list[Commit]:
        """Return what `commits` does."""
        return await self._driver.arun(self._commits())

    def history(self, record_id: str) -> list[Revision]:
        """Return all states of a record, the oldest first; a removal is a state without a record.

        Raises:
            UnsupportedByStore: The store keeps no history.
        """
        return self._driver.run(history(self._settings.stores, self.identity, record_id))

    async def ahistory(self, record_id: str) -> list[Revision]:
        """Return what `history` does."""
        return await self._driver.arun(history(self._settings.stores, self.identity, record_id))

    def undo(self, commit_id: str) -> Commit:
        """Put every record that a commit changed back to what it was, as a commit that can be undone in turn.

        Raises:
            ScopeError: There is no such commit of this user.
            ConflictError: A record was changed since; nothing is undone.
            UnsupportedByStore: The store keeps no history.
        """
        return self._driver.run(undo(self._settings.stores, self.identity, commit_id, datetime.now(UTC)))

    async def aundo(self, commit_id: str) -> Commit:
        """Do what `undo` does."""
        return await self._driver.arun(undo(self._settings.stores, self.identity, commit_id, datetime.now(UTC)))

    def proposals(self) -> list[Proposal]:
        """Return what waits for a person, in the order it was proposed, marked where it has become stale."""
        return self._driver.run(proposals(self._settings.stores, self.identity))

    async def aproposals(self) -> list[Proposal]:
        """Return what `proposals` does."""
        return await self._driver.arun(proposals(self._settings.stores, self.identity))

    def review_queue(self, namespace: str | None = None) -> list[Proposal]:
        """Return the proposals, of any user and of none, that this person may decide about, the oldest first.

        Args:
            namespace: What is proposed for this shared namespace; by default everything.
        """
        return self._driver.run(self._review_queue(namespace))

    async def areview_queue(self, namespace: str | None = None) -> list[Proposal]:
        """Return what `review_queue` does."""
        return await self._driver.arun(self._review_queue(namespace))

    def apply(self, operation: str, /, **arguments: Any) -> Commit:
        """Carry out one operation by a person's own hand; a record is named by its own id.

        What changes others' words in a shared namespace is proposed, as in a conversation; so is a change of a learning
        store that proposes, where `reviewers` are named.

        Example:
            ```python
            alex.apply("add_memory", content="Prefers concise answers")
            ```

        Args:
            operation: Its name, as the agent's tool of it is called.
            arguments: What it is given.

        Raises:
            ConfigurationError: No learning store of this machine has such an operation.
            ScopeError: Nobody knows whose the record would be.
            ValueError: The operation cannot be carried out; nothing is written.
        """
        return self._driver.run(self._apply(operation, arguments))

    async def aapply(self, operation: str, /, **arguments: Any) -> Commit:
        """Do what `apply` does."""
        return await self._driver.arun(self._apply(operation, arguments))

    def decide(
        self,
        proposal_id: str,
        decision: Literal["approve", "reject"],
        *,
        edit: Mapping[str, Any] | None = None,
        by: str | None = None,
        message: str | None = None,
    ) -> Outcome:
        """Approve a proposal, as it stands or with other arguments, or reject it; say what came of it.

        Args:
            proposal_id: Which one.
            decision: An approval makes it permanent; what is rejected is not proposed again.
            edit: Arguments to change; the others stay.
            by: Who decides, for the record's source; by default the user. `reviewers` are asked about them.
            message: Why; kept with the proposal.

        Raises:
            ScopeError: They may not decide about it.
            ProposalError: It is gone, was decided already, the edit is not valid, or what it would change has changed
                meanwhile: it then says how it stands now, and waits for another look.
        """
        return self._driver.run(self._decide(proposal_id, decision, edit, by, message))

    async def adecide(
        self,
        proposal_id: str,
        decision: Literal["approve", "reject"],
        *,
        edit: Mapping[str, Any] | None = None,
        by: str | None = None,
        message: str | None = None,
    ) -> Outcome:
        """Do what `decide` does."""
        return await self._driver.arun(self._decide(proposal_id, decision, edit, by, message))

    def pending(self) -> list[PendingTurn]:
        """Return the turns of this user that wait to be learned from, and those that failed, oldest first."""
        return self._driver.run(load_pending(pending_namespace(self.identity)))

    async def apending(self) -> list[PendingTurn]:
        """Return what `pending` does."""
        return await self._driver.arun(load_pending(pending_namespace(self.identity)))

    def retry_pending(self) -> int:
        """Let the turns that failed wait again, due at once, and return how many these are."""
        return self._driver.run(self._retry_pending())

    async def aretry_pending(self) -> int:
        """Do what `retry_pending` does."""
        return await self._driver.arun(self._retry_pending())

    def curate(
        self, dry_run: bool = True, *, model: Model | None = None, max_age_days: float | None = None
    ) -> CurationReport:
        """Find what is said twice and what holds no longer; unless it is a dry run, merge it and set it aside.

        It looks through all learning stores of the user, of the thread if one is named, and of shared namespaces.
        Of what says the same the oldest is kept and takes over what it lacks; nothing is removed: what is set aside
        has the status `archived` and is not recalled. Real runs are one commit, which `undo` takes back. You who call
        it are the person who says yes, also for a learning store that proposes; but what a model judged of such a one
        is only proposed.

        Args:
            dry_run: Whether only to report.
            model: Also judges near duplicates and contradictions, in calls of 50 records of one learning store that
                ranks; a dry run asks it, too, and the real run asks it again.
            max_age_days: Also sets aside what was not changed for so many days, in learning stores that rank.

        Raises:
            ConfigurationError: It is no model, or no number of days.
            ExtractionError: The model's answer cannot be used; nothing is changed.
            ConflictError: Others were first every time; nothing is changed.
        """
        return self._driver.run(self._curate(dry_run, model, max_age_days))

    async def acurate(
        self, dry_run: bool = True, *, model: Model | None = None, max_age_days: float | None = None
    ) -> CurationReport:
        """Do what `curate` does."""
        return await self._driver.arun(self._curate(dry_run, model, max_age_days))

    def feedback(self, commit_or_receipt: Commit | Receipt | str, helpful: bool) -> Feedback:
        """Count what was recalled in a turn of this user as helpful or harmful, as `LearningMachine.feedback` does.

        Raises:
            ScopeError: It is no turn of this user; nothing is counted.
        """
        return self._driver.run(self._feedback(commit_or_receipt, helpful))

    async def afeedback(self, commit_or_receipt: Commit | Receipt | str, helpful: bool) -> Feedback:
        """Do what `feedback` does."""
        return await self._driver.arun(self._feedback(commit_or_receipt, helpful))

    def forget(self) -> dict[str, int]:
        """Erase everything of this user in the store, history and commits included; return how many rows that were.

        What was said stays in the checkpoints of the threads: `checkpointer.delete_thread` erases those.
        """
        return self._driver.run(forget(self._settings.stores, self.identity))

    async def aforget(self) -> dict[str, int]:
        """Do what `forget` does."""
        return await self._driver.arun(forget(self._settings.stores, self.identity))

    def export(self) -> Iterator[dict[str, Any]]:
        """Return the records of this user in all threads, one JSON row each."""
        return iter(self._driver.run(export(self.identity)))

    async def aexport(self) -> AsyncIterator[dict[str, Any]]:
        """Return what `export` does."""
        for row in await self._driver.arun(export(self.identity)):
            yield row

    def load(self, rows: Iterable[Mapping[str, Any]], *, vouched: bool = False) -> int:
        """Take in what `export` handed out, as this user's, and return how many records that were.

        Args:
            rows: The rows of an export.
            vouched: Whether you vouch for where the rows say they come from. Otherwise the records are marked as
                imported, and as approved by nobody.

        Raises:
            RecordError: A row is no record, or does not fit its learning store; nothing is written.
            ScopeError: There is no user, or a row belongs to none; nothing is written.
        """
        return self._driver.run(self._load(rows, vouched))

    async def aload(self, rows: Iterable[Mapping[str, Any]], *, vouched: bool = False) -> int:
        """Do what `load` does."""
        return await self._driver.arun(self._load(rows, vouched))


async def apply_for_agent(scoped: Scoped, operation: str, arguments: Mapping[str, Any]) -> Commit:
    """Carry out one operation that a model asks for; in a learning store that proposes, it waits for a person.

    Args:
        scoped: For whom; never a model's choice.
        operation: Its name.
        arguments: What it is given; a record is named by its own id.

    Raises:
        ConfigurationError: No learning store of this machine has such an operation.
        ScopeError: Nobody knows whose the record would be.
        ValueError: The operation cannot be carried out; nothing is written.
    """
    return await scoped._driver.arun(scoped._apply(operation, arguments, CommitKind.TOOL_CALL))
