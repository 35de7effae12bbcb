"""Import from mem0: a list of memories, as `get_all()` returns it or an export writes it."""

from collections.abc import Iterable, Iterator, Mapping

from langgraph_learning.importing.build_row import Found, Skipped, build_row, to_text
from langgraph_learning.records import derived_id

KEPT = ("categories", "metadata")
"""The keys that are kept beside the text."""


def rows(memories: Iterable[Mapping[str, object]]) -> Iterator[Found]:
    """Yield a user memory for each; mem0 gives its user, id and dates."""
    for number, memory in enumerate(memories, 1):
        text = to_text(memory.get("memory")) or to_text(memory.get("text"))
        if not text:
            yield Skipped(f"memory {memory.get('id', number)}", "it has no text under 'memory'")
            continue
        user = memory.get("user_id")
        yield build_row(
            "user_memory",
            derived_id("mem0", str(memory.get("id") or [user, text])),
            {"content": text, **{name: memory[name] for name in KEPT if memory.get(name)}},
            text,
            user=user,
            thread=memory.get("run_id"),
            created=memory.get("created_at"),
            updated=memory.get("updated_at"),
        )
