"""Dates that are read when somebody asks: nine formats are tried on each, and ours reads nearly all of them itself."""

from __future__ import annotations

from time import struct_time

import feedparser.datetimes

__all__ = ["UnreadDate", "unread"]


class UnreadDate(str):
    """A date as it is written."""

    __slots__ = ()

    def read(self) -> struct_time | None:
        """What feedparser reads: UTC; None where it reads nothing."""
        try:
            read: struct_time | None = feedparser.datetimes._parse_date(str(self))  # noqa: SLF001 - it has no public name
        except Exception:  # noqa: BLE001 - the edge of a third-party parser fed by strangers
            return None
        return read


def unread(date: str | None) -> UnreadDate | None:
    """In place of feedparser's reading."""
    return UnreadDate(date) if date else None
