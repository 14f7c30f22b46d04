"""What a refresh of the lists costs: it is to follow what is new, not what is stored.

    python bench/lists.py [--items 10000 100000 1000000] [--sources 500] [--stores FOLDER]

Twice, stores of growing size, all with the same number of readers. First the site is the same and has been there for
longer: so many items a day as make the largest store in 30 days, and the smaller ones are younger. Then the site is
another: all have been there for 30 days, and more is posted on the larger ones, so that the ten thousand newest items,
of which the lists are made, are of 30 days, of three, of seven hours.

In each of them the same happens: every ten seconds some items come and some readers, and the lists are made anew: four
windows and the Recommendation, of the site and of five sections. Printed is the CPU time, and its ratio to that of the
smallest store. Beside it the first refresh after a start, which reads everything, and the lists of a moment (`--at`),
which do so too. The stores take turns, so that what else the machine does falls on all of them.

Exit code 1 where the largest store costs more than 1.2 times the smallest on the same site, or three times on busier
ones. FOLDER: filled stores are kept there, and used again.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from hashlib import blake2b
from itertools import count, islice
from pathlib import Path
from statistics import median, quantiles

from store import NOW, SPAN, entry, result

from aggregator.curate.curator import Curator
from aggregator.curate.windows import span
from aggregator.model import Scope, Subscription, View
from aggregator.refresh import CurateOptions, Refresher
from aggregator.refresh.list_builder import ListUpdater
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
DAY_MS = 86_400_000
#: the largest store may cost so many times the smallest: on the same site, on a busier one
FLAT, BUSIER = 1.2, 3.0


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
@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A store to be measured."""

    items: int
    #: how many of them a day
    daily: int
    sources: int

    def make(self, folder: Path) -> Path:
        """The filled store in this folder, made unless it is there."""
        path = folder / f"{self.items}-{self.daily}-{self.sources}.db"
        if not path.exists():
            urls = [
                Subscription(url=f"https://site{n}.example/feed", section=f"S{n % SECTIONS}")
                for n in range(self.sources)
            ]
            store = open_store(f"sqlite:{path.name}", base=folder)
            store.sync_sources(urls, now=NOW - SPAN)
            store.close()
            fill(path, self)
        return path


def fill(path: Path, size: Size) -> None:
    """The newest items of a site that has been there for 30 days, by the tables' own columns."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.executemany("INSERT INTO entries(id, item_id, source_id, entry_key, entry_id, id_basis, title,"
            " published, first_seen, updated, content_hash, upstream_comments) VALUES (?1, ?1, ?2, ?3, ?4, 'guid',"
            " 'A title of some length', ?5, ?5, ?5, ?3, ?6)", _entries(size))  # fmt: skip
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
        posted = Counter((source, at // DAY_MS) for source, at in islice(_posted(size), size.daily * SPAN.days))
        connection.executemany(
            "INSERT INTO source_days(source_id, day, n) VALUES (?, ?, ?)",
            ((source, day, number) for (source, day), number in posted.items()),
        )
    connection.close()


def _posted(size: Size) -> Iterator[tuple[int, int]]:
    """(source, time) of what the site has collected, the newest first: the same whatever the store still holds."""
    dice, now_ms = random.Random(5), round(NOW.timestamp() * MS)
    for back in count():
        source = min(size.sources, 1 + int(dice.expovariate(6 / size.sources)))  # some post much more than others
        yield source, now_ms - DAY_MS * back // size.daily


def _entries(size: Size) -> Iterator[tuple[object, ...]]:
    for back, (source, at) in enumerate(islice(_posted(size), size.items)):
        number = size.items - back
        key = blake2b(number.to_bytes(8, "big"), digest_size=16).digest()
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


class Measured:
    """One store, and what its refreshes have cost."""

    def __init__(self, path: Path, size: Size) -> None:
        self.size = size
        self.store = open_store(f"sqlite:{path.name}", base=path.parent)
        self._dice, self._words = random.Random(3), Words()
        self._making = ListUpdater(self.store)
        self.times: list[float] = []
        look(self.store, self._dice, VIEWS, back=SPAN)
        self.first = self._refresh(0)

    def step(self, number: int) -> None:
        """Something happens, and the lists are made anew."""
        happen(self.store, self._dice, number)
        self.times.append(self._refresh(number))

    def _refresh(self, step: int) -> float:
        now = NOW + step * EVERY
        return timed_ms(lambda: self._making.make(OPTIONS, self._words, now=now, stopped=lambda: False))

    @property
    def usual(self) -> float:
        """Milliseconds a refresh."""
        return median(self.times)

    def tell(self, first: float) -> None:
        """One line; `first`: what the smallest store takes."""
        refresher = Refresher(self.store, OPTIONS)
        at = timed_ms(lambda: refresher.ranking("1d", at=NOW - timedelta(hours=6)))
        print(
            f"{self.size.items:>9,} items, {self.size.daily:>6,} a day: {self.usual:6.1f} ms a refresh"
            f" (x {self.usual / first:4.2f}), p95 {quantiles(self.times, n=20)[-1]:6.1f}"
            f"   the first {self.first:6.0f}   a list as of six hours ago {at:6.0f}",
            flush=True,
        )


def measure(sizes: Sequence[Size], stores: Path | None) -> float:
    """How many times as much the largest costs as the smallest."""
    with tempfile.TemporaryDirectory() as folder:
        measured = []
        for number, size in enumerate(sizes):
            copied = Path(folder) / f"{number}.db"
            shutil.copy(size.make(stores or Path(folder)), copied)
            measured.append(Measured(copied, size))
        for step in range(1, REFRESHES + 1):
            for one in measured:
                one.step(step)
        for one in measured:
            one.tell(measured[0].usual)
            one.store.close()
    return measured[-1].usual / measured[0].usual


def main() -> int:
    """Measures both series."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--sources", type=int, default=500)
    parser.add_argument("--stores", type=Path, help="folder for filled stores")
    given = parser.parse_args()
    print(f"{given.sources} sources; each refresh {NEW_ITEMS} new items and {NEW_VIEWS} readers after the last; CPU")
    busiest = max(given.items) // SPAN.days
    print("the same site, more of it stored")
    stored = measure([Size(items=n, daily=busiest, sources=given.sources) for n in given.items], given.stores)
    print("30 days of busier sites")
    busier = measure([Size(items=n, daily=n // SPAN.days, sources=given.sources) for n in given.items], given.stores)
    return 0 if stored <= FLAT and busier <= BUSIER else 1


if __name__ == "__main__":
    sys.exit(main())
