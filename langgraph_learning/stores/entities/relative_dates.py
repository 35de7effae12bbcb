"""Days as people say them, counted from the day of the message: "yesterday", "last Friday", "March 2026".

This module reads English, and the nearest days in other languages; `dateparser` (extra `dates`) reads more of them if
it is installed. A phrase that cannot be read is stored as it was said (`mark_as_said`), and never dated today.
"""

import calendar
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import cache
from importlib import import_module
from typing import Any

from langgraph_learning.words import fold

_MONTHS = "january february march april may june july august september october november december".split()
_NAMED = {short: number for number, name in enumerate(_MONTHS, 1) for short in (name, name[:3])} | {"sept": 9}
_DAYS = {day: number for number, day in enumerate("monday tuesday wednesday thursday friday saturday sunday".split())}
_UP_TO_TWENTY = """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty""".split()
_NUMBERS = {"a": 1, "an": 1, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90, "a hundred": 100} | {
    word: number for number, word in enumerate(_UP_TO_TWENTY, 1)
}
_ORDINALS = {
    word: number
    for number, word in enumerate(
        """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth
        fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty-first twenty-second twenty-third
        twenty-fourth twenty-fifth twenty-sixth twenty-seventh twenty-eighth twenty-ninth thirtieth
        thirty-first""".split(),
        1,
    )
}
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
_NEAR_ELSEWHERE = {
    -2: "vorgestern, avant-hier, anteayer, antier, l'altro ieri, anteontem, eergisteren, позавчера, przedwczoraj, 前天,"
    "一昨日, おととい, 그저께, أول أمس",
    -1: "gestern, hier, ayer, ieri, ontem, gisteren, igår, i går, eilen, вчера, вчора, wczoraj, včera, tegnap, dün,"
    "χθες, أمس, البارحة, دیروز, אתמול, 昨天, 昨日, きのう, 어제, เมื่อวาน, เมื่อวานนี้, hôm qua, kemarin",
    0: "heute, aujourd'hui, hoy, oggi, hoje, vandaag, idag, i dag, tänään, сегодня, сьогодні, dzisiaj, dziś, dnes,"
    "bugün, σήμερα, اليوم, امروز, היום, आज, 今天, 今日, きょう, 오늘, วันนี้, hôm nay, hari ini",
    1: "morgen, demain, mañana, domani, amanhã, imorgon, i morgon, i morgen, huomenna, завтра, jutro, zítra, holnap,"
    "yarın, αύριο, غدا, فردا, מחר, 明天, 明日, あした, 내일, พรุ่งนี้, ngày mai, besok",
    2: "übermorgen, après-demain, pasado mañana, dopodomani, depois de amanhã, overmorgen, послезавтра, pojutrze, 后天,"
    "明後日, あさって, 모레, بعد غد",
}
_NEAR |= {fold(word.strip()): days for days, listed in _NEAR_ELSEWHERE.items() for word in listed.split(",")}
_MONTH = "|".join(sorted(_NAMED, key=len, reverse=True))
_DAY = "|".join(_DAYS)
_COUNT = r"\d{1,4}|" + "|".join(sorted(_NUMBERS, key=len, reverse=True))
_UNIT = "day|week|fortnight|month|year"
_WHICH = "last|past|previous|this|next|coming"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_NTH = rf"(?:the )?(?P<day>\d{{1,2}}|{'|'.join(sorted(_ORDINALS, key=len, reverse=True))})(?:st|nd|rd|th)?"
SOON = 60
"""The number of days within which a date without a year lies ahead; otherwise the last such date is meant."""
_SAID = re.compile(r" \(said \d{4}-\d\d-\d\d\)$")
_LONGEST = 60
_ISO = re.compile(r"\d{4}-\d\d-\d\d")

Found = dict[str, str]
Reader = Callable[[Found, date], date]


def read_day(phrase: str, today: date) -> date | None:
    """Return the day that `phrase` means when it is said `today`; None if it cannot be read.

    A month or a year means its first day, a bare weekday the latest one. A date without a year means the last one,
    unless the next one is at most `SOON` days ahead: "the 5th of May", said in November, is in the past.
    """
    phrase_words = " ".join(fold(phrase).replace(",", " ").split()).strip(" .。")
    bare = re.sub(r"^(?:(?:on|in|at|since|the) )+", "", phrase_words)
    try:
        for words in dict.fromkeys((phrase_words, bare)):
            if words in _NEAR:
                return today + timedelta(days=_NEAR[words])
            for pattern, reader in _READERS:
                if match := re.fullmatch(pattern, words):
                    return reader(match.groupdict(), today)
    except (ValueError, OverflowError):  # such as the 31st of February, or a year before 1
        return None
    return _read_elsewhere(" ".join(phrase.split()), today)


def mark_as_said(phrase: str, today: date) -> str:
    """Return an unreadable date with the day on which it was said; it is stored in place of the day."""
    if _SAID.search(phrase):  # an approved proposal is dated a second time
        return phrase
    words = phrase if len(phrase) <= _LONGEST else f"{phrase[: _LONGEST - 1]}…"
    return f"{words} (said {today.isoformat()})"


def date_order(written: str) -> str:
    """Return the part of a stored date that sorts it: the day, or the day on which the phrase was said."""
    days = _ISO.findall(written)
    return days[-1] if days else written


# The languages to try. English is not among them, because it is read above.
_ELSEWHERE = (
    "de fr es it pt ca nl sv da nb fi hu pl cs ro tr id et lt ru uk el ar fa he hi th ja ko zh vi".split()
)  # fmt: skip
_ARTICLE = re.compile(r"^(?:am|im|den|der|le|la|en|el|il|em|no|op|dne|w) (?=\S+ )", re.IGNORECASE)


@cache
def _other_languages() -> Any:
    """Return the parser class of `dateparser`, or None if it is not installed; loading it takes a moment."""
    try:
        return import_module("dateparser.date").DateDataParser
    except ImportError:
        return None


def _read_elsewhere(phrase: str, today: date) -> date | None:
    """Return the day of a phrase in another language; without a year, only if the last such day is clearly meant."""
    # 03/05/2026 has no language, so the order of day and month is unknown.
    if phrase.isascii() and not re.search(r"[A-Za-z]{3}", phrase):
        return None
    if _other_languages() is None or len(phrase) > _LONGEST:
        return None
    settings = {
        "RELATIVE_BASE": datetime(today.year, today.month, today.day),
        "PREFER_DATES_FROM": "past",
        "PREFER_DAY_OF_MONTH": "first",
        "REQUIRE_PARTS": ["month"],
        "PARSERS": ["relative-time", "absolute-time"],
        "RETURN_AS_TIMEZONE_AWARE": False,
    }
    parser = _other_languages()(languages=_ELSEWHERE, settings=settings)
    for words in dict.fromkeys((phrase, _ARTICLE.sub("", phrase))):
        parsed = parser.get_date_data(words).date_obj
        if parsed is not None:
            day: date = parsed.date()
            unsure = re.search(r"\d", words) and not re.search(r"\d{4}", words) and (today - day).days > 365 - SOON
            return None if unsure else day
    return None


def _exact(groups: Found, today: date) -> date:
    return date(int(groups["year"]), int(groups.get("month") or 1), int(groups.get("day") or 1))


def _parse_slashes(groups: Found, today: date) -> date:
    """Return the date in which day and month can have only one order."""
    first, second = int(groups["one"]), int(groups["other"])
    if first <= 12 and second <= 12 and first != second:
        raise ValueError("it may be either")
    day, month = (first, second) if first > 12 else (second, first)
    return date(int(groups["year"]), month, day)


def _quarter(groups: Found, today: date) -> date:
    return date(int(groups["year"]), 3 * int(groups["quarter"]) - 2, 1)


def _by_name(groups: Found, today: date) -> date:
    month, day = _NAMED[groups["name"]], _day_of_month(groups.get("day"))
    if groups.get("year"):
        return date(int(groups["year"]), month, day)
    this_year = (today.month, today.day) <= (month, day)
    last, following = date(today.year - this_year, month, day), date(today.year + (not this_year), month, day)
    match groups.get("which"):
        case "last" | "past" | "previous":
            return last if month != today.month else date(today.year - 1, month, day)
        case "next" | "coming":
            return following
        case "this":
            return date(today.year, month, day)
    return following if (following - today).days <= SOON else last


def _day_of_month(written: str | None) -> int:
    return _ORDINALS[written] if written in _ORDINALS else int(written or 1)


def _away(groups: Found, today: date) -> date:
    count = _NUMBERS.get(groups["count"]) or int(groups["count"])
    return _shift(today, count if groups.get("ahead") or groups.get("hence") else -count, groups["unit"])


def _beside(groups: Found, today: date) -> date:
    step = {"this": 0, "next": 1, "coming": 1}.get(groups["which"], -1)
    return _shift(today, step, groups["unit"])


def _weekday(groups: Found, today: date) -> date:
    past = (today.weekday() - _DAYS[groups["weekday"]]) % 7
    match groups.get("which"):
        case "next" | "coming":
            return today + timedelta(days=7 - past)
        case "last" | "past" | "previous":
            return today - timedelta(days=past or 7)
        case "this":
            return today + timedelta(days=_DAYS[groups["weekday"]] - today.weekday())
    return today - timedelta(days=past)


def _shift(day: date, count: int, unit: str) -> date:
    if unit in _DAYS_IN:
        return day + timedelta(days=count * _DAYS_IN[unit])
    months = day.year * 12 + day.month - 1 + count * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


_DAYS_IN = {"day": 1, "week": 7, "fortnight": 14}
_READERS: list[tuple[str, Reader]] = [
    (_YEAR + r"(?:[-/.](?P<month>\d{1,2}))?(?:[-/.](?P<day>\d{1,2}))?", _exact),
    (_YEAR + r"-(?P<month>\d\d)-(?P<day>\d\d)[t ]\d\d:.*", _exact),
    (r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\." + _YEAR, _exact),
    (r"(?P<one>\d{1,2})[/-](?P<other>\d{1,2})[/-]" + _YEAR, _parse_slashes),
    (r"q(?P<quarter>[1-4]) " + _YEAR, _quarter),
    (_YEAR + r" q(?P<quarter>[1-4])", _quarter),
    (rf"(?P<name>{_MONTH})\.?(?: {_NTH})?(?: (?:of )?{_YEAR})?", _by_name),
    (rf"{_NTH}\.?(?: of)? (?P<name>{_MONTH})\.?(?: {_YEAR})?", _by_name),
    (rf"(?P<which>{_WHICH}) (?P<name>{_MONTH})", _by_name),
    (rf"(?P<count>{_COUNT}) (?P<unit>{_UNIT})s? ago", _away),
    (rf"(?P<ahead>in )(?P<count>{_COUNT}) (?P<unit>{_UNIT})s?", _away),
    (rf"(?P<count>{_COUNT}) (?P<unit>{_UNIT})s? (?P<hence>from now)", _away),
    (rf"(?P<which>{_WHICH}) (?P<unit>{_UNIT})", _beside),
    (rf"(?:(?P<which>{_WHICH}) )?(?P<weekday>{_DAY})", _weekday),
]
