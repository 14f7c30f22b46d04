"""English for numbers and dates.

Months are written out here because ``strftime`` names them in whatever locale the process has.
"""

from __future__ import annotations

import datetime as dt
from datetime import datetime, timedelta

from aggregator.curate.explanations import counted
from aggregator.publish import titles

MONTHS = ("January", "February", "March", "April", "May", "June", "July",
          "August", "September", "October", "November", "December")  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WORDS_A_MINUTE = 230

#: ``1 source``, ``2 sources``
plural = counted


def long_date(day: dt.date) -> str:
    """``Monday, 23 November 2026``."""
    return f"{WEEKDAYS[day.weekday()]}, {date(day)}"


def date(day: dt.date) -> str:
    """``23 November 2026``."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def short_date(moment: datetime) -> str:
    """``23 Nov, 14:05``."""
    return f"{moment.day} {MONTHS[moment.month - 1][:3]}, {moment:%H:%M}"


def thousands(count: float) -> str:
    """``1,234`` — and ``0.4`` where it is no whole number."""
    return f"{count:,.0f}" if float(count).is_integer() else f"{count:,.1f}"


def ago(moment: datetime | None, now: datetime) -> str:
    """``12 minutes ago``, ``in 3 hours``, ``never``."""
    if moment is None:
        return "never"
    words = duration(abs(now - moment))
    if words == "moments":
        return "just now" if moment <= now else "in a moment"
    return f"{words} ago" if moment <= now else f"in {words}"


def duration(span: timedelta) -> str:
    """One unit is enough: ``12 minutes``, ``3 hours``, ``2 days``."""
    minutes = span.total_seconds() / 60
    if minutes < 1:
        return "moments"
    for unit, length in (("day", 1440), ("hour", 60), ("minute", 1)):
        if minutes >= length * (2 if unit == "day" else 1):
            return plural(int(minutes // length), unit)
    return "moments"


def reading(text: str) -> str:
    """``4 min read`` for what takes longer than a minute, else ""."""
    minutes = round(len(text.split()) / WORDS_A_MINUTE)
    return f"{minutes} min read" if minutes > 1 else ""


def window(name: str) -> str:
    """A ranking's window as a label: ``1 hour``, ``24 hours``, ``7 days``."""
    label = titles.span(name).removeprefix("the last ")
    return label if label[:1].isdigit() or label == name else f"1 {label}"
