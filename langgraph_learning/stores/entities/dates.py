"""Days as people say them, counted from the day they were said: "yesterday", "last Friday", "March 2026"."""

import calendar
import re
from collections.abc import Callable
from datetime import date, timedelta

from langgraph_learning.text import fold

_MONTHS = "january february march april may june july august september october november december".split()
_NAMED = {short: number for number, name in enumerate(_MONTHS, 1) for short in (name, name[:3])} | {"sept": 9}
_DAYS = {day: number for number, day in enumerate("monday tuesday wednesday thursday friday saturday sunday".split())}
_NUMBERS = {"a": 1, "an": 1, **{word: n for n, word in enumerate("one two three four five six seven eight".split(), 1)}}
_NEAR = {
    "today": 0,
    "now": 0,
    "tonight": 0,
    "this morning": 0,
    "this afternoon": 0,
    "this evening": 0,
    "earlier today": 0,
    "yesterday": -1,
    "last night": -1,
    "day before yesterday": -2,
    "tomorrow": 1,
    "day after tomorrow": 2,
}
_MONTH = "|".join(sorted(_NAMED, key=len, reverse=True))
_DAY = "|".join(_DAYS)
_COUNT = r"\d{1,4}|" + "|".join(_NUMBERS)
_UNIT = "day|week|month|year"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_NTH = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"

Found = dict[str, str]
Reader = Callable[[Found, date], date]


def read_day(phrase: str, today: date) -> date | None:
    """Return the day that `phrase` means when it is said `today`; None if that cannot be told.

    A month or a year is its first day, a month without a year the nearest one, a bare weekday the latest one.
    """
    said = " ".join(fold(phrase).replace(",", " ").split()).strip(" .")
    bare = re.sub(r"^(?:(?:on|in|at|since|around|about|the) )+", "", said)
    try:
        for words in dict.fromkeys((said, bare)):
            if words in _NEAR:
                return today + timedelta(days=_NEAR[words])
            for pattern, reader in _READERS:
                if found := re.fullmatch(pattern, words):
                    return reader(found.groupdict(), today)
    except (ValueError, OverflowError):  # the 31st of February, a thousand years before Christ
        return None
    return None


def _exact(found: Found, today: date) -> date:
    return date(int(found["year"]), int(found.get("month") or 1), int(found.get("day") or 1))


def _slashed(found: Found, today: date) -> date:
    """Day and month in either order, where only one order makes sense."""
    one, other = int(found["one"]), int(found["other"])
    if one <= 12 and other <= 12 and one != other:
        raise ValueError("it may be either")
    day, month = (one, other) if one > 12 else (other, one)
    return date(int(found["year"]), month, day)


def _quarter(found: Found, today: date) -> date:
    return date(int(found["year"]), 3 * int(found["quarter"]) - 2, 1)


def _by_name(found: Found, today: date) -> date:
    month, day = _NAMED[found["name"]], int(found.get("day") or 1)
    if found.get("year"):
        return date(int(found["year"]), month, day)
    return min((date(today.year + step, month, day) for step in (-1, 0, 1)), key=lambda each: abs(each - today))


def _away(found: Found, today: date) -> date:
    count = _NUMBERS.get(found["count"]) or int(found["count"])
    return _moved(today, count if found.get("ahead") or found.get("hence") else -count, found["unit"])


def _beside(found: Found, today: date) -> date:
    step = {"last": -1, "past": -1, "previous": -1, "this": 0, "next": 1}[found["which"]]
    return _moved(today, step, found["unit"])


def _weekday(found: Found, today: date) -> date:
    past = (today.weekday() - _DAYS[found["weekday"]]) % 7
    match found.get("which"):
        case "next":
            return today + timedelta(days=7 - past)
        case "last" | "past" | "previous":
            return today - timedelta(days=past or 7)
        case "this":
            return today + timedelta(days=_DAYS[found["weekday"]] - today.weekday())
    return today - timedelta(days=past)


def _moved(day: date, count: int, unit: str) -> date:
    if unit in ("day", "week"):
        return day + timedelta(days=count * (7 if unit == "week" else 1))
    months = day.year * 12 + day.month - 1 + count * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


_READERS: list[tuple[str, Reader]] = [
    (_YEAR + r"(?:[-/.](?P<month>\d{1,2}))?(?:[-/.](?P<day>\d{1,2}))?", _exact),
    (_YEAR + r"-(?P<month>\d\d)-(?P<day>\d\d)[t ]\d\d:.*", _exact),
    (r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\." + _YEAR, _exact),
    (r"(?P<one>\d{1,2})[/-](?P<other>\d{1,2})[/-]" + _YEAR, _slashed),
    (r"q(?P<quarter>[1-4]) " + _YEAR, _quarter),
    (_YEAR + r" q(?P<quarter>[1-4])", _quarter),
    (rf"(?P<name>{_MONTH})\.?(?: {_NTH})?(?: (?:of )?{_YEAR})?", _by_name),
    (rf"{_NTH}\.?(?: of)? (?P<name>{_MONTH})\.?(?: {_YEAR})?", _by_name),
    (rf"(?P<count>{_COUNT}) (?P<unit>{_UNIT})s? ago", _away),
    (rf"(?P<ahead>in )(?P<count>{_COUNT}) (?P<unit>{_UNIT})s?", _away),
    (rf"(?P<count>{_COUNT}) (?P<unit>{_UNIT})s? (?P<hence>from now)", _away),
    (rf"(?P<which>last|past|previous|this|next) (?P<unit>{_UNIT})", _beside),
    (rf"(?:(?P<which>last|past|previous|this|next) )?(?P<weekday>{_DAY})", _weekday),
]
