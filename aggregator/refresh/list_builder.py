"""Builds every list from a snapshot (`ListBuilder`) and writes those in which readers see a change (`ListUpdater`).

Lists of the site, of its sections and languages, of the operator's own feeds and of readers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aggregator.curate.candidate_index import SITE, TimeIndex, language_of, section_of
from aggregator.curate.curator import Curator
from aggregator.curate.profile import Profile, Vector, learn
from aggregator.curate.ranking import most_viewed, rank
from aggregator.curate.recommend import in_order, recommend
from aggregator.curate.windows import bounds, lag
from aggregator.model import ItemList, ListKey, OwnFeed, Reader
from aggregator.refresh.candidate_cache import CandidateCache, Snapshot, earlier, gently, population
from aggregator.refresh.options import CurateOptions
from aggregator.store import Store

__all__ = ["ListBuilder", "ListUpdater", "Taste", "window_of"]

#: so many of the newest items are put into a reader's order
ORDERED = 500


def window_of(feed: OwnFeed) -> str | None:
    """The window of a feed ordered ``ranking:<window>``; None for any other order."""
    order, _, window = feed.order.partition(":")
    return window if order == "ranking" and window else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taste:
    """A reader, what they like, and what they have opened already."""

    token: str
    profile: Profile
    opened: frozenset[str]


#: places that are compared: an item that was not among them is new
COMPARED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ListBuilder:
    """Makes lists of one snapshot."""

    snapshot: Snapshot
    options: CurateOptions
    #: the terms of an item by weight
    vector: Callable[[str], Vector]

    def rankings(self, windows: Sequence[str]) -> Iterator[ItemList]:
        """The most viewed of the site, of each section and of each language, in each of these windows."""
        for scope, index in self._scopes():
            yield from (self.ranking(index, window, scope=scope, size=self.ranking_depth) for window in windows)

    def recommendations(self, shown: Mapping[ListKey, frozenset[str]]) -> Iterator[ItemList]:
        """What is worth reading of the site, each section and language, without the stories `shown` in its Ranking."""
        for key, index in self._scopes():
            yield self.recommended(key, index, exclude_stories=shown.get(key, frozenset()))

    @property
    def ranking_depth(self) -> int:
        """How many places of the rankings of the site, its sections and languages are kept."""
        return max(self.options.ranking_size, self.options.ranking_depth)

    def stories_of(self, ranking: ItemList) -> frozenset[str]:
        """The stories of which an item stands in the part of a ranking that is shown beside recommendations."""
        items = self.snapshot.candidate_set.running_totals.items
        shown = ranking.places[: self.options.ranking_size]
        return frozenset(items[place.item_id].story for place in shown if place.item_id in items)

    def _scopes(self) -> Iterator[tuple[ListKey, TimeIndex]]:
        """The site, each section, each language: the key of its recommendation, and its items."""
        candidate_set = self.snapshot.candidate_set
        yield ListKey(order="recommended"), candidate_set.index(SITE)
        for section in dict.fromkeys((*self.options.sections, *candidate_set.sections())):
            yield ListKey(order="recommended", scope="section", name=section), candidate_set.index(section_of(section))
        for language in dict.fromkeys((*self.options.languages, *candidate_set.languages())):
            yield (
                ListKey(order="recommended", scope="language", name=language),
                candidate_set.index(language_of(language)),
            )

    def ranking(
        self,
        index: TimeIndex,
        window: str,
        *,
        scope: ListKey,
        size: int | None = None,
        max_per_source: int | None = None,
    ) -> ItemList:
        """The most viewed of these items in a window; `size` 0: all of them."""
        size = self.options.ranking_size if size is None else size
        since, until = bounds(window, now=self.snapshot.now)
        ranked = rank(
            index,
            self.snapshot.candidate_set.counts[window],
            now=self.snapshot.now,
            window=window,
            size=size or len(index),
            max_per_source=max_per_source,
            field=self.snapshot.field,
            rising=self.snapshot.rising,
        )
        before = {}
        if ranked.basis == "views":
            depth = max(size, COMPARED) if size else len(index)
            before = self._places_before(index, window, size=depth, max_per_source=max_per_source)
        return ItemList(
            key=ListKey(order="ranking", window=window, scope=scope.scope, name=scope.name),
            computed_at=self.snapshot.now,
            since=since,
            until=until,
            basis=ranked.basis,
            places=tuple(replace(place, rank_before=before.get(place.item_id)) for place in ranked.places),
            compared_at=self.snapshot.now - lag(window) if before else None,
        )

    def _places_before(self, index: TimeIndex, window: str, *, size: int, max_per_source: int | None) -> dict[str, int]:
        """By item, its place from 1 in the same list as it was a while ago (`lag`); empty if nobody had opened any."""
        counts = self.snapshot.candidate_set.counts[earlier(window)]
        now = self.snapshot.now - lag(window)
        if next(index.viewed(earlier(window)), None) is None:
            return {}
        chosen = most_viewed(index, counts, now=now, window=earlier(window), size=size, max_per_source=max_per_source)
        return {item.item_id: place for place, item in enumerate(chosen, 1)}

    def recommended(
        self,
        key: ListKey,
        index: TimeIndex,
        *,
        exclude: Collection[str] = (),
        exclude_stories: Collection[str] = (),
        size: int | None = None,
        max_per_source: int | None = None,
        profile: Profile | None = None,
    ) -> ItemList:
        """The most worth reading of these items."""
        places = recommend(
            index,
            exclude=exclude,
            exclude_stories=exclude_stories,
            now=self.snapshot.now,
            size=size or self.options.recommendation_size,
            max_per_source=max_per_source or self.options.max_per_source,
            profile=profile,
            vector=self.vector,
            field=self.snapshot.field,
        )
        return ItemList(
            key=key,
            computed_at=self.snapshot.now,
            since=None,
            until=None,
            basis="mixed" if index.opened else "signals",
            places=places,
        )

    def of_feed(self, feed: OwnFeed) -> ItemList:
        """An own feed that is ordered by ranking or recommendation, from the items that match it."""
        index = self.snapshot.candidate_set.index(SITE if feed.match is None else feed.match)
        scope = ListKey(order="recommended", scope="feed", name=feed.name)
        window = window_of(feed)
        if window is None:
            return self.recommended(scope, index, size=feed.size, max_per_source=feed.max_per_source)
        return self.ranking(index, window, scope=scope, size=feed.size, max_per_source=feed.max_per_source)

    def of_reader(self, taste: Taste, ranking: frozenset[str]) -> ItemList:
        """What is worth reading to one reader: not read yet, and no story of the `ranking`, which everybody sees."""
        key = ListKey(order="recommended", scope="reader", name=taste.token)
        return self.recommended(
            key,
            self.snapshot.candidate_set.index(SITE),
            exclude=taste.opened,
            exclude_stories=ranking,
            profile=taste.profile,
        )

    def order_of_reader(self, taste: Taste) -> ItemList:
        """The newest items in a reader's order; none before there is a taste to go by."""
        newest = self.snapshot.candidate_set.index(SITE).newest(ORDERED)
        return ItemList(
            key=ListKey(order="latest", scope="reader", name=taste.token),
            computed_at=self.snapshot.now,
            since=None,
            until=None,
            basis="mixed",
            places=in_order(newest, profile=taste.profile, vector=self.vector, field=self.snapshot.field)
            if taste.profile.speaks
            else (),
        )


#: what of a reader's openings shapes their taste
OPENED = 200
#: a reader's own lists are made anew when they have opened something, and this often
OWN_EVERY = timedelta(minutes=5)
#: a list that looks the same to readers is written again this often, for the figures that `explain` tells
FIGURES_EVERY = timedelta(minutes=5)
#: words become rarer and commoner as items come: vectors are kept no longer than this
VECTORS_FOR = timedelta(minutes=30)
#: about 5 KB each
VECTORS_AT_MOST = 1_000


class Vectors:
    """The terms of the items that were asked about last, each computed once in a while."""

    def __init__(self, *, at_most: int = VECTORS_AT_MOST) -> None:
        self._at_most = at_most
        self._known: OrderedDict[str, Vector] = OrderedDict()
        self._since: datetime | None = None

    def forget(self, item_ids: Iterable[str]) -> None:
        """The text of these has changed."""
        for item_id in item_ids:
            self._known.pop(item_id, None)

    def of(self, curator: Curator, now: datetime) -> Callable[[str], Vector]:
        """By item, as the curator has them."""
        if self._since is None or not timedelta(0) <= now - self._since < VECTORS_FOR:
            self._known, self._since = OrderedDict(), now

        def vector(item_id: str) -> Vector:
            found = self._known.get(item_id)
            if found is None:
                found = self._known[item_id] = curator.vector(item_id)
                if len(self._known) > self._at_most:
                    self._known.popitem(last=False)
            else:
                self._known.move_to_end(item_id)
            return found

        return vector


@dataclass(frozen=True, slots=True)
class _Shown:
    """What readers see of a list, and when it was written."""

    look: tuple[object, ...]
    at: datetime


class ListUpdater:
    """Keeps the lists of a store up to date. For one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cache = CandidateCache(store)
        self._vectors = Vectors()
        self._shown: dict[ListKey, _Shown] = {}
        #: by token: how much the reader had opened when their lists were made, and when that was
        self._own: dict[str, tuple[int, datetime]] = {}

    def edited(self, item_ids: Iterable[str]) -> None:
        """The texts of these items are not what they were."""
        self._vectors.forget(item_ids)

    def make(self, options: CurateOptions, curator: Curator, *, now: datetime, stopped: Callable[[], bool]) -> int:
        """Makes all lists; how many."""
        asked = {window_of(feed) for feed in options.feeds} - {None}
        followed = population(options, options.window, *sorted(filter(None, asked)))
        snapshot = self._cache.follow(followed, options.feeds, now=now, stopped=stopped)
        builder = ListBuilder(snapshot=snapshot, options=options, vector=self._vectors.of(curator, snapshot.now))
        due = [reader for reader in self._store.readers() if self._is_due(reader, snapshot.now)]
        made = list(gently(self._lists(builder, self._tastes(curator, due, now=snapshot.now)), at_once=1))
        if stopped():
            return 0
        differing = [one for one in made if self._differs(one)]
        self._store.put_lists(differing)
        self._shown |= {one.key: _Shown(_look(one), one.computed_at) for one in differing}
        self._own |= {reader.token: (reader.opened, snapshot.now) for reader in due}
        return len(made)

    def _differs(self, one: ItemList) -> bool:
        """From what readers see, or it was written long ago."""
        shown = self._shown.get(one.key)
        return (
            shown is None or shown.look != _look(one) or not timedelta(0) <= one.computed_at - shown.at < FIGURES_EVERY
        )

    @staticmethod
    def _lists(builder: ListBuilder, tastes: Iterable[Taste]) -> Iterator[ItemList]:
        options = builder.options
        shown: dict[ListKey, frozenset[str]] = {}
        for one in builder.rankings(tuple(options.windows)):
            if one.key.window == options.window:
                shown[ListKey(order="recommended", scope=one.key.scope, name=one.key.name)] = builder.stories_of(one)
            yield one
        yield from builder.recommendations(shown)
        for feed in options.feeds:
            if window_of(feed) or feed.order == "recommended":
                yield builder.of_feed(feed)
        ranking = shown.get(ListKey(order="recommended"), frozenset())
        for taste in tastes:
            yield builder.of_reader(taste, ranking)
            yield builder.order_of_reader(taste)

    def _tastes(self, curator: Curator, readers: Iterable[Reader], *, now: datetime) -> Iterator[Taste]:
        for reader in readers:
            opened = self._store.opened(reader.token, limit=OPENED)
            yield Taste(
                token=reader.token,
                profile=learn(opened, weigh=curator.weigh, now=now),
                opened=frozenset(item.item_id for item, _ in opened),
            )

    def _is_due(self, reader: Reader, now: datetime) -> bool:
        opened, at = self._own.get(reader.token, (-1, now))
        return opened != reader.opened or not timedelta(0) <= now - at < OWN_EVERY


def _look(one: ItemList) -> tuple[object, ...]:
    return one.basis, *((place.item_id, place.views, place.rank_before, place.reasons) for place in one.places)
