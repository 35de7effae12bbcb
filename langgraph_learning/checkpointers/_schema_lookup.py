"""The schema of a Postgres database that holds an installation, looked up without changing anything."""

from typing import NamedTuple
from zlib import crc32

from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from langgraph_learning.checkpointers._postgres import AnyConnection
from langgraph_learning.checkpointers._store.sql_statements import load_blocks
from langgraph_learning.errors import ConfigurationError

SET_UP = crc32(b"langgraph_learning")
"""The lock that lets one process at a time create a schema and its tables."""


class Installation(NamedTuple):
    """The schema that holds the tables, and the schema that holds pgvector."""

    name: str
    missing: bool
    vector: str | None

    @property
    def schema(self) -> str:
        """The name of the schema, quoted for a statement."""
        return Identifier(self.name).as_string(None)


def find_installation(connection: AnyConnection, schema: str | None, *, behind_pooler: bool) -> Installation:
    """Return the installation in `schema`, by default in the current schema; call it inside a transaction.

    Raises:
        ConfigurationError: The connection has no current schema.
    """
    blocks = load_blocks("postgres", "schema")
    cursor = connection.cursor(row_factory=dict_row)
    if behind_pooler:
        cursor.execute(blocks["reset_search_path"][0].encode(), prepare=False)
    row = cursor.execute(blocks["resolve_schema"][0].encode(), {"schema": schema}, prepare=False).fetchone()
    if row is None or row["name"] is None:
        raise ConfigurationError("this connection has no current schema; give schema=")
    vector = cursor.execute(blocks["vector_schema"][0].encode(), prepare=False).fetchone()
    missing = schema is not None and bool(row["missing"])
    return Installation(row["name"], missing, vector["name"] if vector else None)


def create_schema(connection: AnyConnection, installation: Installation) -> None:
    """Create the schema if it is missing; only then does the user need the right to create one."""
    if installation.missing:
        connection.execute(SQL("create schema if not exists {}").format(Identifier(installation.name)))
