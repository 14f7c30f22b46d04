"""What one changed item costs, by the number of lists that hold it.

    python bench/rendering.py [--items 200] [--size 50] [--changes 20]

A store of its own, filled and changed through the contract: ten sources, each item with ten related ones, everything
in every list. After each change all lists are made anew in all formats and compressed with gzip, as the web server does
it when feed readers ask for them. Entries rendered are those that had to be made: as many, however many lists hold
them; the rest was taken over from other lists and from before the change.

Beside that every list costs what a document costs: its places and what is related to each are read from the store, each
entry gets its id, its address, its reasons and its links, which are the list's own, the document is put together and
compressed. Time is CPU time of this process, the median of the changes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

from aggregator.model import Curation, Entry, OwnFeed, ParsedEntry, PollResult, RelatedPair, Subscription
from aggregator.publish.compress import pack
from aggregator.publish.lists import Lists
from aggregator.publish.pages import Pages
from aggregator.publish.render_cache import RenderCache
from aggregator.publish.rendering import Rendering
from aggregator.publish.site import Site
from aggregator.store import Store, open_store

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SOURCES = 10
RELATED = 10
LISTS = (1, 5, 20)
WORDS = ["the", "of", "council", "river", "vote", "report", "city", "water", "night", "market", "house", "train"]


def entry(source: int, number: int, version: int = 0) -> Entry:
    """An entry of a news source; another version is an edit of its text."""
    text = " ".join(WORDS[(number * 7 + place * (source + 3)) % len(WORDS)] for place in range(45))
    title = f"{text[:50]} {source}/{number}, {version}"
    link, published = f"https://paper{source}.example/{number}", NOON - timedelta(minutes=number * SOURCES + source)
    parsed = ParsedEntry(
        guid=link,
        link=link,
        title=title,
        text=text,
        summary_html=f"<p>{text}</p>",
        author="A. Writer",
        language="en",
        published=published,
        content_hash=sha256(title.encode()).digest(),
    )
    return Entry(entry_id=link, id_basis="guid", parsed=parsed, canonical_url=link, published=published)


class Town:
    """The store and what happens in it."""

    def __init__(self, store: Store, items: int) -> None:
        self.store = store
        self._now = NOON
        urls = [f"https://paper{source}.example/feed" for source in range(SOURCES)]
        store.sync_sources([Subscription(url=url, section="World", name=url[8:14]) for url in urls], now=NOON)
        self._publish(
            {source: [entry(source, number) for number in range(items // SOURCES)] for source in range(SOURCES)}
        )
        ids = [text.item_id for text in store.pending(limit=items)]
        pairs = tuple(
            RelatedPair(item_id=one, other_id=ids[(place + step) % len(ids)], score=1 - step / 100)
            for place, one in enumerate(ids)
            for step in range(1, RELATED + 1)
        )
        store.put_curation(Curation(curated=tuple(ids), related=pairs), now=NOON)

    def change(self, version: int) -> None:
        """One of the newest items is edited."""
        self._publish({version % SOURCES: [entry(version % SOURCES, 0, version)]})

    def _publish(self, entries: dict[int, list[Entry]]) -> None:
        self._now += timedelta(hours=1)
        only = frozenset(f"https://paper{source}.example/feed" for source in entries)
        for lease in self.store.claim(now=self._now, limit=SOURCES, lease=timedelta(minutes=5), force=True, only=only):
            for source in lease.sources:
                number = int(source.subscription.url.removeprefix("https://paper").partition(".")[0])
                result = PollResult(
                    source_id=source.id,
                    outcome="new",
                    polled_at=self._now,
                    next_poll=self._now + timedelta(hours=1),
                    entries=tuple(entries[number]),
                )
                self.store.complete(lease, result)


class Counting(RenderCache):
    """Knows how many entries had to be rendered."""

    rendered = 0

    def get(self, key: Hashable, value: Any, make: Callable[[], Any], **how: Any) -> Any:
        """As ever."""

        def counted() -> Any:
            self.rendered += isinstance(key, tuple) and key[0] != "told"
            return make()

        return super().get(key, value, counted, **how)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of making all lists anew after a change."""

    #: milliseconds of CPU: reading the lists with what is related, making documents of them, compressing these
    reading: float
    making: float
    packing: float
    #: entries that were rendered
    rendered: float


def cost(town: Town, lists: int, *, size: int, changes: int, versions: Sequence[int]) -> Cost:
    """What a change costs with so many lists."""
    feeds = tuple(
        OwnFeed(name=f"list-{number}", title=f"List {number}", order="latest", size=size) for number in range(lists)
    )
    site, cache = Site(title="Bench", url="http://127.0.0.1:8080", sections=("World",), feeds=feeds), Counting()
    found = Lists(town.store, site)
    rendering = Rendering(store=town.store, site=site, lists=found, pages=Pages(site), cache=cache)

    def make() -> tuple[float, float, float]:
        reading = making = packing = 0.0
        for feed in feeds:
            for suffix in site.formats:
                began = time.process_time()
                found.with_related(found.named(feed.name))
                read = time.process_time()
                body = rendering.feed(found.named(feed.name), suffix).body
                made = time.process_time()
                pack(body, {"gzip"})
                packing += time.process_time() - made
                making += made - read
                reading += read - began
        return reading * 1000, (making - reading) * 1000, packing * 1000

    make()
    took, before = [], cache.rendered
    for version in versions:
        town.change(version)
        took.append(make())
    reading, making, packing = (median(part) for part in zip(*took, strict=True))
    rendered = (cache.rendered - before) / changes
    return Cost(reading=reading, making=making, packing=packing, rendered=rendered)


def report(*, items: int = 200, size: int = 50, changes: int = 20) -> None:
    """Prints the table."""
    heads = ("ms CPU", "a list", "reading", "making", "gzip", "entries rendered")
    print(
        f"{'one item of ' + str(size) + ' has changed':<26}" + "".join(f"{head:>9}" for head in heads[:-1]), heads[-1]
    )
    with tempfile.TemporaryDirectory() as folder:
        store = open_store("sqlite:bench.db", base=Path(folder))
        town = Town(store, items)
        for turn, lists in enumerate(LISTS):
            versions = range(turn * changes + 1, (turn + 1) * changes + 1)
            spent = cost(town, lists, size=size, changes=changes, versions=versions)
            whole = spent.reading + spent.making + spent.packing
            parts = (whole, whole / lists, spent.reading / lists, spent.making / lists, spent.packing / lists)
            print(f"{lists:>2} lists in 3 formats       " + "".join(f"{part:>9.1f}" for part in parts), end="")
            print(f"{spent.rendered:>17.1f}")
        store.close()


def main() -> None:
    """Measures with few and with many lists."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--size", type=int, default=50, help="entries of a list")
    parser.add_argument("--changes", type=int, default=20)
    options = parser.parse_args()
    report(items=options.items, size=options.size, changes=options.changes)


if __name__ == "__main__":
    main()
