"""A whole backup: everything that lies there, to another database and back, on request with its history."""

import asyncio
import hashlib
import json
import tracemalloc
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore

from langgraph_learning import (
    EntityMemoryConfig,
    LearningDB,
    LearningMachine,
    LearningMode,
    UserMemoryConfig,
    UserProfileConfig,
    backup,
    connect,
)
from langgraph_learning._engine.maintenance import backup as engine
from langgraph_learning.errors import RecordError, UnsupportedByStore
from langgraph_learning.testing import ScriptedChatModel, op

ALEX = "Alex@example.com"


def taught(db: LearningDB) -> LearningMachine:
    """Let two users teach what is their own, what is shared, and what waits for a person."""
    acme = {"entity": "Acme", "entity_type": "company"}
    extractions = [
        [
            op("update_user_profile", name="Alex", quote="I am Alex"),
            op("remember_about", **acme, facts=["Builds rockets"]),
        ],
        [op("update_user_profile", name="Alexandra"), op("add_memory", content="Keeps bees")],
        [op("remember_about", **acme, facts=["Moved to Berlin"])],
    ]
    learning = LearningMachine(
        model=ScriptedChatModel(extractions=extractions),
        user_profile=True,
        user_memory=UserMemoryConfig(mode=LearningMode.PROPOSE),
        entity_memory=EntityMemoryConfig(mode=LearningMode.ALWAYS),
    )
    alex = learning.scoped(user_id=ALEX, thread_id="monday", store=db.store)
    alex.learn([("user", "I am Alex. Acme builds rockets.")])
    alex.learn([("user", "It is Alexandra, and I keep bees.")])
    learning.scoped(user_id="bo", thread_id="t", store=db.store).learn([("user", "Acme moved to Berlin.")])
    return learning


def digest(rows: Iterator[Mapping[str, Any]]) -> str:
    lines = (json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def kinds(rows: Iterator[Mapping[str, Any]]) -> set[str]:
    return {row["namespace"][-1] if "namespace" in row else row["store"] for row in rows}


@pytest.mark.parametrize("history", [False, True])
def test_sqlite_to_postgres_and_back_gives_the_same_digest(tmp_path: Path, postgres_url: str, history: bool) -> None:
    with (
        connect(f"sqlite:///{tmp_path / 'one.db'}") as one,
        connect(postgres_url) as two,
        connect(f"sqlite:///{tmp_path / 'three.db'}") as three,
    ):
        taught(one)
        assert kinds(backup.export(one.store)) == {"user_profile", "entity_memory", "commits", "proposals"}
        first = digest(backup.export(one.store, history=history))
        for old, new in ((one, two), (two, three)):
            backup.load(new.store, list(backup.export(old.store, history=history)))
            assert digest(backup.export(new.store, history=history)) == first


def test_what_was_taken_in_goes_on_where_it_stood(db: LearningDB, tmp_path: Path) -> None:
    learning = taught(db)
    with connect(f"sqlite:///{tmp_path / 'new.db'}") as new:
        backup.load(new.store, backup.export(db.store, history=True))
        alex = learning.scoped(user_id=ALEX, thread_id="monday", store=new.store)
        old = learning.scoped(user_id=ALEX, thread_id="monday", store=db.store)
        assert alex.records() == old.records()
        assert alex.history("user_profile:name") == old.history("user_profile:name")
        assert [hit.text for hit in alex.search("rockets")] == [hit.text for hit in old.search("rockets")]
        [proposal] = alex.proposals()
        assert not proposal.stale
        alex.undo(alex.commits()[-1].id)
        assert alex.profile().name == "Alex"
        assert alex.decide(proposal.id, "approve").result == "approved"


def test_a_proposal_stays_fresh_or_stale_though_versions_are_counted_anew(tmp_path: Path) -> None:
    extractions = [[op("update_user_profile", name=name)] for name in ("Al", "Alec", "Alex")]
    writing = LearningMachine(model=ScriptedChatModel(extractions=extractions), user_profile=True)
    proposing = LearningMachine(
        model=ScriptedChatModel(extractions=[[op("update_user_profile", name="Ali")]]),
        user_profile=UserProfileConfig(mode=LearningMode.PROPOSE),
    )
    with (
        connect("sqlite:///:memory:") as one,
        connect("sqlite:///:memory:") as two,
        connect("sqlite:///:memory:") as three,
    ):
        for name in ("Al", "Alec"):
            writing.scoped(user_id=ALEX, store=one.store).learn([("user", f"I am {name}")])
        proposing.scoped(user_id=ALEX, store=one.store).learn([("user", "I am Ali")])
        backup.load(two.store, backup.export(one.store))
        assert [waiting.stale for waiting in proposing.scoped(user_id=ALEX, store=two.store).proposals()] == [False]
        writing.scoped(user_id=ALEX, store=two.store).learn([("user", "I am Alex")])
        backup.load(three.store, backup.export(two.store))
        assert [waiting.stale for waiting in proposing.scoped(user_id=ALEX, store=three.store).proposals()] == [True]


def test_a_load_that_was_interrupted_goes_on_and_a_second_one_changes_nothing(tmp_path: Path) -> None:
    with connect(f"sqlite:///{tmp_path / 'one.db'}") as one, connect(f"sqlite:///{tmp_path / 'two.db'}") as two:
        taught(one)
        rows = list(backup.export(one.store, history=True))
        backup.load(two.store, rows[:3])
        assert backup.load(two.store, rows) == backup.Restored(written=len(rows) - 3, unchanged=3)
        before = two.store.revision()  # type: ignore[attr-defined]
        assert backup.load(two.store, rows) == backup.Restored(written=0, unchanged=len(rows))
        assert two.store.revision() == before  # type: ignore[attr-defined]


def test_what_was_removed_comes_along_with_the_history_alone() -> None:
    with connect("sqlite:///:memory:") as one, connect("sqlite:///:memory:") as two:
        learning = LearningMachine(user_memory=True)
        alex = learning.scoped(user_id=ALEX, store=one.store)
        row = {"id": "bees", "store": "user_memory", "scope": {"user_id": ALEX}, "content": {}, "text": "Keeps bees"}
        now = datetime(2026, 5, 1, tzinfo=UTC).isoformat()
        alex.load([{**row, "created_at": now, "updated_at": now}])
        namespace = alex.records()[0].namespace
        one.store.delete(namespace, "bees")
        assert list(backup.export(one.store)) == []
        backup.load(two.store, backup.export(one.store, history=True))
        assert learning.scoped(user_id=ALEX, store=two.store).records() == []
        kept = learning.scoped(user_id=ALEX, store=two.store).history("bees")
        assert [state.record and state.record.text for state in kept] == ["Keeps bees", None]
        assert [state.at for state in kept] == [state.at for state in alex.history("bees")]


def test_one_user_s_backup_holds_nothing_of_a_neighbour() -> None:
    with connect("sqlite:///:memory:") as db:
        for user in ("al", "alex"):
            LearningMachine(
                user_profile=True, model=ScriptedChatModel(extractions=[[op("update_user_profile", name=user)]])
            ).scoped(user_id=user, store=db.store).learn([("user", f"I am {user}")])
        rows = list(backup.export(db.store, user_id="al", history=True))
        assert len(rows) == 2
        assert "alex" not in json.dumps(rows)


def test_any_store_of_langgraph_is_backed_up_without_history() -> None:
    store, other = InMemoryStore(), InMemoryStore()
    machine = LearningMachine(
        user_profile=True, model=ScriptedChatModel(extractions=[[op("update_user_profile", name="Alex")]])
    )
    machine.scoped(user_id=ALEX, store=store).learn([("user", "I am Alex")])
    rows = list(backup.export(store))
    assert kinds(iter(rows)) == {"user_profile", "commits"}
    assert backup.load(other, rows).written == len(rows)
    assert list(backup.export(other)) == rows
    with pytest.raises(UnsupportedByStore):
        list(backup.export(store, history=True))


def test_async_gives_the_same() -> None:
    async def copied(old: LearningDB, new: LearningDB) -> list[Any]:
        await backup.aload(new.store, [row async for row in backup.aexport(old.store, history=True)])
        return [row async for row in backup.aexport(new.store, history=True)]

    with connect("sqlite:///:memory:") as one, connect("sqlite:///:memory:") as two:
        taught(one)
        assert asyncio.run(copied(one, two)) == list(backup.export(one.store, history=True))


def test_an_export_is_of_one_moment_whatever_is_written_meanwhile() -> None:
    with connect("sqlite:///:memory:") as db:
        taught(db)
        expected = list(backup.export(db.store))
        rows = backup.export(db.store)
        found = list(islice(rows, 1))
        LearningMachine(user_profile=True).scoped(user_id=ALEX, store=db.store).load(
            [{**row, "text": "other"} for row in expected if row.get("store") == "user_profile"]
        )
        assert [*found, *rows] == expected


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"namespace": ["other", "x"], "key": "k", "value": {}},
        {"namespace": ["learning", "user", "a", "unindexed"], "key": "k", "value": {}},
        {"namespace": ["learning", "user", "a", "commits"], "key": "k", "value": "text"},
        {"namespace": ["learning", "user", "a", "commits"], "key": "k", "value": {}, "history": [{"at": "noon"}]},
        {"id": "x", "store": "user_memory", "text": "no scope"},
    ],
    ids=range(6),
)
def test_a_row_that_is_none_of_a_backup_is_refused_and_nothing_of_its_page_is_written(row: dict[str, Any]) -> None:
    with connect("sqlite:///:memory:") as one, connect("sqlite:///:memory:") as two:
        taught(one)
        with pytest.raises(RecordError):
            backup.load(two.store, [*backup.export(one.store), row])
        assert list(backup.export(two.store)) == []


def test_secrets_in_a_backup_are_masked_in_its_history_too() -> None:
    secret = "sk-proj-" + "Ab1" * 16
    at = "2026-05-01T00:00:00+00:00"
    row = {
        "id": "m", "store": "user_memory", "scope": {"user_id": ALEX}, "content": {"content": f"key {secret}"},
        "text": f"key {secret}", "created_at": at, "updated_at": at,
        "history": [{"value": {"text": f"key {secret}"}, "at": at, "source": None}, {"at": at, "source": None}],
    }  # fmt: skip
    with connect("sqlite:///:memory:") as db:
        backup.load(db.store, [row])
        assert secret not in json.dumps(list(backup.export(db.store, history=True)))


def test_memory_does_not_grow_with_the_number_of_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PAGE", 50)
    monkeypatch.setattr(backup, "PAGE", 50)
    at = "2026-05-01T00:00:00+00:00"

    def rows(count: int) -> Iterator[dict[str, Any]]:
        for number in range(count):
            text = f"{number} " + "bees " * 400
            yield {
                "id": f"m{number}", "store": "user_memory", "scope": {"user_id": f"u{number % 7}"},
                "content": {"content": text}, "text": text, "created_at": at, "updated_at": at,
            }  # fmt: skip

    with connect("sqlite:///:memory:") as db:
        backup.load(db.store, rows(1_000))
        peaks = []
        for user in ("u1", None):
            tracemalloc.start()
            assert sum(1 for _ in backup.export(db.store, user_id=user)) in (143, 1_000)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]
