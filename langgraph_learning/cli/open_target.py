"""An open database with its learning machine: what commands read from it, and the data API of a user."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import cast

from langgraph_learning._all_users import StoreAdmin
from langgraph_learning.checkpointers import LearningSaver, connect
from langgraph_learning.checkpointers._store.store import HybridStore
from langgraph_learning.cli.machines import load_machine, machine_for_everything
from langgraph_learning.cli.output import notice
from langgraph_learning.cli.target import Target
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.machine import LearningMachine
from langgraph_learning.namespace_labels import label, unlabel
from langgraph_learning.records import NOT_RECORDS, ROOT, Identity, Namespace, Record, Scope
from langgraph_learning.scoped import Scoped

NOBODY = "no --user: only shared records of the namespace are read"
_FIELDS = {"user": "user_id", "thread": "thread_id", "agent": "agent", "namespace": "namespace"}


@contextmanager
def open_target(target: Target) -> Iterator["OpenTarget"]:
    """Open the database of `target`; create its tables if they are missing."""
    with connect(target.where, embed=target.embed, schema=target.schema) as db:
        yield OpenTarget(cast("HybridStore", db.store), target, db.checkpointer)


def scope_of(namespace: Namespace) -> Scope | None:
    """Return the scope of the records in a namespace of the store; None if it is not one of a learning store."""
    names, values = namespace[1:-1:2], namespace[2:-1:2]
    if namespace[:1] != (ROOT,) or len(names) != len(values) or not names or not _FIELDS.keys() >= set(names):
        return None
    scope = Scope.model_validate({_FIELDS[name]: unlabel(value) for name, value in zip(names, values, strict=True)})
    return scope if scope.path == namespace[:-1] else None


@dataclass(frozen=True)
class OpenTarget:
    """An open database, and the options of the command."""

    store: HybridStore
    target: Target
    checkpointer: LearningSaver
    coming: frozenset[str] = frozenset()
    """The names of learning stores whose records an import will write; unknown names get a stand-in."""

    @property
    def admin(self) -> StoreAdmin:
        """The reads over the whole store, of all users."""
        return StoreAdmin(self.store)

    def machine(self, user: str | None, model: str | None = None) -> LearningMachine:
        """Return the machine of `--machine`, or one with every learning store, custom ones with records of `user` too.

        Raises:
            ConfigurationError: Both `model` and `--machine` are given.
        """
        if self.target.machine is not None and model is not None:
            raise ConfigurationError("--model and --machine: your machine has its model; give one of the two")
        if self.target.machine is not None:
            return load_machine(self.target.machine)
        return self._machine_of(self._namespaces(user), model)

    def _machine_of(self, namespaces: Iterable[Namespace], model: str | None) -> LearningMachine:
        scopes: dict[str, set[Scope]] = {}
        for namespace in namespaces:
            scope, name = scope_of(namespace), namespace[-1]
            if scope is not None and name.isidentifier() and name not in NOT_RECORDS:
                scopes.setdefault(name, set()).add(scope)
        for name in self.coming:
            scopes.setdefault(name, set())
        return machine_for_everything(self.target.namespace, scopes, model)

    def machine_for_all(self) -> LearningMachine:
        """Return the machine of `--machine`, or one with every learning store, custom ones of any user too."""
        if self.target.machine is not None:
            return load_machine(self.target.machine)
        return self._machine_of(self.store.all_namespaces((ROOT,), ()), None)

    def scoped_for(self, user: str | None = None, thread: str | None = None, *, model: str | None = None) -> Scoped:
        """Return the data API of a user, in `thread` or else in the thread of `--thread`."""
        thread_id = thread if thread is not None else self.target.thread
        return self.machine(user, model).scoped(user_id=user, thread_id=thread_id, store=self.store)

    def records(self, user: str | None) -> list[Record]:
        """Return the records of a user and the shared ones, oldest first; with `--thread` none of another session.

        An item that is not a valid record is reported on stderr and left out.
        """
        records, errors = self.admin.records(self._prefixes(user))
        for error in errors:
            notice(str(error))
        thread = self.target.thread
        mine = [record for record in records if thread is None or record.scope.thread_id in (None, thread)]
        return sorted(mine, key=lambda record: (record.created_at, record.store, record.id))

    def check_user(self) -> None:
        """Print a notice if no user is given, or if the database has no data of the user; suggest similar names."""
        user = self.target.user
        if user is None:
            notice(NOBODY)
            return
        if self.store.all_namespaces((ROOT, "user", label(user)), ()):
            return
        users = self.admin.owners().users
        folded = {name.casefold(): name for name in users}
        alike = get_close_matches(user.casefold(), folded, n=3, cutoff=0.7)
        hint = f"; did you mean {' or '.join(repr(folded[name]) for name in alike)}?" if alike else ""
        notice(f"the database has no data of a user {user!r}{hint or '; `users` lists the users'}")

    def _namespaces(self, user: str | None) -> list[Namespace]:
        return [namespace for prefix in self._prefixes(user) for namespace in self.store.all_namespaces(prefix, ())]

    def _prefixes(self, user: str | None) -> list[Namespace]:
        own = Scope(user_id=user) if user is not None else None
        shared = Scope.in_namespace(self.target.namespace, Identity(user_id=user))
        return list(dict.fromkeys(scope.path for scope in (own, shared) if scope is not None))
