"""The loop store → curate → store, carried out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

from aggregator.curate.curator import KEPT, KEPT_AT_MOST, Curator
from aggregator.curate.profile import Vector, learn
from aggregator.curate.windows import span
from aggregator.errors import StoreError
from aggregator.model import Curation, ItemList, ItemText, ListKey, OwnFeed
from aggregator.refresh.listing import Maker, Taste, ids_of, window_of
from aggregator.refresh.matching import Matching
from aggregator.refresh.options import CurateOptions
from aggregator.refresh.rules import Judge, apply_rules
from aggregator.refresh.snapshot import NEAR, Snapshot
from aggregator.refresh.standing import Standing, standings_by_views, standings_by_worth
from aggregator.store import Store

__all__ = ["Refreshed", "Refresher"]

#: items that are decided and committed together
BATCH = 200
#: windows longer than `NEAR` are counted anew this often, unless there are few items
LONG_EVERY = timedelta(minutes=5)
FEW = 5_000
#: another process may have curated items meanwhile; they are looked for this often, this far back
CAUGHT_UP_EVERY = timedelta(minutes=10)
CAUGHT_UP_BACK = timedelta(days=2)
#: items that are read into memory at the start (about four seconds), and then with each run until all are
READ_FIRST = 20_000
READ_ON = 5_000
#: what of a reader's openings shapes their taste
OPENED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """What one run did."""

    curated: int = 0
    merges: int = 0
    #: items that joined a story others stand in
    joins: int = 0
    related: int = 0
    lists: int = 0


class Refresher:
    """Keeps decisions and lists up to date. For one thread at a time; a second caller waits.

    `options` may be replaced at any time and holds from the next run on. When `stop` is set, a run ends after the
    batch in hand.
    """

    def __init__(self, store: Store, options: CurateOptions) -> None:
        self.options = options
        self.stop = threading.Event()
        self._store = store
        self._matching = Matching(store)
        self._lock = threading.Lock()
        self._curator: Curator | None = None
        self._caught_up: datetime | None = None
        #: what was published before then is still to be read; None: nothing
        self._unread: datetime | None = None
        self._long: datetime | None = None
        self._few = True

    def load(self, now: datetime) -> int:
        """Reads what was decided in the last 30 days into memory; how many items. Called by `run` if need be.

        Where that is much, the newest come first and the rest with the runs that follow.
        """
        with self._lock:
            return self._load(now)

    def run(self, now: datetime) -> Refreshed:
        """Decides about everything that waits, then makes the lists anew."""
        with self._lock:
            done = self._curate(now)
            lists = [] if self.stop.is_set() else list(self._lists(now))
            self._store.put_lists(lists)
            return replace(done, lists=len(lists))

    def ranking(self, window: str, *, at: datetime, section: str | None = None, size: int | None = None) -> ItemList:
        """The most viewed as of `at`, computed from the recorded views and stored nowhere; `size` 0: all.

        Raises ValueError for a window that cannot be read.
        """
        snapshot = Snapshot.take(self._store, now=at, reach=self._reach((window,)), windows=(window,))
        maker = Maker(snapshot=snapshot, options=self.options, vector=_no_terms)
        scope = ListKey(order="ranking", window=window, scope="section" if section else "site", name=section or "")
        items = snapshot.by_section.get(section, ()) if section else snapshot.candidates
        return maker.ranking(items, window, scope=scope, size=size)

    def standings(self, item_id: str, *, now: datetime) -> list[Standing]:
        """Where an item stands now among all that could be listed, in every list of the site and of its section."""
        windows = tuple(self.options.windows)
        snapshot = Snapshot.take(self._store, now=now, reach=self._reach(windows), windows=windows)
        near = Maker(snapshot=snapshot.near, options=self.options, vector=_no_terms)
        wide = replace(near, snapshot=snapshot)
        return [
            *standings_by_views(near, item_id, [window for window in windows if span(window) <= NEAR]),
            *standings_by_views(wide, item_id, [window for window in windows if span(window) > NEAR]),
            *standings_by_worth(near, item_id),
        ]

    def apply_rules(self, judge: Judge, *, now: datetime) -> int:
        """Judges everything stored by changed rules; how many verdicts changed."""
        with self._lock:
            return apply_rules(self._store, judge, now=now, stopped=self.stop.is_set)

    # --- same, same story, alike ----------------------------------------------------
    def _load(self, now: datetime) -> int:
        curator = Curator()
        known = self._read(curator, self._store.history(since=now - KEPT, newest=READ_FIRST), READ_FIRST)
        self._curator, self._caught_up = curator, now
        return known

    def _read_on(self, curator: Curator, now: datetime) -> None:
        """Reads some more of what is older than what has been read."""
        if self._unread is not None and len(curator) < KEPT_AT_MOST and not self.stop.is_set():
            older = self._store.history(since=now - KEPT, before=self._unread, newest=READ_ON)
            self._read(curator, older, READ_ON)

    def _read(self, curator: Curator, history: Iterable[ItemText], asked: int) -> int:
        items = list(self._until_stopped(history))
        # items of one moment may be cut in two: the rest of them is not worth another look
        self._unread = items[0].published if len(items) == asked else None
        return curator.load(items)

    def _until_stopped(self, items: Iterable[ItemText]) -> Iterator[ItemText]:
        for item in items:
            if self.stop.is_set():
                return
            yield item

    def _ready(self, now: datetime) -> Curator:
        """The curator, knowing what other processes have decided."""
        if self._curator is None:
            self._load(now)
        elif self._caught_up is None or now - self._caught_up >= CAUGHT_UP_EVERY:
            self._curator.load(self._until_stopped(self._store.history(since=now - CAUGHT_UP_BACK)))
            self._caught_up = now
        assert self._curator is not None  # noqa: S101 - `_load` has just made it
        return self._curator

    def _curate(self, now: datetime) -> Refreshed:
        curator = self._ready(now)
        done = Refreshed()
        decided: set[str] = set()
        while not self.stop.is_set() and (batch := self._store.pending(limit=BATCH)):
            if decided.issuperset(item.item_id for item in batch):
                break  # edited while they were decided: their turn comes with the next run
            decided.update(item.item_id for item in batch)
            curation = self._decide(curator, batch, now)
            self._matching.forget(curation.curated)
            done = _sum(done, curation)
        self._read_on(curator, now)
        return done

    def _decide(self, curator: Curator, batch: Sequence[ItemText], now: datetime) -> Curation:
        curation = curator.decide(batch)
        try:
            self._store.put_curation(curation, now=now)
        except StoreError:
            # what is in memory was not committed: it is read anew before the next run
            self._curator = None
            raise
        return curation

    # --- lists ------------------------------------------------------------------------
    def _lists(self, now: datetime) -> Iterator[ItemList]:
        options = self.options
        windows = self._due_windows(options, now)
        snapshot = Snapshot.take(self._store, now=now, reach=self._reach(windows), windows=windows)
        if any(span(window) > NEAR for window in windows):
            self._few, self._long = len(snapshot.candidates) <= FEW, now
        near = Maker(snapshot=snapshot.near, options=options, vector=self._vectors())
        wide = replace(near, snapshot=snapshot)
        rankings = [
            *near.rankings([window for window in windows if window in options.windows and span(window) <= NEAR]),
            *wide.rankings([window for window in windows if window in options.windows and span(window) > NEAR]),
        ]
        yield from rankings
        shown = {
            ListKey(order="recommended", scope=one.key.scope, name=one.key.name): ids_of(one)
            for one in rankings
            if one.key.window == options.window
        }
        yield from near.recommendations(shown)
        yield from self._own_feeds(near, wide, windows)
        ranking = shown.get(ListKey(order="recommended"), frozenset())
        for taste in self._tastes(now):
            yield near.of_reader(taste, ranking)
            yield near.order_of_reader(taste)

    def _due_windows(self, options: CurateOptions, now: datetime) -> tuple[str, ...]:
        """Those that are counted in this run, the default one always; windows of own feeds among them."""
        asked = (window for feed in options.feeds if (window := window_of(feed)))
        everything = tuple(dict.fromkeys((*options.windows, *asked)))
        if self._few or self._long is None or now - self._long >= LONG_EVERY:
            return everything
        return tuple(w for w in everything if span(w) <= NEAR or w == options.window)

    def _reach(self, windows: Iterable[str]) -> timedelta:
        """As far back as the longest of all windows, if one of these is long: those are made from the same items."""
        if all(span(window) <= NEAR for window in windows):
            return NEAR
        asked = (window for feed in self.options.feeds if (window := window_of(feed)))
        return max(span(window) for window in (*windows, *self.options.windows, *asked))

    def _vectors(self) -> Callable[[str], Vector]:
        """The terms of items, each computed once in a run."""
        curator = self._curator
        return cache(curator.vector) if curator is not None else _no_terms

    def _own_feeds(self, near: Maker, wide: Maker, windows: Sequence[str]) -> Iterator[ItemList]:
        self._matching.expect(near.options.feeds)
        feeds = [feed for feed in near.options.feeds if _is_due(feed, windows)]
        if not feeds:
            return
        self._matching.learn(wide.snapshot.candidates, stopped=self.stop.is_set)
        for feed in feeds:
            window = window_of(feed)
            maker = wide if window is not None and span(window) > NEAR else near
            yield maker.of_feed(feed, self._matching.of(feed, maker.snapshot.candidates))

    def _tastes(self, now: datetime) -> Iterator[Taste]:
        curator = self._curator
        for reader in self._store.readers() if curator is not None else ():
            opened = self._store.opened(reader.token, limit=OPENED)
            weigh = curator.weigh if curator is not None else _no_words
            yield Taste(
                token=reader.token,
                profile=learn(opened, weigh=weigh, now=now),
                opened=frozenset(item.item_id for item, _ in opened),
            )


def _is_due(feed: OwnFeed, windows: Sequence[str]) -> bool:
    window = window_of(feed)
    return window in windows if window else feed.order == "recommended"


def _no_terms(_: str) -> Vector:
    return {}


def _no_words(_: ItemText) -> Vector:
    return {}


def _sum(done: Refreshed, curation: Curation) -> Refreshed:
    return Refreshed(
        curated=done.curated + len(curation.curated),
        merges=done.merges + len(curation.merges),
        joins=done.joins + sum(join.story != join.item_id for join in curation.joins),
        related=done.related + len(curation.related),
    )
