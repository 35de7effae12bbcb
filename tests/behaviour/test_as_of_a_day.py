"""As of a time in the past, what was said later is not shown; what was said by then is, whenever it was learned."""

from datetime import UTC, datetime, timedelta

from acceptance.driver import Home
from langchain_core.messages import AIMessage, HumanMessage

from langgraph_learning import LearningMachine, Record

MAY, JUNE, JULY = (datetime(2023, month, 8, 12, tzinfo=UTC) for month in (5, 6, 7))


def ids(records: list[Record]) -> list[str]:
    return [record.source.message_ids[0] for record in records]


def test_what_was_said_later_is_neither_found_nor_recalled_as_of_a_day(home: Home) -> None:
    alice = LearningMachine(conversations=True, store=home.store).scoped(user_id="alice", thread_id="t1")
    alice.learn([HumanMessage("My boat is in Kiel.", id="m1")], at=MAY)
    alice.learn([HumanMessage("My boat is in Bern.", id="m2")], at=JULY)
    assert ids(alice.search("boat", at=JUNE)) == ["m1"]
    assert "Bern" not in alice.recall("Where is my boat?", at=JUNE).text
    assert "Kiel" in alice.recall("Where is my boat?", at=JUNE).text
    assert alice.search("boat", at=MAY - timedelta(days=1)) == []
    assert {*ids(alice.search("boat", at=JULY))} == {*ids(alice.search("boat"))} == {"m1", "m2"}


def test_what_was_learned_later_and_said_earlier_counts_by_the_day_it_was_said(home: Home) -> None:
    alice = LearningMachine(conversations=True, store=home.store).scoped(user_id="alice", thread_id="t1")
    alice.learn([HumanMessage("My boat is in Bern.", id="m2")], at=JULY)
    alice.learn([HumanMessage("My boat is in Kiel.", id="m1")], at=MAY)
    assert ids(alice.search("boat", at=JUNE)) == ["m1"]


def test_what_stands_beside_a_message_and_was_said_later_is_not_shown(home: Home) -> None:
    alice = LearningMachine(conversations=True, store=home.store).scoped(user_id="alice", thread_id="t1")
    alice.learn([HumanMessage("My boat is in Kiel.", id="m1")], at=MAY)
    alice.learn([AIMessage("How nice to hear.", id="m2")], at=JULY)
    assert "How nice" in alice.recall("Where is my boat?").text
    assert "How nice" not in alice.recall("Where is my boat?", at=JUNE).text


def test_much_that_was_said_later_does_not_crowd_out_what_was_said_by_then(home: Home) -> None:
    alice = LearningMachine(conversations=True, store=home.store).scoped(user_id="alice", thread_id="t1")
    alice.learn([HumanMessage("Long ago, in the harbour, there was also my old boat.", id="m1")], at=MAY)
    alice.learn([HumanMessage(f"Boat, boat {number}.", id=f"n{number}") for number in range(260)], at=JULY)
    assert ids(alice.search("boat", at=JUNE)) == ["m1"]
    assert "my old boat" in alice.recall("boat", at=JUNE).text


def test_a_message_of_a_clock_that_is_ahead_is_recalled_now(home: Home) -> None:
    alice = LearningMachine(conversations=True, store=home.store).scoped(user_id="alice", thread_id="t1")
    alice.learn([HumanMessage("My boat is in Kiel.", id="m1")], at=datetime.now(UTC) + timedelta(hours=5))
    assert ids(alice.search("boat")) == ["m1"]
    assert "Kiel" in alice.recall("Where is my boat?").text


def test_a_time_without_a_zone_is_in_the_users_for_what_is_learned_and_for_what_is_asked(home: Home) -> None:
    machine = LearningMachine(conversations=True, store=home.store)
    alice = machine.scoped(user_id="alice", thread_id="t1", timezone="America/New_York")
    noon = datetime(2026, 1, 1, 12)
    alice.learn([HumanMessage("My boat is in Kiel.", id="m1")], at=noon)
    assert ids(alice.search("boat", at=noon)) == ["m1"]
    assert "Kiel" in alice.recall("Where is my boat?", at=noon).text
    assert alice.search("boat", at=noon - timedelta(minutes=1)) == []
    in_utc = machine.scoped(user_id="alice", thread_id="t1")
    assert in_utc.search("boat", at=noon + timedelta(hours=4)) == []
    assert ids(in_utc.search("boat", at=noon + timedelta(hours=5))) == ["m1"]
