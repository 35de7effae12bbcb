"""Which names are one, and which of them a sentence speaks of."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from langgraph_learning.stores.entities.names import mentions, normal_type, same_name, slug
from langgraph_learning.words import fold

LETTERS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
ASCII = st.text("abcdefgz0123456789+#", min_size=1, max_size=8).filter(lambda text: any(c.isalnum() for c in text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Acme, Inc.", "acme inc"),
        ("ACME", "Acme"),
        ("José García", "Jose Garcia"),
        ("Ångström", "Angström"),
        ("Straße", "strasse"),
        ("Data-Pipe", "data pipe"),
        ("O'Brien", "O’Brien"),
        ("Ｆｕｌｌ width", "full width"),
        ("Андре́й", "Андрей"),
        ("张伟", "张伟"),
        ("  Acme \n Corp ", "Acme Corp"),
        ("김철수", "김 철수"),
        ("삼성 전자", "삼성전자"),
        ("山田太郎", "山田　太郎"),
        ("สมชาย ใจดี", "สมชายใจดี"),
        ("أحمد", "احمد"),
        ("مُحَمَّد", "محمد"),
        ("שָׁלוֹם", "שלום"),
        ("ISPARTA", "ısparta"),
        ("Łódź", "Lodz"),
    ],
)
def test_two_spellings_of_one_name(one: str, other: str) -> None:
    assert same_name(one, other)
    assert same_name(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C", "C++"),
        ("C", "C#"),
        ("C++", "C#"),
        ("Sarah", "Sarah Chen"),
        ("José", "Josè"),
        ("Müller", "Möller"),
        ("край", "краи"),
        ("Aтлас", "Атлас"),  # a Latin A
        ("张伟", "张维"),
        ("GPT-3.5", "GPT-35"),
        ("Model 3", "Model 30"),
        ("राम", "रम"),
        ("कमल", "कमला"),
        ("김철수", "김철호"),
        ("New York", "Newyork"),
        ("แม่", "แม้"),
        ("...", "..."),
    ],
)
def test_names_that_stay_apart(one: str, other: str) -> None:
    assert not same_name(one, other)
    assert not same_name(other, one)


@pytest.mark.parametrize("name", ["", "...", "++", "#", "—", "🎉", " ", "\u200b", "&"])
def test_what_has_no_letter_is_no_name(name: str) -> None:
    assert slug(name) == ""


@given(ASCII, ASCII)
def test_plain_names_have_one_slug_only_if_they_are_one(one: str, other: str) -> None:
    assert (slug(one) == slug(other)) == (one == other)


@given(LETTERS, LETTERS)
def test_a_slug_forgets_no_boundary_between_words(one: str, other: str) -> None:
    assume(fold(one + other).isalnum())  # a letter like "Ŀ" is an L and a dot
    assert slug(f"{one} {other}") == slug(f"{one} -- {other}!")
    assert slug(f"{one} {other}") != slug(f"{one}{other}")


@given(st.text(max_size=30))
def test_a_slug_is_stable_and_fit_for_an_id(name: str) -> None:
    found = slug(name)
    assert slug(found) == found
    assert not set(found) & set(" :/\n\0")
    assert not found or same_name(name, name)


@pytest.mark.parametrize(
    ("said", "normal"),
    [
        ("People", "person"),
        ("PERSON", "person"),
        ("companies", "company"),
        ("Products", "product"),
        ("programming_language", "programming language"),
        ("status", "status"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_type_has_one_spelling(said: str | None, normal: str) -> None:
    assert normal_type(said) == normal


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("What does al want?", "Al"),
        ("Tell me about acme inc!", "Acme, Inc."),
        ("How is Sarah's project going?", "Sarah"),
        ("昨天我见到张伟了", "张伟"),
        ("我喜欢Acme公司", "Acme"),
        ("삼성은 어때요?", "삼성"),
        ("Was macht Müller?", "Muller"),
        ("is it C++?", "C++"),
        ("Расскажи про Яндекс.", "яндекс"),
        ("I saw The Who live", "The Who"),
        ("Anna-Lena came", "Anna"),
    ],
)
def test_a_sentence_speaks_of_a_name(text: str, name: str) -> None:
    assert mentions(text, name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("always", "al"),
        ("It is C++", "C"),
        ("It is C#", "C"),
        ("Is that who it was?", "Who"),
        ("我吃李子", "李"),
        ("acmes", "acme"),
        ("", "Acme"),
        ("Acme", "..."),
    ],
)
def test_a_sentence_does_not_speak_of_a_name(text: str, name: str) -> None:
    assert not mentions(text, name)
