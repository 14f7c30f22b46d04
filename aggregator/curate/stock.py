"""Everything that lists are chosen from, kept up to date one change at a time. Pure.

The candidates on the shelves of the site, of the sections and of feeds of one's own; the sums over all of them
(`crowd`); and how many readers each had in each window. In whichever order the changes came, what is chosen is the same
as from a stock that was filled just now.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from aggregator.curate.crowd import Crowd
from aggregator.curate.popularity import Exposure, Field
from aggregator.curate.shelf import Shelf
from aggregator.curate.signals import most_worth
from aggregator.model import Candidate

__all__ = ["SITE", "Stock", "section_of"]

#: the name of the shelf that has them all
SITE = ""


def section_of(name: str) -> str:
    """The name of a section's shelf."""
    return f"/section/{name}"


class Stock:
    """The candidates of a site, by shelf."""

    def __init__(
        self,
        reaches: Mapping[str, timedelta],
        *,
        now: datetime,
        feeds: Callable[[Candidate], Iterable[str]] = lambda _: (),
    ) -> None:
        """`reaches`: windows by which it is known how much was opened at all; `feeds`: further shelves of an item."""
        self.crowd = Crowd(sorted(reaches.values()), now=now)
        self._reaches = reaches
        self._feeds = feeds
        self._shelves: dict[str, Shelf] = defaultdict(Shelf)
        self._stands: dict[str, Sequence[str]] = {}
        #: readers by item, and of all items, for each window
        self.counts: dict[str, dict[str, int]] = defaultdict(dict)
        self._totals: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many candidates there are."""
        return len(self.crowd.items)

    def shelf(self, name: str) -> Shelf:
        """The shelf of this name; an empty one where nothing stands on it."""
        return self._shelves[name] if name in self._shelves else Shelf()

    def sections(self) -> list[str]:
        """The sections that have any item, in the order of their names."""
        prefix = section_of("")
        return sorted(name.removeprefix(prefix) for name, shelf in self._shelves.items() if name.startswith(prefix))

    # --- changes --------------------------------------------------------------------------
    def put(self, item: Candidate) -> None:
        """A new candidate, or one that has changed."""
        self.drop(item.item_id)
        self.rate(item.source_id, item.source_rate)
        self.crowd.put(item)
        stands = self._stands[item.item_id] = (SITE, section_of(item.section), *self._feeds(item))
        worth = most_worth(item)
        for name in stands:
            self._shelves[name].put(item, worth=worth, rate=item.source_rate)
        for window, counts in self.counts.items():
            self._show(item.item_id, window, before=0, now=counts.get(item.item_id, 0))

    def drop(self, item_id: str) -> None:
        """No candidate any more; nothing if it was none."""
        if self.crowd.drop(item_id) is None:
            return
        for window, counts in self.counts.items():
            self._show(item_id, window, before=counts.get(item_id, 0), now=0)
        for name in self._stands.pop(item_id):
            shelf = self._shelves[name]
            shelf.drop(item_id)
            if not len(shelf):
                del self._shelves[name]

    def rate(self, source_id: int, rate: float) -> None:
        """How many items a day a source publishes."""
        if rate < self.crowd.rate_of(source_id) and source_id in self.crowd.sources:
            for item in self.crowd.sources[source_id].items.values():
                for name in self._stands[item.item_id]:
                    self._shelves[name].rarer(item, rate)
        self.crowd.rate(source_id, rate)

    def count(self, window: str, item_id: str, readers: int) -> None:
        """So many have opened an item in a window, be it a candidate or not."""
        counts = self.counts[window]
        before = counts.pop(item_id, 0)
        if readers:
            counts[item_id] = readers
        self._totals[window] += readers - before
        self._show(item_id, window, before=before, now=readers)

    def _show(self, item_id: str, window: str, *, before: int, now: int) -> None:
        if before != now:
            for name in self._stands.get(item_id, ()):
                self._shelves[name].count(window, item_id, before=before, now=now)

    # --- what can be asked ------------------------------------------------------------------
    def field(self, now: datetime) -> Field:
        """All candidates against each other; until the next change."""
        totals = sorted((reach, self._totals[window]) for window, reach in self._reaches.items())
        return Field(self.crowd, now=now, exposure=Exposure(totals=tuple(totals)))
