"""LangGraph's contract for stores: ours keep it; what its own get wrong is marked with the issue, and must fail."""

import asyncio
from typing import Any

import pytest
from contracts.stores import Coloured
from langgraph.store.base import GetOp, InvalidNamespaceError, ListNamespacesOp, MatchCondition, PutOp, SearchOp

from langgraph_learning.checkpointers._store.writing import LONGEST_PLACE

fails_on = pytest.mark.fails_on
NS = ("users", "ada")


async def test_an_item_comes_back_as_it_was_put(any_store: Coloured) -> None:
    value = {"text": "tea", "n": 1, "f": 1.5, "no": None, "yes": True, "list": [1, {"a": "b"}], "é ☕ 漢": "𝒳"}
    await any_store.put(NS, "k", value)
    item = await any_store.get(NS, "k")
    assert (item.namespace, item.key, item.value) == (NS, "k", value)
    assert await any_store.get(NS, "other") is None
    assert await any_store.get(("users",), "k") is None


async def test_a_batch_answers_in_order_and_reads_before_it_writes(any_store: Coloured) -> None:
    await any_store.put(NS, "old", {"n": 1})
    ops = [PutOp(NS, "new", {"n": 2}), GetOp(NS, "new"), GetOp(NS, "old"), PutOp(NS, "old", None), SearchOp(NS)]
    put, new, old, delete, found = await any_store.batch(ops)
    assert (put, new, delete) == (None, None, None)
    assert old.value == {"n": 1}
    assert [item.key for item in found] == ["old"]
    assert await any_store.keys(*NS) == ["new"]


async def test_of_two_puts_to_one_key_in_a_batch_the_later_one_counts(any_store: Coloured) -> None:
    await any_store.batch([PutOp(NS, "k", {"n": 1}), PutOp(NS, "k", {"n": 2})])
    assert (await any_store.get(NS, "k")).value == {"n": 2}


@fails_on(memory="created_at is set anew")
async def test_an_update_keeps_when_it_was_created(any_store: Coloured) -> None:
    await any_store.put(NS, "k", {"n": 1})
    before = await any_store.get(NS, "k")
    await asyncio.sleep(0.01)
    await any_store.put(NS, "k", {"n": 2})
    after = await any_store.get(NS, "k")
    assert after.created_at == before.created_at


@fails_on(their_sqlite="timestamps are naive")
async def test_timestamps_know_their_zone(any_store: Coloured) -> None:
    await any_store.put(NS, "k", {"n": 1})
    for item in [await any_store.get(NS, "k"), *await any_store.search(NS)]:
        assert item.created_at.utcoffset() is not None
        assert item.updated_at.utcoffset() is not None


@fails_on(memory="the value is the caller's own object")
async def test_values_are_copies(any_store: Coloured) -> None:
    value: dict[str, Any] = {"list": [1]}
    await any_store.put(NS, "k", value)
    value["list"].append(2)
    (await any_store.get(NS, "k")).value["list"].append(3)
    assert (await any_store.get(NS, "k")).value == {"list": [1]}


async def put_all(store: Coloured, **values: dict[str, Any]) -> None:
    for key, value in values.items():
        await store.put(NS, key, value)


@fails_on(their_postgres="#7684: numbers compare as text")
async def test_numbers_compare_as_numbers(any_store: Coloured) -> None:
    await put_all(any_store, a={"n": 2}, b={"n": 9}, c={"n": 10}, d={"n": 9.5}, e={"n": -1})
    assert set(await any_store.keys(*NS, filter={"n": {"$gt": 5}})) == {"b", "c", "d"}
    assert set(await any_store.keys(*NS, filter={"n": {"$gte": 9, "$lt": 10}})) == {"b", "d"}
    assert set(await any_store.keys(*NS, filter={"n": {"$lte": 2}})) == {"a", "e"}


@fails_on(memory="TypeError on a missing key", their_postgres="#7684")
async def test_a_missing_key_is_neither_more_nor_less(any_store: Coloured) -> None:
    await put_all(any_store, a={"n": 2}, b={"other": 9}, c={"n": 10})
    assert await any_store.keys(*NS, filter={"n": {"$gt": 5}}) == ["c"]
    assert await any_store.keys(*NS, filter={"n": {"$lt": 5}}) == ["a"]


@fails_on(memory="ValueError: compares floats only")
async def test_iso_dates_compare(any_store: Coloured) -> None:
    await put_all(any_store, a={"at": "2026-01-31"}, b={"at": "2026-02-01T08:00:00Z"}, c={"at": "2025-12-31"})
    assert set(await any_store.keys(*NS, filter={"at": {"$gte": "2026-01-01"}})) == {"a", "b"}


@fails_on(their_sqlite="missing keys are left out", their_postgres="missing keys are left out")
async def test_unequal_includes_what_is_missing(any_store: Coloured) -> None:
    await put_all(any_store, a={"kind": "x"}, b={"kind": "y"}, c={})
    assert set(await any_store.keys(*NS, filter={"kind": {"$ne": "x"}})) == {"b", "c"}


@fails_on(their_postgres="JSON null only")
async def test_none_is_null_or_missing(any_store: Coloured) -> None:
    await put_all(any_store, a={"kind": "x"}, b={"kind": None}, c={})
    assert set(await any_store.keys(*NS, filter={"kind": None})) == {"b", "c"}


@fails_on(memory="True == 1", their_sqlite="true is 1")
async def test_a_truth_value_is_no_number(any_store: Coloured) -> None:
    await put_all(any_store, a={"x": 1}, b={"x": True}, c={"x": 1.0}, d={"x": "1"})
    assert set(await any_store.keys(*NS, filter={"x": 1})) == {"a", "c"}
    assert await any_store.keys(*NS, filter={"x": True}) == ["b"]


@fails_on(their_sqlite="ValueError", their_postgres="ValueError")
async def test_a_filter_goes_into_nested_values(any_store: Coloured) -> None:
    await put_all(any_store, a={"m": {"lang": "en", "n": {"x": 1}}}, b={"m": {"lang": "de", "n": {"x": 1}}})
    assert await any_store.keys(*NS, filter={"m": {"lang": "en"}}) == ["a"]
    assert set(await any_store.keys(*NS, filter={"m": {"n": {"x": 1}}})) == {"a", "b"}


OPERATORS: list[tuple[dict[str, Any], set[str]]] = [
    ({"n": {"$in": [1, 3]}}, {"a", "c"}),
    ({"n": {"$in": []}}, set()),
    ({"n": {"$nin": [1, 3]}}, {"b", "d"}),
    ({"n": {"$in": [None]}}, {"d"}),
    ({"n": {"$exists": True}}, {"a", "b", "c"}),
    ({"n": {"$exists": False}}, {"d"}),
    ({"tags": {"$contains": "tea"}}, {"a", "b"}),
    ({"tags": {"$contains": 7}}, {"b"}),
    ({"text": {"$contains": "50%_"}}, {"c"}),
    ({"$or": [{"n": 1}, {"n": {"$gt": 2}}]}, {"a", "c"}),
    ({"$and": [{"n": {"$gt": 0}}, {"tags": {"$contains": "tea"}}]}, {"a", "b"}),
    ({"$not": {"n": {"$gt": 1}}}, {"a", "d"}),
    ({"n": {"$not": {"$gt": 1}}}, {"a", "d"}),
    ({"n": {"$not": {"$in": [1]}, "$lt": 3}}, {"b"}),
    ({"$or": [{"$and": [{"n": 1}, {"m.x": 5}]}, {"m": {"x": {"$gte": 6}}}]}, {"a", "b"}),
    ({"m.x": {"$lt": 6}}, {"a"}),
    ({"tags": ["tea", 7]}, {"b"}),
    ({"m": {"$eq": {"y": 2, "x": 6.0}}}, {"b"}),
    ({"$or": []}, set()),
    ({}, {"a", "b", "c", "d"}),
]


def _named(part: object) -> str:
    """A set is written in one order: the tests have the same names in every process."""
    return str(sorted(part)) if isinstance(part, set) else str(part)


@pytest.mark.parametrize(("conditions", "wanted"), OPERATORS, ids=_named)
async def test_every_operator(ours: Coloured, conditions: dict[str, Any], wanted: set[str]) -> None:
    await put_all(
        ours,
        a={"n": 1, "tags": ["tea"], "m": {"x": 5}},
        b={"n": 2, "tags": ["tea", 7], "m": {"x": 6, "y": 2}},
        c={"n": 3, "text": "100% or 50%_", "tags": "te"},
        d={"tags": None},
    )
    assert set(await ours.keys(*NS, filter=conditions)) == wanted
    assert set(await ours.keys(*NS, filter={"$not": conditions})) == {"a", "b", "c", "d"} - wanted


@fails_on(memory="#8829", their_sqlite="ValueError", their_postgres="ValueError")
async def test_theirs_have_fewer_operators(any_store: Coloured) -> None:
    await put_all(any_store, a={"n": 1}, b={"n": 2})
    assert await any_store.keys(*NS, filter={"n": {"$in": [1]}}) == ["a"]


@pytest.mark.parametrize("wrong", [{"n": {"$like": "x"}}, {"$gt": 1}, {"n": {"$gt": [1]}}, {"n": {"$in": "abc"}}])
async def test_a_filter_that_means_nothing_is_refused(ours: Coloured, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"operator|needs a key|compares|takes a list"):
        await ours.search(NS, filter=wrong)


@fails_on(their_postgres="NUL: UntranslatableCharacter")
async def test_nul_is_a_character_like_others(any_store: Coloured) -> None:
    value = {"te\x00xt": "a\x00b", "plain": "\\u0000", "list": ["\x00"]}
    await any_store.put(NS, "k", value)
    assert (await any_store.get(NS, "k")).value == value


@pytest.mark.parametrize(
    "odd", ["\ud800", "a\udfffb", "\ufdd0", "\ufdd00000", "\x1f", "\x7f", "\u2028", "e+22", "\\u0000"]
)
async def test_odd_characters_anywhere(ours: Coloured, odd: str) -> None:
    value = {f"k{odd}": {"list": [odd, 1e22, 1e-7, 10**15]}, "text": odd}
    await ours.put((odd, "x"), f"key{odd}", value)
    await ours.put((odd + "x",), "other", {"n": 1})
    [item] = await ours.search((odd,), filter={"text": odd}, query=odd)
    assert (item.namespace, item.key, item.value) == ((odd, "x"), f"key{odd}", value)
    assert isinstance(item.value[f"k{odd}"]["list"][1], float)
    assert set(await ours.list_namespaces()) == {(odd, "x"), (odd + "x",)}


async def test_labels_are_whole(any_store: Coloured) -> None:
    for label in ("user1", "user10", "user_1", "user%", "userX1", "user1\n"):
        await any_store.put(("r", label), "k", {"label": label})
    assert [item.value["label"] for item in await any_store.search(("r", "user1"))] == ["user1"]
    assert [item.value["label"] for item in await any_store.search(("r", "user_1"))] == ["user_1"]
    assert [item.value["label"] for item in await any_store.search(("r", "user%"))] == ["user%"]
    assert len(await any_store.search(("r",))) == 6


@pytest.mark.parametrize("label", ["", "a.b", "a\x00", 7])
async def test_bad_labels_are_refused_and_nothing_is_written(ours: Coloured, label: Any) -> None:
    for op in (PutOp((label,), "k", {"n": 1}), GetOp((label,), "k"), SearchOp((label,))):
        with pytest.raises(InvalidNamespaceError):
            await ours.batch([PutOp(NS, "k", {"n": 1}), op])
    assert await ours.search(()) == []


@fails_on(their_sqlite='() comes back as ("",)', their_postgres='() comes back as ("",)')
async def test_a_batch_may_use_namespaces_that_put_refuses(any_store: Coloured) -> None:
    await any_store.batch([PutOp(("langgraph", "x"), "k", {"n": 1}), PutOp((), "root", {"n": 2})])
    item, root, found = await any_store.batch([GetOp(("langgraph", "x"), "k"), GetOp((), "root"), SearchOp(())])
    assert (item.value, root.value) == ({"n": 1}, {"n": 2})
    assert {item.namespace for item in found} == {("langgraph", "x"), ()}


@fails_on(memory="namespaces stay after their last item")
async def test_namespaces_are_listed_while_they_hold_something(any_store: Coloured) -> None:
    paths = [("a", "b", "c"), ("a", "b", "d", "e"), ("a", "b", "d", "i"), ("a", "b", "f"), ("a", "c", "f"), ("x",)]
    for path in [*paths, ("gone",)]:
        await any_store.put(path, "k", {"n": 1})
    await any_store.delete(("gone",), "k")
    assert set(await any_store.list_namespaces()) == set(paths)
    assert await any_store.list_namespaces(prefix=("a", "b"), max_depth=3) == [
        ("a", "b", "c"),
        ("a", "b", "d"),
        ("a", "b", "f"),
    ]
    assert set(await any_store.list_namespaces(suffix=("f",))) == {("a", "b", "f"), ("a", "c", "f")}
    assert set(await any_store.list_namespaces(prefix=("a", "*", "f"))) == {("a", "b", "f"), ("a", "c", "f")}
    assert await any_store.list_namespaces(prefix=("a",), limit=2, offset=1) == [
        ("a", "b", "d", "e"),
        ("a", "b", "d", "i"),
    ]
    conditions = (MatchCondition("prefix", ("a", "b")), MatchCondition("suffix", ("*", "i")))
    assert (await any_store.batch([ListNamespacesOp(conditions)]))[0] == [("a", "b", "d", "i")]


async def test_pages_cover_a_scope_once(ours: Coloured) -> None:
    await ours.batch([PutOp(("n", str(i % 7)), f"k{i}", {"n": i}) for i in range(60)])
    for options in ({}, {"query": "nothing like that"}, {"filter": {"n": {"$gte": 0}}}):
        seen = [key for offset in range(0, 70, 10) for key in await ours.keys("n", limit=10, offset=offset, **options)]
        assert sorted(seen) == sorted(f"k{i}" for i in range(60)), options
    assert await ours.keys("n", limit=3) == ["k59", "k58", "k57"]


async def test_a_value_that_is_no_json_fails_and_nothing_else_of_its_tick(ours: Coloured) -> None:
    bad = [ours.store.aput(NS, "bad", {"x": object()}), ours.store.aput(NS, "nan", {"x": float("nan")})]
    good = [ours.store.aput(NS, f"k{i}", {"n": i}) for i in range(5)]
    results = await asyncio.gather(*bad, *good, ours.store.aget(("a.b",), "k"), return_exceptions=True)
    assert [type(result) for result in results] == [TypeError, ValueError, *[type(None)] * 5, InvalidNamespaceError]
    assert set(await ours.keys(*NS)) == {f"k{i}" for i in range(5)}


@fails_on(
    their_sqlite="no async, or one bad value fails the whole tick",
    their_postgres_async="one bad value fails the whole tick",
)
async def test_neighbours_of_a_bad_put(any_store: Coloured) -> None:
    bad, good = any_store.store.aput(NS, "bad", {"x": {object()}}), any_store.store.aput(NS, "good", {"n": 1})
    await asyncio.gather(bad, good, return_exceptions=True)
    assert await any_store.get(NS, "good") is not None


async def test_deleting_what_is_not_there_is_nothing(any_store: Coloured) -> None:
    await any_store.delete(NS, "k")
    await any_store.put(NS, "k", {"n": 1})
    await any_store.delete(NS, "k")
    await any_store.delete(NS, "k")
    assert await any_store.get(NS, "k") is None
    assert await any_store.search(NS) == []


async def test_keys_and_labels_have_one_limit(ours: Coloured) -> None:
    at_most = "é" * (LONGEST_PLACE // 2)
    await ours.put(("a",), at_most, {"n": 1})
    await ours.put((at_most[:-2],), "k", {"n": 1})  # two bytes of the labels are their ends
    for namespace, key in ((("a",), at_most + "x"), (("a", at_most), "k"), (("a", *["x" * 1_000] * 2), "k")):
        with pytest.raises(ValueError, match=f"takes {LONGEST_PLACE}"):
            await ours.put(namespace, key, {"n": 1})
        assert await ours.get(namespace, key) is None
        await ours.delete(namespace, key)
    assert len(await ours.search(())) == 2


async def test_a_page_does_not_count_backwards(ours: Coloured) -> None:
    for page in ({"limit": -1}, {"offset": -1}):
        for call in (ours.search((), **page), ours.search((), query="tea", **page), ours.list_namespaces(**page)):
            with pytest.raises(ValueError, match="count from 0"):
                await call


@pytest.mark.parametrize("wrong", [{'a"b': 1}, {"a": {'b"': {"$gt": 1}}}, {"$not": {'"': None}}])
async def test_a_filter_by_a_key_with_a_quotation_mark_is_refused_alike(ours: Coloured, wrong: dict[str, Any]) -> None:
    await ours.put(("a",), "k", {'a"b': 1})
    with pytest.raises(ValueError, match="quotation mark"):
        await ours.search(("a",), filter=wrong)
    assert [item.value for item in await ours.search(("a",))] == [{'a"b': 1}]
