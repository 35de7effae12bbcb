"""LangMem: items `{"kind": ..., "content": ...}` in a LangGraph store."""

from collections.abc import Iterable, Iterator, Mapping

from langgraph_learning._engine.learning.turn import derived_id
from langgraph_learning.importing.rows import Found, Skipped, row, to_text
from langgraph_learning.stores.values import spell

PLAIN = "Memory"
"""The kind of a memory that is one sentence; others have a schema of the user's own."""
AFTER = ("memories", "user", "users")
"""The label that a user's id follows, by LangMem's and LangGraph's own examples."""


def rows(items: Iterable[Mapping[str, object]], user_at: int | None = None) -> Iterator[Found]:
    """Make user memories of sentences and of schemas, and a user profile of a schema that is called one.

    Args:
        items: Mappings with `namespace`, `key`, `value` and dates.
        user_at: Which label of the namespace is the user; by default the one behind `memories`, `user` or `users`.
    """
    for item in items:
        if not is_memory(item.get("value")):
            yield Skipped(where(item), "it is no memory of LangMem: no 'content', or no 'kind'")
        else:
            yield from memory(item, user_at)


def is_memory(value: object) -> bool:
    """Whether a value has one of the two shapes of LangMem: those of its manager and of its tool differ."""
    if not isinstance(value, Mapping) or set(value) - {"kind", "content"}:
        return False
    content = value.get("content")
    return bool(to_text(content)) if "kind" not in value else bool(content) and isinstance(content, Mapping | str)


def memory(item: Mapping[str, object], user_at: int | None) -> Iterator[Found]:
    """Make the rows of one item of which `is_memory` holds."""
    value = item["value"]
    assert isinstance(value, Mapping)
    kind, content = str(value.get("kind", PLAIN)), value["content"]
    fields = dict(content) if isinstance(content, Mapping) else {"content": content}
    known = {name: part for name, part in fields.items() if part not in (None, "", [], {})}
    if not known:
        yield Skipped(where(item), f"its {kind} is empty")
    elif kind.lower().endswith("profile"):
        for name, part in known.items():
            yield make_row(
                item, user_at, "user_profile", f"user_profile:{name}", {name: part}, f"{name}: {spell(part)}"
            )
    else:
        text = to_text(known.get("content")) if set(known) == {"content"} else spell(known)
        extra = {} if kind == PLAIN else {**known, "kind": kind}
        yield make_row(item, user_at, "user_memory", identity(item), {**extra, "content": text}, text)


def make_row(
    item: Mapping[str, object], user_at: int | None, store: str, id: str, content: Mapping[str, object], text: str
) -> Found:
    """Return the row of an item with its user and dates."""
    user, created, updated = user_of(labels(item), user_at), item.get("created_at"), item.get("updated_at")
    return row(store, id, content, text, user=user, created=created, updated=updated)


def identity(item: Mapping[str, object]) -> str:
    """Return the id of an item's record."""
    return derived_id("langgraph", list(labels(item)), str(item.get("key")))


def labels(item: Mapping[str, object]) -> tuple[str, ...]:
    """Return the namespace; the tables of LangGraph's stores join its labels by dots."""
    namespace = item.get("namespace")
    return tuple(namespace.split(".") if isinstance(namespace, str) else map(str, namespace or ()))  # type: ignore[call-overload]


def user_of(namespace: tuple[str, ...], user_at: int | None) -> str | None:
    """Return the user that a namespace names; None where it does not say."""
    if user_at is not None:
        return namespace[user_at] if -len(namespace) <= user_at < len(namespace) else None
    places = [place for place, label in enumerate(namespace[:-1], 1) if label in AFTER]
    return namespace[places[0]] if places else None


def where(item: Mapping[str, object]) -> str:
    """Return how an item is called in a report."""
    return f"item {item.get('key')} in {'.'.join(labels(item))}"
