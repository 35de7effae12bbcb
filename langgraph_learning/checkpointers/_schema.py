"""Where in a Postgres database an installation lives, found out without changing anything."""

from typing import NamedTuple
from zlib import crc32

from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from langgraph_learning.checkpointers._postgres import AnyConnection
from langgraph_learning.checkpointers._store.statements import load_blocks
from langgraph_learning.errors import ConfigurationError

SET_UP = crc32(b"langgraph_learning")
"""The lock under which one process at a time makes a schema and its tables."""


class Installation(NamedTuple):
    """A schema, and the one that pgvector lives in."""

    name: str
    missing: bool
    vector: str | None

    @property
    def schema(self) -> str:
        """The name as it stands in a statement."""
        return Identifier(self.name).as_string(None)


def find_installation(connection: AnyConnection, schema: str | None, *, behind_pooler: bool) -> Installation:
    """Return the installation in `schema`, by default the current schema; called inside a transaction.

    Raises:
        ConfigurationError: The connection has no current schema.
    """
    blocks = load_blocks("postgres", "schema")
    cursor = connection.cursor(row_factory=dict_row)
    if behind_pooler:
        cursor.execute(blocks["reset_search_path"][0].encode(), prepare=False)
    found = cursor.execute(blocks["resolve_schema"][0].encode(), {"schema": schema}, prepare=False).fetchone()
    if found is None or found["name"] is None:
        raise ConfigurationError("this connection has no current schema; give schema=")
    vector = cursor.execute(blocks["vector_schema"][0].encode(), prepare=False).fetchone()
    missing = schema is not None and bool(found["missing"])
    return Installation(found["name"], missing, vector["name"] if vector else None)


def create_schema(connection: AnyConnection, installation: Installation) -> None:
    """Create the schema if it is missing, which takes a right that a schema made by an administrator spares."""
    if installation.missing:
        connection.execute(SQL("create schema if not exists {}").format(Identifier(installation.name)))
