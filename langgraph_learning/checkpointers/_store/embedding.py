"""Embedding of texts, done before a connection is taken and never while one is held.

When the embedder fails, a search goes on by words alone. A write with text to embed fails, because an item without its
vector would not be found by meaning, and nobody would notice.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from langchain_core.embeddings import Embeddings
from langgraph.store.base import ensure_embeddings

from langgraph_learning.checkpointers._store.dialect import Floats
from langgraph_learning.checkpointers._store.local_embedding import LocalEmbeddings
from langgraph_learning.errors import ConfigurationError, StoreError

log = logging.getLogger("langgraph_learning")


def as_embeddings(embed: Embeddings | str) -> Embeddings:
    """Return the embedder that `embed` names: `Embeddings`, `"provider:model"` or `"local"`."""
    if embed == "local":
        return LocalEmbeddings()
    try:
        return ensure_embeddings(embed)
    except (ValueError, ImportError) as wrong:
        raise ConfigurationError(f"embed={embed!r} cannot be used: {wrong}") from wrong


def normalize(vector: Sequence[float], dims: int | None) -> Floats | None:
    """Return `vector` scaled to length 1; None if its length is 0 or infinite."""
    floats = np.asarray(vector, dtype=np.float32)
    if dims is not None and floats.shape != (dims,):
        raise StoreError(f"the embedder gave {floats.shape} numbers where this store keeps {dims}")
    length = float(np.linalg.norm(floats))
    return floats / np.float32(length) if 0 < length < float("inf") else None


def _sendable(texts: list[str]) -> list[str]:
    """Return texts that can be encoded as UTF-8: embedders refuse lone surrogates."""
    return [text.encode(errors="replace").decode() for text in texts]


Answers: TypeAlias = list[list[float] | None]


def _no_answers(asked: Sequence[str], error: Exception) -> Answers:
    log.warning("the embedder failed (%s: %s): this search goes by words alone", type(error).__name__, error)
    return [None] * len(asked)


class Vectors:
    """The unit vectors of some documents and queries."""

    def __init__(self, documents: Mapping[str, Floats | None], queries: Mapping[str, Floats | None]) -> None:
        self.documents, self.queries = documents, queries


NO_VECTORS = Vectors({}, {})


class Embedder:
    """The embedder of a store: it embeds each text of a batch once, documents and queries by their own methods."""

    def __init__(self, embed: Embeddings | str | None, dims: int | None) -> None:
        self._embeddings = None if embed is None else as_embeddings(embed)
        self.dims = dims

    @property
    def name(self) -> str | None:
        """The kind of vectors, such as class and model name; None if the embedder has no model name."""
        values = (getattr(self._embeddings, name, None) for name in ("model", "model_name", "model_id"))
        model = next((name for name in values if isinstance(name, str) and name), None)
        return f"{type(self._embeddings).__name__} {model}" if model else None

    @property
    def active(self) -> bool:
        """Whether there is an embedder at all."""
        return self._embeddings is not None

    def probe(self) -> int:
        """Return how many dimensions the vectors have; 0 when the embedder does not answer."""
        answers = self._embed_queries(["dimensions"]) if self._embeddings else [None]
        return len(answers[0] or ())

    def vectors(self, documents: Iterable[str], queries: Iterable[str]) -> Vectors:
        """Return the vectors of the texts; without an embedder there are none."""
        if (model := self._embeddings) is None:
            return NO_VECTORS
        texts, asked = list(dict.fromkeys(documents)), list(dict.fromkeys(queries))
        embedded = model.embed_documents(_sendable(texts)) if texts else []
        return self._vectors(texts, embedded, asked, self._embed_queries(asked))

    def _embed_queries(self, asked: list[str]) -> Answers:
        if (model := self._embeddings) is None:
            return [None] * len(asked)
        try:
            return [model.embed_query(text) for text in _sendable(asked)]
        except Exception as error:  # noqa: BLE001 - an embedder may raise anything; search goes on by words
            return _no_answers(asked, error)

    async def avectors(self, documents: Iterable[str], queries: Iterable[str]) -> Vectors:
        """Return the vectors of the texts without blocking the event loop."""
        if (model := self._embeddings) is None:
            return NO_VECTORS
        texts, asked = list(dict.fromkeys(documents)), list(dict.fromkeys(queries))
        embedded = await model.aembed_documents(_sendable(texts)) if texts else []
        try:
            answers: Answers = [await model.aembed_query(text) for text in _sendable(asked)]
        except Exception as error:  # noqa: BLE001 - as in `vectors`
            answers = _no_answers(asked, error)
        return self._vectors(texts, embedded, asked, answers)

    def _vectors(self, texts: list[str], embedded: list[list[float]], asked: list[str], answers: "Answers") -> Vectors:
        if len(embedded) != len(texts):
            raise StoreError(f"the embedder gave {len(embedded)} vectors for {len(texts)} texts")
        documents = {text: normalize(vector, self.dims) for text, vector in zip(texts, embedded, strict=True)}
        queries = zip(asked, answers, strict=True)
        return Vectors(
            documents, {q: None if vector is None else normalize(vector, self.dims) for q, vector in queries}
        )
