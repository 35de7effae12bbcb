"""The one driver in both colours, and recall, which it carries out in one round trip."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from engine.hand import ALICE, ByHand, items, memory, record
from langgraph.errors import GraphInterrupt
from langgraph.store.base import GetOp, Op, PutOp, Result, SearchOp
from langgraph.store.memory import InMemoryStore

from langgraph_learning._engine.flow import (
    Batch,
    DescribeStore,
    Driver,
    Flow,
    ModelCall,
    StoreCall,
    StoreInfo,
    batch,
    write,
)
from langgraph_learning._engine.recall.ranking import rank_records
from langgraph_learning._engine.recall.recall import RecallRules, recall
from langgraph_learning.errors import ConfigurationError, ConflictError, StoreError
from langgraph_learning.records import Identity
from langgraph_learning.reports import Recall
from langgraph_learning.stores import SessionContextStore, UserMemoryStore, UserProfileStore
from langgraph_learning.testing import ScriptedChatModel
from langgraph_learning.words import tokens

Run = Callable[[Driver, Flow[Any]], Any]
BOTH = pytest.mark.parametrize(
    "run",
    [lambda driver, flow: driver.run(flow), lambda driver, flow: asyncio.run(driver.arun(flow))],
    ids=["sync", "async"],
)
GET = GetOp(("a",), "k")


class Failing(InMemoryStore):
    """A store that raises what it was given."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        raise self.error

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        raise self.error


@BOTH
def test_effects_are_carried_out_and_their_results_handed_back(run: Run) -> None:
    def flow() -> Flow[object]:
        yield from write([PutOp(("a",), "k", {"n": 1})], {})
        [found] = yield from batch(GET)
        return getattr(found, "value", None)

    assert run(Driver(InMemoryStore()), flow()) == {"n": 1}


@BOTH
def test_a_failed_effect_is_thrown_into_the_flow_which_may_go_on(run: Run) -> None:
    def flow() -> Flow[object]:
        try:
            yield from batch(GET)
        except StoreError as error:
            return error
        return None

    cause = OSError("the disk is gone")
    error = run(Driver(Failing(cause)), flow())
    assert isinstance(error, StoreError)
    assert error.__cause__ is cause


@BOTH
@pytest.mark.parametrize("signal", [ConflictError("somebody was first"), GraphInterrupt()])
def test_our_own_errors_and_langgraphs_signals_stay_what_they_are(run: Run, signal: Exception) -> None:
    with pytest.raises(type(signal)) as raised:
        run(Driver(Failing(signal)), batch(GET))
    assert raised.value is signal


@BOTH
def test_a_flow_cleans_up_however_it_ends(run: Run) -> None:
    ended: list[str] = []

    def flow() -> Flow[None]:
        try:
            yield from batch(GET)
        finally:
            ended.append("cleaned up")

    with pytest.raises(StoreError):
        run(Driver(Failing(OSError())), flow())
    with pytest.raises(ConfigurationError, match="three"):
        run(Driver(None), flow())
    assert ended == ["cleaned up", "cleaned up"]


async def test_a_cancelled_run_closes_its_flow() -> None:
    started, ended = asyncio.Event(), []

    class Slow(InMemoryStore):
        async def abatch(self, ops: Iterable[Op]) -> list[Result]:
            started.set()
            await asyncio.Event().wait()
            return []

    def flow() -> Flow[None]:
        try:
            yield from batch(GET)
        finally:
            ended.append("cleaned up")

    running = asyncio.create_task(Driver(Slow()).arun(flow()))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended == ["cleaned up"]


@BOTH
def test_what_a_model_raises_is_not_called_a_failure_of_the_store(run: Run) -> None:
    def flow() -> Flow[object]:
        return (yield ModelCall(ScriptedChatModel(extractions=[ValueError("refused")]), {"title": "learned"}, (), {}))

    with pytest.raises(ValueError, match="refused"):
        run(Driver(InMemoryStore()), flow())


PROFILE, MEMORY, SESSION = UserProfileStore(), UserMemoryStore(), SessionContextStore()


def recalled(query: str, *memories: str, budget: int = 2_000) -> Recall:
    """What a query brings back of these memories and a name, by hand."""
    hand = ByHand(recall(RecallRules([PROFILE, MEMORY], budget), ALICE, query))
    kept = items(*(memory(MEMORY, f"r{n:05}", text) for n, text in enumerate(memories)))
    name = items(record(PROFILE, "user_profile:name", {"name": "Alice"}, "name: Alice"))
    answers = [name, kept, kept, []] if query else [name, kept, []]  # the last: nobody has voted
    hand.gets(DescribeStore, StoreInfo())
    assert len(hand.expects(Batch).ops) == len(answers)
    hand.gets(Batch, answers)
    assert hand.kinds == ["DescribeStore", "Batch"]
    return hand.result


def test_recall_is_one_round_trip_for_all_learning_stores_and_no_model_call() -> None:
    hand = ByHand(recall(RecallRules([PROFILE, MEMORY, SESSION], 2_000), ALICE, "tea?"))
    hand.gets(DescribeStore, StoreInfo())
    assert len(hand.expects(Batch).ops) == 5  # four for the records, one for the votes on them
    hand.gets(Batch, [[], [], [], [], []])
    assert hand.kinds == ["DescribeStore", "Batch"]
    assert hand.result == Recall()


def test_recall_of_nobody_asks_for_nothing_and_of_no_thread_not_for_the_session() -> None:
    assert ByHand(recall(RecallRules([PROFILE, MEMORY, SESSION], 2_000), Identity(thread_id="c1"), "tea?")).kinds == []
    hand = ByHand(recall(RecallRules([SESSION], 2_000), Identity(user_id="alice"), "tea?"))
    assert hand.kinds == []


def test_what_fits_the_turn_is_chosen_and_shown_in_the_order_it_came_to_be() -> None:
    many = [f"Owns item number {n}" for n in range(200)]
    found = recalled("Do I like green tea with cake?", *many, "Likes green tea", *many, "Bakes cake", budget=200)
    texts = [each.text for each in found.records]
    assert texts[0] == "name: Alice"
    assert [text for text in texts if "Owns" not in text][1:] == ["Likes green tea", "Bakes cake"]
    assert found.receipt.left_out == {"user_memory": 402 - (len(texts) - 1)}
    assert tokens(found.text) <= 200


def test_the_same_records_are_the_same_text_whatever_order_a_query_ranks_them_in() -> None:
    memories = ("Likes tea", "Bakes cake", "Has a cat")
    texts = {recalled(query, *memories).text for query in ("tea", "cat and cake", "", "unrelated")}
    assert len(texts) == 1


def test_the_receipt_says_what_was_chosen_and_why_by_ids_alone() -> None:
    receipt = recalled("What about tea?", "Likes tea", "Has a cat").receipt
    assert [(shown.id, shown.label, shown.reason) for shown in receipt.shown] == [
        ("user_profile:name", "p1", "always"),
        ("r00000", "m1", "matches tea"),
        ("r00001", "m2", "recent"),
    ]
    assert "Likes tea" not in receipt.model_dump_json()
    assert "Alice" not in receipt.model_dump_json()


@pytest.mark.parametrize("budget", [1, 50, 120, 500, 2_000])
def test_the_text_never_exceeds_its_budget_and_what_is_left_out_is_named(budget: int) -> None:
    found = recalled("tea", *(f"Likes tea number {n}, 第{n}种茶" for n in range(2_000)), budget=budget)
    assert tokens(found.text) <= budget
    named = f"{found.receipt.left_out['user_memory']} more"
    assert named in found.text or (found.text, budget < 120) == ("", True)


def test_a_store_that_ranks_is_asked_for_its_best_and_counted_only_when_there_are_more() -> None:
    hand = ByHand(recall(RecallRules([MEMORY], 2_000), ALICE, "tea?"))
    hand.gets(DescribeStore, StoreInfo(ranks=True))
    op, votes = hand.expects(Batch).ops
    assert isinstance(op, SearchOp)
    assert isinstance(votes, SearchOp)
    assert (op.query, votes.query) == ("tea?", None)
    hand.gets(Batch, [items(*(memory(MEMORY, f"r{n}", f"Likes tea {n}") for n in range(op.limit))), []])
    assert hand.expects(StoreCall).method == "count"
    hand.gets(StoreCall, 10_000)
    assert hand.result.receipt.left_out == {"user_memory": 10_000 - len(hand.result.records)}


def test_a_record_that_is_too_long_makes_room_for_those_that_fit() -> None:
    found = recalled("tea", "tea " * 400, "Likes tea", budget=200)
    assert [each.text for each in found.records] == ["name: Alice", "Likes tea"]


def test_what_the_stores_own_search_finds_counts_where_the_words_do_not() -> None:
    texts = ["Owns a dog", "Prefers tea", "Plays chess"]
    records = [memory(MEMORY, f"r{n}", text) for n, text in enumerate(texts)]
    best = rank_records(records, "hot beverages", {"r1": 0.9, "r0": 0.1, "r2": 0.1})[0]
    assert best.record.text == "Prefers tea"
    assert rank_records(records, "chess", {"r1": 0.2, "r0": 0.1, "r2": 0.1})[0].record.text == "Plays chess"
