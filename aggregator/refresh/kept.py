"""The stock of the store, kept in memory: what a refresh costs follows what has changed, not what is stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from aggregator.model import Mark, Movement, OwnFeed, Population
from aggregator.refresh.matching import Matching
from aggregator.refresh.snapshot import Snapshot
from aggregator.store import Store

__all__ = ["Kept", "gently"]

T = TypeVar("T")

#: after so many small steps of work, a few tenths of a millisecond each, others may go first
STEPS = 20


def gently(steps: Iterable[T], *, at_once: int = STEPS) -> Iterator[T]:
    """The same, with a moment for threads that serve somebody after so many steps."""
    for number, step in enumerate(steps, 1):
        yield step
        if not number % at_once:
            time.sleep(0)


class Kept:
    """Follows the store; for one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._matching = Matching(store)
        self._mark: Mark | None = None
        self._snapshot: Snapshot | None = None

    def follow(
        self, population: Population, feeds: Sequence[OwnFeed], *, now: datetime, stopped: Callable[[], bool]
    ) -> Snapshot:
        """The stock as of now, or of what the store has seen meanwhile."""
        if self._matching.expect(feeds):
            self._mark = None
        moved = self._store.movement(population, after=self._mark, now=now)
        self._mark = None  # until all of it has been taken over
        snapshot = self._snapshot
        if moved.whole or snapshot is None:
            self._matching.forget_all()
            snapshot = Snapshot.of((), now=moved.mark.at, feeds=self._matching.of)
        self._take_over(snapshot, moved, stopped)
        # a snapshot keeps what it has found out about its moment, so each run has one of its own
        self._snapshot = Snapshot(now=moved.mark.at, stock=snapshot.stock)
        self._mark = moved.mark
        return self._snapshot

    def _take_over(self, snapshot: Snapshot, moved: Movement, stopped: Callable[[], bool]) -> None:
        stock = snapshot.stock
        for item_id in moved.gone:
            stock.drop(item_id)
        self._matching.forget(moved.gone | moved.edited)
        self._matching.learn([item.item_id for item in moved.candidates], stopped=stopped)
        for item in gently(moved.candidates):
            if item.item_id in moved.edited or stock.crowd.items.get(item.item_id) != item:
                stock.put(item)
        for source_id, rate in moved.rates.items():
            stock.rate(source_id, rate)
        for window, counts in moved.counts.items():
            for item_id, readers in gently(counts.items()):
                stock.count(window, item_id, readers)
