"""The items that the stores return."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from langgraph.store.base import Item, SearchItem

from langgraph_learning.checkpointers._store.codec import Json


class StoredItem(Item):
    """An item with its version, for `transact(expect=...)`."""

    __slots__ = ("version",)

    def __init__(
        self,
        *,
        namespace: tuple[str, ...],
        key: str,
        value: dict[str, Json],
        created_at: datetime,
        updated_at: datetime,
        version: int,
    ) -> None:
        super().__init__(value=value, key=key, namespace=namespace, created_at=created_at, updated_at=updated_at)
        self.version = version


class FoundItem(SearchItem):
    """A found item with its version and, if known, the two parts of its score."""

    __slots__ = ("parts", "version")

    def __init__(self, item: StoredItem, score: float | None, by_words: float | None = None) -> None:
        super().__init__(item.namespace, item.key, item.value, item.created_at, item.updated_at, score)
        self.version = item.version
        complete = score is not None and by_words is not None
        self.parts = {"words": by_words, "meaning": score - by_words} if complete else {}  # type: ignore[operator]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRevision:
    """One state of an item: its value (None: deleted), and the time and the commit that wrote it."""

    value: Mapping[str, Json] | None
    version: int
    revision: int
    at: datetime
    source: Mapping[str, Json] | None
