"""What the options of a command name: a database, and whose records in it.

Importing this module costs next to nothing: what opens a database is imported when one is opened.
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
            raise typer.BadParameter("say whose: --user ID; `users` lists them")
        return self.user

    def without_secrets(self, text: str, *more: str) -> str:
        """Return `text` without the passwords of the URL and of `more`; parts of longer words stay."""
        for secret in dict.fromkeys(secret for url in (self.url or "", *more) for secret in secrets(url)):
            text = re.sub(rf"(?<![\w-]){re.escape(secret)}(?![\w-])", "***", text)
        return text

    def state(self, *, counting: bool = False) -> "DatabaseState | None":
        """Return what the database holds, without changing it; None for a SQLite file that is not there."""
        from langgraph_learning.checkpointers._store.inspect import inspect

        return inspect(self.where, self.schema, counting=counting)

    @contextmanager
    def open(self, *, make: bool = False) -> Iterator["OpenTarget"]:
        """Open the database.

        Args:
            make: Whether to make what is missing; a command that only reads makes nothing.

        Raises:
            ConfigurationError: There is no such database, or it is none of this package's.
        """
        from langgraph_learning.cli.open_target import open_target

        if not make:
            check_exists(self.state())
        with open_target(self) as opened:
            yield opened


def check_exists(state: "DatabaseState | None") -> "DatabaseState":
    """Return the state of a database that has this package's tables.

    Raises:
        ConfigurationError: There is no such database, or it has no such tables.
    """
    makes = "`langgraph-learning migrate` or an import makes"
    if state is None:
        raise ConfigurationError(f"there is no such SQLite file; {makes} one")
    if not state.made:
        raise ConfigurationError(f"this database holds no tables of langgraph-learning (another schema?); {makes} them")
    return state


_WRITTEN_PASSWORD = re.compile(r":(?!/)(\S+)@")


def secrets(url: str) -> list[str]:
    """Return the passwords in a URL, as they are written and as they are."""
    try:
        parts = urlsplit(url)
        passwords = [parts.password or "", *parse_qs(parts.query).get("password", [])]
    except ValueError:
        passwords = [url.partition("://")[2]]
    passwords += _WRITTEN_PASSWORD.findall(url)  # a URL written wrong shows its password in the message about it
    written = (spelling for password in passwords if password for spelling in (password, unquote(password)))
    return list(dict.fromkeys(written))
