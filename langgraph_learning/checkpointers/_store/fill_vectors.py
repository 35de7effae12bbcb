"""Vectors for what lies there already: a database that gets an embedder later finds old items by their words alone.

The texts are embedded outside of any transaction, because that takes long; an item that was written meanwhile has its
vector by then, and is left alone.
"""

from collections.abc import Callable, Mapping, Sequence

from langgraph_learning.checkpointers._store.codec import read_json
from langgraph_learning.checkpointers._store.dialect import Dialect, Row
from langgraph_learning.checkpointers._store.embedding import Embedder
from langgraph_learning.checkpointers._store.reindex import indexed_fields
from langgraph_learning.checkpointers._store.writing import texts_to_embed

BATCH = 100
"""The number of items that are embedded at a time."""


def fill_vectors(
    dialect: Dialect, embedder: Embedder, fields: Sequence[str], told: Callable[[int], object] | None
) -> int:
    """Give each item that has words and no vector its vectors, and return how many items got some.

    Args:
        dialect: The database.
        embedder: What makes the vectors.
        fields: The fields that are indexed unless a put names others.
        told: Is told how many items were looked at, after each batch.
    """
    filled, last = 0, 0
    while True:
        batch = {"after": last, "limit": BATCH}
        with dialect.reading() as session:
            rows = session.rows("items_without_vectors", batch)
        if not rows:
            return filled
        texts = {row[0]: _texts(row, fields) for row in rows}
        made = embedder.vectors((text for each in texts.values() for _, text in each), ()).documents
        with dialect.writing(unhurried=True) as session:
            still = {row[0]: row for row in session.rows("items_without_vectors", batch)}
            vectors = [
                {"ns": row[1], "item": row[0], "field": field, "embedding": session.vector(vector)}
                for row in rows
                if still.get(row[0]) == row
                for field, text in texts[row[0]]
                if (vector := made.get(text)) is not None
            ]
            session.many("put_vectors", vectors)
        filled, last = filled + len({each["item"] for each in vectors}), int(rows[-1][0])
        if told is not None:
            told(len(rows))


def _texts(row: Row, fields: Sequence[str]) -> list[tuple[str, str]]:
    value, stored = read_json(row[2]), row[3].split()
    return texts_to_embed(value, indexed_fields(value, stored, fields)) if isinstance(value, Mapping) else []
