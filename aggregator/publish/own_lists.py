"""Lists that are computed on request: the operator's own feeds, and the latest in the order of a reader's interests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import takewhile

from aggregator.curate.rules import Match, compile_match, subject_of_item
from aggregator.model import Item, ItemList, OwnFeed, Scope
from aggregator.publish.listing import Place
from aggregator.publish.site import Site
from aggregator.store import Store

#: how far back a feed looks for items that match: a rare match must not read the whole store
_SCANNED = 2_000
_BATCH = 200


class OwnLists:
    """Lists of items that match an expression. Expressions are compiled once; they were checked with the settings."""

    def __init__(self, store: Store, site: Site) -> None:
        self._store = store
        self._matches: dict[str, Match] = {feed.name: compile_match(feed.match) for feed in site.feeds if feed.match}

    def latest(self, feed: OwnFeed) -> tuple[Place, ...]:
        """The newest items that match, at most `max_per_source` of each source."""
        return tuple(Place(item=item) for item in self._newest(feed))

    def related(self, feed: OwnFeed) -> tuple[Place, ...]:
        """What is related to the newest items that match, best first; those items themselves are left out."""
        seeds = {item.id for item in self._newest(feed)}
        scores: Counter[str] = Counter()
        items: dict[str, Item] = {}
        for related in self._store.related_each(sorted(seeds), limit=feed.size):
            for one in related:
                items[one.item.id] = one.item
                scores[one.item.id] += one.score  # type: ignore[assignment]  # a Counter adds floats as well
        order = sorted((item for item in items.values() if item.id not in seeds), key=lambda i: (-scores[i.id], i.id))
        kept = _capped(order, feed)
        return tuple(Place(item=item, score=scores[item.id]) for item in kept)

    def _newest(self, feed: OwnFeed) -> list[Item]:
        match = self._matches.get(feed.name)
        matching: Callable[[Item], bool] = (lambda item: match(subject_of_item(item))) if match else (lambda _: True)
        # where everything matches and no source is held back, the first so many are all that is needed
        is_all = match is None and not feed.max_per_source
        return _capped(filter(matching, self._scan(feed.size if is_all else _BATCH)), feed)

    def _scan(self, batch: int) -> Iterator[Item]:
        before: tuple[datetime, str] | None = None
        for _ in range(0, _SCANNED, batch):
            items = self._store.latest(Scope(), limit=batch, before=before)
            yield from items
            if len(items) < batch:
                return
            before = (items[-1].published, items[-1].id)


def in_order(places: Sequence[Place], order: ItemList) -> tuple[Place, ...]:
    """These places, newest first, in a reader's order; what has come since the order was made stays in front."""
    ranks = {listed.item_id: (rank, listed) for rank, listed in enumerate(order.places)}
    known = [place for place in places if place.item.id in ranks]
    newer = list(takewhile(lambda place: place.item.id not in ranks, places))
    older = [place for place in places[len(newer) :] if place.item.id not in ranks]
    known.sort(key=lambda place: ranks[place.item.id][0])
    told = (replace(place, reasons=(*ranks[place.item.id][1].reasons, *place.reasons)) for place in known)
    return (*newer, *told, *older)


def _capped(items: Iterator[Item] | list[Item], feed: OwnFeed) -> list[Item]:
    """The first `size` items, no source more often than the feed allows."""
    kept: list[Item] = []
    per_source: Counter[int] = Counter()
    for item in items:
        if feed.max_per_source and per_source[item.source.id] >= feed.max_per_source:
            continue
        per_source[item.source.id] += 1
        kept.append(item)
        if len(kept) == feed.size:
            break
    return kept
