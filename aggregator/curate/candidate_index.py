"""Candidates by time, in blocks that know an upper bound of their scores; all indexes of a site in one set. Pure.

`best_first` yields candidates in the order of any score that a block bounds, and opens no more blocks than it must: the
first few cost the same however many there are. `CandidateSet` holds the indexes of the site, its sections and the
operator's feeds, the sums over all candidates, and the readers of each window.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count
from typing import Generic, TypeVar

from aggregator.curate.popularity import Field, ViewTotals, score_upper_bound
from aggregator.curate.running_totals import RunningTotals, moment_of, shown
from aggregator.model import Candidate

__all__ = [
    "SITE",
    "Block",
    "CachedIterator",
    "CandidateSet",
    "Key",
    "TimeIndex",
    "language_of",
    "section_of",
    "time_index_of",
]

#: a block that is larger is cut in two
LARGEST = 64
#: sources that post so many items a day or more are taken together
PACES = (0.0, 2.0, 10.0, 50.0)
#: rounding must not make a bound less than what it bounds
SLACK = 1e-6

#: the place of an item: the score, negative, then whatever decides between equals, the id last
Key = tuple[float, *tuple[float, ...], str]
#: more readers, then more sources, then newer; the id last, so that the order is the same every time
_Viewed = tuple[int, int, float, str]
#: by the least pace of a source: the most that an item is worth
_Tops = tuple[tuple[float, float], ...]
#: the most that items of a block can have, and which they are
_Bounded = list[tuple[float, int]]


T = TypeVar("T")


class CachedIterator(Generic[T]):
    """What an iterator gives, for going through it more than once; no more is taken from it than was asked for."""

    def __init__(self, source: Iterator[T]) -> None:
        self._source = source
        self._given: list[T] = []

    def __iter__(self) -> Iterator[T]:
        """From the first on."""
        place = 0
        while True:
            if place == len(self._given):
                try:
                    self._given.append(next(self._source))
                except StopIteration:
                    return
            yield self._given[place]
            place += 1


class Block:
    """Some candidates that were published one after the other."""

    __slots__ = ("_tops", "items", "keys", "least_shown", "newest_seen", "owners", "rates", "seen", "shown", "worths")

    def __init__(self) -> None:
        #: (moment of publication, id), ascending; beside them the items, what each is worth at most whatever its age,
        #: and whose it is: the source, or -1 less the source for an item that was opened
        self.keys: list[tuple[int, str]] = []
        self.items: list[Candidate] = []
        self.worths: list[float] = []
        self.owners: list[int] = []
        self.seen: list[int] = []
        #: items a day of their sources, or less
        self.rates: list[float] = []
        self._tops: tuple[_Tops, _Tops] | None = None
        self.newest_seen = 0
        #: how often each was shown (`running_totals.shown`), and the least of it
        self.shown: list[float] = []
        self.least_shown = 0.0

    def summed_up(self) -> Block:
        """After a change."""
        self.newest_seen = max(self.seen, default=0)
        self.least_shown = min(self.shown, default=0.0)
        self._tops = None
        return self

    def tops(self, *, unopened: bool) -> _Tops:
        """By how often their sources post, at least: the most that any of these items is worth."""
        if self._tops is None:
            every: dict[float, float] = {}
            waiting: dict[float, float] = {}
            for worth, rate, owner in zip(self.worths, self.rates, self.owners, strict=True):
                at_least = PACES[bisect_right(PACES, rate) - 1]
                every[at_least] = max(every.get(at_least, worth), worth)
                if owner >= 0:
                    waiting[at_least] = max(waiting.get(at_least, worth), worth)
            self._tops = tuple(every.items()), tuple(waiting.items())
        return self._tops[unopened]

    @property
    def top(self) -> float:
        """The most that any of its items is worth."""
        return max(worth for _, worth in self.tops(unopened=False))

    def put(self, key: tuple[int, str], item: Candidate, worth: float, rate: float) -> None:
        """One more."""
        place = bisect_left(self.keys, key)
        self.keys.insert(place, key)
        self.items.insert(place, item)
        self.worths.insert(place, worth)
        self.owners.insert(place, -1 - item.source_id if item.views else item.source_id)
        self.seen.insert(place, moment_of(item.first_seen))
        self.rates.insert(place, max(0.0, rate))
        self.shown.insert(place, shown(item))
        self.summed_up()

    def drop(self, key: tuple[int, str]) -> None:
        """One less."""
        place = bisect_left(self.keys, key)
        for row in (self.keys, self.items, self.worths, self.owners, self.seen, self.rates, self.shown):
            del row[place]
        self.summed_up()

    def cut(self) -> Block:
        """The newer half leaves."""
        other, middle = Block(), len(self.keys) // 2
        for name in ("keys", "items", "worths", "owners", "seen", "rates", "shown"):
            row = getattr(self, name)
            setattr(other, name, row[middle:])
            del row[middle:]
        self.summed_up()
        return other.summed_up()

    @property
    def newest(self) -> int:
        """When the newest of them was published."""
        return self.keys[-1][0]


class TimeIndex:
    """The candidates of the site, or of one section, or of one feed."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        #: the last key of each block
        self._ends: list[tuple[int, str]] = []
        self._held: dict[str, Candidate] = {}
        #: how many of them have been opened, ever
        self.opened = 0
        self.pinned: dict[str, Candidate] = {}
        #: by window: who was opened in it, most readers first
        self._viewed: dict[str, list[_Viewed]] = {}

    def __len__(self) -> int:
        """How many candidates stand here."""
        return len(self._held)

    def __iter__(self) -> Iterator[Candidate]:
        """All of them, in no promised order."""
        return iter(self._held.values())

    def put(self, item: Candidate, *, worth: float, rate: float) -> None:
        """One more.

        `worth`: the most it can be worth, its age and its source left aside; `rate`: items a day of its source.
        """
        key = (moment_of(item.published), item.item_id)
        self._held[item.item_id] = item
        self.opened += item.views > 0
        if item.pinned_until is not None:
            self.pinned[item.item_id] = item
        place = min(bisect_left(self._ends, key), len(self._ends) - 1)
        if place < 0:
            self._blocks.append(Block())
            self._ends.append(key)
            place = 0
        block = self._blocks[place]
        block.put(key, item, worth, rate)
        self._ends[place] = block.keys[-1]
        if len(block.keys) > LARGEST:
            newer = block.cut()
            self._ends[place : place + 1] = [block.keys[-1], newer.keys[-1]]
            self._blocks.insert(place + 1, newer)

    def drop(self, item_id: str) -> None:
        """One less; its counts must have been taken off before (`count`)."""
        item = self._held.pop(item_id)
        self.opened -= item.views > 0
        self.pinned.pop(item_id, None)
        key = (moment_of(item.published), item_id)
        place = bisect_left(self._ends, key)
        block = self._blocks[place]
        block.drop(key)
        if block.keys:
            self._ends[place] = block.keys[-1]
        else:
            del self._blocks[place], self._ends[place]

    def rarer(self, item: Candidate, rate: float) -> None:
        """The source of an item that stands here posts less often than it did."""
        key = (moment_of(item.published), item.item_id)
        block = self._blocks[bisect_left(self._ends, key)]
        block.rates[bisect_left(block.keys, key)] = max(0.0, rate)
        block.summed_up()

    def count(self, window: str, item_id: str, *, before: int, now: int) -> None:
        """The readers of an item in a window have become more or less: it stands at another place."""
        viewed, item = self._viewed.setdefault(window, []), self._held[item_id]
        if before:
            del viewed[bisect_left(viewed, _place(item, before))]
        if now:
            insort(viewed, _place(item, now))

    # --- what can be asked ------------------------------------------------------------
    def viewed(self, window: str) -> Iterator[Candidate]:
        """Those that were opened in the window, most readers first (ties: more sources, then newer)."""
        return (self._held[key[-1]] for key in self._viewed.get(window, ()))

    def since(self, moment: datetime) -> Iterator[Candidate]:
        """Those that were published, or at least first seen here, since then; the newest blocks first."""
        first = moment_of(moment)
        for block in reversed(self._blocks):
            if block.newest >= first or block.newest_seen >= first:
                yield from (item for item in block.items if max(item.published, item.first_seen) >= moment)

    def newest(self, number: int) -> list[Candidate]:
        """The newest so many, newest first."""
        found: list[Candidate] = []
        for block in reversed(self._blocks):
            if len(found) >= number:
                break
            found += reversed(block.items)
        return found[:number]

    def best_first(
        self,
        key: Callable[[Candidate], Key],
        *,
        most: Callable[[Block], float],
        most_of_each: Callable[[Block], list[float]],
        among: Callable[[Candidate], bool] = lambda _: True,
    ) -> Iterator[tuple[Key, Candidate]]:
        """Those `among` which a score is asked for, in the ascending order of their keys.

        `most`: the score that no item of a block exceeds, minus infinity: none of it; `most_of_each`: the same of
        each of its items. The keys of those alone are computed whose turn could be next.
        """
        ready: list[tuple[Key, Candidate]] = []
        number = count()
        #: the most it can be, negative; of what: a block, or of its items, sorted by their bounds, the one at a place
        bounded: list[tuple[float, int, Block, _Bounded, int]] = [
            (-bound, next(number), block, [], 0) for block in self._blocks if (bound := most(block)) > -math.inf
        ]
        heapify(bounded)
        while bounded or ready:
            while bounded and (not ready or bounded[0][0] <= ready[0][0][0] + SLACK):
                _, turn, block, each, place = bounded[0]
                if not each:
                    each = sorted(zip(most_of_each(block), range(len(block.items)), strict=True), reverse=True)
                    heapreplace(bounded, (-each[0][0], turn, block, each, 0))
                    continue
                if place + 1 < len(each):
                    heapreplace(bounded, (-each[place + 1][0], turn, block, each, place + 1))
                else:
                    heappop(bounded)
                item = block.items[each[place][1]]
                if among(item):
                    heappush(ready, (key(item), item))
            if ready:
                yield heappop(ready)


def _place(item: Candidate, readers: int) -> _Viewed:
    return (-readers, -item.sources, -item.published.timestamp(), item.item_id)


def time_index_of(items: Iterable[Candidate], counts: Mapping[str, Mapping[str, int]]) -> TimeIndex:
    """An index of these items, with their readers by window."""
    index, held = TimeIndex(), {item.item_id: item for item in items}.values()
    rates: dict[int, float] = {}
    for item in held:
        rates[item.source_id] = min(item.source_rate, rates.get(item.source_id, item.source_rate))
    for item in held:
        index.put(item, worth=score_upper_bound(item), rate=rates[item.source_id])
        for window, counted in counts.items():
            index.count(window, item.item_id, before=0, now=counted.get(item.item_id, 0))
    return index


NO_DIFFERENCES: Mapping[str, tuple[str, str]] = {}
#: a language has lists of its own from this share of the candidates on, if there are two of them
LANGUAGE_SHARE = 0.03
#: the name of the index that has them all
SITE = ""


def section_of(name: str) -> str:
    """The name of a section's index."""
    return f"/section/{name}"


def language_of(language: str | None) -> str:
    """The name of a language's index: without region, as readers choose it."""
    return f"/language/{(language or '').partition('-')[0].lower()}"


class CandidateSet:
    """The candidates of a site, by index."""

    def __init__(
        self,
        reaches: Mapping[str, timedelta],
        *,
        now: datetime,
        feeds: Callable[[Candidate], Iterable[str]] = lambda _: (),
        differences: Mapping[str, tuple[str, str]] = NO_DIFFERENCES,
    ) -> None:
        """`reaches`: windows by which it is known how much was opened at all; `feeds`: further indexes of an item.

        `differences`: windows that end earlier, by name, each as a longer window without a shorter one.
        """
        self.running_totals = RunningTotals(sorted(reaches.values()), now=now)
        self._reaches = reaches
        self._feeds = feeds
        self._differences = {
            part: [name for name, parts in differences.items() if part in parts]
            for parts in differences.values()
            for part in parts
        }
        self._parts = differences
        self._indexes: dict[str, TimeIndex] = defaultdict(TimeIndex)
        self._member_of: dict[str, Sequence[str]] = {}
        #: readers by item, and of all items, for each window
        self.counts: dict[str, dict[str, int]] = defaultdict(dict)
        self._totals: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many candidates there are."""
        return len(self.running_totals.items)

    def index(self, name: str) -> TimeIndex:
        """The index of this name; an empty one where nothing stands on it."""
        return self._indexes[name] if name in self._indexes else TimeIndex()

    def sections(self) -> list[str]:
        """The sections that have any item, in the order of their names."""
        prefix = section_of("")
        return sorted(name.removeprefix(prefix) for name, index in self._indexes.items() if name.startswith(prefix))

    def languages(self) -> list[str]:
        """The languages that a good part of the candidates are in; none where one is enough for all."""
        prefix, least = language_of(None), LANGUAGE_SHARE * len(self)
        found = [
            name.removeprefix(prefix)
            for name, index in self._indexes.items()
            if name.startswith(prefix) and name != prefix and len(index) >= least
        ]
        return sorted(found) if len(found) > 1 else []

    # --- changes --------------------------------------------------------------------------
    def put(self, item: Candidate) -> None:
        """A new candidate, or one that has changed."""
        self.drop(item.item_id)
        self.rate(item.source_id, item.source_rate)
        self.running_totals.put(item)
        stands = self._member_of[item.item_id] = (
            SITE,
            section_of(item.section),
            *map(section_of, item.more_sections),
            language_of(item.language),
            *self._feeds(item),
        )
        worth = score_upper_bound(item)
        for name in stands:
            self._indexes[name].put(item, worth=worth, rate=item.source_rate)
        for window, counts in self.counts.items():
            self._show(item.item_id, window, before=0, now=counts.get(item.item_id, 0))

    def drop(self, item_id: str) -> None:
        """No candidate any more; nothing if it was none."""
        if self.running_totals.drop(item_id) is None:
            return
        for window, counts in self.counts.items():
            self._show(item_id, window, before=counts.get(item_id, 0), now=0)
        for name in self._member_of.pop(item_id):
            index = self._indexes[name]
            index.drop(item_id)
            if not len(index):
                del self._indexes[name]

    def rate(self, source_id: int, rate: float) -> None:
        """How many items a day a source publishes."""
        if rate < self.running_totals.rate_of(source_id) and source_id in self.running_totals.sources:
            for item in self.running_totals.sources[source_id].items.values():
                for name in self._member_of[item.item_id]:
                    self._indexes[name].rarer(item, rate)
        self.running_totals.rate(source_id, rate)

    def count(self, window: str, item_id: str, readers: int) -> None:
        """So many have opened an item in a window, be it a candidate or not."""
        counts = self.counts[window]
        before = counts.pop(item_id, 0)
        if readers:
            counts[item_id] = readers
        self._totals[window] += readers - before
        self._show(item_id, window, before=before, now=readers)
        for name in self._differences.get(window, ()):
            longer, shorter = (self.counts[part].get(item_id, 0) for part in self._parts[name])
            self.count(name, item_id, max(0, longer - shorter))

    def _show(self, item_id: str, window: str, *, before: int, now: int) -> None:
        if before != now:
            for name in self._member_of.get(item_id, ()):
                self._indexes[name].count(window, item_id, before=before, now=now)

    # --- what can be asked ------------------------------------------------------------------
    def field(self, now: datetime) -> Field:
        """All candidates against each other; until the next change."""
        totals = sorted((reach, self._totals[window]) for window, reach in self._reaches.items())
        return Field(self.running_totals, now=now, exposure=ViewTotals(totals=tuple(totals)))
