"""The functions that pages and REST share: reads over a whole store, and the data API for one user."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from langgraph.store.base import BaseStore
from starlette.exceptions import HTTPException

from langgraph_learning._engine.flow import Driver
from langgraph_learning._engine.maintenance.learning_stats import Figures, load_figures
from langgraph_learning._engine.repository import EVERYTHING
from langgraph_learning.errors import RecordError
from langgraph_learning.machine import LearningMachine
from langgraph_learning.namespaces import label, unlabel
from langgraph_learning.records import NOT_RECORDS, ROOT, Commit, Namespace, Proposal, Record, Revision
from langgraph_learning.reports import Outcome
from langgraph_learning.scoped import Scoped
from langgraph_learning.web.access import Visitor

CONVERSATIONS = "conversations"


@dataclass(frozen=True)
class Known:
    """The users, namespaces and agents that the store has data of."""

    users: tuple[str, ...]
    namespaces: tuple[str, ...]
    agents: tuple[str, ...]


@dataclass(frozen=True)
class Memory:
    """A machine and the store that has its records."""

    learning: LearningMachine
    store: BaseStore

    def scoped(self, user: str | None, thread: str | None = None, agent: str | None = None) -> Scoped:
        """Return the data API of a user."""
        return self.learning.scoped(user_id=user, thread_id=thread, agent=agent, store=self.store)

    async def list_known(self) -> Known:
        """Return the users, namespaces and agents that the store has data of."""
        paths = await self.store.alist_namespaces(prefix=(ROOT,), limit=EVERYTHING)
        owned = [path for path in paths if len(path) > 2 and path[0] == ROOT]
        agents = {unlabel(path[at + 1]) for path in owned for at in range(1, len(path) - 2, 2) if path[at] == "agent"}
        return Known(
            tuple(sorted({unlabel(path[2]) for path in owned if path[1] == "user"})),
            tuple(sorted({unlabel(path[2]) for path in owned if path[1] == "namespace"})),
            tuple(sorted(agents)),
        )

    async def records(self, user: str) -> list[Record]:
        """Return the records of a user in all threads, and the shared ones that the user may read; newest first."""
        own = await self._under((ROOT, "user", label(user)))
        shared = [record for record in await self.scoped(user).arecords() if record.scope.namespace is not None]
        return sorted([*own, *shared], key=lambda record: (record.updated_at, record.id), reverse=True)

    async def list_shared(self, namespace: str) -> list[Record]:
        """Return the records of a namespace, newest first."""
        found = await self._under((ROOT, "namespace", label(namespace)))
        return sorted(found, key=lambda record: (record.updated_at, record.id), reverse=True)

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

    async def apply(self, user: str, operation: str, arguments: Mapping[str, Any], record: Record | None) -> Commit:
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
        edit: Mapping[str, Any] | None = None,
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
        prefix = (ROOT,) if user is None else (ROOT, "user", label(user))
        return await Driver(self.store).arun(load_figures(prefix))

    async def forget(self, user: str) -> dict[str, int]:
        """Erase everything of a user; return the counts of what was erased."""
        return await self.scoped(user).aforget()

    async def _under(self, prefix: Namespace) -> list[Record]:
        records = []
        for item in await self.store.asearch(prefix, limit=EVERYTHING, refresh_ttl=False):
            path = tuple(item.namespace)
            if path[: len(prefix)] != prefix or path[-1] in NOT_RECORDS:
                continue
            try:
                records.append(Record.from_item(item))
            except RecordError:  # an item that the application stores there itself
                continue
        return [record for record in records if record.past_of is None]  # earlier versions are part of the history


def count_by_store(records: list[Record]) -> dict[str, int]:
    """Return how many records each learning store has."""
    return dict(Counter(record.store for record in records))
