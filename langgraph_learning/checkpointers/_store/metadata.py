"""Facts about a database: its identity, the length of its vectors, and the embedder that made them."""

from collections import deque
from datetime import UTC, datetime
from threading import Lock
from weakref import WeakValueDictionary

from langgraph_learning.checkpointers._after_fork import renew_in_child
from langgraph_learning.checkpointers._store.dialect import Dialect
from langgraph_learning.checkpointers._store.embedding import Embedder
from langgraph_learning.errors import ConfigurationError, StoreError


class RevisionTracker:
    """The newest revision of a database that any store of this process has seen."""

    def __init__(self, database: str | None = None) -> None:
        self.database, self.revision = database, 0
        self._moments: deque[tuple[datetime, int]] = deque(maxlen=1_024)
        self._lock = Lock()
        renew_in_child(self)

    def renew(self) -> None:
        """Take a new lock in a forked process: a thread of the parent may hold this one."""
        self._lock = Lock()

    def __call__(self, revision: int) -> int:
        """Record `revision` and return it."""
        with self._lock:
            if revision > self.revision or not self._moments:
                self.revision = revision
                self._moments.append((datetime.now(UTC), revision))
        return revision

    def revision_at(self, at: datetime) -> int | None:
        """Return the newest revision that was seen by `at`; None when the record does not go back that far."""
        with self._lock:
            return next((revision for moment, revision in reversed(self._moments) if moment <= at), None)


_TRACKERS: WeakValueDictionary[str, RevisionTracker] = WeakValueDictionary()
_LOCK = Lock()


def tracker_for(dialect: Dialect) -> RevisionTracker:
    """Return the tracker that all stores on this database share; a copy of a database has its own."""
    with dialect.reading() as session:
        [(database,)] = session.rows("database_id", {})
        [(revision,)] = session.rows("last_revision", {})
    with _LOCK:
        tracker = _TRACKERS.setdefault(str(database), RevisionTracker(str(database)))
    tracker(int(revision))
    return tracker


def settle_dims(dialect: Dialect, embedder: Embedder) -> int:
    """Return the length of the vectors, before their tables are created."""
    with dialect.reading() as session:
        kept = next((int(row[0]) for row in session.rows("get_mark", {"name": "dims"})), None)
    dims = embedder.dims or embedder.probe() or kept or 0
    if not dims:
        raise StoreError("the embedder does not answer, so the length of its vectors is unknown: give dims=")
    if kept not in (None, dims):
        with dialect.reading() as session:
            names = [str(row[0]) for row in session.rows("get_fact", {"name": "embedder"})]
        made_by = f"{_describe(*names) if names else 'another embedder'} ({kept} dimensions)"
        raise _other_vectors(made_by, f"{embedder.name or 'this one'} ({dims})")
    embedder.dims = dims
    return dims


def settle_embedder(dialect: Dialect, name: str | None) -> None:
    """Raise unless `name` is the embedder that made the stored vectors; an embedder without a name is not checked."""
    if name is None:
        return
    with dialect.reading() as session:
        kept = session.rows("get_fact", {"name": "embedder"})
    if not kept:
        with dialect.writing() as session:
            session.run("add_fact", {"name": "embedder", "value": name})
            kept = session.rows(
                "get_fact", {"name": "embedder"}
            )  # if two processes open the database at once, the first one counts
    if kept[0][0] != name:
        raise _other_vectors(_describe(kept[0][0]), name)


def _describe(name: str) -> str:
    return "the embed='local' of an earlier version (wordllama)" if name == "local" else name


def _other_vectors(made_by: str, name: str) -> ConfigurationError:
    return ConfigurationError(
        f"the vectors in this database were made by {made_by}, and cannot be compared with those of {name}: give embed="
        " that embedder, or learn into another file or schema= (`langgraph-learning export` and `import` take along"
        " what was learned)"
    )
