"""What extraction looks at: the window since the watermark, and the id a turn is learned under."""

import json
from datetime import UTC, datetime

import pytest
from engine.hand import ALICE
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import ValidationError

from langgraph_learning._engine.learning.messages import Speakers
from langgraph_learning._engine.learning.turn import (
    Turn,
    TurnInput,
    TurnMessage,
    Watermark,
    commit_id,
    complete_turn,
    join_turns,
    last_human,
    question,
    turn_beginning,
    turn_of,
    watermark,
)
from langgraph_learning.records import Identity, Provenance

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


def since(messages: list[BaseMessage], mark: Watermark | None) -> Turn:
    return turn_of(messages, start=turn_beginning(messages, mark, "alice"))


def test_the_window_begins_after_the_watermark() -> None:
    mark = Watermark(message_id="a1", user_id="alice")
    assert texts(since(THREAD, mark)) == ["two", "second", "three", "third"]


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
    assert texts(since(THREAD, mark)) == ["three", "third"]


def test_the_last_turn_holds_all_human_messages_in_a_row() -> None:
    messages = [*THREAD[:2], HumanMessage("two"), HumanMessage("and three"), AIMessage("both")]
    assert texts(since(messages, None)) == ["two", "and three", "both"]
    assert question(messages) == "two\nand three"


def test_after_a_watermark_at_the_end_the_last_turn_is_looked_at_again_for_an_edit() -> None:
    assert texts(since(THREAD, Watermark(message_id="a3", user_id="alice"))) == ["three", "third"]


def test_a_turn_travels_as_plain_json() -> None:
    at = datetime(2026, 3, 10, 12, tzinfo=UTC)
    messages = [
        HumanMessage("What is the weather?", id="h1"),
        AIMessage("", id="a1", tool_calls=[{"name": "weather", "args": {"city": "Oslo"}, "id": "c1"}]),
        ToolMessage("rain", tool_call_id="c1", name="weather", id="t1", status="error"),
        AIMessage("It rains.", id="a2"),
    ]
    turn = TurnInput(
        turn_of(messages, said_at=at),
        Identity(user_id="alice", thread_id="c1", timezone="Europe/Oslo"),
        at,
        checkpoint_id="1f",
        run="task",
        provenance=Provenance(turn_id="h1", graph_ns="a:1", position=2, recalled=(("user_memory", "m"),)),
        anchors=("a0",),
    )

    again = TurnInput.from_json(json.loads(json.dumps(turn.to_json())))

    assert again == turn
    assert again.turn.human[0].said_at == at
    assert [step.result for step in again.turn.trajectory] == ["rain"]
    assert again.turn.with_tools == turn.turn.with_tools


@pytest.mark.parametrize("forged", [None, [], {}, {"turn": {"messages": 7}}, {"turn": {"messages": []}, "at": "now"}])
def test_what_is_no_turn_is_not_read_as_one(forged: object) -> None:
    with pytest.raises(ValidationError):
        TurnInput.from_json(forged)


def kept(*messages: BaseMessage, anchors: tuple[str, ...] = ()) -> TurnInput:
    return TurnInput(turn_of(messages), ALICE, datetime(2026, 3, 10, tzinfo=UTC), anchors=anchors)


@pytest.mark.parametrize(
    ("left", "complete"),
    [
        (THREAD, ["three", "third"]),
        (THREAD[5:], ["three", "third"]),
        ([HumanMessage("a summary", id="s"), THREAD[5]], ["three", "third"]),
        ([*THREAD[:4], THREAD[5]], ["three", "third"]),
        ([*THREAD[:4], HumanMessage("three, redacted", id="h3"), THREAD[5]], ["three, redacted", "third"]),
        ([*THREAD, HumanMessage("an answer", id="h4")], ["three", "third", "an answer"]),
        ([], ["three"]),
    ],
    ids=["all there", "trimmed", "summarised", "deleted", "redacted", "added to", "emptied"],
)
def test_a_kept_turn_is_completed_from_whatever_is_left(left: list[BaseMessage], complete: list[str]) -> None:
    turn = complete_turn(kept(THREAD[4], anchors=("a1", "h2", "a2")), left, Speakers()).turn
    assert texts(turn) == complete


def test_a_turn_that_began_with_no_word_is_completed_with_the_first_ones() -> None:
    assert texts(complete_turn(kept(), THREAD[4:], Speakers()).turn) == ["three", "third"]
    assert texts(complete_turn(kept(anchors=("a2",)), THREAD, Speakers()).turn) == ["three", "third"]


def test_a_kept_turn_without_ids_begins_at_the_last_message_that_says_so() -> None:
    messages: list[BaseMessage] = [HumanMessage("yes"), AIMessage("one"), HumanMessage("yes"), AIMessage("two")]
    assert texts(complete_turn(kept(messages[2]), messages, Speakers()).turn) == ["yes", "two"]


def test_turns_that_wait_are_one_turn_in_order() -> None:
    joined = join_turns([kept(*THREAD[:2]), kept(*THREAD[2:4], anchors=("a1",))])
    assert texts(joined.turn) == ["one", "first", "two", "second"]
    assert [message.position for message in joined.turn.messages] == [0, 1, 2, 3]
    assert joined.anchors == ()


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
    first, second = since(messages[:2], None), since(messages, None)
    assert commit_id(first, ALICE, STORES) != commit_id(second, ALICE, STORES)
    assert commit_id(second, ALICE, STORES) == commit_id(since(messages, None), ALICE, STORES)
