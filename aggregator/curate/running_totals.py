"""Sums over all candidates, kept up to date one candidate at a time. Pure.

To judge an item against the usual one takes sums over everybody: views, and what could have been viewed given how long
each has been there. The latter grows with time for all of them at once. It is a broken line in the age of an item, so
per source and per straight piece of that line the number of items and the sum of their moments of publication are
enough, and time costs only those items that pass from one piece to the next. All sums are of whole numbers, so that
they are the same in whichever order items came and went.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from heapq import heapify, heappop, heappush

from aggregator.model import Candidate

__all__ = ["RunningTotals", "moment_of", "shown"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
#: so many entries of a heap may be out of date before it is built anew
STALE = 64


def moment_of(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // _TICK


def shown(item: Candidate) -> float:
    """How often it was shown to readers, by place; whoever opened it must have been shown it, be it in a feed."""
    return max(item.impressions, float(item.views))


class _Sums:
    """Some of the candidates: those of one source, or all."""

    __slots__ = ("impressions", "items", "moments", "numbers", "shown", "views")

    def __init__(self, pieces: int) -> None:
        self.items: dict[str, Candidate] = {}
        self.views = 0
        #: thousandths, so that sums do not depend on their order
        self.impressions = self.shown = 0
        #: by piece of the line: how many items, and the sum of their moments
        self.numbers = [0] * pieces
        self.moments = [0] * pieces

    def move(self, piece: int, moment: int, number: int) -> None:
        """One item more (1) or less (-1) in a piece."""
        self.numbers[piece] += number
        self.moments[piece] += number * moment


class RunningTotals:
    """All candidates of a site. Time (`advance_to`) only goes forward."""

    def __init__(self, reaches: Sequence[timedelta], *, now: datetime) -> None:
        """`reaches`: the ages at which the line of what could have been viewed breaks, the shortest first."""
        self.reaches = tuple(reaches)
        #: the age up to which each piece reaches; the first one is the future
        self._ends = [-1, *(reach // _TICK for reach in reaches)]
        self._now = moment_of(now)
        self._pieces = len(self._ends) + 1
        self.items: dict[str, Candidate] = {}
        self._piece: dict[str, int] = {}
        self.sources: dict[int, _Sums] = {}
        self._all = _Sums(self._pieces)
        self._stories: dict[str, Counter[int]] = defaultdict(Counter)
        self._rates: dict[int, float] = {}
        #: when an item passes to the next piece
        self._passing: list[tuple[int, str]] = []

    def put(self, item: Candidate) -> None:
        """One more candidate, or one that has changed."""
        self.drop(item.item_id)
        self.items[item.item_id] = item
        part = self.sources.get(item.source_id)
        if part is None:
            part = self.sources[item.source_id] = _Sums(self._pieces)
        part.items[item.item_id] = item
        for one in (part, self._all):
            one.views += item.views
            one.impressions += round(1_000 * item.impressions)
            one.shown += round(1_000 * shown(item))
        self._stories[item.story][item.source_id] += 1
        self._rates[item.source_id] = item.source_rate
        moment = moment_of(item.published)
        self._enter(item, moment, bisect_left(self._ends, self._now - moment))

    def drop(self, item_id: str) -> Candidate | None:
        """One candidate less; the one it was."""
        item = self.items.pop(item_id, None)
        if item is None:
            return None
        self._leave(item, moment_of(item.published))
        part = self.sources[item.source_id]
        del part.items[item_id]
        for one in (part, self._all):
            one.views -= item.views
            one.impressions -= round(1_000 * item.impressions)
            one.shown -= round(1_000 * shown(item))
        if not part.items:
            del self.sources[item.source_id]
        told = self._stories[item.story]
        told[item.source_id] -= 1
        if not told[item.source_id]:
            del told[item.source_id]
            if not told:
                del self._stories[item.story]
        return item

    def rate(self, source_id: int, rate: float) -> None:
        """How many items a day a source publishes."""
        self._rates[source_id] = rate

    def _enter(self, item: Candidate, moment: int, piece: int) -> None:
        self._piece[item.item_id] = piece
        self.sources[item.source_id].move(piece, moment, 1)
        self._all.move(piece, moment, 1)
        if piece < len(self._ends):
            heappush(self._passing, (moment + self._ends[piece], item.item_id))
            if len(self._passing) > 2 * len(self.items) + STALE:
                self._rebuild()

    def _rebuild(self) -> None:
        """Leaves out of the heap what was put anew or has gone since: an item passes once."""
        self._passing[:] = [
            (moment_of(self.items[item_id].published) + self._ends[piece], item_id)
            for item_id, piece in self._piece.items()
            if piece < len(self._ends)
        ]
        heapify(self._passing)

    def _leave(self, item: Candidate, moment: int) -> None:
        piece = self._piece.pop(item.item_id)
        self.sources[item.source_id].move(piece, moment, -1)
        self._all.move(piece, moment, -1)

    def advance_to(self, now: datetime) -> None:
        """It is `now`: items pass to the piece of their age."""
        self._now = moment_of(now)
        passing = self._passing
        while passing and passing[0][0] < self._now:
            at, item_id = heappop(passing)
            item = self.items.get(item_id)
            if item is None:
                continue
            moment = moment_of(item.published)
            piece = self._piece[item_id]
            # else: it was put anew since, and passes at another time
            if piece < len(self._ends) and moment + self._ends[piece] == at:
                self._leave(item, moment)
                self._enter(item, moment, bisect_left(self._ends, self._now - moment))

    # --- what can be asked ------------------------------------------------------------
    @property
    def views(self) -> int:
        """Of all candidates together."""
        return self._all.views

    @property
    def impressions(self) -> float:
        """Of all candidates together."""
        return self._all.impressions / 1_000

    @property
    def shown(self) -> float:
        """How often all candidates were shown (`shown`)."""
        return self._all.shown / 1_000

    def shown_by_source(self) -> dict[int, float]:
        """The same by source."""
        return {source: part.shown / 1_000 for source, part in self.sources.items()}

    def rate_of(self, source_id: int) -> float:
        """Items a day of a source."""
        return self._rates.get(source_id, 0.0)

    def others(self, item: Candidate) -> Iterator[float]:
        """The rates of the other sources among the candidates that tell the item's story."""
        for source in self._stories.get(item.story, ()):
            if source != item.source_id:
                yield self._rates[source]

    def expected_views(self, totals: Mapping[timedelta, int]) -> float:
        """What all candidates together could have had; `totals`: all views in each reach."""
        return self._sum(self._all, self._line(totals))

    def expected_views_by_source(self, totals: Mapping[timedelta, int]) -> dict[int, float]:
        """The same by source."""
        line = self._line(totals)
        return {source: self._sum(part, line) for source, part in self.sources.items()}

    def _line(self, totals: Mapping[timedelta, int]) -> list[tuple[int, int, int, int]]:
        """By piece: the age at which it begins, the value there, how much it rises, over which length."""
        pieces, begins, value = [(0, 0, 0, 1)], 0, 0
        for reach, end in zip(self.reaches, self._ends[1:], strict=True):
            pieces.append((begins, value, totals[reach] - value, end - begins))
            begins, value = end, totals[reach]
        return [*pieces, (0, value, 0, 1)]

    def _sum(self, part: _Sums, line: Sequence[tuple[int, int, int, int]]) -> float:
        found = 0.0
        for number, moments, (begins, value, rise, length) in zip(part.numbers, part.moments, line, strict=True):
            if number:
                ages = number * (self._now - begins) - moments
                found += number * value + rise * ages / length
        return found
