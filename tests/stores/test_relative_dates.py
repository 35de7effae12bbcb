"""Days as people say them, on a Sunday."""

import sys
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_learning.stores import EntityMemoryStore
from langgraph_learning.stores.entities import relative_dates
from langgraph_learning.stores.entities.relative_dates import date_order, read_day

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


NOVEMBER = date(2026, 11, 29)


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("the 5th of May", "2026-05-05"),
        ("May 5", "2026-05-05"),
        ("on the fifth of May", "2026-05-05"),
        ("28 November", "2026-11-28"),
        ("29 November", "2026-11-29"),
        ("January 10", "2027-01-10"),
        ("Christmas Day", None),
        ("24 December", "2026-12-24"),
        ("June", "2026-06-01"),
        ("last May", "2026-05-01"),
        ("next May", "2027-05-01"),
        ("last November", "2025-11-01"),
        ("this December", "2026-12-01"),
        ("ten days ago", "2026-11-19"),
        ("twenty days ago", "2026-11-09"),
        ("a fortnight ago", "2026-11-15"),
        ("twelve months ago", "2025-11-29"),
        ("coming Friday", "2026-12-04"),
        ("gestern", "2026-11-28"),
        ("avant-hier", "2026-11-27"),
        ("Ayer", "2026-11-28"),
        ("вчера", "2026-11-28"),
        ("أمس", "2026-11-28"),
        ("dün", "2026-11-28"),
        ("昨天", "2026-11-28"),
        ("어제", "2026-11-28"),
        ("เมื่อวาน", "2026-11-28"),
        ("mañana", "2026-11-30"),
        ("last summer", None),
        ("a few days ago", None),
        ("end of May", None),
        ("this weekend", None),
    ],
)
def test_a_date_without_a_year_is_past_unless_it_is_soon(said: str, day: str | None) -> None:
    assert read_day(said, NOVEMBER) == (day and date.fromisoformat(day))


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("vor zehn Tagen", "2026-11-19"),
        ("am 5. Mai 2024", "2024-05-05"),
        ("la semaine dernière", "2026-11-22"),
        ("el 5 de mayo de 2024", "2024-05-05"),
        ("позавчера", "2026-11-27"),
        ("5 Mayıs 2024", "2024-05-05"),
        ("2024年5月5日", "2024-05-05"),
        ("3 วันที่แล้ว", "2026-11-26"),
        ("24. Dezember", None),  # the last one, or the next in a month
        ("letzten Sommer", None),
        ("um 5 Uhr", None),
        ("neulich", None),
    ],
)
def test_dateparser_reads_other_languages_behind_ours(said: str, day: str | None) -> None:
    assert read_day(said, NOVEMBER) == (day and date.fromisoformat(day))


def test_without_dateparser_what_it_would_read_is_kept_as_it_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dateparser.date", None)
    relative_dates._other_languages.cache_clear()
    assert read_day("vor zehn Tagen", NOVEMBER) is None
    assert read_day("gestern", NOVEMBER) == date(2026, 11, 28)
    monkeypatch.undo()
    relative_dates._other_languages.cache_clear()


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


def test_every_event_has_a_day_or_the_words_that_were_said_for_it() -> None:
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
        ("Will merge", "some time in spring (said 2026-03-01)"),
        ("Moved the other day", "the other day (said 2026-03-01)"),
    ]


@given(st.text(min_size=1, max_size=60).filter(lambda said: said.strip()))
def test_what_is_not_understood_is_kept_as_it_was_said_and_never_dated_today(said: str) -> None:
    kept = " ".join(said.split())
    [(_, written)] = events({"content": "Moved", "date": said})
    day = read_day(kept, TODAY)
    assert written == (f"{kept} (said 2026-03-01)" if day is None else day.isoformat())


def test_an_event_whose_day_nobody_can_read_stands_where_it_was_told() -> None:
    assert date_order("last summer (said 2026-03-01)") == "2026-03-01"
    assert sorted(["2026-03-02", "the other day (said 2026-03-01)", "2026-02-28"], key=date_order) == [
        "2026-02-28",
        "the other day (said 2026-03-01)",
        "2026-03-02",
    ]
