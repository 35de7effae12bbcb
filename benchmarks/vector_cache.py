"""An embedder that remembers its vectors in a file: a benchmark that is run again does not embed again."""

import sqlite3
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
from langchain_core.embeddings import Embeddings

from langgraph_learning.checkpointers._store.embedding import as_embeddings


class CachedEmbeddings(Embeddings):
    """The vectors of another embedder, each text embedded once for all runs that name the same file."""

    def __init__(self, embed: str, file: Path) -> None:
        self._embeddings, self.model = as_embeddings(embed), embed
        self._file = sqlite3.connect(file, check_same_thread=False)
        self._file.execute("create table if not exists vectors (key blob primary key, vector blob not null)")

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed what is to be found."""
        return self._embed("document", texts, self._embeddings.embed_documents)

    def embed_query(self, text: str) -> list[float]:
        """Embed what is asked."""
        return self._embed("query", [text], lambda texts: [self._embeddings.embed_query(query) for query in texts])[0]

    def _embed(self, kind: str, texts: list[str], embed: Callable[[list[str]], list[list[float]]]) -> list[list[float]]:
        keys = [sha256(f"{self.model} {kind} {text}".encode()).digest() for text in texts]
        vectors = {key: self._read(key) for key in keys}
        if missing := {key: text for key, text in zip(keys, texts, strict=True) if vectors[key] is None}:
            computed = embed(list(missing.values()))
            rows = [
                (key, np.asarray(one, dtype=np.float32).tobytes()) for key, one in zip(missing, computed, strict=True)
            ]
            with self._file:
                self._file.executemany("insert or replace into vectors values (?, ?)", rows)
            vectors.update(zip(missing, computed, strict=True))
        return [vector for key in keys if (vector := vectors[key]) is not None]

    def _read(self, key: bytes) -> list[float] | None:
        row = self._file.execute("select vector from vectors where key = ?", (key,)).fetchone()
        return None if row is None else np.frombuffer(row[0], dtype=np.float32).tolist()
