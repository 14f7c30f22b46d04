"""Small values for the tests of the store, with only what a test says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from aggregator.model import Entry, Item, Lease, ParsedEntry, PollResult, Subscription, Verdict
from aggregator.store import PollChanges, Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LEASE = timedelta(minutes=2)
A, B, C = "https://a.example/feed", "https://b.example/feed", "https://c.example/feed"


def make_entry(
    entry_id: str,
    *,
    link: str | None = None,
    title: str | None = None,
    text: str = "",
    published: datetime = NOW - HOUR,
    replaces: str | None = None,
    verdict: Verdict | None = None,
    outlinks: tuple[str, ...] = (),
    **parsed: Any,
) -> Entry:
    title = title or f"Title of {entry_id}"
    return Entry(
        entry_id=entry_id,
        id_basis="guid",
        canonical_url=link,
        published=published,
        replaces=replaces,
        verdict=verdict or Verdict(),
        outlinks=outlinks,
        parsed=ParsedEntry(
            guid=entry_id,
            link=link,
            title=title,
            text=text,
            summary_html=f"<p>{text}</p>",
            content_hash=sha256(f"{title}|{text}".encode()).digest(),
            **parsed,
        ),
    )


def make_result(source_id: int, entries: Sequence[Entry] = (), *, at: datetime = NOW, **fields: Any) -> PollResult:
    values: dict[str, Any] = {"outcome": "new", "next_poll": at + HOUR, **fields}
    return PollResult(source_id=source_id, polled_at=at, entries=tuple(entries), **values)


def follow(store: Store, *urls: str, at: datetime = NOW, **fields: Any) -> None:
    store.sync_sources([Subscription(url=url, **fields) for url in urls], now=at)


def lease_of(store: Store, url: str, *, at: datetime = NOW, lease: timedelta = LEASE) -> Lease:
    (taken,) = store.claim(now=at, limit=1, lease=lease, force=True, only=frozenset({url}))
    return taken


def poll(store: Store, url: str, *entries: Entry, at: datetime = NOW, **fields: Any) -> PollChanges:
    """One whole poll of a source that somebody asked for."""
    taken = lease_of(store, url, at=at)
    return store.complete(taken, make_result(taken.sources[0].id, entries, at=at, **fields))


def source_id(store: Store, url: str) -> int:
    return next(one.ref.id for one in store.sources(now=NOW) if one.ref.url == url)


def story_of(store: Store, story: str) -> tuple[Item, ...]:
    """The items of a story that exists."""
    found = store.story(story)
    assert found is not None
    return found.items


def edited(entry: Entry, title: str) -> Entry:
    parsed = replace(entry.parsed, title=title, content_hash=sha256(title.encode()).digest())
    return replace(entry, parsed=parsed)
