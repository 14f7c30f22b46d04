"""Dates as feeds write them, as aware UTC datetimes or None. Never raises, never guesses which number is the month.

Order: RFC 822 as RSS asks for it, epoch seconds or milliseconds, ISO 8601, then dates written out in any language that
`month_names` knows. A date that could mean two days is read only where its weekday, "am" and "pm", or the language of
the feed tells which one.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from aggregator.collect.clean.month_names import month_of, weekday_of

__all__ = ["is_impossible", "parse_date"]

_MAX_CHARS = 100
#: before that lies what software writes that knows no date: the years 1, 1601, 1899
_FIRST_YEAR = 1900

_ZONES = {
    "ut": 0, "utc": 0, "gmt": 0, "z": 0, "wet": 0, "west": 60, "bst": 60, "cet": 60, "cest": 120, "mez": 60,
    "mesz": 120, "met": 60, "mest": 120, "sast": 120, "eet": 120, "eest": 180, "msk": 180, "trt": 180, "ist": 330,
    "pkt": 300, "bdt": 360, "wib": 420, "ict": 420, "hkt": 480, "sgt": 480, "pht": 480, "awst": 480, "jst": 540,
    "kst": 540, "acst": 570, "acdt": 630, "aest": 600, "aedt": 660, "nzst": 720, "nzdt": 780, "brt": -180,
    "art": -180, "clt": -240, "ast": -240, "adt": -180, "nst": -210, "ndt": -150, "est": -300, "edt": -240,
    "cst": -360, "cdt": -300, "mst": -420, "mdt": -360, "pst": -480, "pdt": -420, "akst": -540, "akdt": -480,
    "hst": -600, "et": -300, "ct": -360, "mt": -420, "pt": -480,
}  # fmt: skip
_ENGLISH = {name: f"{number:02}" for number, name in enumerate(calendar.month_abbr) if name}
_USUAL = re.compile(
    r"(?:[A-Z][a-z]{2}, )?(\d{1,2}) ([A-Z][a-z]{2}) ([12]\d{3}) (\d\d):(\d\d):(\d\d) (?:GMT|UTC|Z|([+-])(\d\d):?(\d\d))"
)
#: no place on Earth is further from Greenwich
_WIDEST = timedelta(hours=14)
#: only such a day can be one too many for its month
_LATE_DAY = re.compile(r"(?<!\d)(?:29|3[01])(?!\d)")
_EPOCH = re.compile(r"\d{10}(?:\d{3})?(?:\.\d+)?")
_YEAR_AND_MONTH = re.compile(r"((?:19|20)\d\d)(?:-(\d\d))?")
#: what C's ctime() prints: Thu Mar  5 10:20:30 2026; and with its zone, as `date` does
_CTIME = re.compile(r"([A-Za-z]{3,9}) ([A-Za-z]{3}) (\d{1,2}) ([\d:]{5,8})(?: ([A-Z]{2,5}|[+-]\d{4}))? (\d{4})")

_MONTH = r"(?P<month>[^\W\d_][^\W\d_.’'-]{2,19})\.?"
_AT = r"[\s,T·|@]+(?:(?:-|–|at|um|à|às|a las|a les|alle|om|в|о|у|klo|kl\.?|godz\.?|ob|ora|ore|saat|v|ve)\s+)?"
_MORNING = r"am|a\.\s?m\.?|오전|上午|午前|π\.?μ\.?|ص|pg|p\.d\."
_AFTERNOON = r"pm|p\.\s?m\.?|오후|下午|午後|μ\.?μ\.?|م|ptg|m\.d\."
_HALF = rf"(?:{_MORNING}|{_AFTERNOON})(?![^\W\d_])"
_CLOCK = (
    rf"(?:{_AT}(?P<before>{_HALF}\s*)?(?P<hour>\d{{1,2}})(?:[:.h](?P<minute>\d{{2}}))?(?:[:.](?P<second>\d{{2}})(?:[.,:]\d+)?)?"
    rf"\s*(?P<half>{_HALF})?(?P<zone>(?:[\s,]|(?=[+\-Z\[(A-Za-z])).*)?)?"
)
_WEEKDAY = r"(?:(?P<weekday>[^\W\d_]{2,15})(?:-feira)?\.?(?:,|\s)\s*(?:(?:den|the|le|el|il|o)\s+)?)?"
_DAY = r"(?P<day>\d{1,2})"
_YEAR = r"(?P<year>\d{4})"
_CJK_WEEKDAY = r"(?:\s?\(?(?:星期|周|週)?[월화수목금토일月火水木金土日一二三四五六](?:曜日|요일)?\)?)?"
_FORMS = tuple(
    re.compile(rf"{_WEEKDAY}{form}{_CLOCK}", re.IGNORECASE)
    for form in (
        rf"{_DAY}(?:st|nd|rd|th|\.|er|º|ª)?[\s/-]+(?:de\s+|of\s+)?{_MONTH},?[\s/-]+(?:del?\s+)?(?P<year>\d{{4}}|\d\d)(?:\s?г\.?)?",
        rf"{_MONTH}\s+{_DAY}(?:st|nd|rd|th)?,?\s+{_YEAR}",
        rf"{_YEAR}[./-]\s?(?P<month>\d{{1,2}})[./-]\s?{_DAY}\.?",
        rf"{_YEAR}\.?[\s-]+(?:m\.\s+)?{_MONTH}[\s-]+{_DAY}\.?(?:\s+d\.)?",
        rf"{_YEAR}\s?[年년]\s?(?P<month>\d{{1,2}})\s?[月월]\s?{_DAY}\s?[日일]{_CJK_WEEKDAY}",
        rf"{_DAY}\.\s?(?P<month>\d{{1,2}})\.\s?(?P<year>\d{{4}}|\d\d)\.?",
        rf"(?P<first>\d{{1,2}})[/-](?P<second_number>\d{{1,2}})[/-]{_YEAR}",
    )
)
#: 15時04分, 오후 3시 5분
_CJK_CLOCK = re.compile(r"(\d{1,2})\s?[時时시点點]\s?(\d{1,2})\s?[分분](?:\s?(\d{1,2})\s?[秒초])?")
#: a month by its number, in Vietnamese
_NUMBERED_MONTH = re.compile(r"(?:tháng|thg)\s?(\d{1,2})", re.IGNORECASE)
_CLOCK_WITHIN = re.compile(
    rf"(?P<before>{_HALF}\s*)?(?<![\d.])(\d{{1,2}}[:.h]\d{{2}}(?:[:.]\d{{2}})?)(?![\d.:])\s*(?P<half>{_HALF})?"
    r"(?:\s?(?:Uhr|ч\.?|h|hrs)(?![^\W\d_]))?(?P<zone>\s?\(?(?:[A-Z]{3,4}\b|[+-]\d\d:?\d\d)\)?)?(?=\s*(?:$|[,;(–-]|\w))",
    re.IGNORECASE,
)
_NUMBER, _WORD = re.compile(r"\d+"), re.compile(r"[^\s\d,.;:()\[\]’'،·|/-]{3,}")
_SOUTH_SLAVIC_YEAR = re.compile(r"[^\W\d]\s+\d{4}\.(?=[\s,]|$)")
#: the Buddhist calendar, which Thailand counts by, is ahead by so many years
_BUDDHIST_YEARS = 543
#: English where the month stands before the day, and where it does not
_MONTH_FIRST = frozenset({"en-us", "en-ph", "fil"})
_OFFSET = re.compile(
    r"(?P<name>[a-z]{1,5})?\s?(?P<sign>[+-])(?P<hours>\d{1,2}):?(?P<minutes>\d{2})?(?![\d:])", re.IGNORECASE
)
_PLACE = re.compile(r"[A-Za-z]+/[A-Za-z_]+(?:/[A-Za-z_]+)?")


def parse_date(raw: str | None, language: str | None = None) -> datetime | None:
    """The instant that `raw` claims; `language` is the feed's, for dates that are written out. None: unreadable."""
    text = " ".join((raw or "")[:_MAX_CHARS].replace("\u2212", "-").split())  # a minus for a hyphen
    moment = _usual(text) or _epoch(text) or _iso(text) or _month(text) or _written(text, language)
    if moment is not None and moment.year > _FIRST_YEAR + _BUDDHIST_YEARS and _is_thai(text, language):
        first = moment.replace(year=moment.year - _BUDDHIST_YEARS, day=1)
        moment = first + timedelta(days=moment.day - 1)
    return moment if moment is not None and moment.year >= _FIRST_YEAR else None


def _is_thai(text: str, language: str | None) -> bool:
    return (language or "").startswith("th") or any("\u0e00" <= letter <= "\u0e7f" for letter in text)


def is_impossible(raw: str | None, language: str | None = None) -> bool:
    """Whether `raw` names a day that its month does not have; `parse_date` reads 30 February as 2 March."""
    text = " ".join((raw or "")[:_MAX_CHARS].split())
    if not _LATE_DAY.search(text) or _usual(text) or _iso(text):
        return False
    found = _form(text, language)
    day = _day(found, language) if found else None
    return day is not None and day[2] > calendar.monthrange(day[0], day[1])[1]


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
    if len(text) == 14 and text.isdigit():
        text = f"{text[:8]}T{text[8:]}"
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # not of this form; or year 1 moved below it by its zone
        return None


def _month(text: str) -> datetime | None:
    """A month or a year without a day, as W3CDTF allows: where it begins."""
    found = _YEAR_AND_MONTH.fullmatch(text)
    month = int(found[2] or 1) if found else 0
    return datetime(int(found[1]), month, 1, tzinfo=UTC) if found and 1 <= month <= 12 else None


def _written(text: str, language: str | None) -> datetime | None:
    found = _form(text, language)
    day = _day(found, language) if found else None
    if found is None or day is None:
        return None
    zone = _zone(found["zone"])
    hour, minute = _hour(found["hour"], found["half"] or found["before"]), int(found["minute"] or 0)
    if zone is None or hour > 24 or (found["hour"] and not found["minute"] and not (found["half"] or found["before"])):
        return None
    second = min(int(found["second"] or 0), 59)  # a leap second
    try:
        # 30 February is 2 March: nearer to what was meant than nothing (HOSTILE D1)
        first = datetime(day[0], day[1], 1, tzinfo=zone) + timedelta(days=day[2] - 1, hours=hour)
        return first.replace(minute=minute, second=second).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _form(text: str, language: str | None) -> re.Match[str] | None:
    """The day, month and year of a date that is written out, and whatever time stands with it."""
    text = _CJK_CLOCK.sub(lambda clock: f"{clock[1]}:{clock[2]:0>2}:{clock[3] or 0:0>2}", text)
    if ctime := _CTIME.fullmatch(text):
        weekday, month, day, clock, zone, year = ctime.groups()
        text = f"{weekday}, {day} {month} {year} {clock} {zone or ''}".strip()
    found = next((found for form in _FORMS if (found := form.fullmatch(text)) and _day(found, language)), None)
    return found or _FORMS[2].fullmatch(_rearranged(text, language))


def _rearranged(text: str, language: str | None) -> str:
    """A date in any order and with other words, as year-month-day and time.

    "" where it has not one year, one day and the name of one month.
    """
    text = _NUMBERED_MONTH.sub(lambda month: f" {calendar.month_abbr[min(int(month[1]), 12)]} ", text)
    clock = _CLOCK_WITHIN.search(text)
    rest = f"{text[: clock.start()]} {text[clock.end() :]}" if clock else text
    numbers = sorted(_NUMBER.findall(rest), key=len)
    if [len(number) // 2 for number in numbers] not in ([0, 2], [1, 2]) or (":" in rest):
        return ""
    names = [word.removeprefix("\u05d1") for word in _WORD.findall(rest)]  # Hebrew: in
    if language is None and _SOUTH_SLAVIC_YEAR.search(text):
        language = "hr"  # its listopad is another month than that of the Poles
    months = {month for name in names if not _is_weekday(name, language) and (month := month_of(name, language))}
    if len(months) != 1:
        return ""
    day, year = numbers
    time = f" {clock[2]} {clock['before'] or clock['half'] or ''} {clock['zone'] or ''}" if clock else ""
    return " ".join(f"{year}-{months.pop()}-{day}{time}".split())


def _is_weekday(name: str, language: str | None) -> bool:
    """Whether it is short for a weekday: "mar." is Tuesday to more languages than it is March."""
    return len(name) <= 3 and weekday_of(name, language) is not None


def _day(found: re.Match[str], language: str | None) -> tuple[int, int, int] | None:
    """Year, month and day, which may be beyond its month."""
    groups = found.groupdict()
    year = _year(groups["year"])
    if groups.get("first"):
        return _ordered(year, int(groups["first"]), int(groups["second_number"]), found, language)
    day, month_text = int(groups["day"]), groups["month"]
    month = int(month_text) if month_text.isdigit() else month_of(month_text, language)
    return (year, month, day) if month and 1 <= month <= 12 and 1 <= day <= 31 else None


def _ordered(
    year: int, first: int, second: int, found: re.Match[str], language: str | None
) -> tuple[int, int, int] | None:
    """27/11/2026 and 11/26/2026 are plain; 05/03/2019 needs somebody to tell."""
    readings = [(year, second, first), (year, first, second)]
    possible = [each for each in dict.fromkeys(readings) if _is_day(each)]
    if len(possible) < 2:
        return possible[0] if possible else None
    weekday = weekday_of(found["weekday"], language) if found["weekday"] else None
    telling = [each for each in possible if date(*each).weekday() == weekday]
    if len(telling) == 1:
        return telling[0]
    if found["half"]:
        return readings[1]  # twelve hours and slashes: as in the United States
    tag = (language or "en").lower()
    if tag in _MONTH_FIRST:
        return readings[1]
    return readings[0] if tag != "en" else None


def _is_day(day: tuple[int, int, int]) -> bool:
    try:
        date(*day)
    except ValueError:
        return False
    return True


def _year(text: str) -> int:
    year = int(text)
    return year if len(text) > 2 else year + (2000 if year < 70 else 1900)  # RFC 2822, 4.3


def _hour(text: str | None, half: str | None) -> int:
    hour = int(text or 0)
    if half and hour <= 12:
        is_afternoon = re.fullmatch(_AFTERNOON, half.strip(), re.IGNORECASE) is not None
        hour = hour % 12 + (12 if is_afternoon else 0)
    return hour


def _zone(written: str | None) -> tzinfo | None:
    """None: an offset that no place on Earth has, or something that is no zone. An unknown abbreviation is UTC."""
    text = re.sub(r"\s+m=[+-][\d.]+$", "", (written or "").strip(" ,."))
    if not text or text == "Z":
        return UTC
    if offset := _OFFSET.match(text):
        return _offset(offset)
    place = _PLACE.search(text)
    if place:
        try:
            return ZoneInfo(place[0])
        except (ValueError, OSError, LookupError):
            return None
    name, *_ = re.split(r"\s", text.strip("()[] "), maxsplit=1)
    name = name.strip("()[]").casefold()
    if name in _ZONES:
        return timezone(timedelta(minutes=_ZONES[name]))
    return UTC if re.fullmatch("[^\\W\\d]{0,5}", name) else None  # nothing: the brackets were empty


def _offset(found: re.Match[str]) -> timezone | None:
    """-0500, +01:00 CET, GMT+2, -05:00Z: the number counts; the name beside it is that of the same zone."""
    digits = found["hours"] + (found["minutes"] or "")
    hours, rest = (digits, "0") if len(digits) <= 2 else (digits[:-2], digits[-2:])
    offset = timedelta(hours=int(hours), minutes=int(rest))
    return timezone(-offset if found["sign"] == "-" else offset) if offset <= _WIDEST else None
