"""Which lists are kept, and each of them made from a snapshot: of the site, its sections, own feeds, readers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aggregator.curate.profile import Profile, Vector
from aggregator.curate.ranking import rank
from aggregator.curate.recommend import in_order, recommend
from aggregator.curate.windows import bounds
from aggregator.model import Candidate, ItemList, ListKey, OwnFeed
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
        for scope, items in self._scopes():
            yield from (self.ranking(items, window, scope=scope) for window in windows)

    def recommendations(self, shown: Mapping[ListKey, frozenset[str]]) -> Iterator[ItemList]:
        """What is worth reading of the site and of each section, without what is `shown` beside it in the Ranking."""
        for key, items in self._scopes():
            yield self.recommended(key, items, exclude=shown.get(key, frozenset()))

    def _scopes(self) -> Iterator[tuple[ListKey, Sequence[Candidate]]]:
        """The site and each section: the key of its recommendation, and its items."""
        yield ListKey(order="recommended"), self.snapshot.candidates
        by_section = self.snapshot.by_section
        for section in dict.fromkeys((*self.options.sections, *by_section)):
            yield ListKey(order="recommended", scope="section", name=section), by_section.get(section, ())

    def ranking(
        self,
        items: Sequence[Candidate],
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
            items,
            self.snapshot.counts[window],
            now=self.snapshot.now,
            window=window,
            size=size or len(items),
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
        items: Sequence[Candidate],
        *,
        exclude: Collection[str] = (),
        size: int | None = None,
        max_per_source: int | None = None,
        profile: Profile | None = None,
    ) -> ItemList:
        """The most worth reading of these items."""
        places = recommend(
            items,
            exclude=exclude,
            now=self.snapshot.now,
            size=size or self.options.recommendation_size,
            max_per_source=max_per_source or self.options.max_per_source,
            profile=profile,
            vector=self.vector,
            field=self.snapshot.field,
        )
        seen = any(item.views for item in items)
        return ItemList(
            key=key,
            computed_at=self.snapshot.now,
            since=None,
            until=None,
            basis="mixed" if seen else "signals",
            places=places,
        )

    def of_feed(self, feed: OwnFeed, items: Sequence[Candidate]) -> ItemList:
        """An own feed that is ordered by ranking or recommendation, from the items that match it."""
        scope = ListKey(order="recommended", scope="feed", name=feed.name)
        window = window_of(feed)
        if window is None:
            return self.recommended(scope, items, size=feed.size, max_per_source=feed.max_per_source)
        return self.ranking(items, window, scope=scope, size=feed.size, max_per_source=feed.max_per_source)

    def of_reader(self, taste: Taste, ranking: frozenset[str]) -> ItemList:
        """What is worth reading to one reader: not read yet, and not in the Ranking, which everybody sees."""
        key = ListKey(order="recommended", scope="reader", name=taste.token)
        exclude = taste.opened | ranking
        return self.recommended(key, self.snapshot.candidates, exclude=exclude, profile=taste.profile)

    def order_of_reader(self, taste: Taste) -> ItemList:
        """The newest items in a reader's order; none before there is a taste to go by."""
        newest = sorted(self.snapshot.candidates, key=lambda item: (item.published, item.item_id))[-ORDERED:]
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
