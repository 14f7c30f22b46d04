"""What lists are made from, read from the store at one moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from aggregator.curate.popularity import Exposure, Field, survey
from aggregator.curate.windows import bounds
from aggregator.model import Candidate
from aggregator.store import Store

__all__ = ["Snapshot"]

#: how far back it is known how much was opened at all
REACHES = ("1h", "6h", "1d", "3d", "7d", "30d")
#: rising: opened by so many in the last hour, and so many times as often as in the hours before
RISING_READERS = 3
RISING_TIMES = 2.0
HOURS_BEFORE = 23


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The candidates and what was opened, as of `now`."""

    now: datetime
    candidates: Sequence[Candidate]
    #: readers by item, for each window that was asked for
    counts: Mapping[str, Mapping[str, int]]

    @classmethod
    def take(cls, store: Store, *, now: datetime, reach: timedelta, windows: Iterable[str]) -> Snapshot:
        """Reads everything first seen, or opened, within `reach`, and the counts of these windows."""
        candidates = [item for item in store.candidates(since=now - reach, now=now) if item.first_seen <= now]
        counts = {window: _counts(store, window, now) for window in dict.fromkeys((*windows, *REACHES))}
        return cls(now=now, candidates=candidates, counts=counts)

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
        """What is opened much more often now than in the day before."""
        day = self.counts["1d"]
        return frozenset(
            item_id
            for item_id, readers in self.counts["1h"].items()
            if readers >= RISING_READERS
            and readers >= RISING_TIMES * (day.get(item_id, readers) - readers) / HOURS_BEFORE
        )


def _counts(store: Store, window: str, now: datetime) -> dict[str, int]:
    since, until = bounds(window, now=now)
    return store.view_counts(since=since, until=until)


def _length(window: str, now: datetime) -> timedelta:
    since, until = bounds(window, now=now)
    return until - since
