"""Import from LangMem: items `{"kind": ..., "content": ...}` in a LangGraph store."""

from collections.abc import Iterable, Iterator, Mapping

from langgraph_learning.importing.build_row import Found, Skipped, build_row, to_text
from langgraph_learning.records import derived_id
from langgraph_learning.stores.json_values import spell

PLAIN = "Memory"
"""The kind of a memory that is one sentence; other kinds have a schema of the user's own."""
AFTER = ("memories", "user", "users")
"""The labels that a user's id follows, in the examples of LangMem and LangGraph."""


def rows(items: Iterable[Mapping[str, object]], user_at: int | None = None) -> Iterator[Found]:
    """Yield user memories for sentences and schemas, and a user profile for a schema whose name ends in `profile`.

    Args:
        items: Mappings with `namespace`, `key`, `value` and dates.
        user_at: The index of the user's label in a namespace; by default the label after `memories`, `user` or `users`.
    """
    for item in items:
        if not is_memory(item.get("value")):
            yield Skipped(where(item), "it is no memory of LangMem: no 'content', or no 'kind'")
        else:
            yield from memory(item, user_at)


def is_memory(value: object) -> bool:
    """Return whether a value has one of LangMem's two shapes: its manager and its tool write different ones."""
    if not isinstance(value, Mapping) or set(value) - {"kind", "content"}:
        return False
    content = value.get("content")
    return bool(to_text(content)) if "kind" not in value else bool(content) and isinstance(content, Mapping | str)


def memory(item: Mapping[str, object], user_at: int | None) -> Iterator[Found]:
    """Yield the rows of an item for which `is_memory` is true."""
    value = item["value"]
    assert isinstance(value, Mapping)
    kind, content = str(value.get("kind", PLAIN)), value["content"]
    fields = dict(content) if isinstance(content, Mapping) else {"content": content}
    filled = {name: part for name, part in fields.items() if part not in (None, "", [], {})}
    if not filled:
        yield Skipped(where(item), f"its {kind} is empty")
    elif kind.lower().endswith("profile"):
        for name, part in filled.items():
            yield make_row(
                item, user_at, "user_profile", f"user_profile:{name}", {name: part}, f"{name}: {spell(part)}"
            )
    else:
        text = to_text(filled.get("content")) if set(filled) == {"content"} else spell(filled)
        extra = {} if kind == PLAIN else {**filled, "kind": kind}
        yield make_row(item, user_at, "user_memory", identity(item), {**extra, "content": text}, text)


def make_row(
    item: Mapping[str, object], user_at: int | None, store: str, id: str, content: Mapping[str, object], text: str
) -> Found:
    """Return the row of an item with its user and dates."""
    user, created, updated = user_of(labels(item), user_at), item.get("created_at"), item.get("updated_at")
    return build_row(store, id, content, text, user=user, created=created, updated=updated)


def identity(item: Mapping[str, object]) -> str:
    """Return the id of an item's record."""
    return derived_id("langgraph", list(labels(item)), str(item.get("key")))


def labels(item: Mapping[str, object]) -> tuple[str, ...]:
    """Return the labels of a namespace; the tables of LangGraph's stores join them by dots."""
    namespace = item.get("namespace")
    return tuple(namespace.split(".") if isinstance(namespace, str) else map(str, namespace or ()))  # type: ignore[call-overload]


def user_of(namespace: tuple[str, ...], user_at: int | None) -> str | None:
    """Return the user that a namespace names; None if it names none."""
    if user_at is not None:
        return namespace[user_at] if -len(namespace) <= user_at < len(namespace) else None
    places = [place for place, label in enumerate(namespace[:-1], 1) if label in AFTER]
    return namespace[places[0]] if places else None


def where(item: Mapping[str, object]) -> str:
    """Return the description of an item in a report."""
    return f"item {item.get('key')} in {'.'.join(labels(item))}"
