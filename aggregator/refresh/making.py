"""Every list, made anew from what has changed and written where readers would see a difference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from aggregator.curate.curator import Curator
from aggregator.curate.profile import Vector, learn
from aggregator.model import ItemList, ListKey, Reader
from aggregator.refresh.kept import Kept, gently
from aggregator.refresh.listing import Maker, Taste, ids_of, window_of
from aggregator.refresh.options import CurateOptions
from aggregator.refresh.snapshot import population
from aggregator.store import Store

__all__ = ["Making"]

#: what of a reader's openings shapes their taste
OPENED = 200
#: a reader's own lists are made anew when they have opened something, and this often
OWN_EVERY = timedelta(minutes=5)
#: a list that looks the same to readers is written again this often, for the figures that `explain` tells
FIGURES_EVERY = timedelta(minutes=5)
#: words become rarer and commoner as items come: vectors are kept no longer than this
VECTORS_FOR = timedelta(minutes=30)


class Vectors:
    """The terms of items, each computed once in a while."""

    def __init__(self) -> None:
        self._known: dict[str, Vector] = {}
        self._since: datetime | None = None

    def forget(self, item_ids: Iterable[str]) -> None:
        """The text of these has changed."""
        for item_id in item_ids:
            self._known.pop(item_id, None)

    def of(self, curator: Curator, now: datetime) -> Callable[[str], Vector]:
        """By item, as the curator has them."""
        if self._since is None or not timedelta(0) <= now - self._since < VECTORS_FOR:
            self._known, self._since = {}, now

        def vector(item_id: str) -> Vector:
            found = self._known.get(item_id)
            if found is None:
                found = self._known[item_id] = curator.vector(item_id)
            return found

        return vector


@dataclass(frozen=True, slots=True)
class _Shown:
    """What readers see of a list, and when it was written."""

    look: tuple[object, ...]
    at: datetime


class Making:
    """Keeps the lists of a store up to date. For one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept = Kept(store)
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
        snapshot = self._kept.follow(followed, options.feeds, now=now, stopped=stopped)
        maker = Maker(snapshot=snapshot, options=options, vector=self._vectors.of(curator, snapshot.now))
        due = [reader for reader in self._store.readers() if self._is_due(reader, snapshot.now)]
        made = list(gently(self._lists(maker, self._tastes(curator, due, now=snapshot.now)), at_once=1))
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
    def _lists(maker: Maker, tastes: Iterable[Taste]) -> Iterator[ItemList]:
        options = maker.options
        shown: dict[ListKey, frozenset[str]] = {}
        for one in maker.rankings(tuple(options.windows)):
            if one.key.window == options.window:
                shown[ListKey(order="recommended", scope=one.key.scope, name=one.key.name)] = ids_of(one)
            yield one
        yield from maker.recommendations(shown)
        for feed in options.feeds:
            if window_of(feed) or feed.order == "recommended":
                yield maker.of_feed(feed)
        ranking = shown.get(ListKey(order="recommended"), frozenset())
        for taste in tastes:
            yield maker.of_reader(taste, ranking)
            yield maker.order_of_reader(taste)

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
    return one.basis, *((place.item_id, place.views, place.reasons) for place in one.places)
