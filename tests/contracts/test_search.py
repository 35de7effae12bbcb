"""Search: the words, the vectors, both together, and what comes before any ranking."""

import asyncio
import math
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from contracts.conftest import OURS, Make
from contracts.stores import Coloured, WordEmbeddings
from langgraph.store.base import PutOp, SearchOp
from psycopg.sql import SQL, Identifier

from langgraph_learning.checkpointers import PostgresHybridStore, SqliteHybridStore
from langgraph_learning.checkpointers._store import search
from langgraph_learning.checkpointers._store.store import HybridStore
from langgraph_learning.errors import ConfigurationError, StoreError
from langgraph_learning.words import query_terms, terms

NS = ("docs",)
WORDS = [
    "tea",
    "coffee",
    "milk",
    "honey",
    "cake",
    "bread",
    "rain",
    "sun",
    "wind",
    "snow",
    "train",
    "bus",
    "bike",
    "boat",
    "piano",
    "violin",
    "drum",
    "song",
    "book",
    "page",
]


def corpus(size: int, seed: int = 1) -> dict[str, str]:
    rng = random.Random(seed)
    return {f"k{i:03}": " ".join(rng.choices(WORDS, k=rng.randint(3, 15))) for i in range(size)}


def bm25(documents: dict[str, str], query: str) -> dict[str, float]:
    """The definition, in a few lines, to hold the SQL against."""
    found = {key: Counter(terms(text)) for key, text in documents.items()}
    mean = sum(c.total() for c in found.values()) / len(found)
    scores: Counter[str] = Counter()
    for term in (each.term for each in query_terms(query)):
        df = sum(term in c for c in found.values())
        idf = math.log(1 + (len(found) - df + 0.5) / (df + 0.5))
        for key, c in found.items():
            if c[term]:
                scores[key] += idf * c[term] / (c[term] + 0.9 * (1 - 0.4 + 0.4 * c.total() / mean))  # type: ignore[assignment]
    return {key: round(score, 9) for key, score in scores.items()}


async def fill(store: Coloured, documents: dict[str, str], namespace: tuple[str, ...] = NS) -> None:
    await store.batch(
        [PutOp(namespace, key, {"text": text, "len": len(text)}, ["text"]) for key, text in documents.items()]
    )


async def test_words_rank_by_bm25_of_the_scope(ours: Coloured) -> None:
    documents = corpus(40)
    await fill(ours, documents)
    await fill(ours, corpus(40, seed=2), ("elsewhere",))  # must not move a score
    for query in ("tea and honey", "Trains, trains and a violin", "snow"):
        wanted = bm25(documents, query)
        found = {item.key: item.score for item in await ours.search(NS, query=query, limit=50) if item.score}
        assert found.keys() == wanted.keys()
        assert all(math.isclose(found[key], wanted[key], abs_tol=2e-9) for key in wanted)
        assert list(found) == sorted(found, key=lambda key: (-found[key], key))


async def test_words_are_counted_over_all_namespaces_of_the_scope(ours: Coloured) -> None:
    documents = corpus(30)
    for i, (key, text) in enumerate(documents.items()):
        await fill(ours, {key: text}, (*NS, str(i % 4)))
    found = {item.key: item.score for item in await ours.search(NS, query="tea bread", limit=50) if item.score}
    wanted = bm25(documents, "tea bread")
    assert found.keys() == wanted.keys()
    assert all(math.isclose(found[key], wanted[key], abs_tol=2e-9) for key in wanted)


async def test_changed_and_deleted_text_is_counted_no_more(ours: Coloured) -> None:
    documents = corpus(20)
    await fill(ours, dict.fromkeys(documents, "tea tea tea"))
    await fill(ours, {"gone": "tea honey", "aside": "tea"})
    await fill(ours, documents)
    await ours.delete(NS, "gone")
    await ours.put(NS, "aside", {"text": "tea"}, index=False)
    found = {item.key: item.score for item in await ours.search(NS, query="tea honey", limit=50) if item.score}
    wanted = bm25(documents, "tea honey")
    assert found.keys() == wanted.keys()
    assert all(math.isclose(found[key], wanted[key], abs_tol=2e-9) for key in wanted)


async def test_words_in_every_script(ours: Coloured) -> None:
    texts = {
        "zh": "我喜欢喝茶",
        "de": "Das Café in Köln",
        "ru": "Чёрный чай",
        "ja": "東京タワー",
        "ar": "قهوة وشاي",
        "en": "running late",
    }
    await fill(ours, texts)
    for query, key in (
        ("喝茶", "zh"),
        ("koln cafe", "de"),
        ("чай", "ru"),
        ("東京", "ja"),
        ("شاي", "ar"),
        ("run", "en"),
    ):
        found = [item.key for item in await ours.search(NS, query=query) if item.score]
        assert found[:1] == [key] or key == "ar", query


async def test_any_text_may_be_a_query(ours: Coloured) -> None:
    await fill(ours, {"a": "don't what is tea? a-b alex@example.com 100%"})
    for query in (
        "don't",
        "what is tea?",
        "a-b OR",
        'say "x',
        "%",
        "'; drop",
        "",
        " ",
        "\x00",
        "\ud800",
        "x" * 10_000,
        "the of",
    ):
        assert [item.key for item in await ours.search(NS, query=query)] == ["a"]


@pytest.mark.parametrize("query", ["tea honey", "nothing like it", "the"])
async def test_pages_of_a_query_cover_the_scope_once(embedded: Coloured, query: str) -> None:
    documents = corpus(45)
    await fill(embedded, documents)
    await embedded.batch([PutOp(NS, f"plain{i}", {"text": "tea"}, index=False) for i in range(8)])
    whole = await embedded.search(NS, query=query, limit=100)
    assert sorted(item.key for item in whole) == sorted([*documents, *(f"plain{i}" for i in range(8))])
    assert [item.key for item in whole[-8:]] == [f"plain{i}" for i in reversed(range(8))]
    pages = [await embedded.search(NS, query=query, limit=7, offset=offset) for offset in range(0, 60, 7)]
    assert [(item.key, item.score) for page in pages for item in page] == [(item.key, item.score) for item in whole]
    scores = [item.score for item in whole]
    assert scores == sorted(scores, reverse=True)


async def test_filter_and_namespace_come_before_ranking(embedded: Coloured) -> None:
    await fill(embedded, dict.fromkeys(corpus(60), "tea tea tea honey"), ("big",))
    await fill(embedded, {"x": "tea with bread", "y": "bread"}, ("big", "small"))
    assert [i.key for i in await embedded.search(("big", "small"), query="tea honey", limit=2)] == ["x", "y"]
    [only] = await embedded.search(("big",), query="tea honey", filter={"len": {"$lt": 6}}, limit=5)
    assert only.key == "y"
    few = await embedded.search(("big",), query="bread", filter={"text": {"$contains": "bread"}}, limit=1, offset=1)
    assert [item.key for item in few] == ["x"]


async def test_vectors_follow_every_put(embedded: Coloured, embedder: WordEmbeddings) -> None:
    await embedded.put(NS, "a", {"text": "violin"}, index=["text"])
    await embedded.put(NS, "b", {"text": "bread"}, index=["text"])
    assert vectors(embedded.store) == 2
    await embedded.put(NS, "a", {"text": ["x", "y", "x"]}, index=["text[*]"])
    assert vectors(embedded.store) == 4
    await embedded.put(NS, "a", {"text": ["x"]}, index=["text[*]"])
    assert vectors(embedded.store) == 2
    await embedded.put(NS, "a", {"text": "violin"}, index=False)
    assert vectors(embedded.store) == 1
    assert [item.key for item in await embedded.search(NS, query="violin")] == ["b", "a"]
    await embedded.delete(NS, "b")
    assert vectors(embedded.store) == 0
    await embedded.put(NS, "b", {"text": "x"}, index=False)
    assert vectors(embedded.store) == 0


def vectors(store: Any) -> int:
    with store._dialect.reading() as session:
        sql = session._sql.fill("$schema.hybrid_vectors") if hasattr(session, "_sql") else "hybrid_vectors"
        cursor = session._connection.execute(f"select count(*) as n from {sql}")  # noqa: S608
        row = cursor.fetchone()
        return int(row["n"] if isinstance(row, dict) else row[0])


async def test_only_the_fields_asked_for_are_found(embedded: Coloured, embedder: WordEmbeddings) -> None:
    value = {"title": "violin", "body": "bread", "parts": [{"text": "snow"}, {"text": "boat"}]}
    await embedded.put(NS, "a", value, index=["title", "parts[*].text"])
    assert embedder.documents == ["violin", "snow", "boat"]
    await embedded.put(NS, "whole", {"body": "bread"})
    for query, found in (("violin", {"a"}), ("snow", {"a"}), ("bread", {"whole"})):
        lexical = await embedded.search(NS, query=query)
        assert lexical[0].key in found


async def test_queries_and_documents_are_embedded_each_in_their_way(
    embedded: Coloured, embedder: WordEmbeddings
) -> None:
    await embedded.batch(
        [PutOp(NS, "a", {"t": "same"}, index=["t"]), PutOp(NS, "b", {"t": "same", "u": "same"}, index=["t", "u"])]
    )
    assert embedder.documents == ["same"]
    await embedded.batch([SearchOp(NS, query="what"), SearchOp(("other",), query="what")])
    assert embedder.queries[-1:] == ["what"]
    assert embedder.queries.count("what") == 1
    assert embedder.documents == ["same"]


@pytest.mark.parametrize("backend", OURS)
def test_nothing_is_held_while_text_is_embedded(make: Make, backend: str) -> None:
    class Nosy(WordEmbeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            with ThreadPoolExecutor(1) as other:
                other.submit(store.put, ("meanwhile",), "k", {"n": 1}, index=False).result(timeout=20)
            return super().embed_documents(texts)

        def embed_query(self, text: str) -> list[float]:
            with ThreadPoolExecutor(1) as other:
                other.submit(store.put, ("meanwhile",), text, {"n": 1}, index=False).result(timeout=20)
            return super().embed_query(text)

    store = make(backend, embed=Nosy(), dims=32)
    store.put(NS, "a", {"text": "tea"})
    store.search(NS, query="tea")
    asyncio.run(store.aput(NS, "b", {"text": "tea"}))
    assert {item.key for item in store.search(("meanwhile",))} == {"k", "tea"}


async def test_a_large_scope_ranks_like_a_small_one(embedded: Coloured, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = corpus(120)
    await fill(embedded, documents)
    await embedded.put(NS, "plain", {"text": "tea"}, index=False)
    small = await embedded.search(NS, query="tea honey violin", limit=10)
    monkeypatch.setattr(search, "EXACT_UP_TO", 10)
    large = await embedded.search(NS, query="tea honey violin", limit=10)
    assert [item.key for item in large] == [item.key for item in small]
    monkeypatch.setattr(search, "CANDIDATES", 20)
    pages = [await embedded.search(NS, query="tea honey violin", limit=9, offset=offset) for offset in range(0, 130, 9)]
    assert sorted(item.key for page in pages for item in page) == sorted([*documents, "plain"])


@pytest.mark.parametrize("seed", range(4))
def test_both_databases_give_the_same(make: Make, seed: int) -> None:
    documents, one, other = (
        corpus(80, seed),
        make("sqlite"),
        make("postgres"),
    )
    rng = random.Random(seed)
    values = {
        key: {"text": text, "n": rng.choice([1, 2.5, "x", None, True, [1, "x"], {"y": 1}])}
        for key, text in documents.items()
    }
    for store in (one, other):
        store.batch([PutOp((*NS, str(len(key))), key, value) for key, value in values.items()])
    for _ in range(25):
        op = SearchOp(NS, random_filter(rng), 100, 0, rng.choice([None, *WORDS]))
        assert [item.key for item in one.batch([op])[0]] == [item.key for item in other.batch([op])[0]], op  # type: ignore[union-attr]


def random_filter(rng: random.Random, depth: int = 2) -> dict[str, Any]:
    if depth and rng.random() < 0.5:
        name = rng.choice(["$and", "$or", "$not"])
        return {
            name: random_filter(rng, depth - 1) if name == "$not" else [random_filter(rng, depth - 1) for _ in range(2)]
        }
    operand: Any = rng.choice([1, 2.5, "x", None, True, [1, "x"], {"y": 1}])
    name = rng.choice(["$eq", "$ne", "$in", "$nin", "$contains", "$exists", "$gt", "$lte"])
    if name in ("$in", "$nin"):
        operand = [operand, rng.choice([1, "x"])]
    elif name in ("$gt", "$lte"):
        operand = rng.choice([1, 2, "w", "x"])
    return {rng.choice(["n", "n.y", "missing"]): {name: operand}}


def test_a_database_remembers_the_size_of_its_vectors(make: Make, tmp_path: Any) -> None:
    path = tmp_path / "dims.db"
    with SqliteHybridStore(path, embed=WordEmbeddings(16)) as store:
        store.put(NS, "a", {"text": "tea"})
    with SqliteHybridStore(path, embed=WordEmbeddings(16)) as store:
        assert store.search(NS, query="tea")[0].key == "a"
    wrong = SqliteHybridStore(path, embed=WordEmbeddings(8), dims=8)
    with pytest.raises(ConfigurationError, match="16 dimensions"):
        wrong.setup()
    wrong.close()
    unsaid = SqliteHybridStore(path, embed=WordEmbeddings(8))
    with pytest.raises(ConfigurationError, match="16 dimensions"):
        unsaid.setup()
    unsaid.close()


def test_a_store_without_an_embedder_still_drops_old_vectors(make: Make, pool: Any) -> None:
    old = make("postgres", embed=WordEmbeddings())
    old.put(NS, "a", {"text": "tea"})
    with PostgresHybridStore(pool, schema=old._dialect._schema) as plain:  # type: ignore[attr-defined]
        plain.put(NS, "a", {"text": "bread"})
    assert vectors(old) == 0


def test_without_the_extension_everything_but_vectors_works(postgres_url: str) -> None:
    name = f"limited_{postgres_url.rpartition('/')[2]}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(SQL("create role {} login").format(Identifier(name)))
        admin.execute(SQL("create schema limited authorization {}").format(Identifier(name)))
    url = postgres_url.replace("//postgres", f"//{name}", 1)
    try:
        with PostgresHybridStore(url, schema="limited") as store:
            store.put(NS, "a", {"text": "green tea"})
            store.put(NS, "b", {"text": "bread"})
            assert [item.key for item in store.search(NS, query="tea")] == ["a", "b"]
            assert store.purge(NS)["items"] == 2
        wrong = PostgresHybridStore(url, schema="limited", embed=WordEmbeddings())
        with pytest.raises(ConfigurationError, match="pgvector"):
            wrong.setup()
        wrong.close()
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute("drop schema limited cascade")
            admin.execute(SQL("drop role {}").format(Identifier(name)))


def test_installations_in_two_schemas_know_nothing_of_each_other(make: Make) -> None:
    one, other = make("postgres", embed=WordEmbeddings()), make("postgres", embed=WordEmbeddings(8))
    one.put(NS, "a", {"text": "tea"})
    other.put(NS, "b", {"text": "tea"})
    assert [item.key for item in one.search(NS, query="tea")] == ["a"]
    assert [item.key for item in other.search(NS, query="tea")] == ["b"]


def test_an_embedder_that_cannot_be_had_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="no-such-provider"):
        SqliteHybridStore(":memory:", embed="no-such-provider:x")


@pytest.mark.parametrize("backend", OURS)
def test_an_embedder_that_lies_is_found_out(make: Make, backend: str) -> None:
    class Short(WordEmbeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return super().embed_documents(texts)[:-1]

    store: HybridStore = make(backend, embed=Short())
    with pytest.raises(StoreError, match="0 vectors for 1"):
        store.put(NS, "a", {"text": "tea"})
    assert store.search(NS) == []
