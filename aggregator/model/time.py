"""The rules about time: moments are aware and UTC, or refused; durations are written ``15m``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(ms|[smhdwy])")
_LONGEST = timedelta(days=36_525)


def utc(moment: datetime) -> datetime:
    """`moment` in UTC; ValueError for a naive one, which could mean any of 38 instants."""
    if moment.tzinfo is None:
        raise ValueError(f"naive datetime {moment.isoformat()}: say which time zone it is in")
    return moment.astimezone(UTC)


def duration(text: str) -> timedelta:
    """The time that ``30s``, ``1h30m``, ``2d``, ``1w`` or ``1y`` (365 days) stands for. Raises ValueError."""
    compact = text.strip().lower()
    parts = _PART.findall(compact)
    if not parts or re.sub(r"\s", "", _PART.sub("", compact)):
        raise ValueError(f'"{text}" is not a duration: write "30s", "15m", "1h", "2d", "1w" or "1y"')
    total_ms = sum(float(number) * _UNITS_MS[unit] for number, unit in parts)
    if total_ms > _LONGEST / timedelta(milliseconds=1):
        raise ValueError(f'"{text}" is longer than a hundred years')
    return timedelta(milliseconds=total_ms)


def duration_text(length: timedelta) -> str:
    """`length` as `duration` reads it, in the largest units that are exact: ``1h30m``, ``7d``; ``0s`` for none."""
    rest = round(length / timedelta(milliseconds=1))
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
