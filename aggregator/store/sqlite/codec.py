"""Values ⇄ columns: times as milliseconds, small structures as JSON, rows as the values of the model."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aggregator.model import (
    Copy,
    Enclosure,
    FeedInfo,
    Item,
    ItemText,
    PollError,
    Revalidation,
    Rhythm,
    Source,
    SourceRef,
    Subscription,
    Upstream,
    Validators,
    utc,
)
from aggregator.model.redact import public_url
from aggregator.store.sqlite.keys import encode_id

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_INT64 = 1 << 63


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
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


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


def subscription(row: sqlite3.Row) -> Subscription:
    """A source's row as the configuration gave it."""
    return Subscription(
        url=row["url"],
        section=row["section"],
        name=row["name"],
        interval=from_span_ms(row["interval_ms"]),
        weight=row["weight"],
        enabled=bool(row["enabled"]),
        full_text=bool(row["full_text"]),
        role=row["role"],
    )


def source(row: sqlite3.Row) -> Source:
    """A source's row as it is handed out to be polled."""
    return Source(
        id=row["id"],
        slug=row["slug"],
        subscription=subscription(row),
        fetch_url=row["fetch_url"],
        title=row["title"],
        info=unpack_info(row["info"]),
        validators=Validators(etag=row["etag"], last_modified=row["last_modified"]),
        revalidation=unpack_revalidation(row["revalidation"]),
        body_hash=row["body_hash"],
        rhythm=unpack_rhythm(row["rhythm"]),
        error_count=row["error_count"],
        error_since=from_ms_or_none(row["error_since"]),
        last_poll=from_ms_or_none(row["last_poll"]),
        last_success=from_ms_or_none(row["last_success"]),
        moved_to=row["moved_to"],
        moved_since=from_ms_or_none(row["moved_since"]),
        moved_count=row["moved_count"],
        unstable_ids=bool(row["unstable_ids"]),
        gone_since=from_ms_or_none(row["gone_since"]),
    )


def poll_error(row: sqlite3.Row) -> PollError | None:
    """Why the last poll failed; None if it did not."""
    if row["error_code"] is None:
        return None
    return PollError(code=row["error_code"], message=row["error_message"], permanent=bool(row["error_permanent"]))


#: the columns of `source_ref`, of a table of sources called s
REF_COLUMNS = """s.id AS source_id, s.slug AS source_slug, COALESCE(s.name, NULLIF(s.title, ''), s.url) AS source_name,
    s.url AS source_url, s.home AS source_home"""


def source_ref(row: sqlite3.Row) -> SourceRef:
    """The `REF_COLUMNS` of a row."""
    return SourceRef(
        id=row["source_id"],
        slug=row["source_slug"],
        # a source that never gave its title is called by its address, which may hold a secret
        name=public_url(row["source_url"]) if row["source_name"] == row["source_url"] else row["source_name"],
        url=row["source_url"],
        home=row["source_home"],
    )


def copy(row: sqlite3.Row) -> Copy:
    """An entry's row as one copy of its item."""
    return Copy(
        source=source_ref(row),
        entry_id=row["entry_id"],
        title=row["title"],
        url=row["url"],
        published=from_ms(row["published"]),
        first_seen=from_ms(row["first_seen"]),
        rule=row["rule"],
        figures=figures(row["figures"]),
    )


def item(row: sqlite3.Row, copies: tuple[Copy, ...]) -> Item:
    """A row of items joined with its lead entry, source and bodies."""
    public = encode_id(row["public_id"])
    return Item(
        id=public,
        title=row["title"],
        url=row["url"],
        source=source_ref(row),
        section=row["section"],
        author=row["author"],
        published=from_ms(row["published"]),
        first_seen=from_ms(row["first_seen"]),
        updated=from_ms(row["updated"]),
        summary_html=row["summary_html"] or "",
        content_html=row["content_html"] or "",
        text=row["text"],
        language=row["language"],
        categories=tuple(unpack(row["categories"]) or ()),
        image_url=row["image_url"],
        enclosures=unpack_enclosures(row["enclosures"]),
        upstream=upstream(row),
        copies=copies,
        story=public if row["story"] is None else encode_id(row["story"]),
        views=row["views"],
        likes=row["likes"],
        full_text=bool(row["full_text"]),
        pinned_until=from_ms_or_none(row["pinned_until"]),
    )


def upstream(row: sqlite3.Row) -> Upstream:
    """What the feed itself reported of an entry."""
    return Upstream(comments=row["upstream_comments"], views=row["upstream_views"], votes=row["upstream_votes"])


def item_text(row: sqlite3.Row, outlinks: tuple[str, ...]) -> ItemText:
    """An entry's row, with its item's id and story, as comparing needs it."""
    return ItemText(
        item_id=encode_id(row["public_id"]),
        source_id=row["source_id"],
        source_name=row["source_name"],
        title=row["title"],
        text=row["text"],
        language=row["language"],
        published=from_ms(row["published"]),
        canonical_url=row["canonical_url"],
        outlinks=outlinks,
        story=None if row["story"] is None else encode_id(row["story"]),
    )
