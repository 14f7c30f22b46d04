"""What lists are made from, read from the store at one moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from aggregator.curate.popularity import Exposure, Field, survey
from aggregator.curate.windows import bounds
from aggregator.model import Candidate, duration_text
from aggregator.store import Store

__all__ = ["NEAR", "NEWEST", "Snapshot"]

#: windows up to this length, and what is worth reading, are made from the items of this time
NEAR = timedelta(days=7)
#: of items that nobody has opened, this many of the newest are looked at: what a list costs follows what is new and
#: what is read, not what is stored
NEWEST = 10_000
#: how far back it is known how much was opened at all
REACHES = ("1h", "6h", "1d", "3d", "7d", "30d")
#: rising: opened by so many in the last hour, and so many times as often as in the hours before, of a day at most
RISING_READERS = 3
RISING_TIMES = 2.0
HOUR = timedelta(hours=1)
HOURS_BEFORE = 23.0


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The candidates and what was opened, as of `now`."""

    now: datetime
    candidates: Sequence[Candidate]
    #: readers by item, for each window that was asked for
    counts: Mapping[str, Mapping[str, int]]

    @classmethod
    def take(cls, store: Store, *, now: datetime, reach: timedelta, windows: Iterable[str]) -> Snapshot:
        """Reads what is new, or was opened, within `reach`, and the counts of these windows."""
        since, _ = bounds(duration_text(reach), now=now)
        candidates = store.candidates(since=since, now=now, limit=NEWEST)
        counts = {window: _counts(store, window, now) for window in dict.fromkeys((*windows, *REACHES))}
        return cls(now=now, candidates=candidates, counts=counts)

    @cached_property
    def near(self) -> Snapshot:
        """The same moment without what was neither new nor opened within `NEAR`: what `take` gives for that reach."""
        window = duration_text(NEAR)
        since, _ = bounds(window, now=self.now)
        opened = self.counts[window]
        kept = [item for item in self.candidates if item.first_seen >= since or item.item_id in opened]
        return self if len(kept) == len(self.candidates) else replace(self, candidates=kept)

    @cached_property
    def field(self) -> Field:
        """All candidates against each other."""
        totals = tuple((_length(window, self.now), sum(self.counts[window].values())) for window in REACHES)
        return survey(self.candidates, now=self.now, exposure=Exposure(totals=totals))

    @cached_property
    def by_section(self) -> Mapping[str, Sequence[Candidate]]:
        """The candidates of each section that has any."""
        found: dict[str, list[Candidate]] = defaultdict(list)
        for item in self.candidates:
            found[item.section].append(item)
        return found

    @cached_property
    def rising(self) -> frozenset[str]:
        """What is opened much more often now than in the day before, or as long as it has been there."""
        day, hour = self.counts["1d"], self.counts["1h"]
        return frozenset(
            item.item_id
            for item in self.candidates
            if (readers := hour.get(item.item_id, 0)) >= RISING_READERS
            and readers >= RISING_TIMES * (day.get(item.item_id, readers) - readers) / self._hours_before(item)
        )

    def _hours_before(self, item: Candidate) -> float:
        """How long it could be opened before the last hour; a quarter of an hour at least."""
        return min(HOURS_BEFORE, max(0.25, (self.now - item.first_seen) / HOUR - 1.0))


def _counts(store: Store, window: str, now: datetime) -> dict[str, int]:
    since, until = bounds(window, now=now)
    return store.view_counts(since=since, until=until)


def _length(window: str, now: datetime) -> timedelta:
    since, until = bounds(window, now=now)
    return until - since
