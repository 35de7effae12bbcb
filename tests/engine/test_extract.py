"""The extract flow, stepped by hand."""

from typing import Any, ClassVar

import pytest
from engine.hand import ALICE, AT, ByHand, answer, heard, item, items, memory, rules, work
from langgraph.store.base import GetOp

from langgraph_learning import UserMemoryConfig
from langgraph_learning._engine.flow import Batch, ModelCall, Write
from langgraph_learning._engine.learning.commit import TRIES
from langgraph_learning._engine.learning.extract import extract
from langgraph_learning._engine.learning.extraction_prompt import LONGEST_TURN, SHOWN_TOKENS
from langgraph_learning._engine.learning.messages import LONGEST_MESSAGE
from langgraph_learning._engine.learning.structured_output import OutputMethods
from langgraph_learning._engine.learning.turn import Turn, TurnInput, TurnMessage
from langgraph_learning.errors import ConflictError, ExtractionError, StoreError
from langgraph_learning.records import Commit, Identity
from langgraph_learning.stores import SessionContextStore, UserMemoryStore, UserProfileStore, operation
from langgraph_learning.testing import op
from langgraph_learning.words import tokens

MEMORY = UserMemoryStore()
TEA = [op("add_memory", content="Likes tea", quote="I like tea")]
Extracting = ByHand[Commit | None]


def started(said: str = "I like tea.", methods: OutputMethods | None = None) -> Extracting:
    """An extraction that waits for what is stored."""
    return ByHand(extract(work(MEMORY, methods=methods), heard(said), rules(MEMORY)))


def asked(said: str = "I like tea.", methods: OutputMethods | None = None) -> Extracting:
    """An extraction that waits for the model; nothing is stored yet."""
    hand = started(said, methods)
    hand.gets(Batch, [None, []])
    return hand


def test_a_turn_is_looked_up_read_asked_about_once_and_written_once() -> None:
    hand = asked()
    hand.gets(ModelCall, answer(TEA))
    written = hand.expects(Write)
    assert [put.value["text"] for put in written.puts if put.value and "text" in put.value] == ["Likes tea"]
    assert set(written.expect.values()) == {0}
    hand.gets(Write, None)
    assert hand.kinds == ["Batch", "ModelCall", "Write"]
    assert hand.result is not None
    assert [change.kind for change in hand.result.changes] == ["add"]
    assert hand.result.usage.calls == 1


def test_the_commit_is_looked_up_in_the_first_round_trip_and_ends_the_flow_without_the_model() -> None:
    hand = started()
    first = hand.expects(Batch).ops[0]
    assert isinstance(first, GetOp)
    made = Commit(id=first.key, identity=ALICE, at=AT)
    value = made.model_dump(mode="json", exclude={"id"})
    hand.gets(Batch, [item(first.namespace, first.key, value), []])
    assert hand.result == made
    assert hand.kinds == ["Batch"]


def test_a_lost_race_is_read_again_and_planned_anew_without_a_second_model_call() -> None:
    hand = asked("I like tea and cake.")
    hand.gets(ModelCall, answer([*TEA, op("add_memory", content="Likes cake")]))
    hand.gets(Write, ConflictError("somebody was first"))
    theirs = memory(MEMORY, "theirs", "likes TEA")
    hand.gets(Batch, [None, items(theirs)])
    again = hand.expects(Write)
    assert [put.value["text"] for put in again.puts if put.value and "text" in put.value] == ["Likes cake"]
    hand.gets(Write, None)
    assert hand.kinds == ["Batch", "ModelCall", "Write", "Batch", "Write"]
    assert hand.result is not None
    assert [change.text for change in hand.result.changes] == ["Likes cake"]


def test_a_lost_race_against_the_same_turn_ends_in_the_commit_that_was_first() -> None:
    hand = asked()
    hand.gets(ModelCall, answer(TEA))
    hand.gets(Write, ConflictError("the same turn was learned meanwhile"))
    first = hand.expects(Batch).ops[0]
    assert isinstance(first, GetOp)
    made = Commit(id=first.key, identity=ALICE, at=AT)
    hand.gets(Batch, [item(first.namespace, first.key, made.model_dump(mode="json", exclude={"id"})), []])
    assert hand.result == made
    assert hand.kinds.count("Write") == 1


def test_a_race_that_is_always_lost_ends_in_a_conflict_error_after_few_tries() -> None:
    hand = asked()
    hand.gets(ModelCall, answer(TEA))
    for _ in range(TRIES - 1):
        hand.gets(Write, ConflictError("somebody was first"))
        hand.gets(Batch, [None, []])
    with pytest.raises(ConflictError):
        hand.gets(Write, ConflictError("somebody was first"))
    assert hand.kinds.count("ModelCall") == 1


def test_a_failed_read_asks_no_model_and_writes_nothing() -> None:
    hand = started()
    with pytest.raises(StoreError):
        hand.gets(Batch, StoreError("the disk is gone"))
    assert hand.kinds == ["Batch"]


def test_a_failed_read_after_a_lost_race_writes_nothing() -> None:
    hand = asked()
    hand.gets(ModelCall, answer(TEA))
    hand.gets(Write, ConflictError("somebody was first"))
    with pytest.raises(StoreError):
        hand.gets(Batch, StoreError("the disk is gone"))
    assert hand.kinds == ["Batch", "ModelCall", "Write", "Batch"]


def test_a_failed_write_is_raised_and_not_tried_again() -> None:
    hand = asked()
    hand.gets(ModelCall, answer(TEA))
    with pytest.raises(StoreError):
        hand.gets(Write, StoreError("the disk is full"))
    assert hand.kinds == ["Batch", "ModelCall", "Write"]


HALF = '{"operations": [{"operation": "add_memory", "content": "Likes te'
SPOILT: dict[str, Any] = {
    "half JSON": answer(HALF),
    "told to be cut off": answer(HALF, finish_reason="length"),
    "told so by Anthropic": answer(HALF, stop_reason="max_tokens"),
    "told so by Ollama": answer(HALF, done_reason="length"),
    "told so by OpenAI's responses": answer(HALF, status="incomplete"),
    "told so and nothing said": answer([], finish_reason="length"),
    "nested too deeply": answer('{"operations": ' + "[" * 100_000),
    "nonsense": answer("Sure! Here is what I learned."),
    "another object": answer('{"memories": []}'),
    "a list": answer("[]"),
    "empty": answer(""),
}


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=list(SPOILT))
def test_a_spoilt_answer_gets_one_repair_and_then_an_extraction_error(spoilt: dict[str, Any]) -> None:
    hand = asked()
    original = hand.expects(ModelCall).messages
    hand.gets(ModelCall, spoilt)
    repair = hand.expects(ModelCall).messages
    assert repair[: len(original)] == original
    assert "That answer cannot be used" in repair[-1].text
    with pytest.raises(ExtractionError):
        hand.gets(ModelCall, spoilt)
    assert hand.kinds == ["Batch", "ModelCall", "ModelCall"]


def test_a_repaired_answer_is_used_and_both_calls_are_counted() -> None:
    hand = asked()
    hand.gets(ModelCall, SPOILT["half JSON"])
    hand.gets(ModelCall, answer(TEA))
    hand.gets(Write, None)
    assert hand.result is not None
    assert [change.text for change in hand.result.changes] == ["Likes tea"]
    assert hand.result.usage.calls == 2


def test_a_client_that_raises_for_an_answer_cut_off_at_its_limit_gets_a_repair_too() -> None:
    class LengthFinishReasonError(Exception):
        completion = "half an answer"

    hand = asked()
    hand.gets(ModelCall, LengthFinishReasonError())
    assert "cut off" in hand.expects(ModelCall).messages[-1].text
    hand.gets(ModelCall, answer([]))
    assert hand.kinds == ["Batch", "ModelCall", "ModelCall", "Write"]


class Refused(Exception):
    """What a client raises for an HTTP status."""

    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


def test_an_integration_that_does_not_know_a_method_is_asked_in_the_next_way_from_then_on() -> None:
    methods, hand = OutputMethods(), ByHand[Commit | None]
    stranger = work(MEMORY, methods=methods)
    one = hand(extract(stranger, heard("I like tea."), rules(MEMORY)))
    one.gets(Batch, [None, []])
    assert one.expects(ModelCall).options == {"method": "json_schema"}
    one.gets(ModelCall, TypeError("unexpected keyword 'method'"))
    assert one.expects(ModelCall).options == {"method": "function_calling"}
    one.gets(ModelCall, NotImplementedError("with_structured_output"))
    assert one.expects(ModelCall).options == {"method": "prompt"}
    one.gets(ModelCall, answer(TEA))
    two = hand(extract(stranger, heard("I like cake."), rules(MEMORY)))
    two.gets(Batch, [None, []])
    assert two.expects(ModelCall).options == {"method": "prompt"}


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_server_that_refuses_the_schema_is_served_by_function_calling_once_and_remembered(status: int) -> None:
    methods = OutputMethods()
    works = work(MEMORY, methods=methods)
    one: Extracting = ByHand(extract(works, heard("I like tea."), rules(MEMORY)))
    one.gets(Batch, [None, []])
    one.gets(ModelCall, Refused(status))
    assert one.expects(ModelCall).options == {"method": "function_calling"}
    one.gets(ModelCall, answer(TEA))
    one.gets(Write, None)
    two: Extracting = ByHand(extract(works, heard("I like cake."), rules(MEMORY)))
    two.gets(Batch, [None, []])
    assert two.expects(ModelCall).options == {"method": "function_calling"}


def test_a_server_that_refuses_function_calling_too_is_asked_in_words_and_then_not_again() -> None:
    hand = asked()
    hand.gets(ModelCall, Refused(400))
    hand.gets(ModelCall, Refused(400))
    assert hand.expects(ModelCall).options == {"method": "prompt"}
    with pytest.raises(Refused):
        hand.gets(ModelCall, Refused(400))


@pytest.mark.parametrize("status", [401, 429, 500])
def test_a_failure_that_another_method_cannot_mend_is_raised_at_once(status: int) -> None:
    hand = asked()
    with pytest.raises(Refused):
        hand.gets(ModelCall, Refused(status))
    assert hand.kinds == ["Batch", "ModelCall"]


def test_a_tool_call_that_is_half_an_answer_is_no_answer() -> None:
    raw = answer("")["raw"].model_copy(
        update={"invalid_tool_calls": [{"name": "learned", "args": '{"operations": [{"op', "id": "1", "error": None}]}
    )
    hand = asked()
    hand.gets(ModelCall, {"raw": raw, "parsed": {"operations": []}})
    assert "not valid JSON" in hand.expects(ModelCall).messages[-1].text


def test_nobody_known_and_nobody_speaking_ask_for_nothing() -> None:
    nobody = heard("I like tea.", identity=Identity(thread_id="c1"))
    silent = TurnInput(turn=Turn((TurnMessage("assistant", "Hello?", "a1"),)), identity=ALICE, at=AT)
    for turn in (nobody, silent):
        hand: Extracting = ByHand(extract(work(MEMORY), turn, rules(MEMORY)))
        assert hand.kinds == []
        assert hand.result is None


def test_three_learning_stores_share_one_call_and_one_write() -> None:
    stores = (UserProfileStore(), MEMORY, SessionContextStore())
    hand: Extracting = ByHand(extract(work(*stores), heard("I'm Alice, I like tea."), rules(*stores)))
    hand.gets(Batch, [None, [], [], []])
    told = [*TEA, op("update_user_profile", name="Alice"), op("update_session_context", summary="Tea.")]
    hand.gets(ModelCall, answer(told))
    assert len(hand.expects(Write).puts) == 4
    hand.gets(Write, None)
    assert hand.kinds == ["Batch", "ModelCall", "Write"]


def test_two_models_are_two_calls_and_one_commit() -> None:
    profile = UserProfileStore()
    works = [*work(profile), *work(MEMORY)]
    hand: Extracting = ByHand(extract(works, heard("I'm Alice, I like tea."), rules(profile, MEMORY)))
    hand.gets(Batch, [None, [], []])
    hand.gets(ModelCall, answer([op("update_user_profile", name="Alice")]))
    hand.gets(ModelCall, answer(TEA))
    hand.gets(Write, None)
    assert hand.kinds == ["Batch", "ModelCall", "ModelCall", "Write"]
    assert hand.result is not None
    assert [change.text for change in hand.result.changes] == ["name: Alice", "Likes tea"]
    assert hand.result.usage.calls == 2


def test_a_turn_that_teaches_nothing_is_marked_so_that_it_is_not_asked_about_again() -> None:
    hand = asked("Thanks!")
    hand.gets(ModelCall, answer([]))
    assert len(hand.expects(Write).puts) == 1
    hand.gets(Write, None)
    assert hand.result is not None
    assert hand.result.changes == ()


def test_the_prompt_tells_the_users_own_date_and_time_zone() -> None:
    identity = Identity(user_id="alice", timezone="Pacific/Auckland")
    hand: Extracting = ByHand(extract(work(MEMORY), heard("Hi", identity=identity), rules(MEMORY)))
    hand.gets(Batch, [None, []])
    assert "Monday, 02 March 2026 (time zone Pacific/Auckland)" in hand.expects(ModelCall).messages[1].text


def test_the_prompt_shows_what_is_stored_under_short_ids_and_never_the_real_ones() -> None:
    hand = started()
    hand.gets(Batch, [None, items(memory(MEMORY, "uuid-1", "Likes cake"), memory(MEMORY, "uuid-2", "Likes <tea>"))])
    asked = hand.expects(ModelCall).messages[1].text
    assert "m1: Likes cake\nm2: Likes &lt;tea&gt;" in asked
    assert "uuid" not in asked


def test_a_short_id_of_the_prompt_reaches_its_record() -> None:
    hand = started()
    hand.gets(Batch, [None, items(memory(MEMORY, "one", "Likes cake"), memory(MEMORY, "two", "Likes tea", 3))])
    hand.gets(
        ModelCall, answer([op("update_memory", id="m2", content="Likes green tea"), op("delete_memory", id="m1")])
    )
    written = hand.expects(Write)
    found = {put.key: put.value for put in written.puts}
    assert found["one"] is None
    assert found["two"] is not None
    assert found["two"]["text"] == "Likes green tea"
    assert found["two"]["version"] == 4
    namespace = (*memory(MEMORY, "two", "").namespace,)
    assert written.expect[namespace, "two"] == 3
    assert written.expect[namespace, "one"] == 1


def test_after_a_lost_race_a_short_id_still_means_the_record_that_was_shown_under_it() -> None:
    one, two = memory(MEMORY, "one", "Likes cake"), memory(MEMORY, "two", "Likes tea")
    hand = started()
    hand.gets(Batch, [None, items(one, two)])
    hand.gets(
        ModelCall, answer([op("delete_memory", id="m1"), op("update_memory", id="m2", content="Likes green tea")])
    )
    hand.gets(Write, ConflictError("somebody forgot the first one"))
    hand.gets(Batch, [None, items(two)])
    assert {put.key: put.value is None for put in hand.expects(Write).puts[1:]} == {"two": False}
    hand.gets(Write, None)
    assert hand.result is not None
    assert [refusal.operation for refusal in hand.result.refused] == ["delete_memory"]


class Notes(UserMemoryStore):
    """A learning store whose short ids begin with the same letter."""

    name: ClassVar[str] = "notes"

    def __init__(self) -> None:
        super().__init__(UserMemoryConfig(instructions="Take notes."))
        self.operations = tuple(operation(f"{kind.__name__}_note", "...", kind) for kind in self.operations)


def test_the_short_ids_of_two_learning_stores_do_not_get_into_each_others_way() -> None:
    notes = Notes()
    hand: Extracting = ByHand(extract(work(MEMORY, notes), heard("No cake."), rules(MEMORY, notes)))
    hand.gets(Batch, [None, items(memory(MEMORY, "one", "Likes cake")), items(memory(notes, "two", "Bought cake"))])
    hand.gets(ModelCall, answer([op("delete_memory", id="m1")]))
    assert [put.key for put in hand.expects(Write).puts[1:]] == ["one"]


def test_three_thousand_memories_are_shown_to_the_extraction_within_a_budget_and_counted() -> None:
    hand = started("What about tea number 777?")
    many = [memory(MEMORY, f"r{n:05}", f"Likes tea number {n}") for n in range(3_000)]
    hand.gets(Batch, [None, items(*many)])
    asked = hand.expects(ModelCall).messages[1].text
    assert tokens(asked) < SHOWN_TOKENS + 1_500
    assert ": Likes tea number 777\n" in asked
    shown = asked.count("Likes tea number")
    assert f"(and {3_000 - shown} more that are not shown)" in asked


def test_a_very_long_message_is_shown_without_its_middle() -> None:
    hand = asked("begin " + "ä" * 100_000 + " end")
    turn = hand.expects(ModelCall).messages[1].text
    assert len(turn) < LONGEST_MESSAGE + 500
    assert "begin ä" in turn
    assert "ä end" in turn
    assert "characters left out" in turn


def test_a_long_backlog_is_shown_from_its_newest_part() -> None:
    said = tuple(TurnMessage("user", f"number {n} " + "x" * 1_000, f"h{n}") for n in range(200))
    hand: Extracting = ByHand(extract(work(MEMORY), TurnInput(turn=Turn(said), identity=ALICE, at=AT), rules(MEMORY)))
    hand.gets(Batch, [None, []])
    turn = hand.expects(ModelCall).messages[1].text
    assert len(turn) < LONGEST_TURN + 1_000
    assert "number 199 " in turn
    assert "number 0 " not in turn


def test_records_of_another_scope_that_a_search_by_prefix_finds_are_not_taken_for_ones_own() -> None:
    hand = started()
    [found] = items(memory(MEMORY, "uuid-1", "Likes cake"))
    found.namespace = (*found.namespace, "deeper")
    hand.gets(Batch, [None, [found]])
    assert "(nothing yet)" in hand.expects(ModelCall).messages[1].text
