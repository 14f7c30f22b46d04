"""What other verdicts would change in the lists, and where one item stands in each. Stores nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aggregator.curate.candidate_index import SITE, TimeIndex, section_of
from aggregator.curate.recommend import weigh
from aggregator.model import Candidate, ItemList, Listed, ListKey, Verdict
from aggregator.refresh.candidate_cache import FeedMatcher, Snapshot, population
from aggregator.refresh.list_builder import ListBuilder, window_of
from aggregator.refresh.options import CurateOptions
from aggregator.store import Store

__all__ = ["ListTrial", "Placement", "placements_by_score", "placements_by_views", "try_lists"]

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
        builders = _makers(store, options, verdicts, at=at)
        yield from _compared(at, *(list(builder.rankings((options.window,))) for builder in builders))
        at += DAY
    builders = _makers(store, options, verdicts, at=now, feeds=True)
    yield from _compared(now, *(list(_all_lists(builder)) for builder in builders))


def _makers(
    store: Store, options: CurateOptions, verdicts: Mapping[str, Verdict], *, at: datetime, feeds: bool = False
) -> tuple[ListBuilder, ListBuilder]:
    """Of the lists as they are, and of the lists as they would be; `feeds`: those of the operator's own as well."""
    asked = filter(None, map(window_of, options.feeds))
    taken = Snapshot.take(store, population(options, options.window, *asked), now=at)
    items, matching = taken.candidate_set.running_totals.items.values(), FeedMatcher(store)
    if feeds:
        matching.expect(options.feeds)
        matching.learn(taken.candidate_set.running_totals.items, stopped=lambda: False)
    judged = (other for item in items if (other := _judged(item, verdicts.get(item.item_id))))
    before = ListBuilder(snapshot=taken.like(items, matching.of), options=options, vector=lambda _: {})
    return before, replace(before, snapshot=taken.like(judged, matching.of))


def _judged(item: Candidate, verdict: Verdict | None) -> Candidate | None:
    """The item under a verdict; None: it is dropped."""
    if verdict is None:
        return item
    if verdict.dropped is not None:
        return None
    pinned_until = item.first_seen + verdict.pin if verdict.pin is not None else None
    section = verdict.section or item.section
    more = item.more_sections if section == item.section else ()
    return replace(item, boost=verdict.boost, pinned_until=pinned_until, section=section, more_sections=more)


def _all_lists(builder: ListBuilder) -> Iterator[ItemList]:
    rankings = list(builder.rankings((builder.options.window,)))
    yield from rankings
    shown = {
        ListKey(order="recommended", scope=one.key.scope, name=one.key.name): builder.stories_of(one)
        for one in rankings
    }
    yield from builder.recommendations(shown)
    for feed in builder.options.feeds:
        if window_of(feed) or feed.order == "recommended":
            yield builder.of_feed(feed)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One item's place before a list is cut to its size."""

    key: ListKey
    #: from 1; None: it has nothing by which this list could place it
    place: int | None
    #: how many could be listed
    of: int
    listed: Listed | None


def placements_by_views(builder: ListBuilder, item_id: str, windows: Sequence[str]) -> Iterator[Placement]:
    """Its place in the full rankings of these windows."""
    for scope, index in _scopes(builder, item_id):
        for window in windows:
            ranking = builder.ranking(index, window, scope=scope, size=0)
            yield _standing(ranking.key, item_id, ranking.places)


def placements_by_score(builder: ListBuilder, item_id: str) -> Iterator[Placement]:
    """Its place by what recommending finds it worth, whatever else is chosen."""
    for key, index in _scopes(builder, item_id):
        yield _standing(key, item_id, weigh(index, field=builder.snapshot.field))


def _scopes(builder: ListBuilder, item_id: str) -> Iterator[tuple[ListKey, TimeIndex]]:
    """The site, and the item's own sections."""
    candidate_set = builder.snapshot.candidate_set
    yield ListKey(order="recommended"), candidate_set.index(SITE)
    item = candidate_set.running_totals.items.get(item_id)
    for section in (item.section, *item.more_sections) if item is not None else ():
        yield ListKey(order="recommended", scope="section", name=section), candidate_set.index(section_of(section))


def _standing(key: ListKey, item_id: str, places: Sequence[Listed]) -> Placement:
    place = next((number for number, one in enumerate(places, 1) if one.item_id == item_id), None)
    return Placement(key=key, place=place, of=len(places), listed=places[place - 1] if place else None)
