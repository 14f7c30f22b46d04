"""What a refresh of the lists costs, as the store grows.

Stores of growing size, with the same number of new items and of views; all windows, the Recommendation, five sections.
The cost is to follow what is new and what is read: printed as a ratio to the smallest store. The words of items, which
variety goes by, are left out: they are the curator's (bench/curate.py).
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from statistics import median

from store import NOW, curate, fill

from aggregator.curate.windows import span
from aggregator.model import Scope, View
from aggregator.refresh import CurateOptions
from aggregator.refresh.listing import Maker, ids_of
from aggregator.refresh.snapshot import Snapshot
from aggregator.store import Store, open_store

WINDOWS = ("1h", "1d", "7d", "30d")
OPTIONS = CurateOptions(windows={window: span(window) for window in WINDOWS})
VIEWS = 20_000
REPEATED = 5


def read(store: Store) -> None:
    """The same number of readers in every store, most of them of what is new."""
    dice = random.Random(3)
    ids = [item.id for item in store.latest(Scope(), limit=5_000)]
    views = [
        View(
            item_id=ids[int(len(ids) * dice.random() ** 3)],
            at=NOW - timedelta(days=30) * dice.random() ** 2,
            visitor=number.to_bytes(4, "big"),
        )
        for number in range(VIEWS)
    ]
    store.record_views(sorted(views, key=lambda view: view.at))
    store.fold_views()


def refresh(store: Store, windows: tuple[str, ...]) -> tuple[float, float, int]:
    """(seconds to read, seconds to make the lists, candidates)."""
    began = time.process_time()
    reach = max(span(window) for window in windows)
    snapshot = Snapshot.take(store, now=NOW, reach=reach, windows=windows)
    between = time.process_time()
    maker = Maker(snapshot=snapshot, options=OPTIONS, vector=lambda _: {})
    rankings = list(maker.rankings(windows))
    shown = {one.key: ids_of(one) for one in rankings}
    list(maker.recommendations(shown))
    return between - began, time.process_time() - between, len(snapshot.candidates)


def measure(items: int) -> tuple[float, float]:
    """CPU seconds of the usual refresh (windows up to a week) and of the full one, medians."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store("sqlite:bench.db", base=Path(folder))
        fill(store, items)
        curate(store)
        read(store)
        found = []
        for name, windows in (("usual", WINDOWS[:3]), ("full", WINDOWS)):
            runs = [refresh(store, windows) for _ in range(REPEATED)]
            reading, making = median(run[0] for run in runs), median(run[1] for run in runs)
            print(f"{items:>9,} items, {name:<6}{runs[0][2]:>7,} candidates: {reading * 1000:6.0f} ms to read", end="")
            print(f" + {making * 1000:5.0f} ms to make", flush=True)
            found.append(reading + making)
        store.close()
    return found[0], found[1]


def main() -> int:
    parser = argparse.ArgumentParser(description="What a refresh of the lists costs.")
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 60_000])
    sizes = parser.parse_args().items
    costs = [measure(size) for size in sizes]
    growth = sizes[-1] / sizes[0]
    usual, full = (costs[-1][n] / costs[0][n] for n in (0, 1))
    print(f"{growth:.0f} times the items: {usual:.2f} times the cost of the usual refresh, {full:.2f} of the full one")
    return 0 if max(usual, full) < max(2.0, growth / 2) else 1


if __name__ == "__main__":
    sys.exit(main())
