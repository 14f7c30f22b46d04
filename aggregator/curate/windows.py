"""Windows of time as config.toml names them: "1h", "1d", "7d". Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aggregator.model import duration

__all__ = ["BUCKET", "bounds", "in_words", "lag", "span", "the_last"]

#: views are counted in buckets of this length, and windows begin and end with one
BUCKET = timedelta(minutes=5)
_UNITS = ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"))


def span(window: str) -> timedelta:
    """How long a window is; ValueError for one that cannot be read."""
    return duration(window)


def lag(window: str) -> timedelta:
    """How much earlier a ranking over this window was that movement compares with: 10 minutes, an hour or a day."""
    length = span(window)
    if length < timedelta(hours=6):
        return timedelta(minutes=10)
    return timedelta(hours=1) if length < timedelta(days=7) else timedelta(days=1)


def the_last(window: str) -> str:
    """For readers: "the last hour", "the last 24 hours", "the last 7 days"."""
    length = span(window)
    unit, name = next(((unit, name) for unit, name in _UNITS if not length % unit), (timedelta(seconds=1), "second"))
    number = length // unit
    if length == timedelta(days=1):  # "the last day" could be taken for yesterday
        number, name = 24, "hour"
    return f"the last {name}" if number == 1 else f"the last {number} {name}s"


def in_words(window: str) -> str:
    """For readers: "in the last hour", "in the last 24 hours"."""
    return f"in {the_last(window)}"


def bounds(window: str, *, now: datetime) -> tuple[datetime, datetime]:
    """(since, until) of the window at `now`: whole buckets, the one that is being filled included."""
    seconds = BUCKET.total_seconds()
    until = datetime.fromtimestamp((now.timestamp() // seconds + 1) * seconds, tz=UTC)
    return until - span(window), until
