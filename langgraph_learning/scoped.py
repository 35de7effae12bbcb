"""The data API: one user's records without a graph, for scripts, notebooks, command line and admin pages."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from langchain_core.messages.utils import MessageLikeRepresentation
from langgraph.store.base import BaseStore

from langgraph_learning._engine.approval.approval import proposals
from langgraph_learning._engine.background.pending import PendingTurn, load_pending, pending_namespace
from langgraph_learning._engine.flow import Driver
from langgraph_learning._engine.learning.commit_draft import CommitKind
from langgraph_learning._engine.maintenance.history import history, undo
from langgraph_learning._engine.maintenance.user_data import export, forget
from langgraph_learning._engine.settings import MachineSettings, check_store
from langgraph_learning.config import Model
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.nodes.identity import user_label
from langgraph_learning.records import Commit, Identity, Proposal, Record, Revision, check_ids
from langgraph_learning.reports import CurationReport, Feedback, Outcome, Recall, Receipt
from langgraph_learning.schemas import UserProfile
from langgraph_learning.scoped_flows import P, ScopedFlows
from langgraph_learning.versioned_store import Json


@dataclass(frozen=True)
class Scoped(ScopedFlows):
    """The data API of one user (and thread); every method has an async twin with the prefix `a`."""

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
        """Return the data API for checked arguments of `LearningMachine.scoped`."""
        check_store("scoped", store)
        resolved = store if store is not None else settings.store
        if resolved is None:
            raise ConfigurationError("there is no store: give LearningMachine(store=...) or scoped(store=...)")
        try:
            zone = ZoneInfo("UTC" if timezone is None else timezone).key
        except (ValueError, OSError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(f"{timezone!r} is no IANA time zone such as 'Europe/Berlin'") from error
        thread = user_label(thread_id, "thread_id")
        named = user_label(agent, "agent")
        identity = Identity(user_id=user_label(user_id), thread_id=thread, agent=named, timezone=zone)
        return cls(settings, check_ids(identity), Driver(resolved))

    def records(self, learning_store: str | None = None) -> list[Record]:
        """Return the records of one learning store, or of all, oldest first.

        Raises:
            ConfigurationError: The machine has no such learning store.
        """
        return self._driver.run(self._records(learning_store))

    async def arecords(self, learning_store: str | None = None) -> list[Record]:
        """Return the same as `records`."""
        return await self._driver.arun(self._records(learning_store))

    def search(
        self, query: str, *, limit: int = 5, store: str | None = None, at: datetime | None = None
    ) -> list[Record]:
        """Return the records that match `query` best, from all learning stores, or from the one named `store`.

        Args:
            query: The text to search for.
            limit: The largest number of records, from 1.
            store: The only learning store to search.
            at: The time whose records are searched, as in `recall`.

        Raises:
            ConfigurationError: The machine has no such learning store, or an argument cannot be used.
        """
        return self._driver.run(self._search(query, limit, store, at))

    async def asearch(
        self, query: str, *, limit: int = 5, store: str | None = None, at: datetime | None = None
    ) -> list[Record]:
        """Return the same as `search`."""
        return await self._driver.arun(self._search(query, limit, store, at))

    def recall(self, query: str, *, at: datetime | None = None) -> Recall:
        """Return what a model would be shown if the user said `query`, and why.

        Args:
            query: The user's words.
            at: A time in the past: records that did not hold then and messages said later are left out, and records
                superseded since are included. What counts is when something was said and held, not when it was
                learned: a conversation loaded today with `learn(..., at=...)` is there as of its own day, and a record
                without dates always. A time without a zone is in the user's, as in `learn`. (A run from an old
                checkpoint recalls what was known at that checkpoint.)
        """
        return self._driver.run(self._recall(query, at))

    async def arecall(self, query: str, *, at: datetime | None = None) -> Recall:
        """Return the same as `recall`."""
        return await self._driver.arun(self._recall(query, at))

    def learn(
        self,
        messages: Sequence[MessageLikeRepresentation],
        *,
        at: datetime | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Commit | None:
        """Learn from `messages`; return the last commit that changed or refused something, or None.

        The same messages are learned only once. A long history is learned in parts, each with its own commit; after an
        interruption, the same call continues where it stopped. A part whose commit was undone stays undone: it is
        skipped with a warning that names the commit to `undo` to bring it back.

        Args:
            messages: A turn, or a history.
            at: The time at which they were said; by default now. A time without a zone is in the user's, which
                `scoped(timezone=...)` names.
            progress: A function that gets the number of messages learned from and the total, after each part.

        Refused operations are listed in the commit's `refused`, even if nothing was changed.

        Raises:
            ConfigurationError: There is no model to extract with, or a message cannot be read.
            ScopeError: Nothing can be learned without a user, or without a thread.
            ExtractionError: The model's answer cannot be used; nothing is learned from this part.
            StoreError: The store failed; nothing of this part is written.
        """
        return self._driver.run(self._learn(messages, at, progress))

    async def alearn(
        self,
        messages: Sequence[MessageLikeRepresentation],
        *,
        at: datetime | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Commit | None:
        """Return the same as `learn`."""
        return await self._driver.arun(self._learn(messages, at, progress))

    def profile(self, schema: type[P] = UserProfile) -> P:  # type: ignore[assignment]
        """Return the user profile as an object of its schema; unknown fields are None.

        Args:
            schema: The configured schema, so that a type checker knows its fields; it changes nothing else.

        Raises:
            ConfigurationError: Another schema is configured, or no user profile.
        """
        return self._driver.run(self._profile(schema))

    async def aprofile(self, schema: type[P] = UserProfile) -> P:  # type: ignore[assignment]
        """Return the same as `profile`."""
        return await self._driver.arun(self._profile(schema))

    def commits(self) -> list[Commit]:
        """Return the commits that changed something, or in which everything was refused, oldest first."""
        return self._driver.run(self._commits())

    async def acommits(self) -> list[Commit]:
        """Return the same as `commits`."""
        return await self._driver.arun(self._commits())

    def history(self, record_id: str) -> list[Revision]:
        """Return all states of a record, the oldest first; a removal is a state without a record.

        Raises:
            ScopeError: This user has no such record, and had none.
            UnsupportedByStore: The store keeps no history.
        """
        return self._driver.run(history(self._settings.stores, self.identity, record_id))

    async def ahistory(self, record_id: str) -> list[Revision]:
        """Return the same as `history`."""
        return await self._driver.arun(history(self._settings.stores, self.identity, record_id))

    def undo(self, commit_id: str) -> Commit:
        """Restore the earlier state of every record that a commit changed, as a commit that can itself be undone.

        Raises:
            ScopeError: This user has no such commit.
            ConflictError: A record was changed since; nothing is undone.
            UnsupportedByStore: The store keeps no history.
        """
        return self._driver.run(undo(self._settings.stores, self.identity, commit_id, datetime.now(UTC)))

    async def aundo(self, commit_id: str) -> Commit:
        """Run `undo` without blocking the event loop."""
        return await self._driver.arun(undo(self._settings.stores, self.identity, commit_id, datetime.now(UTC)))

    def proposals(self) -> list[Proposal]:
        """Return the pending proposals, oldest first; one is marked stale if a record it would change has changed."""
        return self._driver.run(proposals(self._settings.stores, self.identity))

    async def aproposals(self) -> list[Proposal]:
        """Return the same as `proposals`."""
        return await self._driver.arun(proposals(self._settings.stores, self.identity))

    def review_queue(self, namespace: str | None = None) -> list[Proposal]:
        """Return the proposals that this person may decide, of any user and of runs without one, oldest first.

        Args:
            namespace: The shared namespace of the proposals; by default all.
        """
        return self._driver.run(self._review_queue(namespace))

    async def areview_queue(self, namespace: str | None = None) -> list[Proposal]:
        """Return the same as `review_queue`."""
        return await self._driver.arun(self._review_queue(namespace))

    def apply(self, operation: str, /, **arguments: Json) -> Commit:
        """Run one operation as a person's own edit; a record is named by its own id.

        A change of other users' words in a shared namespace is proposed, as in a conversation. So is a change in a
        learning store that proposes, if `reviewers` are configured.

        Example:
            ```python
            alex.apply("add_memory", content="Prefers concise answers")
            ```

        Args:
            operation: Its name, which is also the name of the agent's tool.
            arguments: Its arguments.

        Raises:
            ConfigurationError: No learning store of this machine has such an operation.
            ScopeError: The operation needs a user or thread, and there is none.
            ValueError: The operation cannot be carried out; nothing is written.
        """
        return self._driver.run(self._apply(operation, arguments))

    async def aapply(self, operation: str, /, **arguments: Json) -> Commit:
        """Run `apply` without blocking the event loop."""
        return await self._driver.arun(self._apply(operation, arguments))

    def decide(
        self,
        proposal_id: str,
        decision: Literal["approve", "reject"],
        *,
        edit: Mapping[str, Json] | None = None,
        by: str | None = None,
        message: str | None = None,
    ) -> Outcome:
        """Approve a proposal, unchanged or with other arguments, or reject it; return the outcome.

        Args:
            proposal_id: The id of the proposal.
            decision: An approval makes it permanent; a rejected proposal is not proposed again.
            edit: Arguments to change; the others stay.
            by: The name of the person, for the record's source; by default the user. `reviewers` is called with it.
            message: The reason; stored with the proposal.

        Raises:
            ScopeError: They may not decide about it.
            ProposalError: It is gone, already decided, the edit is not valid, or a record it would change has changed;
                it then expects the present state, and waits for another look.
        """
        return self._driver.run(self._decide(proposal_id, decision, edit, by, message))

    async def adecide(
        self,
        proposal_id: str,
        decision: Literal["approve", "reject"],
        *,
        edit: Mapping[str, Json] | None = None,
        by: str | None = None,
        message: str | None = None,
    ) -> Outcome:
        """Run `decide` without blocking the event loop."""
        return await self._driver.arun(self._decide(proposal_id, decision, edit, by, message))

    def pending(self) -> list[PendingTurn]:
        """Return the turns of this user that wait to be learned from, and those that failed, oldest first."""
        return self._driver.run(load_pending(pending_namespace(self.identity)))

    async def apending(self) -> list[PendingTurn]:
        """Return the same as `pending`."""
        return await self._driver.arun(load_pending(pending_namespace(self.identity)))

    def retry_pending(self) -> int:
        """Make the failed turns wait again, due at once, and return their number."""
        return self._driver.run(self._retry_pending())

    async def aretry_pending(self) -> int:
        """Run `retry_pending` without blocking the event loop."""
        return await self._driver.arun(self._retry_pending())

    def curate(
        self, dry_run: bool = True, *, model: Model | None = None, max_age_days: float | None = None
    ) -> CurationReport:
        """Find duplicates and outdated records; unless it is a dry run, merge and archive them.

        It covers all learning stores of the user, of the thread if one is given, and of shared namespaces. Of records
        that say the same, the oldest is kept and takes over what it lacks. Nothing is removed: archived records have
        the status `archived` and are not recalled. A real run is one commit, which `undo` takes back. Your call counts
        as approval, also in a learning store that proposes; only the judgements of `model` about such a learning store
        become proposals.

        Args:
            dry_run: Whether only to report.
            model: A model that also judges near duplicates and contradictions, in calls of 50 records of a learning
                store that ranks. A dry run calls it too, and the real run calls it again.
            max_age_days: The age in days from which unchanged records are also archived, in learning stores that rank.

        Raises:
            ConfigurationError: The model is none, or the number of days is not above 0.
            ExtractionError: The model's answer cannot be used; nothing is changed.
            ConflictError: Other writers were first every time; nothing is changed.
        """
        return self._driver.run(self._curate(dry_run, model, max_age_days))

    async def acurate(
        self, dry_run: bool = True, *, model: Model | None = None, max_age_days: float | None = None
    ) -> CurationReport:
        """Run `curate` without blocking the event loop."""
        return await self._driver.arun(self._curate(dry_run, model, max_age_days))

    def feedback(self, commit_or_receipt: Commit | Receipt | str, helpful: bool) -> Feedback:
        """Count the records recalled in a turn of this user as helpful or harmful, as `LearningMachine.feedback` does.

        Raises:
            ScopeError: The turn is not this user's; nothing is counted.
        """
        return self._driver.run(self._feedback(commit_or_receipt, helpful))

    async def afeedback(self, commit_or_receipt: Commit | Receipt | str, helpful: bool) -> Feedback:
        """Run `feedback` without blocking the event loop."""
        return await self._driver.arun(self._feedback(commit_or_receipt, helpful))

    def forget(self) -> dict[str, int]:
        """Erase everything of this user in the store, with history and commits; return the numbers of rows.

        The conversation itself stays in the checkpoints of the threads; `checkpointer.delete_thread` erases those.
        """
        return self._driver.run(forget(self._settings.stores, self.identity))

    async def aforget(self) -> dict[str, int]:
        """Run `forget` without blocking the event loop."""
        return await self._driver.arun(forget(self._settings.stores, self.identity))

    def export(self) -> Iterator[dict[str, Json]]:
        """Return the records of this user in all threads, one JSON row each."""
        return iter(self._driver.run(export(self.identity)))

    async def aexport(self) -> AsyncIterator[dict[str, Json]]:
        """Return the same as `export`."""
        for row in await self._driver.arun(export(self.identity)):
            yield row

    def load(self, rows: Iterable[Mapping[str, Json]], *, vouched: bool = False) -> int:
        """Import the rows of an `export` as this user's records, and return their number.

        Args:
            rows: The rows of an export.
            vouched: Whether you vouch for the source in the rows. Otherwise the records are marked as imported and as
                not approved.

        Raises:
            RecordError: A row is no record, or does not fit its learning store; nothing is written.
            ScopeError: There is no user, or a row belongs to none; nothing is written.
        """
        return self._driver.run(self._load(rows, vouched))

    async def aload(self, rows: Iterable[Mapping[str, Json]], *, vouched: bool = False) -> int:
        """Run `load` without blocking the event loop."""
        return await self._driver.arun(self._load(rows, vouched))


async def apply_for_agent(scoped: Scoped, operation: str, arguments: Mapping[str, Json]) -> Commit:
    """Run one operation that a model asks for; in a learning store that proposes, it waits for a person.

    Args:
        scoped: The data API of the user; never a model's choice.
        operation: Its name.
        arguments: Its arguments; a record is named by its own id.

    Raises:
        ConfigurationError: No learning store of this machine has such an operation.
        ScopeError: The operation needs a user or thread, and there is none.
        ValueError: The operation cannot be carried out; nothing is written.
    """
    return await scoped._driver.arun(scoped._apply(operation, arguments, CommitKind.TOOL_CALL))
