"""What a text is found by, in any language, and what two spellings of it have in common."""

import hashlib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_learning import words as analysis
from langgraph_learning.languages import guess_language
from langgraph_learning.words import fold, fold_letters, query_terms, terms, words

# A language, a turn, a question in another inflection, and the words of it that shall find the turn.
ASKED = [
    ("English", "I adopted two puppies", "When did the adoption of a puppy happen?", ["adoption", "puppy"]),
    (
        "German",
        "Meine Oma wohnt in einer Wohnung in München",
        "Wohnungen in Muenchen?",
        ["wohnungen", "muenchen"],
    ),
    ("German", "Bevorzugt kurze Antworten", "Wie lang soll die Antwort sein?", ["antwort"]),
    ("German", "Ich esse keine Äpfel", "Apfel", ["apfel"]),
    ("French", "J'habite dans un appartement près de l'église", "Quels appartements ?", ["appartements"]),
    ("French", "Ma sœur préfère les trains", "prefere le train", ["prefere", "train"]),
    ("Spanish", "Mi perro se llama Bruno", "¿Cuántos perros tengo?", ["perros"]),
    ("Spanish", "Reservé una habitación en Málaga", "habitaciones malaga", ["habitaciones", "malaga"]),
    ("Spanish", "Perro negro", "perros", ["perros"]),
    ("Italian", "Ho comprato una macchina rossa", "Quante macchine ha?", ["macchine"]),
    ("Portuguese", "Tenho uma reunião na sexta", "Quais são as reuniões?", ["reuniões"]),
    ("Dutch", "Ik heb twee katten en een hond", "Hoe heten de honden?", ["honden"]),
    ("Swedish", "Jag har två hundar", "Vad heter hunden?", ["hunden"]),
    ("Finnish", "Asun talossa Helsingissä", "Minkä värinen talo on?", ["talo"]),
    ("Polish", "Mieszkam w Łodzi", "lodz", ["lodz"]),
    ("Russian", "Моя собака живёт в Москве", "Что делают собаки?", ["собаки"]),
    ("Russian", "Работаю учителем в новой школе", "Кто учитель?", ["учитель"]),
    ("Serbian", "Моја мачка живи у Београду", "мачке", ["мачке"]),
    ("Greek", "Έχω έναν σκύλο στην Αθήνα", "οι σκυλοι", ["σκυλοι"]),
    ("Arabic", "أعمل في المدرسة الجديدة", "هل لديك مدرسة؟", ["مدرسة"]),
    ("Arabic", "عندي قطة سوداء", "والقطة", ["والقطة"]),
    ("Arabic", "اسم أخي أحمد", "من هو احمد", ["احمد"]),
    ("Arabic", "كِتَابٌ جَدِيدٌ", "الكتاب", ["الكتاب"]),
    ("Persian", "من کتاب‌های زیادی دارم", "کتابها", ["کتابها"]),
    ("Hebrew", "אני גר בבית גדול", "איפה הבית?", ["הבית"]),
    ("Hebrew", "יש לי שני כלבים", "כלב", ["כלב"]),
    ("Hebrew", "שָׁלוֹם עולם", "שלום", ["שלום"]),
    ("Turkish", "ISPARTA'da oturuyorum", "ısparta nerede?", ["ısparta"]),
    ("Turkish", "Isparta'yı çok seviyorum", "ısparta", ["ısparta"]),
    ("Turkish", "Kedimin adı Pamuk", "Kediler", ["kediler"]),
    ("Thai", "ฉันชอบดื่มกาแฟเย็น", "กาแฟ", ["กาแฟ"]),
    ("Korean", "저는 서울에서 살아요", "서울은 어때요?", ["서울은"]),
    ("Korean", "집에 있어요", "집은?", ["집은"]),
    ("Korean", "고양이를 키워요", "고양이", ["고양이"]),
    ("Korean", "삼성전자에서 일해요", "삼성 전자", ["삼성", "전자"]),
    ("Hindi", "मुझे किताबें पसंद हैं", "किताब", ["किताब"]),
    ("Japanese", "東京に住んでいます", "東京のどこ", ["東京のどこ"]),
    ("Vietnamese", "Tôi sống ở Hà Nội", "ha noi", ["ha", "noi"]),
    ("Bengali", "আমি বই পড়ি", "বই", ["বই"]),
    ("emoji", "Best day ever 🍕👩‍💻👍🏽", "🍕 👨‍💻 👍", ["🍕", "💻", "👍"]),
    ("a name in another language", "María vive en Málaga", "Where does María live?", ["maría"]),
    ("two languages", "Prefers tea over coffee\nMeine Tante trinkt keine Säfte", "Welchen Saft mag sie?", ["saft"]),
]


def found_by(turn: str, question: str) -> list[str]:
    """The words of a question by which the turn is found."""
    there = set(terms(turn))
    return list(dict.fromkeys(each.word for each in query_terms(question) if each.term in there))


@pytest.mark.parametrize(("turn", "question", "words"), [each[1:] for each in ASKED], ids=[each[0] for each in ASKED])
def test_a_question_in_another_inflection_finds_the_turn(turn: str, question: str, words: list[str]) -> None:
    assert found_by(turn, question) == words


@pytest.mark.parametrize(
    ("turn", "question"),
    [
        ("Ich habe einen Hund", "Wo ist der Hut?"),
        ("서울에서 살아요", "부산은 어때요?"),
        ("עבדתי בבית", "איפה הכלב?"),
        ("Моя собака", "кошки"),
        ("عندي قطة", "المدرسة"),
        ("Love this 🍕", "🍔"),
        ("What is on the menu?", "Who are you?"),
    ],
)
def test_another_word_does_not_find_it(turn: str, question: str) -> None:
    assert found_by(turn, question) == []


def test_an_english_question_is_looked_for_in_english_alone() -> None:
    assert [each.term for each in query_terms("Where does Caroline go hiking?")] == ["carolin", "go", "hike"]


@pytest.mark.parametrize(
    ("sentence", "language"),
    [
        ("I met her on the way to the dentist", "english"),
        ("Take care, see ya, most of the men want a plus one!", "english"),
        ("Ich trinke morgens gerne Tee", "german"),
        ("Je ne sais pas encore", "french"),
        ("Me gusta el té por la mañana", "spanish"),
        ("Mi piace il tè la mattina", "italian"),
        ("Gosto muito de chá", "portuguese"),
        ("Ik houd niet van koffie", "dutch"),
        ("Jag tycker inte om kaffe", "swedish"),
        ("Lubię herbatę, ale nie kawę", "polish"),
        ("Kahve sevmiyorum ama çay çok güzel", "turkish"),
        ("Pidän teestä ja kahvista", "finnish"),
        ("", "english"),
        ("12345 xkcd", "english"),
    ],
)
def test_a_sentence_tells_its_language(sentence: str, language: str) -> None:
    assert guess_language(sentence.casefold().replace(",", " ").split()).language == language


@given(st.text(max_size=60))
def test_a_text_is_found_by_its_own_words(text: str) -> None:
    there, asked = set(terms(text)), {each.term for each in query_terms(text)}
    assert not there or there & asked
    assert all(term and not term.isspace() and " " not in term for term in there | asked)


def test_the_order_of_texts_before_does_not_change_the_terms() -> None:
    turns = [each[1] for each in ASKED]
    before = [terms(turn) for turn in turns]
    assert [terms(turn) for turn in reversed(turns)] == before[::-1]


def test_whoever_changes_the_terms_counts_the_version_up() -> None:
    """Every database is indexed anew for another version: without one, old texts would not be found any more."""
    digest = hashlib.sha256(repr([terms(each[1]) for each in ASKED]).encode()).hexdigest()[:12]
    assert (analysis.analysis_version(), digest) == ("2, snowballstemmer 3.1.1", "3cec6842e0c9")


def test_marks_without_end_are_cut_before_they_are_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unicode sorts the marks of a letter, and that takes the square of their number."""
    longest = 0
    normalize = unicodedata.normalize

    def watched(form: str, text: str) -> str:
        nonlocal longest
        run = 0
        for c in normalize("NFKD", text[:0]) + text:
            run = run + 1 if unicodedata.category(c)[0] == "M" else 0
            longest = max(longest, run)
        return normalize(form, text)  # type: ignore[arg-type]

    monkeypatch.setattr(unicodedata, "normalize", watched)
    for pair in ("\u0301\u0323", "\u0e38\u0e48", "\u05b0\u05bc", "\u0f73", "\u1dce\u20e8"):
        attack = "a" + pair * 5_000
        for analyse in (fold, fold_letters, terms, query_terms, words):
            analyse(f"{attack} {attack}")
    assert 0 < longest <= 100


def test_a_letter_keeps_the_marks_that_a_script_writes() -> None:
    assert fold("é\u0323\u0301") == "e"
    assert fold("ก\u0e38\u0e48") == "ก\u0e38\u0e48"
