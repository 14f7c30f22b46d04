"""The candidates of all lists at one moment: read from the store (`Snapshot.take`), or followed (`CandidateCache`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TypeVar

from aggregator.curate.candidate_index import CandidateSet
from aggregator.curate.popularity import Field
from aggregator.curate.rules import Match, compile_match, subject_of_item
from aggregator.curate.windows import bounds, lag, span
from aggregator.model import Candidate, CandidateChanges, ChangeCursor, OwnFeed, Population, duration_text
from aggregator.refresh.options import CurateOptions
from aggregator.store import Store

__all__ = ["NEWEST", "REACHES", "CandidateCache", "FeedMatcher", "Snapshot", "earlier", "gently", "population"]

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
    parts = {part: span(part) for window in counted for part in _parts(window)}
    return Population(
        reach=max(REACH, *counted.values(), *parts.values()), newest=NEWEST, windows={**REACHES, **counted, **parts}
    )


def earlier(window: str) -> str:
    """The name of a window of the same length that ended earlier, by what movement compares with (`windows.lag`)."""
    return f"{window} before {duration_text(lag(window))}"


def _parts(window: str) -> tuple[str, str]:
    """The earlier window as a longer one without a shorter one, both until now."""
    return duration_text(span(window) + lag(window)), duration_text(lag(window))


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The candidates as of `now`: valid until one of them changes."""

    now: datetime
    candidate_set: CandidateSet

    @classmethod
    def take(cls, store: Store, population: Population, *, now: datetime) -> Snapshot:
        """Reads everything, as it stood at any moment."""
        since, _ = bounds(duration_text(population.reach), now=now)
        candidates = store.candidates(since=since, now=now, limit=population.newest)
        return cls.of(candidates, now=now, windows=population.windows).counted(store, population)

    @classmethod
    def of(
        cls,
        candidates: Iterable[Candidate],
        *,
        now: datetime,
        windows: Iterable[str] = (),
        feeds: Callable[[Candidate], Iterable[str]] = lambda _: (),
    ) -> Snapshot:
        """These candidates, whoever has opened them in these windows; `feeds`: those each belongs to."""
        known = set(windows)
        differences = {earlier(window): _parts(window) for window in known if known.issuperset(_parts(window))}
        candidate_set = CandidateSet(REACHES, now=now, feeds=feeds, differences=differences)
        for item in candidates:
            candidate_set.put(item)
        return cls(now=now, candidate_set=candidate_set)

    def counted(self, store: Store, population: Population) -> Snapshot:
        """With the readers of each window."""
        for window in population.windows:
            since, until = bounds(window, now=self.now)
            for item_id, readers in store.view_counts(since=since, until=until).items():
                self.candidate_set.count(window, item_id, readers)
        return self

    def like(
        self, candidates: Iterable[Candidate], feeds: Callable[[Candidate], Iterable[str]] = lambda _: ()
    ) -> Snapshot:
        """The same moment and the same readers, with these candidates."""
        other = Snapshot.of(candidates, now=self.now, feeds=feeds)
        for window, counts in self.candidate_set.counts.items():
            for item_id, readers in counts.items():
                other.candidate_set.count(window, item_id, readers)
        return other

    @cached_property
    def field(self) -> Field:
        """All candidates against each other."""
        return self.candidate_set.field(self.now)

    @cached_property
    def rising(self) -> frozenset[str]:
        """What is opened much more often now than in the day before, or as long as it has been there."""
        day, items = self.candidate_set.counts["1d"], self.candidate_set.running_totals.items
        return frozenset(
            item_id
            for item_id, readers in self.candidate_set.counts["1h"].items()
            if readers >= RISING_READERS
            and (item := items.get(item_id)) is not None
            and readers >= RISING_TIMES * (day.get(item_id, readers) - readers) / self._hours_before(item)
        )

    def _hours_before(self, item: Candidate) -> float:
        """How long it could be opened before the last hour; a quarter of an hour at least."""
        return min(HOURS_BEFORE, max(0.25, (self.now - item.first_seen) / HOUR - 1.0))


T = TypeVar("T")

#: after so many small steps of work others may go first: a tenth of a millisecond each, or a few thousandths
STEPS, TINY_STEPS = 30, 1_000


def gently(steps: Iterable[T], *, at_once: int = STEPS) -> Iterator[T]:
    """The same, with a moment for threads that serve somebody after so many steps."""
    for number, step in enumerate(steps, 1):
        yield step
        if not number % at_once:
            time.sleep(0)


class CandidateCache:
    """Follows the store; for one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._matching = FeedMatcher(store)
        self._cursor: ChangeCursor | None = None
        self._snapshot: Snapshot | None = None

    def follow(
        self, population: Population, feeds: Sequence[OwnFeed], *, now: datetime, stopped: Callable[[], bool]
    ) -> Snapshot:
        """The candidates as of `now`, or a little later where the store has seen something meanwhile."""
        if self._matching.expect(feeds):
            self._cursor = None
        changes = self._store.candidate_changes(population, after=self._cursor, now=now)
        self._cursor = None  # until all of it has been taken over
        snapshot = self._snapshot
        if changes.whole or snapshot is None:
            self._matching.forget_all()
            snapshot = Snapshot.of((), now=changes.cursor.at, windows=population.windows, feeds=self._matching.of)
        self._take_over(snapshot, changes, stopped)
        # a snapshot keeps what it has found out about its moment, so each run has one of its own
        self._snapshot = Snapshot(now=changes.cursor.at, candidate_set=snapshot.candidate_set)
        self._cursor = changes.cursor
        return self._snapshot

    def _take_over(self, snapshot: Snapshot, changes: CandidateChanges, stopped: Callable[[], bool]) -> None:
        candidate_set = snapshot.candidate_set
        for item_id in changes.gone:
            candidate_set.drop(item_id)
        self._matching.forget(changes.gone | changes.edited)
        self._matching.learn([item.item_id for item in changes.candidates], stopped=stopped)
        for item in gently(changes.candidates):
            if item.item_id in changes.edited or candidate_set.running_totals.items.get(item.item_id) != item:
                candidate_set.put(item)
        for source_id, rate in changes.rates.items():
            candidate_set.rate(source_id, rate)
        for window, counts in changes.counts.items():
            for item_id, readers in gently(counts.items(), at_once=TINY_STEPS):
                candidate_set.count(window, item_id, readers)


#: items that are read at once
CHUNK = 500
NONE: frozenset[str] = frozenset()


class FeedMatcher:
    """Matches items to the expressions of ``[[feeds]]``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._matches: dict[str, Match] = {}
        #: the expressions that an item fulfils, of all there are
        self._known: dict[str, frozenset[str]] = {}

    def expect(self, feeds: Iterable[OwnFeed]) -> bool:
        """These are the feeds from now on; whether that asks for looking at everything again."""
        wanted = {feed.match for feed in feeds if feed.match is not None}
        if wanted == self._matches.keys():
            return False
        self._matches = {text: compile_match(text) for text in wanted}
        self._known = {}
        return True

    def forget(self, item_ids: Iterable[str]) -> None:
        """The text of these items has changed, or they are of interest no more."""
        for item_id in item_ids:
            self._known.pop(item_id, None)

    def forget_all(self) -> None:
        """Nothing is known."""
        self._known = {}

    def learn(self, item_ids: Iterable[str], *, stopped: Callable[[], bool]) -> None:
        """Looks at those of these items that are not known yet."""
        if not self._matches:
            return
        unknown = [item_id for item_id in item_ids if item_id not in self._known]
        for start in range(0, len(unknown), CHUNK):
            if stopped():
                return
            self._look(unknown[start : start + CHUNK])

    def _look(self, item_ids: Sequence[str]) -> None:
        for item in self._store.items(item_ids):
            subject = subject_of_item(item)
            self._known[item.id] = frozenset(text for text, match in self._matches.items() if match(subject))

    def of(self, item: Candidate) -> frozenset[str]:
        """The expressions that an item fulfils: each names the index of the feeds that ask for it."""
        return self._known.get(item.item_id, NONE)
