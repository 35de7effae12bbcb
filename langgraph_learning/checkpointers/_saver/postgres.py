"""LangGraph's PostgresSaver for sync and async code, with thread copies and run rollbacks, in a schema of its own."""

import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any, Self, cast

import psycopg
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from psycopg import Cursor
from psycopg.rows import DictRow, dict_row

from langgraph_learning.checkpointers._executor import WorkerThreads
from langgraph_learning.checkpointers._postgres import AnyConnection, Connections, is_behind_pooler
from langgraph_learning.checkpointers._saver.async_saver import AsyncSaverMixin, Parameters
from langgraph_learning.checkpointers._schema_lookup import SET_UP, create_schema, find_installation
from langgraph_learning.checkpointers._store.sql_statements import load_blocks
from langgraph_learning.errors import StoreError


class PostgresCheckpointSaver(AsyncSaverMixin, PostgresSaver):
    """A checkpointer on Postgres for sync code and any event loop.

    LangGraph's statements name their tables without a schema, so Postgres looks them up in the search path of the
    session. Behind a pooler that session may be another client's. So each statement gets the schema written into it.
    """

    SQL = "postgres"

    def __init__(
        self,
        connections: Connections,
        *,
        threads: WorkerThreads,
        schema: str | None = None,
        serde: SerializerProtocol | None = None,
    ) -> None:
        super().__init__(cast("Any", connections), serde=serde)
        self._connections, self._threads, self._schema = connections, threads, schema
        self._qualify = _Qualifier("public", self.MIGRATIONS)
        # PostgresSaver lets one thread in at a time because it has one connection; here each thread has its own
        self.lock = cast("threading.Lock", nullcontext())

    def setup(self) -> None:
        """Create missing tables; where nothing is missing it writes nothing and needs no right to write."""
        with self._connections.lend(unhurried=True) as connection, connection.transaction():
            pooled = self._connections.behind_pooler = is_behind_pooler(connection)
            installation = find_installation(connection, self._schema, behind_pooler=pooled)
            self._qualify = _Qualifier(installation.schema, self.MIGRATIONS)
            if not installation.missing and self._count_migrations(connection, installation.name) == len(
                self.MIGRATIONS
            ):
                return
            self._begin_setup(connection)
            create_schema(connection, installation)
            with self._qualified_cursor(connection) as cursor:
                for number in range(self._count_migrations(connection, installation.name), len(self.MIGRATIONS)):
                    # A transaction cannot create an index concurrently. But in a transaction a failed set-up leaves
                    # nothing behind.
                    cursor.execute(re.sub(r"\bconcurrently\b", "", self.MIGRATIONS[number], flags=re.IGNORECASE))
                    cursor.execute("insert into checkpoint_migrations (v) values (%s)", (number,))

    def _begin_setup(self, connection: AnyConnection) -> None:
        milliseconds = int(1_000 * self._connections.patience.seconds)
        steps = load_blocks("postgres", "savers")["begin_setup"]
        try:
            for step in steps:
                connection.execute(step.encode(), {"wait": str(milliseconds), "lock": SET_UP}, prepare=False)
        except psycopg.errors.LockNotAvailable as error:
            raise StoreError("another process has been setting this database up for too long: try again") from error

    def _count_migrations(self, connection: AnyConnection, schema: str) -> int:
        """Return how many of LangGraph's migrations the database has had."""
        exists, count = load_blocks("postgres", "savers")["applied_checkpoint_migrations"]
        with self._qualified_cursor(connection) as cursor:
            table = cursor.execute(exists, {"schema": schema, "table": "checkpoint_migrations"}).fetchone()
            if table is None or not table["present"]:
                return 0
            row = cursor.execute(count).fetchone()
            return int(row["number"]) if row else 0

    def _query(self, statement: str) -> list[str]:
        with self._cursor() as cursor:
            return [str(value) for row in cursor.execute(statement).fetchall() for value in row.values()]

    def _transact(self, statements: Iterable[str], parameters: Parameters) -> None:
        with (
            self._connections.lend(unhurried=True) as connection,
            connection.transaction(),
            self._qualified_cursor(connection) as cursor,
        ):
            for statement in statements:
                cursor.execute(statement, parameters, prepare=False)

    @contextmanager
    def _cursor(self, *, pipeline: bool = False) -> Iterator[Cursor[DictRow]]:
        with ExitStack() as stack:
            connection = stack.enter_context(self._connections.lend())
            if pipeline:  # what belongs together is one transaction, sent at once
                if self.supports_pipeline:
                    stack.enter_context(connection.pipeline())
                stack.enter_context(connection.transaction())
            yield stack.enter_context(self._qualified_cursor(connection))

    def _qualified_cursor(self, connection: AnyConnection) -> "_QualifiedCursor":
        cursor = _QualifiedCursor(connection, row_factory=dict_row)
        cursor.format = psycopg.pq.Format.BINARY
        cursor.qualify = self._qualify
        return cursor


class _Qualifier:
    """A function that writes a schema before the names of the tables that `migrations` create."""

    def __init__(self, schema: str, migrations: Iterable[str]) -> None:
        tables = re.findall(r"create table if not exists (\w+)", " ".join(migrations), flags=re.IGNORECASE)
        self._name = re.compile(rf"(?<![\w.\"'])(?:{'|'.join(sorted(tables))})(?!\w)")
        self._schema = schema
        self._written: dict[tuple[str, bool], str] = {}

    def __call__(self, query: str, *, has_params: bool = False) -> str:
        """Return `query` with the schema; with parameters, a percent sign in the schema's name is doubled."""
        if (text := self._written.get((query, has_params))) is None:
            schema = self._schema.replace("%", "%%") if has_params else self._schema
            text = self._name.sub(lambda match: f"{schema}.{match[0]}", query)
            if len(self._written) < 1_000:
                self._written[query, has_params] = text
        return text


class _QualifiedCursor(Cursor[DictRow]):
    """A cursor that writes the schema into its statements."""

    qualify: _Qualifier

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        return super().execute(self._with_schema(query, params), params, **options)

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        super().executemany(self._with_schema(query, params_seq), params_seq, **options)

    def _with_schema(self, query: Any, params: object) -> Any:
        return self.qualify(query, has_params=params is not None) if isinstance(query, str) else query
