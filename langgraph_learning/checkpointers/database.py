"""One URL, one database: a store and a checkpointer for sync and async code alike."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from importlib import import_module
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self, TypeAlias
from urllib.parse import unquote

from langgraph.store.base import BaseStore

from langgraph_learning.checkpointers._saver.async_saver import Saver
from langgraph_learning.checkpointers._saver.saver import LearningSaver
from langgraph_learning.checkpointers._threads import WorkerThreads
from langgraph_learning.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

FORMS = "use sqlite:///file.db, sqlite:////absolute/file.db, sqlite:///:memory: or postgresql://user@host:5432/database"
EXTRA = "Postgres needs its driver: pip install 'langgraph-learning[postgres]'"
SAVER_THREADS = 1  # the checkpointer has one connection on SQLite


class OpenDatabase(NamedTuple):
    """What an open database offers."""

    store: BaseStore
    checkpointer: LearningSaver


Opener: TypeAlias = Callable[[ExitStack], OpenDatabase]


class LearningDB:
    """A database with a store and a checkpointer, open inside its `with` or `async with` block.

    Both hand out this same object, and what is opened by either serves sync code and any event loop. It can be opened
    again after the block, but not twice at once.
    """

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._lock = Lock()
        self._opened: OpenDatabase | None = None
        self._closing = ExitStack()

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
                raise ConfigurationError("the database is open already: share what the first `with` handed out")
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
        except asyncio.CancelledError:  # the thread goes on opening: what it opens would have nobody to close it
            await asyncio.wait([opening])
            if opening.exception() is None:
                await asyncio.to_thread(self._close)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._close)


def connect(
    url: str, *, embed: "Embeddings | str | None" = None, dims: int | None = None, schema: str | None = None
) -> LearningDB:
    """Return the database of `url`, to be opened by `with` or `async with`, which also creates its tables.

    Example:
        ```python
        with connect("sqlite:///learning.db") as db:
            agent = create_learning_agent("openai:gpt-5.2", db=db)
            graph = builder.compile(store=db.store, checkpointer=db.checkpointer)  # or any graph of yours
        ```

    Args:
        url: `sqlite:///file.db` (relative), `sqlite:////absolute/file.db`, `sqlite:///:memory:` or `postgresql://...`.
        embed: What turns texts into vectors; without it, search is lexical.
        dims: The length of its vectors.
        schema: A schema of the Postgres database for this installation, created when it is missing.

    Raises:
        ConfigurationError: The URL or an option cannot work, or the driver is missing.
    """
    scheme, separator, rest = url.partition("://") if isinstance(url, str) else ("", "", "")
    if dims is not None and embed is None:
        raise ConfigurationError("dims= is the length of the vectors of embed=, which is missing")
    if separator and scheme == "sqlite":
        if schema is not None:
            raise ConfigurationError("SQLite has no schemas: use another file, or leave schema= out")
        return LearningDB(partial(_open_sqlite, sqlite_path(rest), embed, dims))
    if separator and scheme in ("postgresql", "postgres"):
        _check_postgres(url, schema)
        return LearningDB(partial(_open_postgres, url, embed, dims, schema))
    given = "a text without sqlite:// or postgresql://" if isinstance(url, str) else f"a {type(url).__name__}"
    told = f"a URL that begins with {scheme}://" if separator else given  # the text may hold a password
    raise ConfigurationError(f"connect() cannot open {told}: {FORMS}")


def sqlite_path(rest: str) -> str:
    """Return the file of what follows `sqlite://`."""
    if not rest.startswith("/") or rest == "/":
        raise ConfigurationError(f"sqlite:// is followed by a slash and a file name: {FORMS}")
    if "?" in rest or "#" in rest:
        raise ConfigurationError(f"a sqlite URL takes no options; write ? as %3F and # as %23 in a file name: {FORMS}")
    return unquote(rest[1:])


def _check_postgres(url: str, schema: str | None) -> None:
    try:
        psycopg = import_module("psycopg")
        import_module("psycopg_pool")
        import_module("langgraph.checkpoint.postgres")
    except ImportError as error:
        raise ConfigurationError(f"{EXTRA} ({error})") from error
    try:
        psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # the cause quotes the URL, which may hold a password
        raise ConfigurationError(f"Postgres cannot read this URL: {FORMS}") from None
    if schema is not None and not schema.strip():
        raise ConfigurationError("schema= is empty: name a schema, or leave it out")


def _open_sqlite(path: str, embed: "Embeddings | str | None", dims: int | None, stack: ExitStack) -> OpenDatabase:
    import sqlite3

    from langgraph_learning.checkpointers._saver.sqlite import SqliteCheckpointSaver
    from langgraph_learning.checkpointers._sqlite import open_saver_connection
    from langgraph_learning.checkpointers._store.sqlite import SqliteHybridStore

    try:
        for_saver = stack.enter_context(open_saver_connection(path))
        threads = stack.enter_context(_threads(SAVER_THREADS))
        saver = SqliteCheckpointSaver(for_saver, threads=threads)
        saver.setup()
    except sqlite3.Error as error:
        raise StoreError(f"cannot open the SQLite database {path!r}: {error}") from error
    return _make_database(stack.enter_context(SqliteHybridStore(path, embed=embed, dims=dims)), saver)


def _open_postgres(
    url: str, embed: "Embeddings | str | None", dims: int | None, schema: str | None, stack: ExitStack
) -> OpenDatabase:
    import psycopg

    from langgraph_learning.checkpointers._postgres import POOL_SIZE, advisory_lock, open_pool
    from langgraph_learning.checkpointers._saver.postgres import PostgresCheckpointSaver
    from langgraph_learning.checkpointers._store.postgres import PostgresHybridStore

    try:
        with advisory_lock(url, schema):
            connections = stack.enter_context(open_pool(url, schema, size=POOL_SIZE))
            threads = stack.enter_context(_threads(POOL_SIZE))
            saver = PostgresCheckpointSaver(connections, threads=threads)
            saver.setup()
            store = PostgresHybridStore(connections, embed=embed, dims=dims, schema=schema)
            return _make_database(stack.enter_context(store), saver)
    except psycopg.Error as error:
        raise StoreError(f"cannot open the Postgres database: {error}") from error


def _make_database(store: BaseStore, saver: Saver) -> OpenDatabase:
    return OpenDatabase(store, LearningSaver(saver, store))


@contextmanager
def _threads(count: int) -> Iterator[WorkerThreads]:
    with closing(WorkerThreads(count)) as threads:
        yield threads
