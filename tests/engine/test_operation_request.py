"""What a model asks for is believed as far as the user's own words carry it."""

import json
import logging
from typing import Any

import pytest
from engine.hand import ALICE, AT, ByHand, answer, items, memory, rules, work
from langchain_core.messages import AIMessage
from langgraph.store.base import PutOp, SearchOp

from langgraph_learning import prompts
from langgraph_learning._engine.flow import Batch, ModelCall, Write
from langgraph_learning._engine.learning.extract import extract
from langgraph_learning._engine.learning.turn import Turn, TurnInput, TurnMessage
from langgraph_learning.errors import ExtractionError
from langgraph_learning.records import Commit, Record
from langgraph_learning.stores import (
    EntityMemoryStore,
    LearningStore,
    SessionContextStore,
    UserMemoryStore,
    UserProfileStore,
)
from langgraph_learning.testing import op

MEMORY, PROFILE = UserMemoryStore(), UserProfileStore()


def started(user: str, assistant: str, *stores: LearningStore, known: tuple[Record, ...] = ()) -> ByHand[Commit | None]:
    """An extraction that waits for the model."""
    turn = Turn((TurnMessage("user", user, "h1"), TurnMessage("assistant", assistant, "a1")))
    hand = ByHand(extract(work(*stores), TurnInput(turn=turn, identity=ALICE, at=AT), rules(*stores)))
    stored = {store.name: items(*(record for record in known if record.store == store.name)) for store in stores}
    ops = hand.expects(Batch).ops
    newest = {op.namespace_prefix: op for op in reversed(ops) if isinstance(op, SearchOp)}.values()
    hand.gets(
        Batch,
        [stored.get(op.namespace_prefix[-1], []) if isinstance(op, SearchOp) and op in newest else None for op in ops],
    )
    return hand


def learned(
    user: str, assistant: str, *told: Any, known: tuple[Record, ...] = (), store: LearningStore = MEMORY
) -> Commit:
    """What a turn teaches if the model answers so."""
    hand = started(user, assistant, store, known=known)
    hand.gets(ModelCall, answer(list(told)))
    hand.gets(Write, None)
    assert hand.result is not None
    return hand.result


def texts(commit: Commit) -> list[str]:
    return [change.text for change in commit.changes]


def offered(hand: ByHand[Commit | None]) -> list[str]:
    schema: Any = hand.expects(ModelCall).schema
    kinds = schema["properties"]["operations"]["items"]["anyOf"]
    return [kind["properties"]["operation"]["enum"][0] for kind in kinds]


@pytest.mark.parametrize(
    ("user", "assistant", "told"),
    [
        ("Thanks!", "Will do, Lex.", op("update_user_profile", name="Lex", quote="Will do, Lex.")),
        ("Thanks!", "You're welcome, Lex.", op("update_user_profile", name="Lex", quote="Thanks")),
        ("Thanks!", "You're welcome, Lex.", op("update_user_profile", name="Lex")),
    ],
)
def test_a_name_that_only_the_assistant_has_said_is_not_the_users(user: str, assistant: str, told: Any) -> None:
    commit = learned(user, assistant, told, store=PROFILE)
    assert texts(commit) == []
    assert "only the assistant" in commit.refused[0].reason


@pytest.mark.parametrize(
    ("user", "assistant", "content"),
    [
        ("How do I sort?", "Here is code: sorted(rows, key=len)", "Uses sorted(rows, key=len)"),
        ("What do you suggest?", "I'd give you code examples in Rust.", "Prefers code examples in Rust"),
        ("Was meinst du?", "Ich empfehle dir grünen Tee aus Japan.", "Trinkt grünen Tee aus Japan"),
    ],
)
def test_the_assistants_words_are_no_memory_of_the_user(user: str, assistant: str, content: str) -> None:
    assert texts(learned(user, assistant, op("add_memory", content=content))) == []


@pytest.mark.parametrize("yes", ["Yes, please!", "Ja, genau.", "Sí, claro", "D'accord, oui"])
def test_what_the_user_says_yes_to_is_theirs(yes: str) -> None:
    if yes.startswith("D'"):
        yes = "Oui, d'accord"
    told = op("add_memory", content="Prefers code examples in Rust")
    assert texts(learned(yes, "Good: code examples in Rust then.", told)) == ["Prefers code examples in Rust"]


def test_the_users_own_words_stand_whatever_the_assistant_repeats() -> None:
    told = op("add_memory", content="Likes tea from Japan", quote="I like tea from Japan")
    assert texts(learned("I like tea from Japan.", "Tea from Japan, noted!", told)) == ["Likes tea from Japan"]
    other = op("add_memory", content="Prefers short answers", quote="Prefiero respuestas cortas")
    assert texts(learned("Prefiero respuestas cortas.", "I'll keep answers short.", other)) == ["Prefers short answers"]


def test_a_summary_of_the_session_may_say_what_the_assistant_said() -> None:
    told = op("update_session_context", summary="The assistant recommended green tea from Japan.")
    commit = learned("Which tea?", "Green tea from Japan.", told, store=SessionContextStore())
    assert len(commit.changes) == 1


def test_an_example_of_the_prompt_that_comes_back_is_refused_and_a_user_who_is_called_so_is_not() -> None:
    told = op("add_memory", content="Is learning to play the zurbina", quote="I'm learning to play the zurbina")
    commit = learned("Hello!", "Hi!", told)
    assert texts(commit) == []
    assert "example" in commit.refused[0].reason
    assert texts(learned("I'm learning to play the zurbina.", "Nice!", told)) == ["Is learning to play the zurbina"]


def test_all_examples_of_the_prompt_that_come_back_teach_nothing() -> None:
    stores = (PROFILE, MEMORY, SessionContextStore(), EntityMemoryStore())
    examples = json.loads(prompts.read("examples.json"))["examples"]
    told = [operation for example in examples for operation in example["operations"]]
    assert len(told) > 10
    known = (memory(MEMORY, "uuid-1", "Likes tea"),)
    hand = started("Hello!", "Hi!", *stores, known=known)
    hand.gets(ModelCall, answer(told))
    hand.gets(Write, None)
    assert hand.result is not None
    assert texts(hand.result) == []
    assert len(hand.result.refused) >= len(told) - 1  # what is over the limit is told in one


@pytest.mark.parametrize(
    ("user", "assistant", "content"),
    [
        ("Merci beaucoup !", "De rien !", "Merci beaucoup !"),
        ("Thank you very much!", "You're welcome.", "Thank you very much"),
        ("多谢！", "不客气。", "多谢！"),
        ("What is the capital of Norway?", "Oslo.", "What is the capital of Norway?"),
        ("¿Qué hora es?", "Las dos.", "¿Qué hora es?"),
        ("晚饭吃什么好？", "饺子。", "晚饭吃什么好？"),
        ("晚饭吃什么好？", "吃饺子吧。", "晚饭吃什么好？吃饺子"),
        ("Was kannst du mir empfehlen?", "Einen Krimi, du liebst doch Simenon.", "Du liebst Simenon"),
    ],
)
def test_a_question_or_a_thanks_of_the_user_is_no_statement(user: str, assistant: str, content: str) -> None:
    commit = learned(user, assistant, op("add_memory", content=content, quote=user))
    assert texts(commit) == []
    assert "not learned" in commit.refused[0].reason


@pytest.mark.parametrize("blank", ["None", "null", "N/A", "unknown", "unbekannt", "<none>", "未知"])
def test_a_word_that_stands_for_nothing_is_no_name_unless_the_user_is_called_so(blank: str) -> None:
    told = op("update_user_profile", name=blank, quote="I keep bees")
    commit = learned("I keep bees.", "Nice!", told, store=PROFILE)
    assert texts(commit) == []
    assert "not learned" in commit.refused[0].reason
    told = op("update_user_profile", name=blank, quote=f"I'm called {blank}")
    assert texts(learned(f"I'm called {blank}, really.", "Nice!", told, store=PROFILE)) == [f"name: {blank}"]


@pytest.mark.parametrize(
    ("user", "content"),
    [
        ("My favourite show is Who wants to be a millionaire?", "Likes the show: Who wants to be a millionaire?"),
        ("I write C, do you?", "Writes C"),
        ("Can you name my new startup in Leeds?", "Has a new startup in Leeds"),
        ("I'm vegan. What can I eat?", "Is vegan. What can I eat?"),
        ("Good mornings start with tea, thanks.", "Good mornings start with tea"),
    ],
)
def test_what_is_said_beside_a_question_or_a_thanks_is_learned(user: str, content: str) -> None:
    assert texts(learned(user, "I see.", op("add_memory", content=content, quote=user))) == [content]


@pytest.mark.parametrize(
    ("user", "content"),
    [
        ("我住在上海。", "Lives in Shanghai"),
        ("I live in Shanghai.", "住在上海"),
        ("Vivo en Shanghái.", "Wohnt in Shanghai"),
    ],
)
def test_a_statement_in_another_language_than_the_users_is_learned(user: str, content: str) -> None:
    assert texts(learned(user, "I see.", op("add_memory", content=content, quote=user))) == [content]


def test_a_short_id_that_was_copied_along_makes_no_second_memory() -> None:
    stored = memory(MEMORY, "uuid-1", "Prefers code examples")
    told = op("add_memory", content="m1: Prefers code examples", quote="code")
    assert texts(learned("More code examples please.", "Sure", told, known=(stored,))) == []
    plain = op("add_memory", content="m1: Prefers tea", quote="I prefer tea")
    assert texts(learned("I prefer tea", "Sure", plain, known=(stored,))) == ["Prefers tea"]
    kept = op("add_memory", content="A4: the paper size they print on", quote="I print on A4")
    assert texts(learned("I print on A4", "Sure", kept, known=(stored,))) == ["A4: the paper size they print on"]


def test_operations_on_ids_are_offered_where_there_are_records_and_only_there() -> None:
    stores = (PROFILE, MEMORY, EntityMemoryStore())
    empty = offered(started("Hi", "Hi", *stores))
    assert empty == ["update_user_profile", "add_memory", "remember_about", "link_entities"]
    full = offered(started("Hi", "Hi", MEMORY, known=(memory(MEMORY, "uuid-1", "Likes tea"),)))
    assert full == ["add_memory", "update_memory", "delete_memory"]


@pytest.mark.parametrize("id", ["m2", "[m2]", "M2", "2", "m2: Lives in Berlin", "Lives in Berlin", "m9", "the second"])
def test_an_id_that_was_not_shown_means_the_one_record_that_fits(id: str) -> None:
    known = (memory(MEMORY, "one", "Likes tea"), memory(MEMORY, "two", "Lives in Berlin"))
    told = op(
        "update_memory", id=id, content="Lives in Rome, no longer in Berlin", quote="I've moved from Berlin to Rome"
    )
    commit = learned("I've moved from Berlin to Rome.", "Nice!", told, known=known)
    assert [(change.kind, change.id) for change in commit.changes if change.kind != "add"] == [("update", "two")]


def test_an_id_that_fits_two_records_or_none_is_refused() -> None:
    known = (memory(MEMORY, "one", "Lives in Berlin"), memory(MEMORY, "two", "Works in Berlin"))
    told = op("delete_memory", id="m9", quote="I've left Berlin")
    commit = learned("I've left Berlin.", "Oh!", told, known=known)
    assert commit.changes == ()
    assert "there is no record 'm9'" in commit.refused[0].reason


def test_the_same_operation_again_is_one() -> None:
    told = op("add_memory", content="Likes tea", quote="I like tea")
    commit = learned("I like tea", "Ok", *[told] * 50)
    assert texts(commit) == ["Likes tea"]
    assert commit.refused == ()


def test_a_cut_off_answer_teaches_what_is_complete_and_says_what_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    hand = started("I like tea and cake.", "Ok", MEMORY)
    whole = (
        '{"operations": [{"operation": "add_memory", "quote": "I like tea", "content": "Likes tea"}, {"operation": "ad'
    )
    with caplog.at_level(logging.INFO):
        hand.gets(ModelCall, answer(whole, finish_reason="length"))
        hand.gets(Write, None)
    assert hand.kinds == ["Batch", "ModelCall", "Write"]
    assert hand.result is not None
    assert texts(hand.result) == ["Likes tea"]
    assert hand.result.refused[0].operation == "answer"
    assert "ended too early" in caplog.text


def test_an_empty_repair_of_an_answer_that_held_something_is_a_failure() -> None:
    hand = started("I like tea", "Ok", MEMORY)
    hand.gets(ModelCall, answer('{"operations": [{"operation": "add_memory", "cont', finish_reason="length"))
    with pytest.raises(ExtractionError, match="repair is empty"):
        hand.gets(ModelCall, answer([]))


def test_an_empty_repair_of_prose_is_an_answer() -> None:
    hand = started("Thanks", "Ok", MEMORY)
    hand.gets(ModelCall, answer("There is nothing to learn here."))
    hand.gets(ModelCall, answer([]))
    assert len(hand.expects(Write).puts) == 1


def test_a_refusal_or_a_filter_is_told_as_one() -> None:
    hand = started("Hi", "Ok", MEMORY)
    hand.gets(ModelCall, {"raw": AIMessage("", additional_kwargs={"refusal": "I can't"})})
    assert "the model refused: I can't" in hand.expects(ModelCall).messages[-1].text
    with pytest.raises(ExtractionError, match="content_filter"):
        hand.gets(ModelCall, answer("", finish_reason="content_filter"))


def test_a_turn_that_is_not_answered_in_time_is_a_failure_that_names_the_option() -> None:
    hand = started("Hi", "Ok", MEMORY)
    with pytest.raises(ExtractionError, match="extraction_timeout"):
        hand.gets(ModelCall, TimeoutError())


def test_rules_come_first_and_unchanged_and_what_is_stored_last() -> None:
    one = started("Hi", "Hello", MEMORY, known=(memory(MEMORY, "one", "Likes tea"),)).expects(ModelCall).messages
    two = started("Bye", "See you", MEMORY, known=(memory(MEMORY, "two", "Likes cake"),)).expects(ModelCall).messages
    assert one[0] == two[0]
    assert "content (text)" in one[0].text
    assert one[0].text.count("Example ") == 4
    assert "Likes tea" in one[1].text
    assert "Likes tea" not in one[0].text


def test_refusals_are_logged_and_kept_in_the_commit(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        commit = learned("Thanks!", "Will do, Lex.", op("update_user_profile", name="Lex"), store=PROFILE)
    assert commit.refused
    assert f"refused update_user_profile: {commit.refused[0].reason}" in caplog.text


def test_a_write_without_changes_holds_the_commit_with_its_refusals() -> None:
    hand = started("Thanks!", "Will do, Lex.", PROFILE)
    hand.gets(ModelCall, answer([op("update_user_profile", name="Lex")]))
    [put] = hand.expects(Write).puts
    assert isinstance(put, PutOp)
    assert put.value is not None
    assert put.value["refused"]
