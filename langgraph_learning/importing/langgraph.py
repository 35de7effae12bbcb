"""LangGraph: whatever lies in a store, each item as one user memory."""

from collections.abc import Iterable, Iterator, Mapping

from langgraph_learning.importing.langmem import identity, is_memory, labels, make_row, memory, where
from langgraph_learning.importing.rows import Found, Skipped, to_text
from langgraph_learning.records import NOT_RECORDS, ROOT
from langgraph_learning.stores.values import spell

TEXTS = ("memory", "content", "text", "data")
"""The keys under which LangGraph's documentation keeps the sentence."""


def rows(items: Iterable[Mapping[str, object]], user_at: int | None = None) -> Iterator[Found]:
    """Make a user memory of each item; those of LangMem and of this package keep what they are.

    Args:
        items: Mappings with `namespace`, `key`, `value` and dates.
        user_at: Which label of the namespace is the user; by default the one behind `memories`, `user` or `users`.
    """
    for item in items:
        value, namespace = item.get("value"), labels(item)
        if not isinstance(value, Mapping) or not value:
            yield Skipped(where(item), "it has no value")
        elif namespace[:1] == (ROOT,):
            if namespace[-1] not in NOT_RECORDS:
                yield {**value, "id": item.get("key")}
        elif is_memory(value):
            yield from memory(item, user_at)
        else:
            text = next((found for name in TEXTS if (found := to_text(value.get(name)))), spell(dict(value)))
            yield make_row(item, user_at, "user_memory", identity(item), {**value, "content": text}, text)
