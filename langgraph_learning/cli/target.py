"""What a command works on: a database, and whose records in it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qs, unquote, urlsplit

import typer

from langgraph_learning._engine.repository import EVERYTHING
from langgraph_learning.checkpointers import connect
from langgraph_learning.checkpointers._store.inspect import DatabaseState, inspect
from langgraph_learning.checkpointers._store.store import HybridStore
from langgraph_learning.cli.machines import load_machine, machine_for_everything
from langgraph_learning.cli.output import notice
from langgraph_learning.errors import ConfigurationError, RecordError
from langgraph_learning.labels import unlabel
from langgraph_learning.machine import LearningMachine
from langgraph_learning.records import NOT_RECORDS, ROOT, Identity, Namespace, Record, Scope
from langgraph_learning.scoped import Scoped

_FIELDS = {"user": "user_id", "thread": "thread_id", "agent": "agent", "namespace": "namespace"}


@dataclass(frozen=True, kw_only=True)
class Target:
    """What was asked for by the options that commands share."""

    url: str | None
    schema: str | None
    embed: str | None
    as_json: bool
    user: str | None = None
    thread: str | None = None
    namespace: str = "global"
    machine: str | None = None

    @property
    def where(self) -> str:
        """The URL of the database."""
        if not self.url:
            raise typer.BadParameter("name a database: --db URL, LANGGRAPH_LEARNING_DB or DATABASE_URL")
        return self.url

    @property
    def whose(self) -> str:
        """The user, where a command is about one."""
        if self.user is None:
            raise typer.BadParameter("say whose: --user ID")
        return self.user

    def without_secrets(self, text: str, *more: str) -> str:
        """Return `text` without the passwords of the URL and of `more`; parts of longer words stay."""
        for secret in dict.fromkeys(secret for url in (self.url or "", *more) for secret in secrets(url)):
            text = re.sub(rf"(?<![\w-]){re.escape(secret)}(?![\w-])", "***", text)
        return text

    def state(self, *, counting: bool = False) -> DatabaseState | None:
        """Return what the database holds, without changing it; None for a SQLite file that is not there."""
        return inspect(self.where, self.schema, counting=counting)

    @contextmanager
    def open(self, *, make: bool = False) -> Iterator["OpenTarget"]:
        """Open the database.

        Args:
            make: Whether to make what is missing; who only reads makes nothing.

        Raises:
            ConfigurationError: There is no such database, or it is none of this package's.
        """
        if not make:
            check_exists(self.state())
        with connect(self.where, embed=self.embed, schema=self.schema) as db:
            yield OpenTarget(cast("HybridStore", db.store), self)


_WRITTEN_PASSWORD = re.compile(r":(?!/)(\S+)@")


def check_exists(found: DatabaseState | None) -> DatabaseState:
    """Return the state of a database that has this package's tables.

    Raises:
        ConfigurationError: There is no such database, or it has no such tables.
    """
    makes = "`langgraph-learning migrate` or an import makes"
    if found is None:
        raise ConfigurationError(f"there is no such SQLite file; {makes} one")
    if not found.made:
        raise ConfigurationError(f"this database holds no tables of langgraph-learning (another schema?); {makes} them")
    return found


def secrets(url: str) -> list[str]:
    """Return the passwords in a URL, as they are written and as they are."""
    try:
        parts = urlsplit(url)
        found = [parts.password or "", *parse_qs(parts.query).get("password", [])]
    except ValueError:
        found = [url.partition("://")[2]]
    found += _WRITTEN_PASSWORD.findall(url)  # a URL that is written wrong shows its password in the message about it
    return [secret for password in found if password for secret in dict.fromkeys((password, unquote(password)))]


def scope_of(namespace: Namespace) -> Scope | None:
    """Return the scope of the records that lie in `namespace`; None if it is none of a learning store."""
    names, values = namespace[1:-1:2], namespace[2:-1:2]
    if namespace[:1] != (ROOT,) or len(names) != len(values) or not names or not _FIELDS.keys() >= set(names):
        return None
    scope = Scope.model_validate({_FIELDS[name]: unlabel(value) for name, value in zip(names, values, strict=True)})
    return scope if scope.path == namespace[:-1] else None


@dataclass(frozen=True)
class OpenTarget:
    """An open database, with the machine that works on it."""

    store: HybridStore
    target: Target

    def machine(self, user: str | None) -> LearningMachine:
        """Return the machine that was named, else one of every learning store that there is for `user`."""
        if self.target.machine is not None:
            return load_machine(self.target.machine)
        scopes: dict[str, set[Scope]] = {}
        for namespace in self._namespaces(user):
            scope, name = scope_of(namespace), namespace[-1]
            if scope is not None and name.isidentifier() and name not in NOT_RECORDS:
                scopes.setdefault(name, set()).add(scope)
        return machine_for_everything(self.target.namespace, scopes)

    def scoped_for(self, user: str | None = None, thread: str | None = None) -> Scoped:
        """Return the data API of a user, in `thread` or in the one that was asked for."""
        asked = thread if thread is not None else self.target.thread
        return self.machine(user).scoped(user_id=user, thread_id=asked, store=self.store)

    def users(self) -> list[str]:
        """Return all users of whom something is kept."""
        found = self.store.list_namespaces(prefix=(ROOT, "user"), max_depth=3, limit=EVERYTHING)
        return sorted({unlabel(namespace[2]) for namespace in found})

    def records(self, user: str | None) -> list[Record]:
        """Return all records of a user, in any thread or in the one asked for, and the shared ones; oldest first.

        What is no record is told on stderr.
        """
        found = []
        for prefix in self._prefixes(user):
            for item in self.store.search(prefix, limit=EVERYTHING, refresh_ttl=False):
                if tuple(item.namespace)[: len(prefix)] != prefix or item.namespace[-1] in NOT_RECORDS:
                    continue
                try:
                    found.append(Record.from_item(item))
                except RecordError as error:
                    notice(str(error))
        asked = self.target.thread
        mine = [record for record in found if asked is None or record.scope.thread_id in (None, asked)]
        return sorted(mine, key=lambda record: (record.created_at, record.store, record.id))

    def _namespaces(self, user: str | None) -> list[Namespace]:
        return [each for prefix in self._prefixes(user) for each in self.store.all_namespaces(prefix, ())]

    def _prefixes(self, user: str | None) -> list[Namespace]:
        own = Scope(user_id=user) if user is not None else None
        shared = Scope.in_namespace(self.target.namespace, Identity(user_id=user))
        return list(dict.fromkeys(scope.path for scope in (own, shared) if scope is not None))
