"""The loop store → curate → store, carried out."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aggregator.curate.candidate_index import SITE, section_of
from aggregator.curate.curator import KEPT, KEPT_AT_MOST, Curator
from aggregator.curate.embeddings import Embeddings, Encoder
from aggregator.curate.merge_review import review_merges
from aggregator.curate.profile import Vector
from aggregator.errors import StoreError
from aggregator.model import Curation, ItemList, ItemText, ListKey
from aggregator.refresh.candidate_cache import Snapshot, population
from aggregator.refresh.list_builder import ListBuilder, ListUpdater
from aggregator.refresh.options import CurateOptions
from aggregator.refresh.rules import Judge, apply_rules
from aggregator.refresh.what_if import Placement, placements_by_score, placements_by_views
from aggregator.store import Store

__all__ = ["Refreshed", "Refresher"]

#: items that are decided and committed together, the newest that wait: about a tenth of a second
BATCH = 200
#: merges that are looked at again and committed together: with the texts of all copies
DOUBTS = 50
#: a clock that goes back by more was wrong before, and what is in memory has been let go of by it
CLOCK_BACK = timedelta(days=1)
#: what other processes have decided is read this far back
CAUGHT_UP_BACK = timedelta(days=2)
#: items that are read into memory at the start (about four seconds), and then with each step until all are
READ_FIRST = 20_000
READ_ON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """What one step or run did."""

    curated: int = 0
    merges: int = 0
    #: merges that were undone
    splits: int = 0
    #: items that joined a story others stand in
    joins: int = 0
    related: int = 0
    lists: int = 0
    #: more is to be done: items to be decided about, older than these, or decided ones to be read into memory
    waiting: bool = False
    #: how far back items are compared, where memory cuts that short of the two days in which stories grow; else None
    cut_to: timedelta | None = None


class Refresher:
    """Keeps decisions and lists up to date. For one thread at a time; a second caller waits.

    `options` may be replaced at any time and holds from the next step on. When `stop` is set, a run ends after the
    batch in hand.
    """

    def __init__(self, store: Store, options: CurateOptions) -> None:
        self.options = options
        self.stop = threading.Event()
        self._store = store
        self._updater = ListUpdater(store)
        self._lock = threading.Lock()
        self._curator: Curator | None = None
        #: what the curator reads sentences with
        self._encoder: Encoder | None = None
        #: batches of decisions in the store that the curator knows: its own, and those that were there
        self._decisions = 0
        #: what was published before then is still to be read; None: nothing
        self._unread: datetime | None = None
        #: the latest time that it was told
        self._latest: datetime | None = None

    def load(self, now: datetime) -> int:
        """Reads what was decided in the last 30 days into memory; how many items. Called by `decide` if need be.

        Where that is much, the newest come first and the rest with the steps that follow.
        """
        with self._lock:
            return self._load(now)

    def decide(self, now: datetime) -> Refreshed:
        """One step, which is short: decides about the newest items that wait; again while `Refreshed.waiting`.

        Each step asks anew which are the newest, so that what has just come goes before what has waited for long.
        """
        with self._lock:
            return self._curate(now)

    def make_lists(self, now: datetime) -> int:
        """Makes the lists anew, of what has been decided so far; how many. None before the first `decide`."""
        with self._lock:
            if self._curator is None or self.stop.is_set():
                return 0
            return self._updater.make(self.options, self._curator, now=now, stopped=self.stop.is_set)

    def run(self, now: datetime) -> Refreshed:
        """Decides about everything that waits, then makes the lists anew."""
        done = self.decide(now)
        while done.waiting and not self.stop.is_set():
            done = _sum(done, self.decide(now))
        return replace(done, lists=self.make_lists(now))

    def ranking(self, window: str, *, at: datetime, section: str | None = None, size: int | None = None) -> ItemList:
        """The most viewed as of `at`, computed from the recorded views and stored nowhere.

        `size` 0: all places; None: as many as its feed has.

        Raises ValueError for a window that cannot be read.
        """
        snapshot = Snapshot.take(self._store, population(self.options, window), now=at)
        builder = ListBuilder(snapshot=snapshot, options=self.options, vector=_no_terms)
        scope = ListKey(order="ranking", window=window, scope="section" if section else "site", name=section or "")
        index = snapshot.candidate_set.index(section_of(section) if section else SITE)
        if size is not None:
            return builder.ranking(index, window, scope=scope, size=size)
        kept = builder.ranking(index, window, scope=scope, size=builder.ranking_depth)
        return replace(kept, places=kept.places[: self.options.ranking_size])

    def placements(self, item_id: str, *, now: datetime) -> list[Placement]:
        """Where an item stands now among all that could be listed, in every list of the site and of its section."""
        snapshot = Snapshot.take(self._store, population(self.options), now=now)
        builder = ListBuilder(snapshot=snapshot, options=self.options, vector=_no_terms)
        windows = tuple(self.options.windows)
        return [*placements_by_views(builder, item_id, windows), *placements_by_score(builder, item_id)]

    def apply_rules(self, judge: Judge, *, now: datetime) -> int:
        """Judges everything stored by changed rules; how many verdicts changed."""
        with self._lock:
            return apply_rules(self._store, judge, now=now, stopped=self.stop.is_set)

    # --- same, same story, alike ----------------------------------------------------
    def _load(self, now: datetime) -> int:
        encoder = self._encoder = self.options.encoder
        curator = Curator(embeddings=Embeddings(encoder) if encoder else None)
        curator.thresholds = self.options.thresholds
        self._decisions = self._store.decisions()  # before reading: what is decided meanwhile is read again
        known = self._read(curator, self._store.history(since=now - KEPT, newest=READ_FIRST), READ_FIRST, now)
        self._curator = curator
        return known

    def _read_on(self, curator: Curator, now: datetime) -> None:
        """Reads some more of what is older than what has been read."""
        if self._unread is not None and len(curator) < KEPT_AT_MOST:
            older = self._store.history(since=now - KEPT, before=self._unread, newest=READ_ON)
            self._read(curator, older, READ_ON, now)

    def _read(self, curator: Curator, history: Iterable[ItemText], asked: int, now: datetime) -> int:
        items = list(self._until_stopped(history))
        # items of one moment may be cut in two: the rest of them is not worth another look
        self._unread = items[0].published if len(items) == asked else None
        return curator.load(items, now=now)

    def _until_stopped(self, items: Iterable[ItemText]) -> Iterator[ItemText]:
        for item in items:
            if self.stop.is_set():
                return
            yield item

    def _ready(self, now: datetime) -> Curator:
        """The curator, knowing what other processes have decided."""
        went_back = self._latest is not None and now < self._latest - CLOCK_BACK
        self._latest = now if went_back or self._latest is None else max(now, self._latest)
        if self._curator is None or went_back or self._encoder is not self.options.encoder:
            self._load(now)
        elif (decisions := self._store.decisions()) != self._decisions:
            self._catch_up(self._curator, now)
            self._decisions = decisions
        assert self._curator is not None  # noqa: S101 - `_load` has just made it
        self._curator.thresholds = self.options.thresholds
        return self._curator

    def _catch_up(self, curator: Curator, now: datetime) -> None:
        """Reads what other processes have decided since, by id; what has been let go of stays gone."""
        since = max(now - CAUGHT_UP_BACK, curator.oldest or now - CAUGHT_UP_BACK)
        unknown = [item_id for item_id in self._store.curated_ids(since=since) if not curator.knows(item_id)]
        for start in range(0, len(unknown), BATCH):
            curator.load(self._until_stopped(self._store.texts(unknown[start : start + BATCH])), now=now)

    def _curate(self, now: datetime) -> Refreshed:
        curator = self._ready(now)
        if self.stop.is_set():
            return Refreshed()
        done = self._settle(now)
        items = self._store.pending(limit=BATCH)
        if items:
            curation = self._decide(curator, items, now)
            self._updater.edited(curation.curated)
            done = _sum(_figures(curation), done)
        else:
            self._read_on(curator, now)
        unread = self._unread is not None and len(curator) < KEPT_AT_MOST
        return replace(done, waiting=done.waiting or len(items) == BATCH or unread, cut_to=curator.cut_to(now))

    def _settle(self, now: datetime) -> Refreshed:
        """Looks at merges whose texts have been edited since; what is taken apart is pending then."""
        doubts = self._store.doubted(limit=DOUBTS)
        if not doubts:
            return Refreshed()
        curation = review_merges(doubts, duplicate=self.options.thresholds.duplicate)
        self._put(curation, now)
        return replace(_figures(curation), waiting=len(doubts) == DOUBTS)

    def _decide(self, curator: Curator, batch: Sequence[ItemText], now: datetime) -> Curation:
        curation = curator.decide(batch, now=now)
        try:
            self._put(curation, now)
        except StoreError:
            # what is in memory was not committed: it is read anew before the next run
            self._curator = None
            raise
        return curation

    def _put(self, curation: Curation, now: datetime) -> None:
        self._store.put_curation(curation, now=now)
        self._decisions += 1


def _no_terms(_: str) -> Vector:
    return {}


def _figures(curation: Curation) -> Refreshed:
    return Refreshed(
        curated=len(curation.curated),
        merges=len(curation.merges),
        splits=len(curation.splits),
        joins=sum(join.story != join.item_id for join in curation.joins),
        related=len(curation.related),
    )


def _sum(done: Refreshed, more: Refreshed) -> Refreshed:
    return Refreshed(
        curated=done.curated + more.curated,
        merges=done.merges + more.merges,
        splits=done.splits + more.splits,
        joins=done.joins + more.joins,
        related=done.related + more.related,
        waiting=more.waiting,
        cut_to=more.cut_to,
    )
