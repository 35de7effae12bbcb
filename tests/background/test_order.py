"""When turns are learned from, and in which order, by a clock of the test's own."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from graphs.world import memories
from langchain_core.messages import AIMessage
from langgraph.store.base import PutOp
from langgraph.store.memory import InMemoryStore

from langgraph_learning import Background, LearningMachine, connect
from langgraph_learning._engine.background.learn_pending import LearningProgress
from langgraph_learning._engine.background.learner import BackgroundLearner
from langgraph_learning._engine.background.lease import LEASE_TIME, RENEW_EVERY, renew_lease
from langgraph_learning._engine.background.pending import LEASE, pending_namespace, schedule_turns
from langgraph_learning._engine.flow import Driver
from langgraph_learning._engine.learning.extract import turn_commit_id
from langgraph_learning._engine.learning.turn import Turn, TurnInput, TurnMessage
from langgraph_learning.records import Identity
from langgraph_learning.testing import ScriptedChatModel, op

START = datetime(2026, 5, 8, 12, tzinfo=UTC)
ADA = Identity(user_id="ada", thread_id="t1")
NAMESPACE = pending_namespace(ADA)
DOWN = ConnectionError("the model is down")


def likes(what: str) -> list[Any]:
    return [op("add_memory", content=f"Likes {what}", quote=f"I like {what}")]


class World:
    """A store, a machine and a clock: what is said is scheduled, and learned from when the test says so."""

    def __init__(self, *extractions: Any, store: Any = None, **background: Any) -> None:
        self.store = store if store is not None else InMemoryStore()
        self.model = ScriptedChatModel(extractions=extractions)
        configured = Background(**{"delay": 20, **background})
        self.machine = LearningMachine(model=self.model, user_memory=True, background=configured)
        self.settings = self.machine._settings
        self.now = START
        self.learner = BackgroundLearner(self.settings, self.store, threads=0, clock=lambda: self.now)

    def say(self, text: str, id: str, thread: str = "t1") -> None:
        identity = ADA.model_copy(update={"thread_id": thread})
        turn = TurnInput(Turn((TurnMessage("user", text, id),)), identity, self.now)
        key = turn_commit_id(self.settings.extractions(), turn)
        delay = timedelta(seconds=self.learner.background.delay)
        Driver(self.store).run(schedule_turns([(key, turn)], "learning", self.now, delay, str))

    def later(self, **by: float) -> LearningProgress:
        """Let time pass, and learn from what is due then."""
        self.now += timedelta(**by)
        return self.learner.learn(pending_namespace(ADA))

    @property
    def pending(self) -> list[tuple[str, str, int]]:
        turns = self.machine.scoped(user_id="ada", store=self.store).pending()
        return [(turn.text, turn.status, turn.attempts) for turn in turns]


def test_a_thread_is_learned_from_when_it_was_silent_for_the_delay() -> None:
    world = World(likes("tea"))
    world.say("I like tea.", "m1")
    assert world.later(seconds=15).next_at == START + timedelta(seconds=20)
    world.say("A lot.", "m2")
    assert world.later(seconds=15).next_at == START + timedelta(seconds=35)
    assert world.model.calls["extraction"] == 0
    assert world.later(seconds=5) == LearningProgress(learned=2)
    assert world.model.calls["extraction"] == 1


def test_a_thread_that_is_never_silent_is_learned_from_nevertheless() -> None:
    world = World(likes("tea"))
    for number in range(30):
        world.say(f"I like tea {number}.", f"m{number}")
        world.later(seconds=15)
        if world.model.calls["extraction"]:
            break
    assert 10 <= number < 29


def test_a_model_that_is_down_for_an_hour_costs_no_turn_and_no_order() -> None:
    up_at = START + timedelta(hours=1)
    world = World()

    def answer(messages: Any) -> Any:
        if world.now < up_at:
            raise DOWN
        return likes("coffee" if "coffee" in messages[-1].text else "tea")

    world.model.extractions = [answer] * 20
    world.say("I like tea.", "m1")
    assert world.later(seconds=20).learned == 0
    world.say("I like coffee.", "m2", thread="t2")
    while (progress := world.later(seconds=60)).next_at is not None:
        if world.now < up_at:
            assert progress.learned == 0
    assert memories(world.store) == ["Likes tea", "Likes coffee"]
    assert world.pending == []


def test_a_turn_that_fails_always_is_given_up_and_kept_and_the_others_are_learned() -> None:
    world = World(max_attempts=3)
    world.model.extractions = [lambda messages: "no JSON" if "poison" in str(messages) else likes("tea")] * 20
    world.say("poison", "m1")
    world.say("I like tea.", "m2")
    while world.later(seconds=60).next_at is not None:
        assert world.now < START + timedelta(minutes=20)
    assert memories(world.store) == ["Likes tea"]
    assert world.pending == [("poison", "failed", 3)]
    [failed] = world.machine.scoped(user_id="ada", store=world.store).pending()
    assert failed.error is not None
    assert failed.error.startswith("ExtractionError")


def test_a_turn_that_the_model_refuses_is_given_up_at_once_and_holds_up_no_other() -> None:
    world = World(max_attempts=5)
    refusal = AIMessage("", additional_kwargs={"refusal": "I will not."})
    world.model.extractions = [lambda messages: refusal if "poison" in str(messages) else likes("tea")] * 20
    world.say("poison", "m1")
    world.later(seconds=20)
    world.say("I like tea.", "m2")
    world.later(seconds=20)
    assert memories(world.store) == ["Likes tea"]
    assert world.pending == [("poison", "failed", 1)]


def test_a_turn_that_was_given_up_is_learned_from_when_it_is_tried_again_on_command() -> None:
    world = World(DOWN, likes("tea"), max_attempts=1)
    world.say("I like tea.", "m1")
    assert world.later(seconds=20) == LearningProgress()
    assert world.machine.scoped(user_id="ada", store=world.store).retry_pending() == 1
    world.now = datetime.now(UTC)
    assert world.later(seconds=1).learned == 1
    assert world.pending == []


def test_a_message_that_was_edited_while_it_waited_teaches_its_last_words() -> None:
    world = World(likes("coffee"))
    world.say("I like tea.", "m1")
    world.say("I like coffee.", "m1")
    assert world.later(seconds=20).next_at is None
    assert "I like tea" not in world.model.prompt("extraction").partition("<turn>")[2]
    assert world.pending == []


def test_nobody_learns_from_what_another_process_learns_from_until_its_lease_ends() -> None:
    world = World(likes("tea"))
    world.say("I like tea.", "m1")
    until = START + LEASE_TIME
    world.store.batch([PutOp(pending_namespace(ADA), LEASE, {"id": "theirs", "until": until.isoformat()})])
    assert world.later(seconds=20) == LearningProgress(next_at=until, leased=True)
    assert world.model.calls["extraction"] == 0
    assert world.later(seconds=LEASE_TIME.total_seconds()).learned == 1


def test_two_who_learn_from_one_turn_at_once_learn_it_once(tmp_path: Any) -> None:
    with connect(f"sqlite:///{tmp_path}/a.db") as db:
        world = World(store=db.store)
        other = World(likes("tea"), store=db.store)

        def slow(_: object) -> Any:  # its lease ends before its model has answered
            other.now = world.now + 2 * LEASE_TIME
            assert other.later().learned == 1
            return likes("tea and cake")

        world.model.extractions = [slow]
        world.say("I like tea and cake.", "m1")
        world.later(seconds=20)
        assert memories(db.store) == ["Likes tea"]
        assert len(world.machine.scoped(user_id="ada", store=db.store).commits()) == 1


def test_a_call_that_takes_longer_than_a_lease_keeps_it_and_what_a_killed_process_held_is_free_soon() -> None:
    world = World()
    other = World(store=world.store)

    def slow(_: object) -> Any:
        for _ in range(9):
            world.now += RENEW_EVERY
            world.learner.leases.renew()
        other.now = world.now + LEASE_TIME / 2
        assert other.later().leased
        return likes("tea")

    world.model.extractions = [slow]
    world.say("I like tea.", "m1")
    assert world.later(seconds=20).learned == 1
    assert [item.key for item in world.store.search(pending_namespace(ADA))] == []
    world.learner.leases.renew()  # nothing is held any more
    assert [item.key for item in world.store.search(pending_namespace(ADA))] == []
    assert 2 * RENEW_EVERY < LEASE_TIME <= timedelta(seconds=30)


def await_that(condition: Callable[[], bool], otherwise: str) -> None:
    for _ in range(3_000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError(otherwise)


def test_leases_are_renewed_by_a_thread_that_lives_while_somebody_learns(monkeypatch: Any) -> None:
    monkeypatch.setattr("langgraph_learning._engine.background.lease.RENEW_EVERY", timedelta(seconds=0.01))
    world, others = World(), set(threading.enumerate())

    def slow(_: object) -> Any:
        [before] = world.store.search(NAMESPACE, filter={"id": world.learner.leases.held[NAMESPACE]})
        world.now += RENEW_EVERY
        await_that(lambda: not world.store.search(NAMESPACE, filter=before.value), "the lease is not renewed")
        return likes("tea")

    world.model.extractions = [slow]
    world.say("I like tea.", "m1")
    assert world.later(seconds=20).learned == 1
    await_that(lambda: set(threading.enumerate()) <= others, "the thread does not end")


def test_a_lease_that_somebody_else_has_taken_is_not_renewed() -> None:
    world = World(likes("tea"))
    theirs = {"id": "theirs", "until": (START + LEASE_TIME).isoformat()}
    world.store.put(pending_namespace(ADA), LEASE, theirs)
    assert not Driver(world.store).run(renew_lease(pending_namespace(ADA), "mine", START + LEASE_TIME))
    lease = world.store.get(pending_namespace(ADA), LEASE)
    assert lease is not None
    assert lease.value == theirs


def test_a_process_that_dies_between_commit_and_clean_up_has_learned() -> None:
    world = World(likes("tea"))
    world.say("I like tea.", "m1")
    before = {item.key: item.value for item in world.store.search(pending_namespace(ADA))}
    assert world.later(seconds=20).learned == 1
    for key, value in before.items():
        world.store.put(pending_namespace(ADA), key, value)
    assert world.later(seconds=LEASE_TIME.total_seconds()).next_at is None
    assert world.model.calls["extraction"] == 1
    assert world.pending == []


def test_a_turn_of_another_version_is_kept_with_its_error_and_lets_others_pass() -> None:
    world = World(likes("tea"))
    world.say("I like tea.", "m1")
    [item] = world.store.search(pending_namespace(ADA))
    changed = {**item.value, "turn": {"words": "in another form"}, "identity": {"user_id": "ada", "thread_id": "t0"}}
    world.store.put(pending_namespace(ADA), "other", changed)
    assert world.later(seconds=20).next_at is None
    assert world.pending == [("", "failed", 1)]
    assert memories(world.store) == ["Likes tea"]


def test_a_turn_that_has_begun_is_left_to_its_agent_for_a_day_and_then_waits() -> None:
    world = World(likes("tea"))
    world.say("I like tea.", "m1")
    [item] = world.store.search(NAMESPACE)
    world.store.delete(NAMESPACE, item.key)
    world.store.put(NAMESPACE, "begun", {**item.value, "status": "begun"})

    assert world.later(hours=23) == LearningProgress()
    assert world.learner.learn(NAMESPACE, hasten=True) == LearningProgress(), "nor when the process is about to end"
    assert world.pending == [("I like tea.", "begun", 0)]
    assert world.later(hours=1) == LearningProgress(learned=1)
    assert memories(world.store) == ["Likes tea"]
    assert world.pending == []
    assert world.later(hours=1) == LearningProgress()


def test_a_turn_that_has_begun_and_is_learned_already_is_only_erased_after_a_day() -> None:
    world = World(likes("tea"))
    world.say("I like tea.", "m1")
    [item] = world.store.search(NAMESPACE)
    assert world.later(seconds=20).learned == 1
    world.store.put(NAMESPACE, item.key, {**item.value, "status": "begun"})

    assert world.later(days=1) == LearningProgress()
    assert world.model.calls["extraction"] == 1
    assert world.pending == []


@pytest.mark.parametrize("spoiled", [{"status": "forgotten"}, {"scheduled_at": "soon"}, {"identity": None}])
def test_an_item_that_cannot_be_read_is_kept_with_its_error_and_holds_up_no_other(spoiled: dict[str, Any]) -> None:
    world = World(likes("tea"))
    world.say("I like tea.", "m1")
    [item] = world.store.search(NAMESPACE)
    unreadable = {**item.value, **spoiled}
    world.store.put(NAMESPACE, "other", unreadable)
    ada = world.machine.scoped(user_id="ada", store=world.store)

    assert world.later(seconds=20) == LearningProgress(learned=1)
    assert memories(world.store) == ["Likes tea"]
    [failed] = ada.pending()
    assert (failed.id, failed.status, failed.identity.user_id) == ("other", "failed", "ada")
    assert f"cannot be read: {next(iter(spoiled))}" in str(failed.error)
    assert ada.retry_pending() == 0
    there = world.store.get(NAMESPACE, "other")
    assert there is not None
    assert there.value == unreadable


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_a_lease_is_renewed_no_more_when_the_process_is_told_to_end(ending: type[BaseException]) -> None:
    world = World()

    def end(_: object) -> Any:
        raise ending

    world.model.extractions = [end]
    world.say("I like tea.", "m1")
    with pytest.raises(ending):
        world.later(seconds=20)
    assert world.learner.leases.held == {}
    assert world.pending == [("I like tea.", "waiting", 0)]


def test_an_item_that_names_another_user_is_not_learned_from() -> None:
    world = World()
    world.say("I like tea.", "m1")
    [item] = world.store.search(pending_namespace(ADA))
    world.store.put(pending_namespace(ADA), item.key, {**item.value, "identity": {"user_id": "bob"}})
    assert world.later(seconds=20) == LearningProgress()
    assert memories(world.store, "bob") == []
