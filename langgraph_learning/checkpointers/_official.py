"""LangGraph's own stores for both colours, until the hybrid stores take their place; then this module goes."""

import time
from typing import TYPE_CHECKING, cast

from langgraph.store.base import BaseStore

from langgraph_learning.checkpointers.threads import StoreInThreads, Threads
from langgraph_learning.errors import ConfigurationError

if TYPE_CHECKING:
    import sqlite3

    from langchain_core.embeddings import Embeddings
    from langgraph.store.postgres.base import PostgresIndexConfig

    from langgraph_learning.checkpointers.postgres_saver import Pool


def sqlite_store(connection: "sqlite3.Connection", threads: Threads) -> BaseStore:
    """Return LangGraph's SqliteStore, awaitable and set up."""
    import sqlite3

    from langgraph.store.sqlite import SqliteStore

    class Store(StoreInThreads, SqliteStore):
        pass

    store = Store(connection)
    store._threads = threads
    for left in reversed(range(100)):
        try:
            store.setup()
            break
        except sqlite3.Error:  # another process migrates at the same time: try the same step again
            if not left:
                raise
            time.sleep(0.05)
    return store


def postgres_store(pool: "Pool", embed: "Embeddings | str | None", dims: int | None, threads: Threads) -> BaseStore:
    """Return LangGraph's PostgresStore in threads of ours, set up."""
    from langgraph.store.postgres import PostgresStore

    class Store(StoreInThreads, PostgresStore):
        pass

    if embed is not None and dims is None:
        raise ConfigurationError("embed= needs dims=, the length of its vectors")
    index = None if embed is None else cast("PostgresIndexConfig", {"embed": embed, "dims": dims})
    store = Store(pool, index=index)
    store._threads = threads
    store.setup()
    return store
