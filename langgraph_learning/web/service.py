"""The functions that pages and REST share: reads over a whole store, and the data API for one user."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from langgraph.store.base import BaseStore
from starlette.exceptions import HTTPException

from langgraph_learning._all_users import Figures, Owners, StoreAdmin, prefix_of
from langgraph_learning.machine import LearningMachine
from langgraph_learning.namespace_labels import label
from langgraph_learning.records import ROOT, Commit, Proposal, Record, Revision
from langgraph_learning.reports import Outcome
from langgraph_learning.scoped import Scoped
from langgraph_learning.versioned_store import Json
from langgraph_learning.web.access import Visitor

CONVERSATIONS = "conversations"


@dataclass(frozen=True)
class Memory:
    """A machine and the store that has its records."""

    learning: LearningMachine
    store: BaseStore

    def scoped(self, user: str | None, thread: str | None = None, agent: str | None = None) -> Scoped:
        """Return the data API of a user."""
        return self.learning.scoped(user_id=user, thread_id=thread, agent=agent, store=self.store)

    @property
    def admin(self) -> StoreAdmin:
        """The reads over the whole store, of all users."""
        return StoreAdmin(self.store)

    async def owners(self) -> Owners:
        """Return the users, namespaces and agents that the store has data of."""
        return await self.admin.aowners()

    async def records(self, user: str) -> list[Record]:
        """Return the records of a user in all threads, and the shared ones that the user may read; newest first."""
        own, _ = await self.admin.arecords([prefix_of(user)])  # what is no record, the application has put there
        shared = [record for record in await self.scoped(user).arecords() if record.scope.namespace is not None]
        return sorted([*own, *shared], key=lambda record: (record.updated_at, record.id), reverse=True)

    async def list_shared(self, namespace: str) -> list[Record]:
        """Return the records of a namespace, newest first."""
        records, _ = await self.admin.arecords([(ROOT, "namespace", label(namespace))])
        return sorted(records, key=lambda record: (record.updated_at, record.id), reverse=True)

    async def search(self, user: str, query: str, limit: int = 50) -> list[Record]:
        """Return a user's records that fit `query`, the best first."""
        return await self.scoped(user).asearch(query, limit=limit)

    async def record(self, user: str, store: str, key: str) -> Record:
        """Return one record that the user may read.

        Raises:
            HTTPException: 404, because there is no such record.
        """
        for record in await self.records(user):
            if (record.store, record.id) == (store, key):
                return record
        raise HTTPException(404, "there is no such record")

    async def history(self, user: str, record: Record) -> list[Revision]:
        """Return the versions of a record."""
        return await self.scoped(user, record.scope.thread_id, record.scope.agent).ahistory(record.id)

    async def apply(self, user: str, operation: str, arguments: Mapping[str, Json], record: Record | None) -> Commit:
        """Carry out an operation for a person; if it is about a `record`, in the thread and for the agent of that."""
        thread, agent = (record.scope.thread_id, record.scope.agent) if record is not None else (None, None)
        return await self.scoped(user, thread, agent).aapply(operation, **arguments)

    async def undo(self, user: str, commit_id: str) -> Commit:
        """Undo a commit of a user.

        Raises:
            HTTPException: 404, because the user has no such commit.
        """
        for commit in await self.scoped(user).acommits():
            if commit.id == commit_id:
                identity = commit.identity
                return await self.scoped(user, identity.thread_id, identity.agent).aundo(commit_id)
        raise HTTPException(404, "there is no such commit")

    async def queue(self, visitor: Visitor) -> list[Proposal]:
        """Return the waiting proposals that the visitor may decide on, the oldest first."""
        if visitor.everybody:
            return await self.learning.areview_queue(store=self.store)
        return await self.scoped(visitor.name).areview_queue()

    async def decide(
        self,
        visitor: Visitor,
        key: str,
        answer: Literal["approve", "reject"],
        edit: Mapping[str, Json] | None = None,
        message: str | None = None,
    ) -> Outcome:
        """Approve or reject a proposal; the visitor's name is stored with the decision.

        Raises:
            HTTPException: 404, because it does not wait, or the visitor may not decide on it.
        """
        for proposal in await self.queue(visitor):
            if proposal.id == key:
                owner = proposal.identity
                scoped = self.scoped(owner.user_id, owner.thread_id, owner.agent) if visitor.everybody else None
                mine = scoped or self.scoped(visitor.name)
                return await mine.adecide(key, answer, edit=edit, by=visitor.name, message=message)
        raise HTTPException(404, "no such proposal waits for you")

    async def figures(self, user: str | None) -> Figures:
        """Return the statistics of each learning store, for one user or for all."""
        return await self.admin.afigures(user)

    async def forget(self, user: str) -> dict[str, int]:
        """Erase everything of a user; return the counts of what was erased."""
        return await self.scoped(user).aforget()


def count_by_store(records: list[Record]) -> dict[str, int]:
    """Return how many records each learning store has."""
    return dict(Counter(record.store for record in records))
