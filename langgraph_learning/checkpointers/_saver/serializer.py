"""A strict serializer for checkpoints.

LangGraph's serializer builds, by default, any class that a checkpoint names: whoever can write to the database can run
code in every process that reads it. Here a checkpoint may hold JSON, messages, LangGraph's own types, those of this
package, and those that the application allows. Anything else comes back as plain data, with a warning that says what to
allow.
"""

from collections.abc import Iterable

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

OURS = (
    *(
        ("langgraph_learning.records", name)
        for name in ("Record", "Source", "Commit", "Add", "Update", "Remove", "Proposal", "Revision")
    ),
    *(("langgraph_learning.scope", name) for name in ("Scope", "Identity")),
    *(("langgraph_learning.records", name) for name in ("Scope", "Identity")),  # where an older version had them
)


def strict_serializer(allowed: Iterable[type]) -> JsonPlusSerializer:
    """Return the serializer of a checkpointer; it may also build the classes in `allowed`."""
    return JsonPlusSerializer(allowed_msgpack_modules=[*OURS, *allowed])
