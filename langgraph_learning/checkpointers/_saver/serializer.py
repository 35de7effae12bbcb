"""How checkpoints are read: strictly.

LangGraph's serializer builds, by default, any class that stands in a checkpoint: whoever can write to the database can
then run code wherever it is read. Here a checkpoint may hold JSON, messages, LangGraph's own types, ours, and those
that the application allows; anything else comes back as plain data, with a warning that says what to allow.
"""

from collections.abc import Iterable

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

OURS = tuple(
    ("langgraph_learning.records", name)
    for name in ("Record", "Source", "Scope", "Identity", "Commit", "Add", "Update", "Remove", "Proposal", "Revision")
)


def strict_serializer(allowed: Iterable[type]) -> JsonPlusSerializer:
    """Return the serializer of a checkpointer that may build `allowed`, too."""
    return JsonPlusSerializer(allowed_msgpack_modules=[*OURS, *allowed])
