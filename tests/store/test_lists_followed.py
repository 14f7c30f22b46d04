"""The lists of a stock that follows the store are those of one that is read anew, whatever happened in between."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from store_values import HOUR, LEASE, NOW, A, B, C, edited, follow, lease_of, make_entry, make_result, poll

from aggregator.curate.windows import span
from aggregator.model import Curation, ItemList, Merge, OwnFeed, Scope, StoryJoin, Subscription, Upstream, Verdict, View
from aggregator.refresh import CurateOptions, Refresher
from aggregator.refresh.candidate_cache import CandidateCache, FeedMatcher, Snapshot, population
from aggregator.refresh.list_builder import ListBuilder, window_of
from aggregator.store import Store, open_store

SOURCES = {A: "World", B: "Science", C: "World"}
FEEDS = (
    OwnFeed(name="odd", title="Odd", order="ranking:1d", match='title contains "odd"', size=3),
    OwnFeed(name="new", title="New", order="recommended", match='section = "Science"'),
    OwnFeed(name="all", title="All", order="ranking:7d", max_per_source=1),
)
OPTIONS = CurateOptions(
    windows={window: span(window) for window in ("1h", "1d", "7d")},
    ranking_size=4,
    ranking_depth=4,
    recommendation_size=4,
    feeds=FEEDS,
)


def vector(item_id: str) -> dict[int, float]:
    return {Random(item_id).randrange(4): 1.0}


class Scene:
    """A store in which random things happen."""

    def __init__(self, store: Store, dice: Random) -> None:
        self.store, self.dice, self.now = store, dice, NOW
        self.kept = CandidateCache(store)
        self.configure(1.0)

    def configure(self, weight: float) -> None:
        more = ("Science",) if weight == 2.0 else ()
        subscriptions = [
            Subscription(url=url, section=section, weight=weight, more_sections=more if section == "World" else ())
            for url, section in SOURCES.items()
        ]
        self.store.sync_sources(subscriptions, now=self.now)

    def play(self) -> None:
        self.now += timedelta(minutes=self.dice.choice([3, 3, 20, 90, 1500]))
        happening = self.dice.choice([self.poll, self.poll, self.view, self.view, self.view, self.like, self.curate])
        happening()
        if self.dice.random() < 0.05:
            self.configure(self.dice.choice([0.5, 1.0, 2.0]))

    def poll(self) -> None:
        self.now += LEASE
        url = self.dice.choice(list(SOURCES))
        entries = []
        for number in self.dice.sample(range(14), k=4):
            title = f"{'odd' if number % 2 else 'even'} {number}.{self.dice.randrange(3)}"
            entry = make_entry(
                str(number),
                link=f"https://x.example/{number}" if number % 3 else None,
                published=self.now - number * HOUR,
                outlinks=(f"https://x.example/{number + 1}",),
                upstream=Upstream(comments=self.dice.choice([None, 2, 70])),
                verdict=Verdict(pin=2 * HOUR if number == 5 else None, boost=1.0 + number % 2),
            )
            entries.append(edited(entry, title))
        lease = lease_of(self.store, url, at=self.now)
        self.store.complete(lease, make_result(lease.sources[0].id, entries, at=self.now))

    def view(self) -> None:
        for _ in range(self.dice.randrange(1, 9)):
            item_id = self._one()
            if item_id:
                at = self.now - timedelta(minutes=self.dice.choice([0, 1, 40, 2000]))
                self.store.record_views([View(item_id=item_id, at=at, visitor=self.dice.randbytes(2))])
        self.store.fold_views()

    def like(self) -> None:
        item_id = self._one()
        if item_id:
            self.store.like(item_id, visitor=self.dice.randbytes(2), now=self.now)

    def curate(self) -> None:
        """What waits is decided, somehow."""
        waiting = [item.item_id for item in self.store.pending(limit=50)]
        one, two = self._one(), self._one()
        curation = Curation(curated=tuple(waiting))
        if one and two and one != two:
            merge = (Merge(keep=one, absorb=two, rule="near-duplicate"),) if self.dice.random() < 0.3 else ()
            joins = tuple(StoryJoin(item_id=item_id, story=one) for item_id in (one, two))
            curation = replace(curation, merges=merge, joins=() if merge else joins)
        self.store.put_curation(curation, now=self.now)

    def _one(self) -> str | None:
        ids = sorted(item.id for item in self.store.latest(Scope(), limit=0))
        return self.dice.choice(ids) if ids else None

    # --- the lists, twice -------------------------------------------------------------
    def followed(self) -> Snapshot:
        return self.kept.follow(population(OPTIONS), FEEDS, now=self.now, stopped=lambda: False)

    def anew(self, now: datetime) -> Snapshot:
        taken = Snapshot.take(self.store, population(OPTIONS), now=now)
        matching = FeedMatcher(self.store)
        matching.expect(FEEDS)
        matching.learn(taken.candidate_set.running_totals.items, stopped=lambda: False)
        return taken.like(list(taken.candidate_set.running_totals.items.values()), matching.of)


def lists(snapshot: Snapshot) -> Iterator[ItemList]:
    builder = ListBuilder(snapshot=snapshot, options=OPTIONS, vector=vector)
    yield from builder.rankings(tuple(OPTIONS.windows))
    yield from builder.recommendations({})
    yield from (builder.of_feed(feed) for feed in FEEDS if window_of(feed) or feed.order == "recommended")


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32))
@example(385)  # a merge has an item show another entry, with which it leaves a feed of one's own
@example(949)  # … or enters one
def test_followed_lists_are_those_that_are_read_anew(seed: int) -> None:
    dice = Random(seed)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(open_store("sqlite:a.db", base=Path(folder))) as store,
    ):
        scene = Scene(store, dice)
        for _ in range(24):
            scene.play()
            if dice.random() < 0.4:
                followed = scene.followed()
                assert list(lists(followed)) == list(lists(scene.anew(followed.now)))
        ranking = next(one for one in lists(scene.followed()) if one.key.window == "1d")
        # more places are kept than the feed of a ranking has
        shown = replace(ranking, places=ranking.places[: OPTIONS.ranking_size])
        assert Refresher(store, OPTIONS).ranking("1d", at=scene.now) == shown


def merge(store: Store) -> None:
    """The item that stays shows the older entry from now on."""
    older, newer = (item.id for item in sorted(store.latest(Scope(), limit=0), key=lambda item: item.source.url))
    store.put_curation(Curation(curated=(), merges=(Merge(keep=newer, absorb=older, rule="near-duplicate"),)), now=NOW)


def edit(store: Store) -> None:
    poll(store, B, make_entry("2", text="even", title="odd after all"), at=NOW + HOUR)


def edit_the_author(store: Store) -> None:
    """Of the entry whose words, as far as they are compared, stay what they are."""
    entry = make_entry("2", text="even", author="An Odd Fellow")
    poll(store, B, edited(entry, "Title of 2"), at=NOW + HOUR)


def curate_an_edit_elsewhere(store: Store) -> None:
    """In another process: here nothing waits any more."""
    poll(store, B, make_entry("2", text="weird"), at=NOW + HOUR)
    store.put_curation(Curation(curated=tuple(item.item_id for item in store.pending(limit=9))), now=NOW + HOUR)


def rename(store: Store) -> None:
    store.sync_sources([Subscription(url=A), Subscription(url=B, name="The Odd Times")], now=NOW + HOUR)


@pytest.mark.parametrize("happening", [merge, edit, edit_the_author, curate_an_edit_elsewhere, rename])
def test_what_belongs_to_an_own_feed_follows_whatever_rules_can_ask_for(
    tmp_path: Path, happening: Callable[[Store], None]
) -> None:
    asked = ('title contains "odd"', 'text contains "weird"', 'author contains "Odd"', 'source contains "Odd"')
    feeds = [OwnFeed(name=f"f{n}", title=text, order="recommended", match=text) for n, text in enumerate(asked)]
    with closing(open_store("sqlite:a.db", base=tmp_path)) as store:
        follow(store, A, B)
        poll(store, A, make_entry("1", title="odd", text="same"))
        poll(store, B, make_entry("2", text="even"))
        kept = CandidateCache(store)

        def standing() -> list[set[str]]:
            candidate_set = kept.follow(population(OPTIONS), feeds, now=NOW + HOUR, stopped=lambda: False).candidate_set
            return [{item.item_id for item in candidate_set.index(text)} for text in asked]

        before = standing()
        assert list(map(len, before)) == [1, 0, 0, 0]
        happening(store)
        followed = standing()
        kept = CandidateCache(store)
        assert followed == standing()
        assert followed != before
