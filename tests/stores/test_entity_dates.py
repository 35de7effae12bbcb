"""Days as people say them, on a Sunday."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_learning.stores import EntityMemoryStore
from langgraph_learning.stores.entities.dates import read_day

TODAY = date(2026, 3, 1)


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("2025-12-24", "2025-12-24"),
        ("2025-12-24T10:30:00Z", "2025-12-24"),
        ("2026-03", "2026-03-01"),
        ("2025", "2025-01-01"),
        ("24.12.2025", "2025-12-24"),
        ("12/24/2025", "2025-12-24"),
        ("24/12/2025", "2025-12-24"),
        ("today", "2026-03-01"),
        ("Yesterday", "2026-02-28"),
        ("the day before yesterday", "2026-02-27"),
        ("tomorrow", "2026-03-02"),
        ("last week", "2026-02-22"),
        ("next week", "2026-03-08"),
        ("last month", "2026-02-01"),
        ("next year", "2027-03-01"),
        ("3 days ago", "2026-02-26"),
        ("two weeks ago", "2026-02-15"),
        ("a year ago", "2025-03-01"),
        ("in two weeks", "2026-03-15"),
        ("in 3 days", "2026-03-04"),
        ("Friday", "2026-02-27"),
        ("on Sunday", "2026-03-01"),
        ("last Sunday", "2026-02-22"),
        ("next Sunday", "2026-03-08"),
        ("next Monday", "2026-03-02"),
        ("March 2026", "2026-03-01"),
        ("in March", "2026-03-01"),
        ("November", "2025-11-01"),
        ("Dec 24", "2025-12-24"),
        ("March 5th, 2026", "2026-03-05"),
        ("5 March 2026", "2026-03-05"),
        ("5th of March", "2026-03-05"),
        ("Sept. 3, 2025", "2025-09-03"),
        ("Q2 2026", "2026-04-01"),
    ],
)
def test_a_day_is_read(said: str, day: str) -> None:
    assert read_day(said, TODAY) == date.fromisoformat(day)


@pytest.mark.parametrize(
    "said",
    ["soon", "the other day", "03/05/2026", "2026-02-31", "February 30", "13/13/2026", "in 9999 years", "3026", "-"],
)
def test_what_may_be_any_day_is_not_guessed(said: str) -> None:
    assert read_day(said, TODAY) is None


@given(st.text(max_size=40), st.dates())
def test_nothing_that_is_said_makes_it_fail(said: str, today: date) -> None:
    read_day(said, today)


def events(*given: dict[str, str | None]) -> list[tuple[str, str | None]]:
    """What the events of an operation are once they are dated."""
    store = EntityMemoryStore()
    kind = store.operations[0]
    dated = kind.model_validate({"entity": "Acme", "entity_type": "company", "events": list(given)})
    for _ in range(2):  # a proposal is dated again when it is approved
        dated = store.resolve_dates(dated, TODAY)
    return [(event["content"], event["date"]) for event in dated.model_dump()["events"] or []]


def test_every_event_has_a_day_and_what_cannot_be_read_stays_in_its_text() -> None:
    assert events(
        {"content": "Raised a Series B", "date": "yesterday"},
        {"content": "Opened in London", "date": ""},
        {"content": "Hired a CTO"},
        {"content": "Will merge", "date": "some time in spring"},
        {"content": "Moved the other day", "date": "the other day"},
    ) == [
        ("Raised a Series B", "2026-02-28"),
        ("Opened in London", "2026-03-01"),
        ("Hired a CTO", "2026-03-01"),
        ("Will merge (some time in spring)", "2026-03-01"),
        ("Moved the other day", "2026-03-01"),
    ]
