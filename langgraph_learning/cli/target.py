"""The common options of commands: which database, and whose records in it.

This module imports quickly: the modules that open a database are imported only when one is opened.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import typer

from langgraph_learning.errors import ConfigurationError

if TYPE_CHECKING:
    from langgraph_learning.checkpointers._store.inspect import DatabaseState
    from langgraph_learning.cli.open_target import OpenTarget


@dataclass(frozen=True, kw_only=True)
class Target:
    """The values of the options that commands share."""

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
        """The URL of the database; without one, the command ends with a usage error."""
        if not self.url:
            raise typer.BadParameter("name a database: --db URL, LANGGRAPH_LEARNING_DB or DATABASE_URL")
        return self.url

    @property
    def whose(self) -> str:
        """The user, for a command that needs one; without one, the command ends with a usage error."""
        if self.user is None:
            raise typer.BadParameter("name a user: --user ID; `users` lists them")
        return self.user

    def without_secrets(self, text: str, *more: str) -> str:
        """Return `text` with the passwords of the URL and of `more` replaced by `***`, but not inside longer words."""
        for secret in dict.fromkeys(secret for url in (self.url or "", *more) for secret in secrets(url)):
            text = re.sub(rf"(?<![\w-]){re.escape(secret)}(?![\w-])", "***", text)
        return text

    def state(self, *, counting: bool = False) -> "DatabaseState | None":
        """Return the state of the database without changing it; None for a SQLite file that does not exist."""
        from langgraph_learning.checkpointers._store.inspect import inspect

        return inspect(self.where, self.schema, counting=counting)

    @contextmanager
    def open(self, *, make: bool = False) -> Iterator["OpenTarget"]:
        """Open the database.

        Args:
            make: Whether to create the database and its tables if they are missing. Commands that only read do not.

        Raises:
            ConfigurationError: The database does not exist, or has no tables of this package.
        """
        from langgraph_learning.cli.open_target import open_target

        if not make:
            check_exists(self.state())
        with open_target(self) as opened:
            yield opened


def check_exists(state: "DatabaseState | None") -> "DatabaseState":
    """Return `state` if the database exists and has the tables of this package.

    Raises:
        ConfigurationError: It does not exist, or has no such tables.
    """
    makes = "`langgraph-learning migrate` or an import creates"
    if state is None:
        raise ConfigurationError(f"there is no such SQLite file; {makes} one")
    if not state.made:
        raise ConfigurationError(f"this database has no tables of langgraph-learning (another schema?); {makes} them")
    return state


_WRITTEN_PASSWORD = re.compile(r":(?!/)(\S+)@")


def secrets(url: str) -> list[str]:
    """Return the passwords in a URL, each as it is written and with its %-escapes decoded."""
    try:
        parts = urlsplit(url)
        passwords = [parts.password or "", *parse_qs(parts.query).get("password", [])]
    except ValueError:
        passwords = [url.partition("://")[2]]
    passwords += _WRITTEN_PASSWORD.findall(url)  # an error message quotes a malformed URL with its password
    written = (spelling for password in passwords if password for spelling in (password, unquote(password)))
    return list(dict.fromkeys(written))
