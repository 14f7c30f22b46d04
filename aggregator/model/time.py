"""The one rule about time: aware and UTC, or refused."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(moment: datetime) -> datetime:
    """`moment` in UTC; ValueError for a naive one, which could mean any of 38 instants."""
    if moment.tzinfo is None:
        raise ValueError(f"naive datetime {moment.isoformat()}: say which time zone it is in")
    return moment.astimezone(UTC)
