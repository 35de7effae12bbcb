"""Search by words in several languages, the same wherever the words are kept, and an index of an older analysis."""

import logging
from pathlib import Path

import pytest
from contracts.conftest import Make
from langgraph.store.base import BaseStore, PutOp
from langgraph.store.memory import InMemoryStore

from langgraph_learning import LearningDB, LearningMachine, connect
from langgraph_learning.checkpointers._store import reindex_text, writing
from langgraph_learning.checkpointers._store.store import HybridStore
from langgraph_learning.words import stem, words

NS = ("docs",)
STATEMENTS = {
    "Meine Schwester wohnt in einer Wohnung in München": "Welche Wohnungen?",
    "Ma tante préfère les trains de nuit": "Le train ?",
    "Reservé una habitación en Málaga": "¿Qué habitaciones hay?",
    "Моя собака живёт в Москве": "Как зовут собак?",
    "عندي قطة سوداء في البيت": "أين القطة؟",
    "ISPARTA'da bir ev aldım": "ısparta nerede?",
    "ฉันชอบดื่มกาแฟเย็น": "กาแฟ",
    "저는 강아지를 키워요": "강아지는?",
    "יש לי שני כלבים": "איפה הכלב?",
    "東京の寿司が好きです": "寿司",
    "Best pizza of the year 🍕": "🍕",
    "She adopted two puppies": "Who adopts a puppy?",
    "Ο ΟΔΥΣΣΕΥΣ μένει στην Ιθάκη": "οδυσσευς",
    "به کتاب‌های تاریخی علاقه دارد": "کتاب های",
    "يحب الشــــاي الأخضر": "الشاي",
    "ｶﾌｪで働いています": "カフェ",
    "Thích ăn phở bò mỗi sáng": "pho bo",
    "Wir treffen uns in der Hauptstraße": "HAUPTSTRASSE",
    "Her handwriting has a ﬂourish": "flourish",
}


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def any_base_store(request: pytest.FixtureRequest, make: Make) -> BaseStore:
    return InMemoryStore() if request.param == "memory" else make(request.param)


def test_a_question_in_another_inflection_finds_the_statement_on_every_store(any_base_store: BaseStore) -> None:
    scoped = LearningMachine(user_memory=True, store=any_base_store).scoped(user_id="alex")
    scoped.load(
        {
            "id": f"r{number}",
            "store": "user_memory",
            "scope": {"user_id": "alex"},
            "content": {"content": text},
            "text": text,
            "created_at": "2026-05-01T00:00:00Z",
            "updated_at": "2026-05-01T00:00:00Z",
        }
        for number, text in enumerate(STATEMENTS)
    )
    found = {text: scoped.search(question, limit=1)[0].text for text, question in STATEMENTS.items()}
    assert found == {text: text for text in STATEMENTS}


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else f"sqlite:///{tmp_path / 'a.db'}"


def hybrid(db: LearningDB) -> HybridStore:
    assert isinstance(db.store, HybridStore)
    return db.store


def test_a_database_of_an_older_analysis_is_indexed_anew(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The fields that each put named stay the ones that are indexed, the past included."""
    caplog.set_level(logging.WARNING, "langgraph_learning")
    monkeypatch.setattr(reindex_text, "BATCH", 2)
    with monkeypatch.context() as older:
        older.setattr(writing, "terms", lambda text: [stem(w) for w in words(text)])
        older.setattr(reindex_text, "analysis_version", lambda: "1")
        with connect(url) as db:
            keyed = enumerate(STATEMENTS)
            puts = [
                PutOp(NS, f"k{n}", {"text": text, "note": "Hunde", "title": "Katzen"}, ["text"]) for n, text in keyed
            ]
            db.store.batch(puts)
            db.store.put(NS, "moved", {"text": "Zwei Wohnungen in Berlin", "note": "x"}, ["text"])
            before = hybrid(db).revision()
            db.store.put(NS, "moved", {"text": "Ein Haus in Berlin", "note": "x"}, ["text"])
            db.store.put(NS, "whole", {"title": "Meine Lampen", "note": "Licht"})
            db.store.put(NS, "never", {"text": "Viele Lampen"}, index=False)
            assert not any(item.score for item in db.store.search(NS, query="Lampe"))
    caplog.clear()
    with connect(url) as db:
        search = db.store.search
        for number, question in enumerate(STATEMENTS.values()):
            assert search(NS, query=question)[0].key == f"k{number}"
        assert search(NS, query="Häuser")[0].key == "moved"
        assert [item.key for item in search(NS, query="Lampe") if item.score] == ["whole"]
        assert [item.key for item in search(NS, query="Katze Hund Katzen Hunde") if item.score] == []
        assert [item.key for item in hybrid(db).as_of(before).search(NS, query="Wohnung Berlin", limit=1)] == ["moved"]
        assert caplog.messages[-1] == f"indexed {len(STATEMENTS) + 2} items again"
    caplog.clear()
    with connect(url):
        assert caplog.messages == []
