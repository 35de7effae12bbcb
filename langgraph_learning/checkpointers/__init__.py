"""Persistence for LangGraph: stores with history, compare-and-set and search by words and meaning.

Names are loaded when asked for, so that importing this package imports no database driver.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langgraph_learning.checkpointers.postgres import PostgresHybridStore
    from langgraph_learning.checkpointers.sqlite import SqliteHybridStore

_HOMES = {"PostgresHybridStore": "postgres", "SqliteHybridStore": "sqlite"}

__all__ = ["PostgresHybridStore", "SqliteHybridStore"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found
