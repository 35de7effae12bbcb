"""Persistence for any LangGraph application: one database, a store and a checkpointer on it.

Names are loaded on first use: importing this package imports no database driver.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langgraph_learning.checkpointers._connect import LearningDB, connect
    from langgraph_learning.checkpointers.postgres import PostgresHybridStore
    from langgraph_learning.checkpointers.saver import LearningSaver
    from langgraph_learning.checkpointers.sqlite import SqliteHybridStore

__all__ = ["LearningDB", "LearningSaver", "PostgresHybridStore", "SqliteHybridStore", "connect"]

_HOMES = {
    "LearningDB": "_connect",
    "LearningSaver": "saver",
    "PostgresHybridStore": "postgres",
    "SqliteHybridStore": "sqlite",
    "connect": "_connect",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
