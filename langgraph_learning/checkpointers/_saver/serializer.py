"""A strict serializer for checkpoints.

LangGraph's serializer builds, by default, any class that a checkpoint names: whoever can write to the database can run
code in every process that reads it. Here a checkpoint may hold JSON, messages, LangGraph's own types, those of this
package, and those that the application allows. Anything else comes back as plain data, with a warning that says what to
allow.
"""

from collections.abc import Iterable

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

_RECORDS = ("Record", "Commit", "Add", "Update", "Remove", "Proposal", "Revision")
_MOVED = (
    ("langgraph_learning.source", "Source"),
    ("langgraph_learning.scope", "Scope"),
    ("langgraph_learning.scope", "Identity"),
)
OURS = (
    *(("langgraph_learning.records", name) for name in _RECORDS),
    *_MOVED,
    *(("langgraph_learning.records", name) for _, name in _MOVED),  # where an older version had them
)


def strict_serializer(allowed: Iterable[type]) -> JsonPlusSerializer:
    """Return the serializer of a checkpointer; it may also build the classes in `allowed`."""
    return JsonPlusSerializer(allowed_msgpack_modules=[*OURS, *allowed])
