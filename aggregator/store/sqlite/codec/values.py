"""Times as milliseconds, small structures as JSON, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aggregator.model import (
    Enclosure,
    FeedInfo,
    Revalidation,
    Rhythm,
    utc,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_INT64 = 1 << 63
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970, UTC; ValueError for a naive datetime."""
    return (utc(moment) - _EPOCH) // _MS


def to_ms_or_none(moment: datetime | None) -> int | None:
    """The same for times that may be unknown."""
    return None if moment is None else to_ms(moment)


def from_ms(value: int) -> datetime:
    """The moment `value` milliseconds after 1970, aware, UTC."""
    return _EPOCH + timedelta(milliseconds=value)


def from_ms_or_none(value: int | None) -> datetime | None:
    """The same for columns that may be NULL."""
    return None if value is None else from_ms(value)


def span_ms(span: timedelta | None) -> int | None:
    """A length of time in milliseconds."""
    return None if span is None else span // _MS


def from_span_ms(value: int | None) -> timedelta | None:
    """Milliseconds as a length of time."""
    return None if value is None else timedelta(milliseconds=value)


def pack(value: Any) -> str:
    """A small structure as JSON, byte-stable."""
    return _ENCODE(value)


def pack_or_none(value: Any) -> str | None:
    """The same, NULL for what is empty."""
    return pack(value) if value else None


def unpack(text: str | None) -> Any:
    """What `pack` wrote; None for NULL."""
    return None if text is None else json.loads(text)


def figures(text: str | None) -> Mapping[str, float]:
    """The figures of a decision."""
    return unpack(text) or {}


def int64(number: int | None) -> int | None:
    """The number where an INTEGER can hold it, else None (SQLite refuses more than 64 bits)."""
    return number if number is not None and -_INT64 <= number < _INT64 else None


def pack_rhythm(rhythm: Rhythm) -> str:
    """A rhythm as JSON."""
    return pack(
        {
            "weight": rhythm.weight,
            "recent": rhythm.recent,
            "as_of": to_ms_or_none(rhythm.as_of),
            "since": to_ms_or_none(rhythm.since),
            "hours": rhythm.hours,
            "weekend_hours": rhythm.weekend_hours,
            "last_item_at": to_ms_or_none(rhythm.last_item_at),
            "window_entries": rhythm.window_entries,
            "overlapped": rhythm.overlapped,
        }
    )


def unpack_rhythm(text: str | None) -> Rhythm:
    """What `pack_rhythm` wrote."""
    if text is None:
        return Rhythm()
    known = json.loads(text)
    nothing = Rhythm()  # what an older version did not know yet
    return Rhythm(
        weight=known["weight"],
        recent=known.get("recent", nothing.recent),
        as_of=from_ms_or_none(known["as_of"]),
        since=from_ms_or_none(known["since"]),
        hours=tuple(known["hours"]),
        weekend_hours=tuple(known.get("weekend_hours", nothing.weekend_hours)),
        last_item_at=from_ms_or_none(known["last_item_at"]),
        window_entries=known["window_entries"],
        overlapped=known["overlapped"],
    )


def pack_revalidation(known: Revalidation) -> str:
    """What is known of a server's conditional answers, as JSON."""
    return pack(
        {
            "last_body_at": to_ms_or_none(known.last_body_at),
            "same_bodies": known.same_bodies,
            "dates_only": known.dates_only,
            "doubted_at": to_ms_or_none(known.doubted_at),
            "limited_at": to_ms_or_none(known.limited_at),
        }
    )


def unpack_revalidation(text: str | None) -> Revalidation:
    """What `pack_revalidation` wrote."""
    if text is None:
        return Revalidation()
    known = json.loads(text)
    return Revalidation(
        last_body_at=from_ms_or_none(known["last_body_at"]),
        same_bodies=known["same_bodies"],
        dates_only=known["dates_only"],
        doubted_at=from_ms_or_none(known["doubted_at"]),
        limited_at=from_ms_or_none(known["limited_at"]),
    )


def pack_info(info: FeedInfo) -> str:
    """What a feed says about itself as JSON."""
    return pack(
        {
            "title": info.title,
            "link": info.link,
            "description": info.description,
            "language": info.language,
            "image_url": info.image_url,
            "self_url": info.self_url,
            "hubs": info.hubs,
            "ttl": span_ms(info.ttl),
            "skip_hours": sorted(info.skip_hours),
            "skip_days": sorted(info.skip_days),
            "update_every": span_ms(info.update_every),
        }
    )


def unpack_info(text: str | None) -> FeedInfo:
    """What `pack_info` wrote."""
    if text is None:
        return FeedInfo()
    known = json.loads(text)
    return FeedInfo(
        title=known["title"],
        link=known["link"],
        description=known["description"],
        language=known["language"],
        image_url=known["image_url"],
        self_url=known["self_url"],
        hubs=tuple(known["hubs"]),
        ttl=from_span_ms(known["ttl"]),
        skip_hours=frozenset(known["skip_hours"]),
        skip_days=frozenset(known["skip_days"]),
        update_every=from_span_ms(known["update_every"]),
    )


def pack_enclosures(enclosures: tuple[Enclosure, ...]) -> str | None:
    """Enclosures as JSON; NULL for none."""
    return pack_or_none([[one.url, one.type, one.size_bytes] for one in enclosures])


def unpack_enclosures(text: str | None) -> tuple[Enclosure, ...]:
    """What `pack_enclosures` wrote."""
    return tuple(Enclosure(url=url, type=kind, size_bytes=size) for url, kind, size in unpack(text) or ())
