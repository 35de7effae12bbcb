"""What LangGraph promises of vectors, over ours and its own stores; and how little an import brings along."""

import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from contracts.stores import Coloured, WordEmbeddings
from langgraph.store.base import PutOp

from langgraph_learning import connect
from langgraph_learning.checkpointers._store.store import HybridStore

fails_on = pytest.mark.fails_on
NS = ("docs",)


async def test_the_nearest_comes_first(any_embedded: Coloured) -> None:
    for key, text in {"a": "tea with milk", "b": "violin and piano", "c": "snow"}.items():
        await any_embedded.put(NS, key, {"text": text})
    found = await any_embedded.search(NS, query="piano and violin")
    assert found[0].key == "b"
    assert found[0].score > found[1].score


@fails_on(memory="#8214: the old vector stays", their_postgres="#8214: the old vector stays")
async def test_not_indexed_means_no_vector(any_embedded: Coloured) -> None:
    await any_embedded.put(NS, "a", {"text": "violin"})
    await any_embedded.put(NS, "b", {"text": "violin and snow"})
    await any_embedded.put(NS, "a", {"text": "violin"}, index=False)
    found = await any_embedded.search(NS, query="violin")
    assert found[0].key == "b"


@fails_on(their_postgres="#9007: queries are embedded as documents")
async def test_a_query_is_embedded_as_a_query(any_embedded: Coloured, embedder: WordEmbeddings) -> None:
    await any_embedded.put(NS, "a", {"text": "violin"})
    await any_embedded.search(NS, query="snow")
    assert "snow" in embedder.queries
    assert embedder.documents == ["violin"]


@fails_on(their_postgres="#8977: pages end early")
async def test_ranked_pages_cover_all(any_embedded: Coloured) -> None:
    await any_embedded.batch([PutOp(NS, f"k{i}", {"text": f"tea {i}"}) for i in range(60)])
    pages = [await any_embedded.keys(*NS, query="tea", limit=10, offset=offset) for offset in range(0, 60, 10)]
    assert sorted(key for page in pages for key in page) == sorted(f"k{i}" for i in range(60))


@fails_on(memory="ValueError")
async def test_the_same_text_twice_in_a_batch(any_embedded: Coloured) -> None:
    await any_embedded.batch([PutOp(NS, key, {"text": "tea", "also": "tea"}, ["text", "also"]) for key in "ab"])
    assert len(await any_embedded.search(NS, query="tea")) == 2


def run(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


def test_an_import_brings_no_driver() -> None:
    program = "import sys, langgraph_learning.checkpointers; print({'psycopg', 'sqlite3', 'numpy'} & set(sys.modules))"
    assert run(program) == "set()"


def test_without_the_driver_the_extra_is_named() -> None:
    program = """
import sys
sys.modules["psycopg"] = None
from langgraph_learning.errors import ConfigurationError
try:
    from langgraph_learning.checkpointers import PostgresHybridStore
except ConfigurationError as error:
    print(error)
"""
    assert "pip install 'langgraph-learning[postgres]'" in run(program)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/a.db" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


def test_what_was_written_without_an_embedder_gets_its_vectors_once_one_is_there(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langgraph_learning.checkpointers._store.fill_vectors.BATCH", 2)
    with connect(url) as db:
        for key, text in {"a": "tea with milk", "b": "violin and piano", "c": "snow", "d": "milk"}.items():
            db.store.put(NS, key, {"text": text, "other": "never"}, index=["text"])
        db.store.put(NS, "none", {"text": "violin"}, index=False)
        db.store.put(NS, "gone", {"text": "violin"})
        db.store.delete(NS, "gone")
    with connect(url, embed=WordEmbeddings()) as db:
        store = cast("HybridStore", db.store)
        store.put(NS, "new", {"text": "rain"})
        before, looked = store.history(NS, "b"), list[int]()
        assert store.count_without_vectors() == 4
        assert store.fill_vectors(looked.append) == 4
        assert (looked, store.count_without_vectors(), store.fill_vectors()) == ([2, 2], 0, 0)
        assert store.history(NS, "b") == before, "it is no new state"
        [best, *_] = store.search(NS, query="piano and violin")
        assert (best.key, getattr(best, "parts", {}).get("meaning", 0) > 0) == ("b", True)


def test_an_item_that_is_written_while_it_is_embedded_keeps_its_own_vector(url: str) -> None:
    with connect(url) as db:
        db.store.put(NS, "a", {"text": "violin"})

    class Slow(WordEmbeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            made = super().embed_documents(texts)
            if "violin" in texts[0]:
                store.put(NS, "a", {"text": "snow"})
            return made

    with connect(url, embed=Slow()) as db:
        store = cast("HybridStore", db.store)
        assert store.fill_vectors() == 0
        assert store.count_without_vectors() == 0
        [found] = store.search(NS, query="snow")
        assert getattr(found, "parts", {}).get("meaning", 0) > 0
