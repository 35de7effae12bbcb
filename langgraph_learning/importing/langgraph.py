"""Import from a LangGraph store: each item becomes a user memory."""

from collections.abc import Iterable, Iterator, Mapping

from langgraph_learning.importing.build_row import Found, Skipped, to_text
from langgraph_learning.importing.langmem import identity, is_memory, labels, make_row, memory, where
from langgraph_learning.records import NOT_RECORDS, ROOT
from langgraph_learning.stores.json_values import spell

TEXTS = ("memory", "content", "text", "data")
"""The keys under which LangGraph's documentation stores the sentence."""


def rows(items: Iterable[Mapping[str, object]], user_at: int | None = None) -> Iterator[Found]:
    """Yield a user memory for each item; items of LangMem and of this package keep their kind.

    Args:
        items: Mappings with `namespace`, `key`, `value` and dates.
        user_at: The index of the user's label in a namespace; by default the label after `memories`, `user` or `users`.
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
            text = next((sentence for name in TEXTS if (sentence := to_text(value.get(name)))), spell(dict(value)))
            yield make_row(item, user_at, "user_memory", identity(item), {**value, "content": text}, text)
