"""The sources of an import: a JSON or JSON-lines file, or the tables of a database; and the kind of their content."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote, unquote

from langgraph_learning.errors import ConfigurationError, StoreError
from langgraph_learning.importing import agno, json_files, langgraph, langmem, mem0, own_export
from langgraph_learning.importing.build_row import Found, Skipped, parse_json
from langgraph_learning.importing.json_files import Document

Table: TypeAlias = tuple[str, ...]
"""The name of a table; in Postgres with its schema in front."""
Read: TypeAlias = Callable[[Table], list[Document]]
KINDS = ("auto", "export", "agno", "langmem", "langgraph", "mem0")
ITEM = frozenset({"namespace", "key", "value"})
STORE = frozenset({"prefix", "key", "value"})
OURS = "hybrid_items"


def read(source: str, kind: str = "auto", *, user_at: int | None = None) -> tuple[str, Iterator[Found]]:
    """Return the kind of a source, and its rows.

    Args:
        source: A file of JSON or JSON lines, a SQLite file, or the URL of a database.
        kind: One of `KINDS`; by default it is detected from the content.
        user_at: The index of the user's label in a LangGraph namespace.

    Raises:
        ConfigurationError: It is no such file, or of no known kind.
        StoreError: The database cannot be read.
    """
    if source.startswith(("postgresql://", "postgres://")):
        with _postgres(source) as (tables, rows):
            return _of_tables(tables, rows, kind, user_at)
    path = Path(unquote(source.removeprefix("sqlite:///")) if source.startswith("sqlite:///") else source)
    try:
        head = path.read_bytes()[:16] if path.is_file() else None
    except OSError as error:
        raise ConfigurationError(f"cannot read {source}: {error.strerror}") from error
    if head is None:
        raise ConfigurationError(f"there is no file {str(path)!r} to import")
    if head == b"SQLite format 3\0":
        with _sqlite(path) as (tables, rows):
            return _of_tables(tables, rows, kind, user_at)
    return _of_documents(*json_files.read(path), kind, user_at)


def _of_tables(
    tables: Mapping[Table, frozenset[str]], rows: Read, kind: str, user_at: int | None
) -> tuple[str, Iterator[Found]]:
    learnings = [table for table, columns in tables.items() if columns >= agno.COLUMNS or columns >= agno.MEMORIES]
    stores = [table for table, columns in tables.items() if table[-1] == "store" and columns >= STORE]
    if kind == "auto" and learnings and stores:
        raise ConfigurationError("this database holds learnings of Agno and items of LangGraph: say which, by --from")
    if learnings and kind in ("auto", "agno"):
        return "agno", agno.rows([row for table in learnings for row in rows(table)])
    if stores and kind in ("auto", "langgraph", "langmem"):
        items = [_item(row) for table in stores for row in rows(table)]
        return _of_items(items, kind, user_at)
    if any(table[-1] == OURS for table in tables):
        raise ConfigurationError(
            "this is a database of langgraph-learning itself: `langgraph-learning export` it to a file, and import that"
        )
    option = "" if kind == "auto" else f" --from {kind}"
    raise ConfigurationError(
        f"this database has no table to import{option}: neither Agno's learnings nor a LangGraph store"
    )


def _of_items(items: list[Document], kind: str, user_at: int | None) -> tuple[str, Iterator[Found]]:
    if kind == "langmem":
        return kind, langmem.rows(items, user_at)
    return "langgraph", langgraph.rows(items, user_at)


def _of_documents(
    entries: list[Document], broken: list[Skipped], kind: str, user_at: int | None
) -> tuple[str, Iterator[Found]]:
    detected = _kind(entries) if kind == "auto" else kind
    if detected in ("langgraph", "langmem"):
        detected, imported = _of_items(entries, detected, user_at)
    else:
        makers: dict[str, Callable[[Iterable[Document]], Iterator[Found]]] = {
            "agno": agno.rows,
            "export": own_export.rows,
            "mem0": mem0.rows,
        }
        imported = makers[detected](entries)
    return detected, iter([*broken, *imported])


def _kind(entries: list[Document]) -> str:
    keys = set(entries[0]) if entries else set()
    if entries and own_export.is_backup_row(entries[0]):
        return "export"
    marks = [
        ("export", {"store", "scope", "content"}),
        ("agno", agno.COLUMNS),
        ("agno", agno.MEMORIES),
        ("langgraph", ITEM),
        ("mem0", {"memory"}),
    ]
    for kind, keys_needed in marks:
        if keys >= keys_needed:
            return kind
    raise ConfigurationError(f"this file is of no known kind: say which, by --from {'|'.join(KINDS[1:])}")


def _item(row: Document) -> Document:
    """Return a row of LangGraph's table as an item."""
    return {**row, "namespace": row["prefix"], "value": parse_json(row["value"])}


@contextmanager
def _sqlite(path: Path) -> Iterator[tuple[dict[Table, frozenset[str]], Read]]:
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=30)) as connection:
            connection.row_factory = sqlite3.Row
            columns = connection.execute(
                "select m.name, p.name from sqlite_master m, pragma_table_info(m.name) p where m.type = 'table'"
            )

            def rows(table: Table) -> list[Document]:
                name = table[-1].replace('"', '""')
                return [dict(row) for row in connection.execute(f'select * from "{name}"')]  # noqa: S608 - a table's name

            yield _tables(((name,), column) for name, column in columns), rows
    except sqlite3.Error as error:
        raise StoreError(f"cannot read the SQLite database {str(path)!r}: {error}") from error


@contextmanager
def _postgres(url: str) -> Iterator[tuple[dict[Table, frozenset[str]], Read]]:
    try:
        import psycopg
        from psycopg.rows import dict_row
        from psycopg.sql import SQL, Identifier
    except ImportError as error:
        raise ConfigurationError("Postgres needs its driver: pip install 'langgraph-learning[postgres]'") from error
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            columns = connection.execute(
                "select table_schema, table_name, column_name from information_schema.columns"
                " where table_schema not in ('information_schema', 'pg_catalog')"
            ).fetchall()

            def rows(table: Table) -> list[Document]:
                cursor = connection.cursor(row_factory=dict_row)
                return cursor.execute(SQL("select * from {}").format(Identifier(*table))).fetchall()

            yield _tables(((schema, name), column) for schema, name, column in columns), rows
    except psycopg.ProgrammingError:
        raise ConfigurationError("Postgres cannot read this URL, or refuses to read its tables") from None
    except psycopg.Error as error:
        raise StoreError(f"cannot read the Postgres database: {error}") from error


def _tables(columns: Iterable[tuple[Table, str]]) -> dict[Table, frozenset[str]]:
    tables: dict[Table, set[str]] = {}
    for table, column in columns:
        tables.setdefault(table, set()).add(column)
    return {table: frozenset(names) for table, names in tables.items()}
