"""What other verdicts would have made of the lists: the same lists twice, beside each other. Stores nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aggregator.model import Candidate, ItemList, ListKey, Verdict
from aggregator.refresh.listing import Maker, window_of
from aggregator.refresh.matching import Matching
from aggregator.refresh.options import CurateOptions
from aggregator.refresh.snapshot import Snapshot, population
from aggregator.store import Store

__all__ = ["ListTrial", "try_lists"]

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTrial:
    """One list at one moment: the items (ids) that leave it and those that come into it."""

    key: ListKey
    at: datetime
    leave: tuple[str, ...]
    come: tuple[str, ...]
    #: how many places it would have, and whether its order would be another
    places: int
    changed: bool


def try_lists(
    store: Store, options: CurateOptions, verdicts: Mapping[str, Verdict], *, since: datetime, now: datetime
) -> Iterator[ListTrial]:
    """The Ranking of each day since then, and every list of now, as they are and with these verdicts.

    `verdicts`: of items first seen since then, each with the section that it would have.
    """
    at = now - DAY * ((now - since) // DAY)
    while at < now:
        makers = _makers(store, options, verdicts, at=at)
        yield from _compared(at, *(list(maker.rankings((options.window,))) for maker in makers))
        at += DAY
    makers = _makers(store, options, verdicts, at=now, feeds=True)
    yield from _compared(now, *(list(_all_lists(maker)) for maker in makers))


def _makers(
    store: Store, options: CurateOptions, verdicts: Mapping[str, Verdict], *, at: datetime, feeds: bool = False
) -> tuple[Maker, Maker]:
    """Of the lists as they are, and of the lists as they would be; `feeds`: those of the operator's own as well."""
    asked = filter(None, map(window_of, options.feeds))
    taken = Snapshot.take(store, population(options, options.window, *asked), now=at)
    items, matching = taken.stock.crowd.items.values(), Matching(store)
    if feeds:
        matching.expect(options.feeds)
        matching.learn(taken.stock.crowd.items, stopped=lambda: False)
    judged = (other for item in items if (other := _judged(item, verdicts.get(item.item_id))))
    before = Maker(snapshot=taken.like(items, matching.of), options=options, vector=lambda _: {})
    return before, replace(before, snapshot=taken.like(judged, matching.of))


def _judged(item: Candidate, verdict: Verdict | None) -> Candidate | None:
    """The item under a verdict; None: it is dropped."""
    if verdict is None:
        return item
    if verdict.dropped is not None:
        return None
    pinned_until = item.first_seen + verdict.pin if verdict.pin is not None else None
    return replace(item, boost=verdict.boost, pinned_until=pinned_until, section=verdict.section or item.section)


def _all_lists(maker: Maker) -> Iterator[ItemList]:
    rankings = list(maker.rankings((maker.options.window,)))
    yield from rankings
    shown = {
        ListKey(order="recommended", scope=one.key.scope, name=one.key.name): frozenset(p.item_id for p in one.places)
        for one in rankings
    }
    yield from maker.recommendations(shown)
    for feed in maker.options.feeds:
        if window_of(feed) or feed.order == "recommended":
            yield maker.of_feed(feed)


def _compared(at: datetime, before: Iterable[ItemList], after: Iterable[ItemList]) -> Iterator[ListTrial]:
    """Each list beside itself; one of a section that only the verdicts make is new."""
    old = {one.key: _ids(one) for one in before}
    for one in after:
        was, now = old.get(one.key, ()), _ids(one)
        yield ListTrial(
            key=one.key,
            at=at,
            leave=tuple(item_id for item_id in was if item_id not in now),
            come=tuple(item_id for item_id in now if item_id not in was),
            places=len(now),
            changed=was != now,
        )


def _ids(one: ItemList) -> tuple[str, ...]:
    return tuple(place.item_id for place in one.places)
