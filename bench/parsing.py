"""Parsing with cleaning, beside plain feedparser: documents read, entries found, documents a second and core.

    python bench/parsing.py [--data ../shared/data] [--times 3]

Both read all documents of DATA/real in this process; CPU time, the best of so many rounds, in turns.
"""

from __future__ import annotations

import argparse
import io
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import feedparser

from aggregator.collect.parse import parse_sync
from aggregator.errors import ParseError
from aggregator.model import Document

URL = "https://example.org/feeds/x.xml"
#: documents read, entries found
Counts = tuple[int, int]


def ours(bodies: Iterable[bytes]) -> Counts:
    read = entries = 0
    for body in bodies:
        try:
            feed = parse_sync(Document(body=body, url=URL))
        except ParseError:
            continue
        read, entries = read + 1, entries + len(feed.entries)
    return read, entries


def plain(bodies: Iterable[bytes]) -> Counts:
    """Feedparser as it comes, its own cleaning included."""
    read = entries = 0
    for body in bodies:
        try:
            parsed = feedparser.parse(io.BytesIO(body), response_headers={"content-location": URL})
        except Exception:  # noqa: BLE001 - what it raises on odd input is what is counted
            continue
        if parsed.get("version"):
            read, entries = read + 1, entries + len(parsed.entries)
    return read, entries


def measured(run: Callable[[Sequence[bytes]], Counts], bodies: Sequence[bytes]) -> tuple[float, Counts]:
    """CPU seconds, and what was found."""
    began = time.process_time()
    found = run(bodies)
    return time.process_time() - began, found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--times", type=int, default=3)
    arguments = parser.parse_args()
    bodies = [path.read_bytes() for path in sorted((arguments.data / "real").rglob("*")) if path.is_file()]
    if not bodies:
        print(f"skipped: {arguments.data / 'real'} is not there")
        return 0
    warnings.simplefilter("ignore")
    sides = {"ours": ours, "feedparser": plain}
    best: dict[str, tuple[float, Counts]] = {}
    for _ in range(arguments.times):
        for name, run in sides.items():
            now = measured(run, bodies)
            best[name] = min(best.get(name, now), now)
    for name, (took_s, (read, entries)) in best.items():
        print(f"{name:11} {read} of {len(bodies)} documents, {entries} entries, {read / took_s:.0f} documents/s")
    print(f"ratio       {best['feedparser'][0] / best['ours'][0]:.2f}")
    return 0 if best["ours"][1] >= best["feedparser"][1] else 1


if __name__ == "__main__":
    raise SystemExit(main())
