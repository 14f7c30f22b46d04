"""Dates as feeds write them, as aware UTC datetimes or None. Never raises, never guesses a month.

Order: epoch seconds or milliseconds, ISO 8601, RFC 822 with the zone names people use, dates written out in eight
languages, and last what feedparser made of it. What lies before 1990 is no claim about an article (HOSTILE D5).
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from time import struct_time

__all__ = ["EARLIEST", "is_impossible", "parse_date"]

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_MAX_CHARS = 100

_ZONES = {
    "ut": 0, "utc": 0, "gmt": 0, "z": 0, "wet": 0, "west": 60, "bst": 60, "cet": 60, "cest": 120, "mez": 60,
    "mesz": 120, "met": 60, "mest": 120, "sast": 120, "eet": 120, "eest": 180, "msk": 180, "trt": 180, "ist": 330,
    "pkt": 300, "bdt": 360, "wib": 420, "ict": 420, "hkt": 480, "sgt": 480, "pht": 480, "awst": 480, "jst": 540,
    "kst": 540, "acst": 570, "acdt": 630, "aest": 600, "aedt": 660, "nzst": 720, "nzdt": 780, "brt": -180,
    "art": -180, "clt": -240, "ast": -240, "adt": -180, "nst": -210, "ndt": -150, "est": -300, "edt": -240,
    "cst": -360, "cdt": -300, "mst": -420, "mdt": -360, "pst": -480, "pdt": -420, "akst": -540, "akdt": -480,
    "hst": -600, "et": -300, "ct": -360, "mt": -420, "pt": -480,
}  # fmt: skip
#: by number: English, German, French, Spanish, Italian, Portuguese, Dutch, Russian; the first letters that tell
_MONTHS = (
    ("jan", "jän", "ene", "gen", "янв"),
    ("feb", "fév", "fev", "фев"),
    ("mar", "mär", "mrt", "maa", "мар"),
    ("apr", "avr", "abr", "апр"),
    ("may", "mai", "mag", "mei", "май", "мая"),
    ("jun", "juin", "giu", "июн"),
    ("jul", "juil", "lug", "июл"),
    ("aug", "aoû", "aou", "ago", "авг"),
    ("sep", "set", "сен"),
    ("oct", "okt", "ott", "out", "окт"),
    ("nov", "ноя"),
    ("dec", "dez", "déc", "dic", "дек"),
)
_ENGLISH = {starts[0].title(): f"{number:02}" for number, starts in enumerate(_MONTHS, 1)}
_USUAL = re.compile(
    r"(?:[A-Z][a-z]{2}, )?(\d{1,2}) ([A-Z][a-z]{2}) ([12]\d{3}) (\d\d):(\d\d):(\d\d) (?:GMT|UTC|Z|([+-])(\d\d):?(\d\d))"
)
#: no place on Earth is further from Greenwich
_WIDEST = timedelta(hours=14)
#: only such a day can be one too many for its month
_LATE_DAY = re.compile(r"(?<!\d)(?:29|3[01])(?!\d)")
_EPOCH = re.compile(r"\d{10}(?:\d{3})?(?:\.\d+)?")
_TIME = r"(?P<hour>\d{1,2})[:.h](?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:[.,]\d+)?)?\s*(?P<half>[ap]\.?m\.?)?"
_ZONE = r"(?P<zone>[+-]\d{1,2}:?\d{2}|[a-z]{1,5}(?:[+-]\d{1,2}(?::?\d{2})?)?)?"
#: what C's ctime() prints: Thu Mar  5 10:20:30 2026
_CTIME = re.compile(r"[A-Za-z]{3,9} ([A-Za-z]{3}) (\d{1,2}) ([\d:]{5,8}(?: [A-Z]{2,4})?) (\d{4})")
_CLOCK = rf"(?:[\s,T]+(?:(?:at|um|à|às|a las|alle|om|в)\s+)?{_TIME}\s*{_ZONE}(?:\s*\(.*\))?)?"
_WEEKDAY = r"(?:[^\W\d]{2,12}\.?(?:-feira)?[,\s]\s*)?"
_FORMS = tuple(
    re.compile(rf"{_WEEKDAY}{form}{_CLOCK}", re.IGNORECASE)
    for form in (
        r"(?P<day>\d{1,2})(?:st|nd|rd|th|\.|er|º)?[\s-]+(?:de\s+)?(?P<month>[^\W\d]{3,12})\.?[\s,-]+(?:de\s+)?(?P<year>\d{4}|\d\d)",
        r"(?P<month>[^\W\d]{3,12})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4})",
        r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})",
        r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})",
        r"(?P<year>\d{4})\s?[年년]\s?(?P<month>\d{1,2})\s?[月월]\s?(?P<day>\d{1,2})\s?[日일]",
    )
)


def parse_date(raw: str | None, otherwise: Callable[[], struct_time | None] | None = None) -> datetime | None:
    """The instant that `raw` claims; `otherwise` is feedparser's reading of it, the last resort. None: unreadable."""
    text = " ".join((raw or "")[:_MAX_CHARS].split())
    moment = _usual(text) or _epoch(text) or _iso(text) or _written(text)
    if moment is None and otherwise is not None and text.isascii() and (parsed := otherwise()):
        moment = _from_struct(parsed)
    return moment if moment is not None and moment >= EARLIEST else None


def is_impossible(raw: str | None) -> bool:
    """Whether `raw` names a day that its month does not have; `parse_date` reads 30 February as 2 March."""
    text = " ".join((raw or "")[:_MAX_CHARS].split())
    if not _LATE_DAY.search(text) or _usual(text) or _iso(text):
        return False
    found = _form(text)
    month = _month(found["month"]) if found else None
    if found is None or month is None or not 1 <= month <= 12:
        return False
    return int(found["day"]) > calendar.monthrange(_year(found["year"]), month)[1]


def _usual(text: str) -> datetime | None:
    """The form that RSS 2.0 asks for, as nearly all write it; what is odd about others is found out below."""
    found = _USUAL.fullmatch(text)
    if found is None:
        return None
    day, month, year, hour, minute, second, sign, hours, minutes = found.groups()
    try:  # half of what numbers made one by one take
        local = datetime.fromisoformat(f"{year}-{_ENGLISH.get(month)}-{day:0>2}T{hour}:{minute}:{second}+00:00")
    except ValueError:
        return None
    if sign is None or hours == minutes == "00":
        return local
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    if offset > _WIDEST:
        return None
    return local + offset if sign == "-" else local - offset


def _epoch(text: str) -> datetime | None:
    if not _EPOCH.fullmatch(text):
        return None
    seconds = float(text)
    return datetime.fromtimestamp(seconds / 1000 if seconds >= 1e11 else seconds, UTC)


def _iso(text: str) -> datetime | None:
    if not text[:4].isdigit():
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # not of this form; or year 1 moved below it by its zone
        return None


def _written(text: str) -> datetime | None:
    found = _form(text)
    return _moment(found) if found else None


def _form(text: str) -> re.Match[str] | None:
    """The day, month and year of a date that is written out, and whatever time stands with it."""
    if ctime := _CTIME.fullmatch(text):
        text = "{2} {1} {4} {3}".format(*[None, *ctime.groups()])
    return next((found for form in _FORMS if (found := form.fullmatch(text))), None)


def _moment(found: re.Match[str]) -> datetime | None:
    month, zone = _month(found["month"]), _zone(found["zone"])
    if month is None or zone is None:
        return None
    year = _year(found["year"])
    day_end = timedelta(0)
    hour = _hour(found["hour"], found["half"])
    if hour == 24:
        hour, day_end = 0, timedelta(days=1)
    second = min(int(found["second"] or 0), 59)  # a leap second
    try:
        local = datetime(year, month, 1, hour, int(found["minute"] or 0), second, tzinfo=zone)
        # 30 February is 2 March: nearer to what was meant than nothing (HOSTILE D1)
        day = int(found["day"])
        return (local + timedelta(days=day - 1) + day_end).astimezone(UTC) if 1 <= day <= 31 else None
    except (ValueError, OverflowError):
        return None


def _year(text: str) -> int:
    year = int(text)
    return year if len(text) > 2 else year + (2000 if year < 70 else 1900)  # RFC 2822, 4.3


def _month(text: str) -> int | None:
    if text.isdigit():
        return int(text)
    text = text.casefold()
    matches = [
        (len(start), number) for number, starts in enumerate(_MONTHS, 1) for start in starts if text.startswith(start)
    ]
    return max(matches)[1] if matches else None


def _hour(text: str | None, half: str | None) -> int:
    hour = int(text or 0)
    if half:
        hour = hour % 12 + (12 if half[0] in "pP" else 0)
    return hour


def _zone(text: str | None) -> timezone | None:
    """None: an offset that no place on Earth has. An unknown name is UTC."""
    if not text:
        return UTC
    name = text.casefold().rstrip("+-0123456789:")
    offset = text[len(name) :]
    minutes = _ZONES.get(name, 0)
    if offset:
        digits = offset[1:].replace(":", "")
        hours, rest = (digits, "0") if len(digits) <= 2 else (digits[:-2], digits[-2:])
        minutes += (int(hours) * 60 + int(rest)) * (-1 if offset[0] == "-" else 1)
    return timezone(timedelta(minutes=minutes)) if abs(timedelta(minutes=minutes)) <= _WIDEST else None


def _from_struct(parsed: struct_time) -> datetime | None:
    """The tuples of feedparser are UTC; they may hold a year 0."""
    try:
        return datetime.fromtimestamp(calendar.timegm(parsed), UTC)
    except (ValueError, OverflowError, OSError):
        return None
