"""Any id becomes a namespace label, and no two become the same one."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.base import InvalidNamespaceError
from langgraph.store.memory import InMemoryStore

from langgraph_learning.errors import ScopeError
from langgraph_learning.namespace_labels import label, unlabel
from langgraph_learning.nodes.identity import user_label
from langgraph_learning.records import Scope

IDS = [
    "alex@example.com",
    "Alex@Example.com",
    "7",
    "a.b",
    "*",
    "a|b",
    "%",
    "~",
    "~~",
    "",
    "李雷",
    "İ",
    "🎉",
    " a ",
    "~2e~",
]


@given(st.text())
def test_a_label_can_be_read_back(text: str) -> None:
    assert unlabel(label(text)) == text


@given(st.text(), st.text())
def test_two_ids_never_share_a_label_not_even_without_case(one: str, other: str) -> None:
    assert (label(one).lower() == label(other).lower()) == (one == other)


@given(st.text())
def test_a_label_holds_nothing_that_a_store_reads_as_more_than_text(text: str) -> None:
    made = label(text)
    assert made
    assert not set(made) & set(".*|%/\\ '\"\0")


@pytest.mark.parametrize("text", IDS)
def test_a_store_takes_the_namespace_of_any_id(text: str) -> None:
    store = InMemoryStore()
    try:
        store.put(Scope(user_id=text).path, "k", {"n": 1})
    except InvalidNamespaceError as error:
        raise AssertionError(text) from error
    assert store.get(Scope(user_id=text).path, "k") is not None


@given(st.text(), st.text(), st.text(), st.text())
def test_two_scopes_never_share_a_namespace(user: str, thread: str, other: str, another: str) -> None:
    one, two = Scope(user_id=user, thread_id=thread), Scope(user_id=other, thread_id=another)
    assert (one.path == two.path) == (one == two)


def test_scopes_of_different_kinds_never_share_a_namespace() -> None:
    scopes = [
        Scope(user_id="x"),
        Scope(user_id="x", thread_id="y"),
        Scope(user_id="x", agent="y"),
        Scope(user_id="thread", thread_id="x"),
        Scope(namespace="x"),
        Scope(namespace="user"),
    ]
    assert len({scope.path for scope in scopes}) == len(scopes)


@pytest.mark.parametrize(
    ("given_id", "text"),
    [
        ("alex@example.com", "alex@example.com"),
        (7, "7"),
        (0, "0"),
        (UUID(int=1), str(UUID(int=1))),
        ("", None),
        ("  ", None),
        (None, None),
    ],
)
def test_ids_are_texts_ints_and_uuids_and_blank_is_nobody(given_id: object, text: str | None) -> None:
    assert user_label(given_id) == text


@pytest.mark.parametrize("given_id", [True, 1.5, ["alice"], {"id": "alice"}, b"alice"])
def test_what_is_no_id_is_refused_and_not_guessed(given_id: object) -> None:
    with pytest.raises(ScopeError, match="user_id"):
        user_label(given_id)
