"""Persistence for any LangGraph application: one database, a store and a checkpointer on it.

Names are loaded on first use: importing this package imports no database driver.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langgraph_learning.checkpointers._saver.learning_saver import LearningSaver
    from langgraph_learning.checkpointers._store.postgres import PostgresHybridStore
    from langgraph_learning.checkpointers._store.sqlite import SqliteHybridStore
    from langgraph_learning.checkpointers.database import LearningDB, connect

__all__ = ["LearningDB", "LearningSaver", "PostgresHybridStore", "SqliteHybridStore", "connect"]

_HOMES = {
    "LearningDB": "database",
    "LearningSaver": "_saver.learning_saver",
    "PostgresHybridStore": "_store.postgres",
    "SqliteHybridStore": "_store.sqlite",
    "connect": "database",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
