"""Speed of the store's hot paths at a given size: ``python -m bench.store [ITEMS]`` (100,000 by default)."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path

from aggregator.model import (
    Curation,
    Entry,
    Lease,
    ParsedEntry,
    PollResult,
    RelatedPair,
    Scope,
    StoryJoin,
    Subscription,
    Validators,
    View,
)
from aggregator.store import Store, open_store

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PER_FEED = 50
SPAN = timedelta(days=30)
WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in ("a", "e", "ion", "or") for c in ("", "nt", "ling", "s", "ment")]


def entry(source: int, number: int, version: int, dice: random.Random, *, total: int) -> Entry:
    """One plausible entry; a tenth of all addresses are shared by two sources."""
    at = NOW - SPAN + SPAN * (number / total)
    title = " ".join(dice.choices(WORDS, k=9)).capitalize()
    text = " ".join(dice.choices(WORDS, k=45))
    owner = source // 2 if number % 10 == 0 else source
    link = f"https://site{owner}.example/{number}"
    parsed = ParsedEntry(
        guid=f"{source}:{number}",
        link=link,
        title=title,
        text=text,
        summary_html=f"<p>{text}</p>",
        author="A. Writer",
        language="en",
        published=at,
        content_hash=sha256(f"{source}:{number}:{version}".encode()).digest(),
    )
    out = (f"https://site{dice.randrange(500)}.example/{dice.randrange(total)}",)
    return Entry(
        entry_id=f"{source}:{number}", id_basis="guid", parsed=parsed, canonical_url=link, published=at, outlinks=out
    )


def timed(label: str, run: Callable[[], object], *, repeat: int = 1) -> None:
    """Prints the best of `repeat` runs."""
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    print(f"{label:<58}{best * 1000:10.2f} ms")


def result(lease: Lease, source_id: int, entries: tuple[Entry, ...], at: datetime) -> PollResult:
    """A good poll."""
    return PollResult(
        source_id=source_id,
        outcome="new",
        polled_at=at,
        next_poll=at + timedelta(hours=1),
        entries=entries,
        validators=Validators(etag=f'"{lease.token}"'),
    )


def fill(store: Store, items: int) -> None:
    """Polls enough sources often enough that about that many items are there."""
    sources = 200
    store.sync_sources(
        [Subscription(url=f"https://site{n}.example/feed", section=f"S{n % 5}") for n in range(sources)], now=NOW - SPAN
    )
    dice, each = random.Random(1), max(items // sources, PER_FEED)
    start, polls = time.perf_counter(), 0
    for first in range(0, each, PER_FEED):
        at = NOW - SPAN + SPAN * (min(first + PER_FEED, each) / each)
        for lease in store.claim(now=at, limit=sources, lease=timedelta(minutes=5), force=True):
            for source in lease.sources:
                entries = tuple(
                    entry(source.id, n, 0, dice, total=each) for n in range(first, min(first + PER_FEED, each))
                )
                store.complete(lease, result(lease, source.id, entries, at))
                polls += 1
    took = time.perf_counter() - start
    print(f"{'filling: polls of 50 new entries, one thread':<58}{took / polls * 1000:10.2f} ms each, {polls} polls")


def curate(store: Store) -> None:
    """Decides something cheap about everything that waits."""
    start, done = time.perf_counter(), 0
    while waiting := store.pending(limit=200):
        ids = [one.item_id for one in waiting]
        store.put_curation(
            Curation(
                curated=tuple(ids),
                joins=tuple(StoryJoin(item_id=one, story=ids[n - n % 4]) for n, one in enumerate(ids)),
                related=tuple(
                    RelatedPair(item_id=a, other_id=b, score=0.5) for a, b in zip(ids, ids[5:], strict=False)
                ),
            ),
            now=NOW,
        )
        done += len(ids)
    print(f"{'curating: pending + put_curation':<58}{(time.perf_counter() - start) / done * 1e6:10.1f} µs an item")


def record_each(store: Store, views: list[View]) -> None:
    """As many appends as views."""
    for view in views:
        store.record_views([view])


def poll_again(store: Store, dice: random.Random) -> None:
    """One source: a 304, an identical document, two new entries of 50."""
    at = NOW + timedelta(days=1)
    for label, versions in (("unchanged, 304", None), ("50 entries, same", 0), ("50 entries, all edited", 1)):
        lease = store.claim(now=at, limit=1, lease=timedelta(minutes=5), force=True)[0]
        source = lease.sources[0]
        entries = (
            tuple(entry(source.id, n, versions, dice, total=500) for n in range(PER_FEED))
            if versions is not None
            else ()
        )
        timed(f"complete: {label}", partial(store.complete, lease, result(lease, source.id, entries, at)))
        at += timedelta(minutes=1)


def main() -> None:
    """Fills a store and measures."""
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        store = open_store("sqlite:bench.db", base=base)
        fill(store, items)
        curate(store)
        poll_again(store, random.Random(2))
        ids = [one.item_id for one in store.candidates(since=NOW - timedelta(days=2), now=NOW)]
        views = [View(item_id=ids[n % len(ids)], at=NOW, visitor=n.to_bytes(16, "big")) for n in range(10_000)]
        timed("record_views, 10,000 calls of one", lambda: record_each(store, views))
        timed("fold_views, 10,000", store.fold_views)
        timed("like", lambda: store.like(ids[0], visitor=b"x", now=NOW))
        print(f"{'candidates of two days':<58}{len(ids):10}")
        timed("candidates, 2 days", lambda: store.candidates(since=NOW - timedelta(days=2), now=NOW), repeat=3)
        everything = len(store.candidates(since=NOW - SPAN - timedelta(days=9), now=NOW))
        print(f"{'candidates of all time':<58}{everything:10}")
        timed("candidates, all", lambda: store.candidates(since=NOW - SPAN - timedelta(days=9), now=NOW))
        timed("latest, 50", lambda: store.latest(Scope(), limit=50), repeat=5)
        timed("latest of a section, 50", lambda: store.latest(Scope(section="S1"), limit=50), repeat=5)
        slug = store.sources(now=NOW)[0].ref.slug
        timed("latest of a source, 50", lambda: store.latest(Scope(source_slug=slug), limit=50), repeat=5)
        timed("items, 8", lambda: store.items(ids[:8]), repeat=5)
        timed("related, 10", lambda: store.related(ids[0], limit=10), repeat=5)
        timed("search, one rare pair of words", lambda: store.search("bant klions", limit=50), repeat=3)
        timed("search, one common word", lambda: store.search("ba", limit=50), repeat=3)
        timed("view_counts, 1 d", lambda: store.view_counts(since=NOW - timedelta(days=1), until=NOW), repeat=3)
        timed("stories, 20", lambda: list(store.stories(min_sources=1, limit=20)), repeat=3)
        timed("sources", lambda: store.sources(now=NOW), repeat=3)
        timed("claim + nothing due", lambda: store.claim(now=NOW - SPAN * 2, limit=9, lease=timedelta(1)), repeat=3)
        timed("generation", store.generation, repeat=5)
        timed("stats", store.stats)
        timed("backup", lambda: store.backup(base / "backup.db"))
        print(f"{'size of the file':<58}{store.stats().size_bytes / 1e6:10.1f} MB")
        timed("retain, all but 10 days", lambda: store.retain(before=NOW - timedelta(days=10), now=NOW))
        timed("close", store.close)
        timed("open", lambda: open_store("sqlite:bench.db", base=base).close())


if __name__ == "__main__":
    main()
