"""When something holds: what has expired is not recalled, and what was superseded is, as of an earlier day."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from langgraph.store.memory import InMemoryStore
from pydantic import Field

from langgraph_learning import LearningMachine, Record, Scope, Source
from langgraph_learning.config import StoreConfig
from langgraph_learning.records import SUPERSEDED, Add, Change, Update
from langgraph_learning.scoped import Scoped
from langgraph_learning.stores import LearningStore, Operation, operation
from langgraph_learning.stores.base import ID

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
