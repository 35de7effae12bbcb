"""When something holds: what has expired is not recalled, and what was superseded is, as of an earlier day."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.store.base import BaseStore, PutOp
from langgraph.store.memory import InMemoryStore
from pydantic import Field

from langgraph_learning import EntityMemoryConfig, LearningMachine, LearningMode, Record, Scope, Source, connect
from langgraph_learning._engine import repository, snapshots
from langgraph_learning._engine.approval import proposals
from langgraph_learning.checkpointers._saver.thread_data import erase_thread_records
from langgraph_learning.config import StoreConfig, UserMemoryConfig
from langgraph_learning.records import SUPERSEDED, Add, Change, Update
from langgraph_learning.schemas import UserMemory
from langgraph_learning.scoped import Scoped
from langgraph_learning.stores import LearningStore, Operation, operation
from langgraph_learning.stores.base import ID
from langgraph_learning.stores.user_memory import UserMemoryStore
from langgraph_learning.testing import ScriptedChatModel, op
from langgraph_learning.versioned_store import is_versioned

DAY = timedelta(days=1)


class Offers(LearningStore):
    """Offers, which end on a day, and are replaced by others."""

    name = "offers"

    def __init__(self) -> None:
        super().__init__(StoreConfig())
        offer, ends = (str, Field()), (str | None, Field(default=None))
        self.operations = (
            operation("add_offer", "Note an offer.", offer=offer, expires_at=ends),
            operation("replace_offer", "Replace an offer.", id=(str, ID), offer=offer, day=(str, Field())),
        )

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        given = operation.model_dump(exclude_none=True)
        if "id" not in given:
            return [Add(store=self.name, content=given, text=given["offer"])]
        [old] = [record for record in records if record.id == given["id"]]
        day = datetime.fromisoformat(given["day"]).replace(tzinfo=UTC)
        gone = Update(store=self.name, id=old.id, content=old.content, text=old.text, status=SUPERSEDED, valid_to=day)
        new = {"offer": given["offer"]}
        return [gone, Add(store=self.name, content=new, text=given["offer"], valid_from=day)]


@pytest.fixture
def ada() -> Scoped:
    return LearningMachine(custom_stores=[Offers()], store=InMemoryStore()).scoped(user_id="ada")


def test_what_has_expired_is_not_recalled_found_or_shown_though_nothing_was_curated(ada: Scoped) -> None:
    today = datetime.now(UTC)
    ada.apply("add_offer", offer="Tea at half price", expires_at=f"{today - DAY:%Y-%m-%d}")
    ada.apply("add_offer", offer="Coffee at half price", expires_at=f"{today + DAY:%Y-%m-%d}")

    text = ada.recall("half price").text

    assert "Tea" not in text
    assert f"Coffee at half price (until {today + DAY:%Y-%m-%d})" in text
    assert [record.text for record in ada.search("half price")] == ["Coffee at half price"]
    assert len(ada.records("offers")) == 2, "it is kept"
    [retired] = ada.curate().retired
    assert retired.texts == ("Tea at half price",)


def test_what_was_superseded_is_recalled_as_of_a_day_when_it_held(ada: Scoped) -> None:
    ada.apply("add_offer", offer="Tea for 2")
    [old] = ada.records("offers")
    ada.apply("replace_offer", id=old.id, offer="Tea for 3", day="2026-03-01")

    assert "Tea for 3 (since 2026-03-01)" in ada.recall("tea").text
    assert "Tea for 2" not in ada.recall("tea").text
    before = ada.recall("tea", at=datetime(2026, 2, 1, tzinfo=UTC)).text
    assert "Tea for 2 (until 2026-02-28)" in before
    assert "Tea for 3" not in before
    assert [record.text for record in ada.search("tea", at=datetime(2026, 2, 1))] == ["Tea for 2"]


@pytest.mark.parametrize(
    ("written", "last"),
    [
        ("2026-01-31", datetime(2026, 1, 31, 23, 59, tzinfo=UTC)),
        ("2026-01-31T12:00+01:00", datetime(2026, 1, 31, 10, 59, tzinfo=UTC)),
    ],
)
def test_a_day_counts_as_a_whole_and_a_moment_as_it_is(written: str, last: datetime) -> None:
    record = _record(expires_at=written)
    assert record.holds_at(last)
    assert not record.holds_at(last + timedelta(minutes=1))


@pytest.mark.parametrize("written", ["soon", "", 7, None, ["2026-01-31"]])
def test_what_is_no_date_ends_nothing(written: object) -> None:
    assert _record(expires_at=written).holds_at(datetime(2126, 1, 1, tzinfo=UTC))


def test_what_has_no_dates_is_stored_as_before() -> None:
    record = _record()
    assert not {"valid_from", "valid_to", "expires_at"} & record.value().keys()
    dated = _record(valid_from="2026-01-01")
    assert Record.model_validate({**dated.value(), "id": "r1"}) == dated


MAY, JUNE, JULY = (datetime(2026, month, 8, 12, tzinfo=UTC) for month in (5, 6, 7))


Told = tuple[datetime, str, list[dict[str, Any]]]


def taught(store: BaseStore, *told: Told, first: int = 0, **stores: Any) -> Scoped:
    """A user who said something on several days, and what a model made of each."""
    model = ScriptedChatModel(extractions=[operations for _, _, operations in told])
    learning = LearningMachine(model=model, store=store, **(stores or {"user_memory": True}))
    scoped = learning.scoped(user_id="ada", thread_id="t1")
    for number, (at, said, _) in enumerate(told, first):
        scoped.learn([HumanMessage(said, id=f"h{number}")], at=at)
    return scoped


BERLIN = (MAY, "I live in Berlin", [op("add_memory", content="Lives in Berlin", quote="I live in Berlin")])
OSLO = (
    JUNE,
    "I live in Oslo now",
    [op("update_memory", id="m1", content="Lives in Oslo", quote="I live in Oslo now")],
)


def test_a_memory_that_is_contradicted_is_superseded_on_that_day_and_kept() -> None:
    ada = taught(InMemoryStore(), BERLIN, OSLO)

    [now] = ada.records("user_memory")
    assert (now.text, now.status, now.valid_from, now.valid_to) == ("Lives in Oslo", "active", JUNE, None)
    [past] = ada.search("lives", at=MAY)
    assert (past.text, past.past_of, past.valid_to) == ("Lives in Berlin", now.id, JUNE)
    assert (past.source.quote, past.source.message_ids) == ("I live in Berlin", ("h0",)), "whose words it was"
    text = ada.recall("Where do I live?").text
    assert "Lives in Oslo (since 2026-06-08)" in text
    assert "Berlin" not in text
    assert [record.text for record in ada.search("lives")] == ["Lives in Oslo"]


def test_asked_as_of_a_day_a_superseded_memory_is_what_held_then_also_after_a_curation() -> None:
    ada = taught(InMemoryStore(), BERLIN, OSLO)
    for _ in range(2):
        before = ada.recall("Where do I live?", at=MAY + DAY).text
        assert "Lives in Berlin (until 2026-06-08)" in before
        assert "Oslo" not in before
        assert [record.text for record in ada.search("lives", at=JULY)] == ["Lives in Oslo"]
        assert ada.curate(dry_run=False).retired == ()


def test_a_memory_that_was_superseded_twice_is_known_for_each_day() -> None:
    rome = (JULY, "I moved to Rome", [op("update_memory", id="m1", content="Lives in Rome", quote="I moved to Rome")])
    ada = taught(InMemoryStore(), BERLIN, OSLO, rome)
    on = {day: [record.text for record in ada.search("lives", at=day)] for day in (MAY, JUNE, JULY)}
    assert on == {MAY: ["Lives in Berlin"], JUNE: ["Lives in Oslo"], JULY: ["Lives in Rome"]}


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ("Has a cat", "Has a cat called Mia", False),
        ("Has a cat", "The user has a cat, and it is called Mia.", False),
        ("Likes tea", "Does not like tea", True),
        ("Likes tea", "Likes tea no longer", True),
        ("Has 2 cats", "Has 3 cats", True),
        ("喜欢喝茶", "不喜欢喝茶", True),
        ("Rust over Go", "Go over Rust", True),
    ],
)
def test_what_completes_a_memory_supersedes_nothing(old: str, new: str, kept: bool) -> None:
    ada = LearningMachine(user_memory=True, store=InMemoryStore()).scoped(user_id="ada")
    ada.apply("add_memory", content=old)
    [record] = ada.records()
    ada.apply("update_memory", id=record.id, content=new)
    assert [(one.id, one.text) for one in ada.records()] == [(record.id, new)]
    yesterday = [one.text for one in ada.search(old, at=datetime.now(UTC) - DAY)]
    assert yesterday == ([old] if kept else [new])


def test_undo_of_what_superseded_a_memory_restores_the_exact_state() -> None:
    with connect("sqlite:///:memory:") as db:
        ada = taught(db.store, BERLIN)
        [before] = ada.records()
        ada = taught(db.store, OSLO, first=1)
        ada.undo(ada.commits()[-1].id)
        [after] = ada.records()
        assert after == before.model_copy(update={"version": after.version})
        assert ada.search("lives", at=MAY) == [after], "nothing is left of the past"
        ada.undo(ada.commits()[-1].id)
        assert [[record.text for record in ada.search("lives", at=day)] for day in (MAY, JUNE)] == [
            ["Lives in Berlin"],
            ["Lives in Oslo"],
        ]


def test_a_memory_that_is_deleted_goes_with_its_past_and_comes_back_with_it() -> None:
    with connect("sqlite:///:memory:") as db:
        ada = taught(db.store, BERLIN, OSLO)
        made = ada.apply("delete_memory", id=ada.records()[0].id)
        assert (ada.records(), ada.search("lives", at=MAY)) == ([], [])
        ada.undo(made.id)
        assert [record.text for record in (*ada.records(), *ada.search("lives", at=MAY))] == [
            "Lives in Oslo",
            "Lives in Berlin",
        ]


def test_a_message_that_is_edited_takes_back_what_it_superseded() -> None:
    with connect("sqlite:///:memory:") as db:
        ada = taught(db.store, BERLIN, OSLO)
        model = ScriptedChatModel(
            extractions=[[op("update_memory", id="m1", content="Lives in Rome", quote="in Rome")]]
        )
        again = LearningMachine(model=model, user_memory=True, store=db.store).scoped(user_id="ada", thread_id="t1")
        again.learn([HumanMessage("I live in Rome now", id="h1")], at=JULY)
        assert [record.text for record in ada.records()] == ["Lives in Rome"]
        on = {day: [record.text for record in ada.search("lives", at=day)] for day in (MAY, JUNE, JULY)}
        assert on == {MAY: ["Lives in Berlin"], JUNE: ["Lives in Berlin"], JULY: ["Lives in Rome"]}


def test_what_a_person_approves_later_supersedes_on_the_day_it_was_said() -> None:
    store = InMemoryStore()
    taught(store, BERLIN)
    ada = taught(store, OSLO, first=1, user_memory=UserMemoryConfig(mode=LearningMode.PROPOSE))
    [proposal] = ada.proposals()
    assert [record.text for record in ada.records()] == ["Lives in Berlin"]
    ada.decide(proposal.id, "approve")
    assert [(record.text, record.valid_from) for record in ada.records()] == [("Lives in Oslo", JUNE)]
    assert [(record.text, record.valid_to) for record in ada.search("lives", at=MAY)] == [("Lives in Berlin", JUNE)]


def test_the_past_of_a_memory_is_exported_loaded_and_forgotten_with_it() -> None:
    ada = taught(InMemoryStore(), BERLIN, OSLO)
    rows = list(ada.export())
    assert len(rows) == 2
    bob = LearningMachine(user_memory=True, store=ada._driver.store).scoped(user_id="bob")
    bob.load(rows)
    assert [record.text for record in bob.records()] == ["Lives in Oslo"]
    assert [record.text for record in bob.search("lives", at=MAY)] == ["Lives in Berlin"]
    bob.forget()
    assert bob.search("lives", at=MAY) == []


def test_a_superseded_fact_has_its_date_and_is_a_fact_as_of_an_earlier_day() -> None:
    radar: dict[str, Any] = {"entity": "Radar", "entity_type": "project"}
    kai, lin = "Radar is led by Kai", "Radar is led by Lin now"
    new = op("remember_about", facts=["Led by Lin"], outdated=["Led by Kai"], quote=lin, **radar)
    ada = taught(
        InMemoryStore(),
        (MAY, kai, [op("remember_about", facts=["Led by Kai"], quote=kai, **radar)]),
        (JUNE, lin, [new]),
        entity_memory=EntityMemoryConfig(),
    )
    facts = {record.text: record for record in ada.records() if record.content["kind"] == "fact"}
    assert (facts["Radar: Led by Kai"].valid_to, facts["Radar: Led by Lin"].valid_from) == (JUNE, JUNE)
    assert "Led by Lin (as of 2026-06-08)" in (now := ada.recall("Who leads Radar?").text)
    assert "Kai" not in now
    before = ada.recall("Who leads Radar?", at=MAY + DAY).text
    assert "- Led by Kai (until 2026-06-08)" in before
    assert "no longer true" not in before
    assert "Lin" not in before


def test_a_memory_from_an_old_conversation_says_when_it_was_said_and_one_of_today_does_not() -> None:
    store = InMemoryStore()
    ada = taught(store, BERLIN)
    assert "- Lives in Berlin (said 2026-05-08)" in ada.recall("Where do I live?").text
    today = (datetime.now(UTC), "I like tea", [op("add_memory", content="Likes tea", quote="I like tea")])
    assert "- Likes tea\n" in taught(store, today, first=1).recall("What do I like?").text


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest) -> Iterator[BaseStore]:
    if request.param == "memory":
        yield InMemoryStore()
        return
    with connect("sqlite:///:memory:") as db:
        yield db.store


ROME = (JULY, "I moved to Rome", [op("update_memory", id="m1", content="Lives in Rome", quote="I moved to Rome")])


def held(ada: Scoped) -> dict[datetime, list[str]]:
    return {day: [record.text for record in ada.search("lives", at=day + DAY)] for day in (MAY, JUNE, JULY)}


def test_an_imported_memory_keeps_the_past_it_came_with_when_it_changes_again(store: BaseStore) -> None:
    rows = list(taught(InMemoryStore(), BERLIN, OSLO).export())
    LearningMachine(user_memory=True, store=store).scoped(user_id="ada").load(rows)
    ada = taught(store, ROME, first=5)
    assert held(ada) == {MAY: ["Lives in Berlin"], JUNE: ["Lives in Oslo"], JULY: ["Lives in Rome"]}


def test_a_memory_that_changes_twice_in_one_turn_keeps_its_last_state_when_it_changes_again(store: BaseStore) -> None:
    taught(store, BERLIN)
    twice = [op("update_memory", id="m1", content=f"Lives in {town}", quote=town) for town in ("Bern", "Oslo")]
    ada = taught(store, (JUNE, "I live in Bern. No, in Oslo", twice), ROME, first=1)
    assert held(ada) == {MAY: ["Lives in Berlin"], JUNE: ["Lives in Oslo"], JULY: ["Lives in Rome"]}


def renumbered(store: BaseStore) -> Scoped:
    """Ada with a past state under the id of earlier releases, in a version that a restored backup does not have."""
    ada = taught(store, BERLIN, OSLO)
    [past] = [item for item in store.search(("learning",), limit=100) if item.value.get("past_of")]
    commit = ada.commits()[-1].id
    assert is_versioned(store)
    store.erase([(past.namespace, past.key)])
    old = PutOp(past.namespace, f"{past.value['past_of']}@7", past.value, index=["text"])
    store.transact([old], source={"commit": commit})
    return ada


def test_undo_and_an_edit_find_the_past_by_what_it_is_the_past_of() -> None:
    for take_back in ("undo", "edit"):
        with connect("sqlite:///:memory:") as db:
            ada = renumbered(db.store)
            if take_back == "undo":
                ada.undo(ada.commits()[-1].id)
            else:
                model = ScriptedChatModel(extractions=[[]])
                learning = LearningMachine(model=model, user_memory=True, store=db.store)
                again = learning.scoped(user_id="ada", thread_id="t1")
                again.learn([HumanMessage("I do not live in a town", id="h1")], at=JULY)
            assert held(ada)[MAY] == ["Lives in Berlin"], take_back
            assert [row["text"] for row in ada.export()] == ["Lives in Berlin"], take_back


def test_undo_does_not_ask_once_for_each_version_number(monkeypatch: pytest.MonkeyPatch) -> None:
    with connect("sqlite:///:memory:") as db:
        ada = taught(db.store, BERLIN, OSLO)
        [record] = ada.records()
        for text in [f"Lives in Oslo {'well ' * number}" for number in range(1, 30)]:
            db.store.put(record.namespace, record.id, {**record.value(), "text": text, "content": {"content": text}})
        made = ada.apply("delete_memory", id=record.id)
        asked: list[str] = []
        assert is_versioned(db.store)
        history = db.store.history

        def counted(namespace: tuple[str, ...], key: str) -> Any:
            asked.append(key)
            return history(namespace, key)

        monkeypatch.setattr(db.store, "history", counted)
        ada.undo(made.id)
        assert len(set(asked)) == 2, "the record, and its one past state"
        assert len(list(ada.export())) == 2


def test_a_message_that_is_edited_takes_back_what_it_taught_though_that_is_past(store: BaseStore) -> None:
    ada = taught(store, BERLIN, OSLO)
    learning = LearningMachine(model=ScriptedChatModel(extractions=[[]]), user_memory=True, store=store)
    again = learning.scoped(user_id="ada", thread_id="t1")
    again.learn([HumanMessage("I like tea", id="h0")], at=JULY)
    assert held(ada) == {MAY: [], JUNE: ["Lives in Oslo"], JULY: ["Lives in Oslo"]}


@pytest.mark.parametrize(("store", "deleted"), [("sqlite", 1), ("sqlite", 2), ("memory", 1)], indirect=["store"])
def test_a_memory_that_is_deleted_takes_along_a_past_that_was_not_read(
    store: BaseStore, deleted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 1 if isinstance(store, InMemoryStore) else 5  # of the oldest in the one, of the newest in the other
    monkeypatch.setattr(proposals, "PLAN_LIMIT", read)
    for module in (repository, snapshots):
        monkeypatch.setattr(module, "SEARCH_LIMIT", read)
    ada = taught(store, BERLIN, OSLO)
    for number in range(10):
        ada.apply("add_memory", content=f"Knows song {number}")
    [oslo] = [record for record in ada.records() if "Oslo" in record.text]
    store.put(oslo.namespace, oslo.id, {**oslo.value(), "created_at": datetime.now(UTC).isoformat()}, index=["text"])
    ids = [record.id for record in ada.records()][::-1]
    assert ids[0] == oslo.id

    def delete(messages: Sequence[Any]) -> list[dict[str, Any]]:
        shown = "\n".join(str(message.content) for message in messages)
        labels = [re.findall(rf"(m\S+): {text}", shown)[-1] for text in ("Lives in Oslo", "Knows song 9")[:deleted]]
        return [op("delete_memory", id=label, quote="Forget Norway, and the song 9") for label in labels]

    model = ScriptedChatModel(extractions=[delete])
    learning = LearningMachine(model=model, user_memory=True, store=store).scoped(user_id="ada", thread_id="t9")
    made = learning.learn([HumanMessage("Forget Norway, and the song 9", id="h9")], at=datetime.now(UTC))
    assert made is not None
    assert len(made.changes) == deleted
    assert oslo.id in {change.id for change in made.changes}
    assert held(ada) == {MAY: [], JUNE: [], JULY: []}
    assert [row["text"] for row in ada.export() if row["past_of"]] == []


def test_old_states_that_fit_do_not_crowd_out_what_holds_now(store: BaseStore) -> None:
    ada = LearningMachine(user_memory=True, store=store).scoped(user_id="ada")
    ada.apply("add_memory", content="Likes beetroot soup as her grandmother made it, with sour cream and rye bread")
    ada.apply("add_memory", content="Soup of day 0")
    [today] = [record for record in ada.records() if "day" in record.text]
    limit = UserMemoryStore().recall_limit
    old = [today.model_copy(update={"version": number}).as_past(JUNE) for number in range(limit + 10)]
    store.batch([PutOp(past.namespace, past.id, past.value(), index=["text"]) for past in old if past])
    assert any("beetroot" in record.text for record in ada.search("soup", limit=10))
    recalled = ada.recall("soup")
    assert "beetroot" in recalled.text
    assert recalled.receipt.left_out == {}


def test_what_is_left_out_is_counted_without_old_states() -> None:
    with connect("sqlite:///:memory:") as db:
        ada = LearningMachine(user_memory=True, store=db.store).scoped(user_id="ada")
        ada.apply("add_memory", content="Soup of day 0")
        [record] = ada.records()
        limit = UserMemoryStore().recall_limit
        now = [record.model_copy(update={"id": f"k{number}"}) for number in range(limit + 50)]
        states = [
            record.model_copy(update={"version": 1, "text": f"{'Soup' if n < 40 else 'Stew'}{' ' * n}"})
            for n in range(70)
        ]
        old = [state.as_past(JUNE) for state in states]
        db.store.batch([PutOp(each.namespace, each.id, each.value(), index=["text"]) for each in (*now, *old) if each])
        recalled = ada.recall("soup")
        assert len(recalled.records) + recalled.receipt.left_out["user_memory"] == limit + 51


def told_in_two_threads(store: BaseStore) -> Scoped:
    ada = taught(store, BERLIN)
    model = ScriptedChatModel(extractions=[OSLO[2]])
    other = LearningMachine(model=model, user_memory=True, store=store).scoped(user_id="ada", thread_id="t2")
    other.learn([HumanMessage("I live in Oslo now", id="q")], at=JUNE)
    return ada


def test_a_deleted_thread_leaves_no_past_of_what_it_had_replaced(store: BaseStore) -> None:
    ada = told_in_two_threads(store)
    erase_thread_records(store, "t2")
    assert [(row["text"], row["past_of"], row["valid_to"]) for row in ada.export()] == [("Lives in Berlin", None, None)]
    assert [(record.text, record.status) for record in ada.search("Berlin")] == [("Lives in Berlin", "active")]


def test_a_deleted_thread_that_replaced_a_memory_twice_leaves_what_it_was_before(store: BaseStore) -> None:
    ada = told_in_two_threads(store)
    model = ScriptedChatModel(extractions=[ROME[2]])
    other = LearningMachine(model=model, user_memory=True, store=store).scoped(user_id="ada", thread_id="t2")
    other.learn([HumanMessage(ROME[1], id="q2")], at=JULY)
    assert [row["text"] for row in ada.export()].count("Lives in Rome") == 1
    erase_thread_records(store, "t2")
    assert [(row["text"], row["past_of"], row["valid_to"]) for row in ada.export()] == [("Lives in Berlin", None, None)]


def test_a_deleted_thread_whose_memory_was_replaced_leaves_what_replaced_it(store: BaseStore) -> None:
    ada = told_in_two_threads(store)
    erase_thread_records(store, "t1")
    assert [(row["text"], row["past_of"]) for row in ada.export()] == [("Lives in Oslo", None)]


def test_a_deleted_thread_leaves_the_past_of_what_others_have_replaced_since(store: BaseStore) -> None:
    told_in_two_threads(store)
    ada = taught(store, ROME, first=4)
    erase_thread_records(store, "t2")
    assert held(ada) == {MAY: ["Lives in Berlin"], JUNE: [], JULY: ["Lives in Rome"]}


def test_an_unreadable_id_is_answered_with_the_first_ids_that_there_are() -> None:
    ada = LearningMachine(user_memory=True, store=InMemoryStore()).scoped(user_id="ada")
    for number in range(25):
        ada.apply("add_memory", content=f"Knows song {number}")
    with pytest.raises(ValueError, match=r"there is m1, .* and \d+ more$") as refused:
        ada.apply("delete_memory", id="nobody")
    assert str(refused.value).count(",") == 19


class Membership(UserMemory):
    valid_to: str | None = Field(default=None, description="Until which day it is true")
    expires_at: str | None = Field(default=None, description="Until which day")


@pytest.mark.parametrize("end", ["valid_to", "expires_at"])
def test_what_had_ended_before_it_was_replaced_ended_then_and_the_new_statement_has_no_end(
    store: BaseStore, end: str
) -> None:
    config = UserMemoryConfig(schema=Membership)
    ada = LearningMachine(user_memory=config, store=store).scoped(user_id="ada")
    ada.apply("add_memory", content="Rents a flat in Paris", **{end: "2024-12-31"})
    [record] = ada.records()
    ada.apply("update_memory", id=record.id, content="Rents a house in Oslo")
    texts = {year: [each.text for each in ada.search("rents", at=datetime(year, 6, 1))] for year in (2024, 2025)}
    assert texts == {2024: ["Rents a flat in Paris"], 2025: []}
    assert [each.text for each in ada.search("rents")] == ["Rents a house in Oslo"]
    [now] = ada.records()
    assert (now.valid_to, now.expires_at) == (None, None)
    assert now.content.get(end) is None


def test_a_new_end_that_is_said_with_the_new_statement_stays() -> None:
    config = UserMemoryConfig(schema=Membership)
    ada = LearningMachine(user_memory=config, store=InMemoryStore()).scoped(user_id="ada")
    ada.apply("add_memory", content="Rents a flat in Paris", valid_to="2024-12-31")
    [record] = ada.records()
    ada.apply("update_memory", id=record.id, content="Rents a house in Oslo", valid_to="2099-12-31")
    assert [each.content["valid_to"] for each in ada.records()] == ["2099-12-31"]


def test_a_state_that_is_replaced_when_it_begins_leaves_no_past(store: BaseStore) -> None:
    taught(store, BERLIN)
    twice = [op("update_memory", id="m1", content=f"Lives in {town}", quote=town) for town in ("Bern", "Oslo")]
    ada = taught(store, (JUNE, "I live in Bern. No, in Oslo", twice), first=1)
    assert [row["text"] for row in ada.export() if row["past_of"]] == ["Lives in Berlin"]


def test_a_memory_that_expires_is_recalled_until_its_last_day_and_not_a_day_longer() -> None:
    config = UserMemoryConfig(schema=Membership)
    ada = LearningMachine(user_memory=config, store=InMemoryStore()).scoped(user_id="ada")
    today = datetime.now(UTC)
    ada.apply("add_memory", content="Is on holiday", expires_at=f"{today:%Y-%m-%d}")
    ada.apply("add_memory", content="Was on holiday", expires_at=f"{today - DAY:%Y-%m-%d}")
    assert f"Is on holiday (until {today:%Y-%m-%d})" in ada.recall("holiday").text
    assert [record.text for record in ada.search("holiday")] == ["Is on holiday"]
    [ended] = [record for record in ada.search("holiday", at=today - 2 * DAY) if record.text == "Was on holiday"]
    assert ended.expires_at is not None


def _record(**content: object) -> Record:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Record.model_validate(
        {
            "id": "r1",
            "store": "offers",
            "scope": Scope(user_id="ada"),
            "content": content,
            "text": "Tea",
            "source": Source(),
            "created_at": at,
            "updated_at": at,
        }
    )
