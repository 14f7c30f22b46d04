"""What lists are made from: the stock of the store at one moment, read anew (`take`) or kept up to date (`kept`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from aggregator.curate.popularity import Field
from aggregator.curate.stock import Stock
from aggregator.curate.windows import bounds, span
from aggregator.model import Candidate, Population, duration_text
from aggregator.refresh.options import CurateOptions
from aggregator.store import Store

__all__ = ["NEWEST", "REACHES", "Snapshot", "population"]

#: what is worth reading is chosen from this time at least, whichever windows there are
REACH = timedelta(days=7)
#: of items that nobody has opened, this many of the newest are looked at
NEWEST = 10_000
#: how far back it is known how much was opened at all
REACHES = {window: span(window) for window in ("1h", "6h", "1d", "3d", "7d", "30d")}
#: rising: opened by so many in the last hour, and so many times as often as in the hours before, of a day at most
RISING_READERS = 3
RISING_TIMES = 2.0
HOUR = timedelta(hours=1)
HOURS_BEFORE = 23.0


def population(options: CurateOptions, *windows: str) -> Population:
    """Whose candidates all lists are made from; `windows`: further ones."""
    counted = {**options.windows, **{window: span(window) for window in windows}}
    return Population(reach=max(REACH, *counted.values()), newest=NEWEST, windows={**REACHES, **counted})


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The stock as of `now`: good until the stock changes."""

    now: datetime
    stock: Stock

    @classmethod
    def take(cls, store: Store, population: Population, *, now: datetime) -> Snapshot:
        """Reads everything, as it stood at any moment."""
        since, _ = bounds(duration_text(population.reach), now=now)
        candidates = store.candidates(since=since, now=now, limit=population.newest)
        return cls.of(candidates, now=now).counted(store, population)

    @classmethod
    def of(
        cls,
        candidates: Iterable[Candidate],
        *,
        now: datetime,
        feeds: Callable[[Candidate], Iterable[str]] = lambda _: (),
    ) -> Snapshot:
        """These candidates, whoever has opened them; `feeds`: those each belongs to."""
        stock = Stock(REACHES, now=now, feeds=feeds)
        for item in candidates:
            stock.put(item)
        return cls(now=now, stock=stock)

    def counted(self, store: Store, population: Population) -> Snapshot:
        """With the readers of each window."""
        for window in population.windows:
            since, until = bounds(window, now=self.now)
            for item_id, readers in store.view_counts(since=since, until=until).items():
                self.stock.count(window, item_id, readers)
        return self

    def like(
        self, candidates: Iterable[Candidate], feeds: Callable[[Candidate], Iterable[str]] = lambda _: ()
    ) -> Snapshot:
        """The same moment and the same readers, with these candidates."""
        other = Snapshot.of(candidates, now=self.now, feeds=feeds)
        for window, counts in self.stock.counts.items():
            for item_id, readers in counts.items():
                other.stock.count(window, item_id, readers)
        return other

    @cached_property
    def field(self) -> Field:
        """All candidates against each other."""
        return self.stock.field(self.now)

    @cached_property
    def rising(self) -> frozenset[str]:
        """What is opened much more often now than in the day before, or as long as it has been there."""
        day, items = self.stock.counts["1d"], self.stock.crowd.items
        return frozenset(
            item_id
            for item_id, readers in self.stock.counts["1h"].items()
            if readers >= RISING_READERS
            and (item := items.get(item_id)) is not None
            and readers >= RISING_TIMES * (day.get(item_id, readers) - readers) / self._hours_before(item)
        )

    def _hours_before(self, item: Candidate) -> float:
        """How long it could be opened before the last hour; a quarter of an hour at least."""
        return min(HOURS_BEFORE, max(0.25, (self.now - item.first_seen) / HOUR - 1.0))
