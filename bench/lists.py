"""What a refresh of the lists costs, as the store grows: it is to follow what is new, not what is stored.

    python bench/lists.py [--items 10000 100000 1000000] [--sources 500]

Stores of growing size, all filled over the last 30 days, with the same number of readers. Then the same happens in each
of them: every ten seconds some items come and some readers, and the lists are made anew: four windows and the
Recommendation, of the site and of five sections. Printed is the CPU time, and its ratio to that of the smallest store.
Beside it the first refresh after a start, which reads everything, and the lists of a moment (`--at`), which do so too.
Exit code 1 where the largest store costs more than twice the smallest.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from hashlib import blake2b
from pathlib import Path
from statistics import median, quantiles

from store import NOW, SPAN, entry, result

from aggregator.curate.curator import Curator
from aggregator.curate.windows import span
from aggregator.model import Scope, Subscription, View
from aggregator.refresh import CurateOptions, Refresher
from aggregator.refresh.making import Making
from aggregator.store import Store, open_store

WINDOWS = ("1h", "1d", "7d", "30d")
OPTIONS = CurateOptions(windows={window: span(window) for window in WINDOWS})
SECTIONS = 5
#: in all, before it begins
VIEWS = 20_000
#: what happens between two refreshes
NEW_ITEMS, NEW_VIEWS, EVERY = 20, 100, timedelta(seconds=10)
REFRESHES = 60
MS = 1000 / timedelta(seconds=1).total_seconds()


class Words(Curator):
    """Knows no items, and has forty words for each."""

    @staticmethod
    @cache
    def _words(item_id: str) -> Mapping[int, float]:
        dice = random.Random(item_id)
        return {dice.randrange(20_000): 0.158 for _ in range(40)}

    def vector(self, item_id: str) -> Mapping[int, float]:
        """Of unit length, more or less."""
        return self._words(item_id)


# --- the store -------------------------------------------------------------------------------
def fill(path: Path, items: int, sources: int) -> None:
    """That many items, of the last 30 days, by the tables' own columns: a million take half a minute."""
    now_ms, span_ms = round(NOW.timestamp() * MS), round(SPAN.total_seconds() * MS)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.executemany("INSERT INTO entries(id, item_id, source_id, entry_key, entry_id, id_basis, title,"
            " published, first_seen, updated, content_hash, upstream_comments) VALUES (?1, ?1, ?2, ?3, ?4, 'guid',"
            " 'A title of some length', ?5, ?5, ?5, ?3, ?6)", _entries(items, sources, now_ms, span_ms))  # fmt: skip
        connection.execute(
            "INSERT INTO items(id, public_id, lead_id, source_id, section, published, first_seen, updated, shown,"
            " revision, curated, citations, story_id) SELECT e.id, e.id + 1000000, e.id, e.source_id, s.section,"
            " e.published, e.first_seen, e.updated, 1, 1, 1, e.id % 17 = 0,"
            " iif(e.id % 12 < 4, max(e.id - e.id % 4, 1), e.id)"
            " FROM entries e JOIN sources s ON s.id = e.source_id"
        )
        connection.execute(
            "INSERT INTO stories(id, moved_at, sources, coverage) SELECT story_id, max(first_seen), count(*), count(*)"
            " FROM items GROUP BY story_id"
        )
        connection.execute(
            "INSERT INTO source_days(source_id, day, n) SELECT source_id, published / 86400000, count(*)"
            " FROM entries GROUP BY 1, 2"
        )
    connection.close()


def _entries(items: int, sources: int, now_ms: int, span_ms: int) -> Iterator[tuple[object, ...]]:
    dice = random.Random(5)
    for number in range(1, items + 1):
        source = min(sources, 1 + int(dice.expovariate(6 / sources)))  # some post much more often than others
        key = blake2b(number.to_bytes(8, "big"), digest_size=16).digest()
        at = now_ms - span_ms + span_ms * number // items
        yield number, source, key, str(number), at, number % 40 if source % 5 == 0 else None


def look(store: Store, dice: random.Random, number: int, *, back: timedelta) -> None:
    """So many readers open something, newer things rather than older ones."""
    ids = [item.id for item in store.latest(Scope(), limit=2_000)]
    views = [
        View(
            item_id=ids[int(len(ids) * dice.random() ** 3)],
            at=NOW - back * dice.random() ** 2,
            visitor=dice.randbytes(8),
        )
        for _ in range(number)
    ]
    store.record_views(sorted(views, key=lambda view: view.at))
    store.fold_views()


def happen(store: Store, dice: random.Random, step: int) -> None:
    """What is new between two refreshes."""
    at = NOW + step * EVERY
    (lease,) = store.claim(now=at, limit=1, lease=timedelta(seconds=1), force=True)
    source = lease.sources[0]
    entries = tuple(entry(source.id, 10**7 + step * NEW_ITEMS + n, 0, dice, total=10**7) for n in range(NEW_ITEMS))
    store.complete(lease, result(lease, source.id, entries, at))
    look(store, dice, NEW_VIEWS, back=timedelta(seconds=1))


# --- measuring -------------------------------------------------------------------------------
def timed_ms(run: object) -> float:
    """CPU time of this process."""
    assert callable(run)
    began = time.process_time()
    run()
    return (time.process_time() - began) * 1000


def measure(items: int, sources: int) -> tuple[float, float]:
    """Median ms of a refresh, and of the first one."""
    dice = random.Random(3)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store("sqlite:bench.db", base=Path(folder))
        urls = [Subscription(url=f"https://site{n}.example/feed", section=f"S{n % SECTIONS}") for n in range(sources)]
        store.sync_sources(urls, now=NOW - SPAN)
        fill(Path(folder) / "bench.db", items, sources)
        look(store, dice, VIEWS, back=SPAN)
        making, words = Making(store), Words()

        def refresh(step: int) -> float:
            now = NOW + step * EVERY
            return timed_ms(lambda: making.make(OPTIONS, words, now=now, stopped=lambda: False))

        first, times = refresh(0), []
        for step in range(1, REFRESHES + 1):
            happen(store, dice, step)
            times.append(refresh(step))
        at = timed_ms(lambda: Refresher(store, OPTIONS).ranking("1d", at=NOW - timedelta(days=3)))
        usual = median(times)
        print(f"{items:>9,} items: {usual:6.1f} ms a refresh, p95 {quantiles(times, n=20)[-1]:6.1f}", end="")
        print(f"   the first {first:6.0f} ms   a list as of three days ago {at:6.0f} ms", flush=True)
        store.close()
    return usual, first


def main() -> int:
    parser = argparse.ArgumentParser(description="What a refresh of the lists costs.")
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--sources", type=int, default=500)
    given = parser.parse_args()
    print(f"{given.sources} sources; each refresh {NEW_ITEMS} new items and {NEW_VIEWS} readers after the last; CPU")
    costs = [measure(size, given.sources) for size in given.items]
    ratios = [f"{cost / costs[0][0]:.2f}" for cost, _ in costs]
    print(f"a refresh costs {', '.join(ratios)} times what it costs with {given.items[0]:,} items")
    return 0 if costs[-1][0] <= 2 * costs[0][0] else 1


if __name__ == "__main__":
    sys.exit(main())
