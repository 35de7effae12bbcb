"""The items that the stores return."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from langgraph.store.base import Item, SearchItem

from langgraph_learning.checkpointers._store.codec import Json, read_json


class _Decoded:
    """Decodes the value of an item when it is first asked for: of many that a search finds only the scores count."""

    __slots__ = ()
    _written: str | dict[str, Json]

    @property
    def value(self) -> dict[str, Json]:
        """The stored dictionary."""
        if isinstance(self._written, str):
            self.value = read_json(self._written)
        return cast("dict[str, Json]", self._written)

    @value.setter
    def value(self, written: str | dict[str, Json]) -> None:
        self._written = written  # type: ignore[misc]  # a slot of each class below


class StoredItem(_Decoded, Item):
    """An item with its version, for `transact(expect=...)`."""

    __slots__ = ("_written", "version")

    def __init__(
        self,
        *,
        namespace: tuple[str, ...],
        key: str,
        value: Json,
        created_at: datetime,
        updated_at: datetime,
        version: int,
    ) -> None:
        super().__init__(value=value, key=key, namespace=namespace, created_at=created_at, updated_at=updated_at)
        self.version = version


class FoundItem(_Decoded, SearchItem):
    """A found item with its version and, if known, the two parts of its score."""

    __slots__ = ("_written", "parts", "version")

    def __init__(self, item: StoredItem, score: float | None, by_words: float | None = None) -> None:
        written: Json = item._written
        super().__init__(item.namespace, item.key, written, item.created_at, item.updated_at, score)
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
