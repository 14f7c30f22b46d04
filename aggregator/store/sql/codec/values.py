"""Times as milliseconds, small structures as JSON, and back."""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import Struct
from typing import Any

from aggregator.model import (
    ConditionalState,
    Enclosure,
    FeedInfo,
    Freshness,
    PostingRate,
    utc,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_INT64 = 1 << 63
#: a day of UTC
DAY_MS = 86_400_000
#: sources whose structures are kept as they were read: they are the same, poll after poll
_KEPT = 2048
#: counts by the hour, of weekdays and weekends
_HOURS = Struct("<48d")
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
_DECODE = json.JSONDecoder().decode


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970, UTC; ValueError for a naive datetime."""
    return (utc(moment) - _EPOCH) // _MS


def to_ms_or_none(moment: datetime | None) -> int | None:
    """The same for times that may be unknown."""
    return None if moment is None else to_ms(moment)


def from_ms(value: int) -> datetime:
    """The moment `value` milliseconds after 1970, aware, UTC."""
    return _EPOCH + value * _MS


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
    return None if text is None else _DECODE(text)


def names(text: str) -> tuple[str, ...]:
    """A list of names that is nearly always empty."""
    return () if text == "[]" else tuple(unpack(text))


def figures(text: str | None) -> Mapping[str, float]:
    """The figures of a decision."""
    return unpack(text) or {}


def int64(number: int | None) -> int | None:
    """The number where an INTEGER can hold it, else None (SQLite refuses more than 64 bits)."""
    return number if number is not None and -_INT64 <= number < _INT64 else None


def _told(value: Mapping[str, object], nothing: Mapping[str, object]) -> str:
    """What a structure says beyond what it is without a word."""
    return pack({name: one for name, one in value.items() if one != nothing[name]})


def pack_posting_rate(posting_rate: PostingRate) -> str:
    """A posting rate as JSON; its hours as the bytes they are in memory, which is half as long and quickly read."""
    return pack(
        {
            "weight": posting_rate.weight,
            "recent": posting_rate.recent,
            "today": posting_rate.today,
            "as_of": to_ms_or_none(posting_rate.as_of),
            "since": to_ms_or_none(posting_rate.since),
            "hours": b2a_base64(_HOURS.pack(*posting_rate.hours, *posting_rate.weekend_hours), newline=False).decode(),
            "last_item_at": to_ms_or_none(posting_rate.last_item_at),
            "window_entries": posting_rate.window_entries,
            "overlapped": posting_rate.overlapped,
        }
    )


@lru_cache(_KEPT)
def unpack_posting_rate(text: str | None) -> PostingRate:
    """What `pack_posting_rate` wrote."""
    if text is None:
        return PostingRate()
    known = _DECODE(text)
    hours = _HOURS.unpack(a2b_base64(known["hours"]))
    return PostingRate(
        weight=known["weight"],
        recent=known["recent"],
        today=known["today"],
        as_of=from_ms_or_none(known["as_of"]),
        since=from_ms_or_none(known["since"]),
        hours=hours[:24],
        weekend_hours=hours[24:],
        last_item_at=from_ms_or_none(known["last_item_at"]),
        window_entries=known["window_entries"],
        overlapped=known["overlapped"],
    )


def _conditional(known: ConditionalState) -> dict[str, object]:
    return {
        "last_body_at": to_ms_or_none(known.last_body_at),
        "same_bodies": known.same_bodies,
        "dates_only": known.dates_only,
        "full_check_at": to_ms_or_none(known.full_check_at),
        "throttled_at": to_ms_or_none(known.throttled_at),
        "max_age": span_ms(known.freshness.max_age),
        "expires_in": span_ms(known.freshness.expires_in),
        "validators_origin": known.validators_origin,
        "good_interval": span_ms(known.good_interval),
        "refusals": known.refusals,
        "silent_until": to_ms_or_none(known.silent_until),
    }


def pack_conditional(known: ConditionalState) -> str:
    """What is known of a server's conditional answers, as JSON."""
    return _told(_conditional(known), _NO_CONDITIONAL)


@lru_cache(_KEPT)
def unpack_conditional(text: str | None) -> ConditionalState:
    """What `pack_conditional` wrote."""
    if text is None:
        return ConditionalState()
    known = _DECODE(text).get
    return ConditionalState(
        last_body_at=from_ms_or_none(known("last_body_at")),
        same_bodies=known("same_bodies", 0),
        dates_only=known("dates_only", False),
        full_check_at=from_ms_or_none(known("full_check_at")),
        throttled_at=from_ms_or_none(known("throttled_at")),
        freshness=Freshness(max_age=from_span_ms(known("max_age")), expires_in=from_span_ms(known("expires_in"))),
        validators_origin=known("validators_origin"),
        good_interval=from_span_ms(known("good_interval")),
        refusals=known("refusals", 0),
        silent_until=from_ms_or_none(known("silent_until")),
    )


def _info(info: FeedInfo) -> dict[str, object]:
    return {
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
        "new_location": info.new_location,
    }


def pack_info(info: FeedInfo) -> str:
    """What a feed says about itself as JSON."""
    return _told(_info(info), _NO_INFO)


@lru_cache(_KEPT)
def unpack_info(text: str | None) -> FeedInfo:
    """What `pack_info` wrote."""
    if text is None:
        return FeedInfo()
    known = _DECODE(text).get
    return FeedInfo(
        title=known("title", ""),
        link=known("link"),
        description=known("description", ""),
        language=known("language"),
        image_url=known("image_url"),
        self_url=known("self_url"),
        hubs=tuple(known("hubs", ())),
        ttl=from_span_ms(known("ttl")),
        skip_hours=frozenset(known("skip_hours", ())),
        skip_days=frozenset(known("skip_days", ())),
        update_every=from_span_ms(known("update_every")),
        new_location=known("new_location"),
    )


_NO_CONDITIONAL, _NO_INFO = _conditional(ConditionalState()), _info(FeedInfo())


def pack_enclosures(enclosures: tuple[Enclosure, ...]) -> str | None:
    """Enclosures as JSON; NULL for none."""
    return pack_or_none(
        [[one.url, one.type, one.size_bytes, one.duration_s, one.season, one.episode] for one in enclosures]
    )


def unpack_enclosures(text: str | None) -> tuple[Enclosure, ...]:
    """What `pack_enclosures` wrote."""
    return tuple(
        Enclosure(url=url, type=kind, size_bytes=size, duration_s=duration, season=season, episode=episode)
        for url, kind, size, duration, season, episode in unpack(text) or ()
    )
