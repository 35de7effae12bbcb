"""What workers do now and then: off by default, once a period over all of them."""

from datetime import UTC, datetime, timedelta

import pytest
from background.test_background import learning_machine
from graphs.world import memories
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from langgraph_learning import Background, connect
from langgraph_learning._engine.flow import Driver
from langgraph_learning._engine.maintenance.periodic import periodic_tasks, run_due
from langgraph_learning.errors import ConfigurationError

NOW = datetime(2026, 5, 8, tzinfo=UTC)
WEEK = timedelta(days=7)


def teach_twice(store: BaseStore) -> None:
    machine, _ = learning_machine()
    for user in ("ada", "bob"):
        scoped = machine.scoped(user_id=user, store=store)
        row = {"store": "user_memory", "scope": {"user_id": user}, "created_at": NOW, "updated_at": NOW}
        texts = {"one": "Likes tea with milk", "two": "The user likes tea with milk."}
        scoped.load({**row, "id": key, "text": text, "content": {"content": text}} for key, text in texts.items())


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_curation_is_done_once_a_period_for_all_users_whoever_asks_first(kind: str) -> None:
    with connect("sqlite:///:memory:") as db:
        store = InMemoryStore() if kind == "memory" else db.store
        machine, _ = learning_machine()
        tasks = periodic_tasks(machine._settings, curate_every=WEEK)
        ours, theirs = Driver(store), Driver(store)
        teach_twice(store)
        assert run_due(ours, tasks, NOW) == ["curate learning"]
        for user in ("ada", "bob"):
            records = machine.scoped(user_id=user, store=store).records()
            assert [record.status for record in records].count("active") == 1
        assert run_due(theirs, tasks, NOW + timedelta(days=6)) == []
        assert run_due(theirs, tasks, NOW + WEEK) == ["curate learning"]
        assert run_due(ours, tasks, NOW + WEEK) == []


def test_nothing_is_done_without_a_period_and_a_store_that_cannot_sweep_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    machine, _ = learning_machine()
    assert periodic_tasks(machine._settings) == {}
    assert run_due(Driver(InMemoryStore()), periodic_tasks(machine._settings, sweep_every=WEEK), NOW) == []
    assert "sweep failed" in caplog.text


def test_what_has_expired_is_swept() -> None:
    with connect("sqlite:///:memory:") as db:
        machine, _ = learning_machine()
        db.store.put(("learning", "user", "ada", "user_memory"), "old", {"text": "x"}, ttl=0.0000001)
        assert run_due(Driver(db.store), periodic_tasks(machine._settings, sweep_every=WEEK), NOW) == ["sweep"]
        assert db.store.count(("learning", "user")) == 0  # type: ignore[attr-defined]
        assert memories(db.store) == []


def test_a_machine_that_reflects_does_so_once_a_period_and_one_that_cannot_is_refused() -> None:
    machine, _ = learning_machine(background=Background(reflect_every=WEEK))
    with pytest.raises(ConfigurationError, match="reflect_every"):
        periodic_tasks(machine._settings)
    times: list[int] = []
    tasks = periodic_tasks(machine._settings, reflect=lambda: times.append(1))
    store = Driver(InMemoryStore())
    for days in (0, 6, 7):
        run_due(store, tasks, NOW + timedelta(days=days))
    assert len(times) == 2
