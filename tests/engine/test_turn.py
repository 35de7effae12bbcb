"""What extraction looks at: the window since the watermark, and the id a turn is learned under."""

import pytest
from engine.hand import ALICE
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from langgraph_learning._engine.learning.turn import (
    Turn,
    TurnMessage,
    Watermark,
    commit_id,
    last_human,
    question,
    turn_of,
    turn_since,
    watermark,
)
from langgraph_learning.records import Identity

STORES = ("user_profile", "user_memory")
THREAD: list[BaseMessage] = [
    HumanMessage("one", id="h1"),
    AIMessage("first", id="a1"),
    HumanMessage("two", id="h2"),
    AIMessage("second", id="a2"),
    HumanMessage("three", id="h3"),
    AIMessage("third", id="a3"),
]


def texts(turn: Turn) -> list[str]:
    return [said.text for said in turn.messages]


def test_the_window_begins_after_the_watermark() -> None:
    mark = Watermark(message_id="a1", user_id="alice")
    assert texts(turn_since(THREAD, mark, "alice")) == ["two", "second", "three", "third"]


@pytest.mark.parametrize(
    "mark",
    [
        None,
        Watermark(message_id="trimmed away", user_id="alice"),
        Watermark(message_id="a1", user_id="ben"),
        Watermark(message_id="a1", user_id=None),
        Watermark(message_id="a1"),
        Watermark(),
    ],
    ids=["missing", "trimmed", "another user's", "nobody's", "without user", "empty"],
)
def test_without_a_watermark_of_ones_own_the_window_is_the_last_turn(mark: Watermark | None) -> None:
    assert texts(turn_since(THREAD, mark, "alice")) == ["three", "third"]


def test_the_last_turn_holds_all_human_messages_in_a_row() -> None:
    messages = [*THREAD[:2], HumanMessage("two"), HumanMessage("and three"), AIMessage("both")]
    assert texts(turn_since(messages, None, "alice")) == ["two", "and three", "both"]
    assert question(messages) == "two\nand three"


def test_a_watermark_at_the_end_leaves_nothing_to_learn_from() -> None:
    assert turn_since(THREAD, Watermark(message_id="a3", user_id="alice"), "alice").messages == ()


def test_only_what_people_and_the_assistant_said_is_in_the_window() -> None:
    messages = [
        SystemMessage("recalled", id="learning-context"),
        SystemMessage("You are helpful"),
        HumanMessage("a summary made by middleware", additional_kwargs={"lc_source": "summarization"}),
        HumanMessage("What is the weather?"),
        AIMessage("", tool_calls=[{"name": "weather", "args": {}, "id": "1"}]),
        ToolMessage("rain", tool_call_id="1"),
        AIMessage("It rains."),
        HumanMessage([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]),
        HumanMessage([{"type": "text", "text": "and this?"}, {"type": "audio", "base64": "AAAA"}]),
    ]
    assert turn_of(messages).messages == (
        TurnMessage("user", "What is the weather?"),
        TurnMessage("assistant", "It rains."),
        TurnMessage("user", "and this?"),
    )
    last = last_human(messages[:7])
    assert last is not None
    assert last.text == "What is the weather?"


def test_the_watermark_is_the_last_message_and_whose_turn_that_was() -> None:
    assert watermark(THREAD, "alice") == {"message_id": "a3", "user_id": "alice"}
    assert watermark(THREAD, None) == {"message_id": "a3", "user_id": None}
    assert watermark([*THREAD, AIMessage("no id")], "alice") is None
    assert watermark([], "alice") is None


def turn(*said: tuple[str, str, str | None], position: int = 0) -> Turn:
    return Turn(tuple(TurnMessage(role, text, id) for role, text, id in said), position)


BASE = commit_id(turn(("user", "I like tea", "h1"), ("assistant", "Noted", "a1")), ALICE, STORES)


@pytest.mark.parametrize(
    "same",
    [
        turn(("user", "I like tea", "h1"), ("assistant", "Another answer", "a2")),
        turn(("user", "I like tea", "h1")),
        turn(("user", "I like tea", "h1"), ("assistant", "Noted", "a1"), position=7),
    ],
    ids=["another answer", "no answer", "another position of messages with ids"],
)
def test_the_answer_does_not_count_for_the_commit_id(same: Turn) -> None:
    assert commit_id(same, ALICE, reversed(STORES)) == BASE


@pytest.mark.parametrize(
    ("other", "identity", "stores"),
    [
        (turn(("user", "I like tea", "h2")), ALICE, STORES),
        (turn(("user", "I like coffee", "h1")), ALICE, STORES),
        (turn(("user", "I like tea", "h1"), ("user", "a lot", "h2")), ALICE, STORES),
        (turn(("user", "I like tea", "h1")), Identity(user_id="ben", thread_id="c1"), STORES),
        (turn(("user", "I like tea", "h1")), Identity(user_id="alice", thread_id="c2"), STORES),
        (turn(("user", "I like tea", "h1")), ALICE, ("user_memory",)),
    ],
    ids=["id", "text", "one message more", "user", "thread", "learning stores"],
)
def test_ids_and_texts_of_human_messages_scope_and_learning_stores_count(
    other: Turn, identity: Identity, stores: tuple[str, ...]
) -> None:
    assert commit_id(other, identity, stores) != BASE


def test_the_same_words_said_twice_without_ids_are_two_turns() -> None:
    messages = [HumanMessage("yes"), AIMessage("ok"), HumanMessage("yes"), AIMessage("ok")]
    first, second = turn_since(messages[:2], None, "alice"), turn_since(messages, None, "alice")
    assert commit_id(first, ALICE, STORES) != commit_id(second, ALICE, STORES)
    assert commit_id(second, ALICE, STORES) == commit_id(turn_since(messages, None, "alice"), ALICE, STORES)
