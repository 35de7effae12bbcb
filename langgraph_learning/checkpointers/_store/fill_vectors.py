"""Vectors for items that were written before the database had an embedder; without them, only words find these items.

Embedding takes long, so it happens outside of any transaction. If another process changes an item meanwhile, the
vectors of the old text are dropped: that process writes its own.
"""

from collections.abc import Callable, Mapping, Sequence

from langgraph_learning.checkpointers._store.codec import read_json
from langgraph_learning.checkpointers._store.dialect import Dialect, Row
from langgraph_learning.checkpointers._store.embedding import Embedder
from langgraph_learning.checkpointers._store.reindex_text import indexed_fields
from langgraph_learning.checkpointers._store.writing import texts_to_embed

BATCH = 100
"""The number of items that are embedded at a time."""


def fill_vectors(
    dialect: Dialect, embedder: Embedder, fields: Sequence[str], progress: Callable[[int], object] | None
) -> int:
    """Write the missing vectors of all items with indexed words, and return the number of items that got vectors.

    Args:
        dialect: The database.
        embedder: The embedder that computes the vectors.
        fields: The fields that are indexed unless a put names others.
        progress: Called after each batch with the number of items in it.
    """
    filled, last = 0, 0
    while True:
        batch = {"after": last, "limit": BATCH}
        with dialect.reading() as session:
            rows = session.rows("items_without_vectors", batch)
        if not rows:
            return filled
        texts = {row[0]: _texts(row, fields) for row in rows}
        embedded = embedder.vectors((text for pairs in texts.values() for _, text in pairs), ()).documents
        with dialect.writing(unhurried=True) as session:
            unchanged = {row[0]: row for row in session.rows("items_without_vectors", batch)}
            vectors = [
                {"ns": row[1], "item": row[0], "field": field, "embedding": session.vector(vector)}
                for row in rows
                if unchanged.get(row[0]) == row
                for field, text in texts[row[0]]
                if (vector := embedded.get(text)) is not None
            ]
            session.many("put_vectors", vectors)
        filled, last = filled + len({vector["item"] for vector in vectors}), int(rows[-1][0])
        if progress is not None:
            progress(len(rows))


def _texts(row: Row, fields: Sequence[str]) -> list[tuple[str, str]]:
    value, stored = read_json(row[2]), row[3].split()
    return texts_to_embed(value, indexed_fields(value, stored, fields)) if isinstance(value, Mapping) else []
