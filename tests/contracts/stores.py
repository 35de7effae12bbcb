"""What the tests of the stores share."""

import hashlib
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from langchain_core.embeddings import Embeddings
from langgraph.store.base import BaseStore


class WordEmbeddings(Embeddings):
    """A deterministic embedder: a dimension a word, more or less; it remembers what it was asked."""

    def __init__(self, dims: int = 32) -> None:
        self.dims = dims
        self.documents: list[str] = []
        self.queries: list[str] = []

    def _vector(self, text: str) -> list[float]:
        vector = [0.01] * self.dims
        for word in re.findall(r"\w+", text.lower()):
            vector[int(hashlib.md5(word.encode()).hexdigest(), 16) % self.dims] += 1
        return vector

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.documents += texts
        return [self._vector(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        self.queries.append(text)
        return self._vector(text)


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_minutes(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)


class Coloured:
    """A store whose methods are awaited, whichever colour the call then has."""

    def __init__(self, store: BaseStore, colour: str) -> None:
        self.store, self.colour = store, colour

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            if self.colour == "async":
                return await getattr(self.store, f"a{name}")(*args, **kwargs)
            return getattr(self.store, name)(*args, **kwargs)

        return call

    async def keys(self, *prefix: str, **options: Any) -> list[str]:
        return [item.key for item in await self.search(prefix, **options)]
