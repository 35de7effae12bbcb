"""One URL, one database: a store and a checkpointer for sync and async code."""

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self, TypeAlias
from urllib.parse import unquote

from langgraph.store.base import BaseStore

from langgraph_learning.checkpointers._after_fork import renew_in_child
from langgraph_learning.checkpointers._executor import WorkerThreads
from langgraph_learning.checkpointers._saver.async_saver import Saver
from langgraph_learning.checkpointers._saver.learning_saver import LearningSaver
from langgraph_learning.checkpointers._saver.serializer import strict_serializer
from langgraph_learning.checkpointers._timeouts import TIMEOUT
from langgraph_learning.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

FORMS = "use sqlite:///file.db, sqlite:////absolute/file.db, sqlite:///:memory: or postgresql://user@host:5432/database"
EXTRA = "Postgres needs its driver: pip install 'langgraph-learning[postgres]'"
SAVER_THREADS = 2  # on SQLite the checkpointer has one connection, so one blocked call holds up at most one other
POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")


class OpenDatabase(NamedTuple):
    """The store and the checkpointer of an open database."""

    store: BaseStore
    checkpointer: LearningSaver


Opener: TypeAlias = Callable[[ExitStack], OpenDatabase]


class LearningDB:
    """A database with a store and a checkpointer, open inside its `with` or `async with` block.

    Both blocks return this same object, and either one serves sync code and any event loop. It can be opened again
    after the block, but not twice at the same time.
    """

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._lock = Lock()
        self._opened: OpenDatabase | None = None
        self._closing = ExitStack()
        renew_in_child(self)

    def renew(self) -> None:
        """Take a new lock in a forked process: a thread of the parent may hold this one."""
        self._lock = Lock()

    @property
    def store(self) -> BaseStore:
        """The store, for `compile(store=...)`."""
        return self._open().store

    @property
    def checkpointer(self) -> LearningSaver:
        """The checkpointer, for `compile(checkpointer=...)`."""
        return self._open().checkpointer

    def _open(self) -> OpenDatabase:
        if self._opened is None:
            raise ConfigurationError("the database is not open: use it inside `with connect(...) as db:`")
        return self._opened

    def __enter__(self) -> Self:
        with self._lock:
            if self._opened is not None:
                raise ConfigurationError(
                    "the database is open already: share the object that the first `with` returned"
                )
            with ExitStack() as closing:
                self._opened = self._opener(closing)
                self._closing = closing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        with self._lock:
            self._opened = None
            self._closing.close()

    async def __aenter__(self) -> Self:
        opening = asyncio.ensure_future(asyncio.to_thread(self.__enter__))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:  # the thread keeps opening; without this wait nobody would close what it opens
            await asyncio.wait([opening])
            if opening.exception() is None:
                await asyncio.to_thread(self._close)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._close)


def connect(
    url: str,
    *,
    embed: "Embeddings | str | None" = None,
    dims: int | None = None,
    schema: str | None = None,
    timeout: float = TIMEOUT,
    allowed_types: Iterable[type] = (),
) -> LearningDB:
    """Return the database of `url`; a `with` or `async with` block opens it and creates its tables.

    Example:
        ```python
        with connect("sqlite:///learning.db") as db:
            agent = create_learning_agent("openai:gpt-5.2", db=db)
            graph = builder.compile(store=db.store, checkpointer=db.checkpointer)  # or any graph of yours
        ```

    Args:
        url: `sqlite:///file.db` (relative), `sqlite:////absolute/file.db`, `sqlite:///:memory:` or `postgresql://...`
            (`postgresql+psycopg://` likewise).
        embed: An embedder for search by meaning; without it, search is lexical.
        dims: The length of its vectors.
        schema: A schema of the Postgres database for this installation, created when it is missing.
        timeout: The longest time, in seconds, to connect, to get a free connection, to wait for an answer, or for other
            writers while none of them gets on. A statement that erases or migrates may take longer.
        allowed_types: Classes of the graph's state that the checkpointer may build when it reads a checkpoint, in
            addition to messages and to what LangGraph itself allows; any other class comes back as plain data.

    Raises:
        ConfigurationError: The URL or an option cannot work, or the driver is missing.
    """
    scheme, separator, location = url.partition("://") if isinstance(url, str) else ("", "", "")
    options = _Options(embed, dims, schema, timeout, tuple(allowed_types))
    if dims is not None and embed is None:
        raise ConfigurationError("dims= needs embed=: it is the length of its vectors")
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise ConfigurationError(f"timeout= is a number of seconds above 0, not {timeout!r}")
    if separator and scheme == "sqlite":
        if schema is not None:
            raise ConfigurationError("SQLite has no schemas: use another file, or leave schema= out")
        return LearningDB(partial(_open_sqlite, sqlite_path(location), options))
    if separator and scheme in POSTGRES:
        _check_postgres(url, schema)
        return LearningDB(partial(_open_postgres, postgres_url(url), options))
    given = "a text without sqlite:// or postgresql://" if isinstance(url, str) else f"a {type(url).__name__}"
    shown = (
        f"a URL that begins with {scheme}://" if separator else given
    )  # never show the text itself: it may hold a password
    raise ConfigurationError(f"connect() cannot open {shown}: {FORMS}")


class _Options(NamedTuple):
    embed: "Embeddings | str | None"
    dims: int | None
    schema: str | None
    timeout: float
    allowed_types: tuple[type, ...]


def sqlite_path(location: str) -> str:
    """Return the file path that follows `sqlite://` in a URL."""
    if not location.startswith("/") or location == "/":
        raise ConfigurationError(f"sqlite:// is followed by a slash and a file name: {FORMS}")
    if "?" in location or "#" in location:
        raise ConfigurationError(f"a sqlite URL takes no options; write ? as %3F and # as %23 in a file name: {FORMS}")
    return unquote(location[1:])


def postgres_url(url: str) -> str:
    """Return `url` in the form that Postgres reads: URLs of SQLAlchemy have the driver in their scheme."""
    scheme, _, location = url.partition("://")
    return f"{scheme.partition('+')[0]}://{location}"


def _check_postgres(url: str, schema: str | None) -> None:
    try:
        psycopg = import_module("psycopg")
        import_module("psycopg_pool")
        import_module("langgraph.checkpoint.postgres")
    except ImportError as error:
        raise ConfigurationError(f"{EXTRA} ({error})") from error
    try:
        psycopg.conninfo.conninfo_to_dict(postgres_url(url))
    except psycopg.ProgrammingError:
        parameters = [option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()]
        # the original error quotes the URL, which may hold a password
        raise ConfigurationError(f"Postgres cannot read this URL{_name_typo(url, parameters)}: {FORMS}") from None
    if schema is not None and not schema.strip():
        raise ConfigurationError("schema= is empty: name a schema, or leave it out")


def _name_typo(url: str, parameters: Sequence[str]) -> str:
    """Return the hint that names the first parameter Postgres does not have, and the one that was probably meant."""
    query = url.partition("?")[2]
    names = [part.partition("=")[0] for part in query.split("&") if "=" in part]
    wrong = next((name for name in names if name not in parameters), None)
    if wrong is None or "@" in query or not re.fullmatch(r"\w+", wrong):  # it may be part of a password
        return ""
    meant = get_close_matches(wrong, parameters, n=1)
    return f": it has no parameter {wrong!r}" + (f" (did you mean {meant[0]!r}?)" if meant else "")


def _open_sqlite(path: str, options: _Options, stack: ExitStack) -> OpenDatabase:
    import sqlite3

    from langgraph_learning.checkpointers._saver.sqlite import SqliteCheckpointSaver
    from langgraph_learning.checkpointers._store.sqlite import SqliteHybridStore

    serde = strict_serializer(options.allowed_types)
    try:
        threads = stack.enter_context(closing(WorkerThreads(SAVER_THREADS)))
        saver = stack.enter_context(
            closing(SqliteCheckpointSaver(path, threads=threads, timeout=options.timeout, serde=serde))
        )
        saver.setup()
    except sqlite3.Error as error:
        raise StoreError(f"cannot open the SQLite database {path!r}: {error}") from error
    store = SqliteHybridStore(path, embed=options.embed, dims=options.dims, timeout=options.timeout)
    return _make_database(stack.enter_context(store), saver)


def _open_postgres(url: str, options: _Options, stack: ExitStack) -> OpenDatabase:
    import psycopg

    from langgraph_learning.checkpointers._postgres import POOL_SIZE, Connections
    from langgraph_learning.checkpointers._saver.postgres import PostgresCheckpointSaver
    from langgraph_learning.checkpointers._store.postgres import PostgresHybridStore

    serde = strict_serializer(options.allowed_types)
    try:
        connections = stack.enter_context(closing(Connections(url, timeout=options.timeout)))
        connections.open()
        threads = stack.enter_context(closing(WorkerThreads(POOL_SIZE)))
        saver = PostgresCheckpointSaver(connections, threads=threads, schema=options.schema, serde=serde)
        saver.setup()
        store = PostgresHybridStore(connections, embed=options.embed, dims=options.dims, schema=options.schema)
        return _make_database(stack.enter_context(store), saver)
    except psycopg.Error as error:
        raise StoreError(f"cannot open the Postgres database: {error}") from error


def _make_database(store: BaseStore, saver: Saver) -> OpenDatabase:
    return OpenDatabase(store, LearningSaver(saver, store))
