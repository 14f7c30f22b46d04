"""Which lists are kept, and each of them made from a snapshot: of the site, its sections, own feeds, readers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aggregator.curate.profile import Profile, Vector
from aggregator.curate.ranking import rank
from aggregator.curate.recommend import in_order, recommend
from aggregator.curate.shelf import Shelf
from aggregator.curate.stock import SITE, section_of
from aggregator.curate.windows import bounds
from aggregator.model import ItemList, ListKey, OwnFeed
from aggregator.refresh.options import CurateOptions
from aggregator.refresh.snapshot import Snapshot

__all__ = ["Maker", "Taste", "ids_of", "window_of"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Makes lists of one snapshot."""

    snapshot: Snapshot
    options: CurateOptions
    #: the terms of an item by weight
    vector: Callable[[str], Vector]

    def rankings(self, windows: Sequence[str]) -> Iterator[ItemList]:
        """The most viewed of the site and of each section, in each of these windows."""
        for scope, shelf in self._scopes():
            yield from (self.ranking(shelf, window, scope=scope) for window in windows)

    def recommendations(self, shown: Mapping[ListKey, frozenset[str]]) -> Iterator[ItemList]:
        """What is worth reading of the site and of each section, without what is `shown` beside it in the Ranking."""
        for key, shelf in self._scopes():
            yield self.recommended(key, shelf, exclude=shown.get(key, frozenset()))

    def _scopes(self) -> Iterator[tuple[ListKey, Shelf]]:
        """The site and each section: the key of its recommendation, and its items."""
        stock = self.snapshot.stock
        yield ListKey(order="recommended"), stock.shelf(SITE)
        for section in dict.fromkeys((*self.options.sections, *stock.sections())):
            yield ListKey(order="recommended", scope="section", name=section), stock.shelf(section_of(section))

    def ranking(
        self,
        shelf: Shelf,
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
            shelf,
            self.snapshot.stock.counts[window],
            now=self.snapshot.now,
            window=window,
            size=size or len(shelf),
            max_per_source=max_per_source,
            field=self.snapshot.field,
            rising=self.snapshot.rising,
        )
        return ItemList(
            key=ListKey(order="ranking", window=window, scope=scope.scope, name=scope.name),
            computed_at=self.snapshot.now,
            since=since,
            until=until,
            basis=ranked.basis,
            places=ranked.places,
        )

    def recommended(
        self,
        key: ListKey,
        shelf: Shelf,
        *,
        exclude: Collection[str] = (),
        size: int | None = None,
        max_per_source: int | None = None,
        profile: Profile | None = None,
    ) -> ItemList:
        """The most worth reading of these items."""
        places = recommend(
            shelf,
            exclude=exclude,
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
            basis="mixed" if shelf.opened else "signals",
            places=places,
        )

    def of_feed(self, feed: OwnFeed) -> ItemList:
        """An own feed that is ordered by ranking or recommendation, from the items that match it."""
        shelf = self.snapshot.stock.shelf(SITE if feed.match is None else feed.match)
        scope = ListKey(order="recommended", scope="feed", name=feed.name)
        window = window_of(feed)
        if window is None:
            return self.recommended(scope, shelf, size=feed.size, max_per_source=feed.max_per_source)
        return self.ranking(shelf, window, scope=scope, size=feed.size, max_per_source=feed.max_per_source)

    def of_reader(self, taste: Taste, ranking: frozenset[str]) -> ItemList:
        """What is worth reading to one reader: not read yet, and not in the Ranking, which everybody sees."""
        key = ListKey(order="recommended", scope="reader", name=taste.token)
        exclude = taste.opened | ranking
        return self.recommended(key, self.snapshot.stock.shelf(SITE), exclude=exclude, profile=taste.profile)

    def order_of_reader(self, taste: Taste) -> ItemList:
        """The newest items in a reader's order; none before there is a taste to go by."""
        newest = self.snapshot.stock.shelf(SITE).newest(ORDERED)
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


def ids_of(ranking: ItemList) -> frozenset[str]:
    """The items that stand in a list."""
    return frozenset(place.item_id for place in ranking.places)
