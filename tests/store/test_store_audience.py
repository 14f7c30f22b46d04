from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from store_values import HOUR, NOW, A, follow, make_entry, poll

from aggregator.errors import NotFound, StoreError
from aggregator.model import Curation, ItemList, ListKey, Merge, Scope, View
from aggregator.store import Store

DAY = timedelta(days=1)


@pytest.fixture
def ids(store: Store) -> list[str]:
    follow(store, A)
    poll(store, A, *map(make_entry, "123"))
    return [item.id for item in store.latest(Scope(), limit=0)]


def view(item_id: str, visitor: int, *, at: timedelta = timedelta(0)) -> View:
    return View(item_id=item_id, at=NOW + at, visitor=visitor.to_bytes(16, "big"))


class TestViews:
    def test_counted_once_however_often_folded(self, store: Store, ids: list[str]) -> None:
        store.record_views([view(ids[0], 1), view(ids[0], 2), view(ids[1], 1)])
        before = store.generation()
        assert (store.fold_views(), store.fold_views()) == (3, 0)
        assert store.generation() > before
        assert [item.views for item in store.items(ids)] == [2, 1, 0]
        assert store.stats().views == 3

    def test_a_visitor_counts_once_a_day(self, store: Store, ids: list[str]) -> None:
        store.record_views([view(ids[0], 1), view(ids[0], 1, at=HOUR)])
        store.fold_views()
        store.record_views([view(ids[0], 1, at=2 * HOUR), view(ids[0], 1, at=DAY)])
        assert store.fold_views() == 1
        assert store.items(ids[:1])[0].views == 2

    def test_counted_by_the_hour_and_by_section(self, store: Store, ids: list[str]) -> None:
        store.record_views([view(ids[0], 1), view(ids[0], 2, at=HOUR), view(ids[0], 3, at=HOUR), view(ids[1], 1)])
        store.fold_views()
        hours = store.views_by_hour(ids[0], since=NOW - HOUR, until=NOW + 3 * HOUR)
        assert hours == [0, 1, 2, 0]
        assert store.views_by_hour("0" * 13, since=NOW, until=NOW + HOUR) == [0]
        section = store.items(ids[:1])[0].section
        assert store.views_by_section(since=NOW, until=NOW + 2 * HOUR) == {section: 4}
        assert store.views_by_section(since=NOW + HOUR, until=NOW + 2 * HOUR) == {section: 2}

    def test_many_at_once_are_counted_as_one_after_the_other(self, store: Store, ids: list[str]) -> None:
        dice = random.Random(7)
        views = [
            view(dice.choice(ids), dice.randrange(150), at=timedelta(minutes=dice.randrange(3 * 24 * 60)))
            for _ in range(2_500)
        ]
        first: dict[tuple[str, bytes, date], View] = {}
        for one in views:
            first.setdefault((one.item_id, one.visitor, one.at.date()), one)
        counted = 0
        for start in range(0, len(views), 900):
            store.record_views(views[start : start + 900])
            counted += store.fold_views()
        assert counted == len(first) == store.stats().views
        tally = Counter(one.item_id for one in first.values())
        assert [item.views for item in store.items(ids)] == [tally[item_id] for item_id in ids]
        for hours in (1, 30, 60):
            until = NOW + timedelta(hours=hours)
            within = Counter(one.item_id for one in first.values() if one.at < until)
            assert store.view_counts(since=NOW, until=until) == within

    def test_waiting_views_survive_reopening(self, store: Store, ids: list[str], reopen: Callable[[], Store]) -> None:
        store.record_views([view(ids[0], 1)])
        store.close()
        again = reopen()
        assert again.visitors(NOW) == {(ids[0], (1).to_bytes(16, "big"))}
        assert again.fold_views() == 1

    def test_views_of_nothing_are_dropped(self, store: Store, ids: list[str]) -> None:
        store.record_views([view("0" * 13, 1), view("../etc", 1), view(ids[0], 1)])
        assert store.fold_views() == 1
        store.record_views([])

    def test_visitors_folded_or_not(self, store: Store, ids: list[str]) -> None:
        store.record_views([view(ids[0], 1), view(ids[0], 9, at=-DAY)])
        store.fold_views()
        store.record_views([view(ids[1], 2)])
        expected = {(ids[0], (1).to_bytes(16, "big")), (ids[1], (2).to_bytes(16, "big"))}
        assert store.visitors(NOW) == expected

    def test_forgetting_visitors_keeps_counts(self, store: Store, ids: list[str]) -> None:
        store.record_views([view(ids[0], 1), view(ids[1], 2, at=DAY)])
        store.forget_visitors(NOW + DAY)
        assert store.visitors(NOW - DAY) == {(ids[1], (2).to_bytes(16, "big"))}
        assert [item.views for item in store.items(ids)] == [1, 1, 0]

    def test_a_visitor_that_is_too_long_is_refused(self, store: Store, ids: list[str]) -> None:
        with pytest.raises(StoreError, match="32"):
            store.record_views([View(item_id=ids[0], at=NOW, visitor=b"x" * 33)])

    def test_windows(self, store: Store, ids: list[str]) -> None:
        for minute in (0, 4, 5, 59, 60):
            store.record_views([view(ids[0], minute, at=timedelta(minutes=minute))])
        store.record_views([view(ids[1], 1, at=timedelta(minutes=7))])
        store.fold_views()
        assert store.view_counts(since=NOW, until=NOW + HOUR) == {ids[0]: 4, ids[1]: 1}
        five = timedelta(minutes=5)
        assert store.view_counts(since=NOW + five, until=NOW + 2 * five) == {ids[0]: 1, ids[1]: 1}
        assert store.view_counts(since=NOW, until=NOW + HOUR, ids=[ids[1], ids[2]]) == {ids[1]: 1}

    def test_old_buckets_are_dropped_and_totals_kept(self, store: Store, ids: list[str]) -> None:
        store.record_views([view(ids[0], 1, at=-61 * DAY), view(ids[0], 2)])
        store.fold_views()
        store.retain(before=NOW - 90 * DAY, now=NOW)
        assert store.view_counts(since=NOW - 90 * DAY, until=NOW + HOUR) == {ids[0]: 1}
        assert store.items(ids[:1])[0].views == 2

    def test_many_threads_lose_none(self, store: Store, ids: list[str]) -> None:
        def record(first: int) -> None:
            for n in range(50):
                store.record_views([view(ids[0], first * 1000 + n)])
                if n % 10 == 0:
                    store.fold_views()

        threads = [threading.Thread(target=record, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        store.fold_views()
        assert store.items(ids[:1])[0].views == 300

    def test_an_imported_log_counts_once(self, store: Store, ids: list[str]) -> None:
        views = [view(ids[0], 1), view(ids[0], 1), view(ids[1], 1)]
        assert store.count_once("log:1", views) == 2
        assert store.count_once("log:1", views) == 0
        assert store.count_once("log:2", views) == 0
        assert store.stats().views == 2


class TestImpressions:
    def shown(self, store: Store, at: datetime) -> dict[str, float]:
        return {one.item_id: one.impressions for one in store.candidates(since=NOW - DAY, now=at)}

    def test_add_up_by_item_as_of_any_hour(self, store: Store, ids: list[str]) -> None:
        a, b, c = ids
        store.add_impressions({a: 1.0, b: 0.5, "nobody": 3.0}, at=NOW)
        store.add_impressions({a: 0.25}, at=NOW + 2 * HOUR)
        assert self.shown(store, NOW + 3 * HOUR) == {a: 1.25, b: 0.5, c: 0.0}
        poll(store, A, make_entry("later"), at=NOW + 4 * HOUR)
        assert self.shown(store, NOW + HOUR) == {a: 1.0, b: 0.5, c: 0.0}

    def test_follow_their_item_when_it_is_merged(self, store: Store, ids: list[str]) -> None:
        a, b, _ = ids
        store.add_impressions({a: 1.0, b: 2.0}, at=NOW)
        store.put_curation(Curation(curated=(), merges=(Merge(keep=a, absorb=b, rule="near-duplicate"),)), now=NOW)
        store.add_impressions({b: 0.5}, at=NOW)
        assert self.shown(store, NOW)[a] == 3.5

    def test_are_no_change_that_readers_see(self, store: Store, ids: list[str]) -> None:
        before = store.generation()
        store.add_impressions({ids[0]: 1.0}, at=NOW)
        assert store.generation() == before


class TestLikes:
    def test_once_a_visitor(self, store: Store, ids: list[str]) -> None:
        assert store.like(ids[0], visitor=b"a", now=NOW)
        assert not store.like(ids[0], visitor=b"a", now=NOW + DAY)
        assert store.like(ids[0], visitor=b"b", now=NOW)
        assert store.items(ids[:1])[0].likes == store.stats().likes == 2

    def test_of_nothing(self, store: Store) -> None:
        with pytest.raises(NotFound):
            store.like("0" * 13, visitor=b"a", now=NOW)


class TestReaders:
    def test_a_reader_comes_and_goes(self, store: Store, ids: list[str]) -> None:
        reader = store.add_reader("ann", "secret", now=NOW)
        store.add_reader("Bob", "other", now=NOW)
        with pytest.raises(StoreError, match="ann"):
            store.add_reader("ann", "third", now=NOW)
        assert store.record_opened("secret", ids[0], now=NOW)
        assert store.record_opened("secret", ids[1], now=NOW + HOUR)
        assert store.record_opened("secret", ids[0], now=NOW + 2 * HOUR)
        assert not store.record_opened("unknown", ids[0], now=NOW)
        assert not store.record_opened("secret", "0" * 13, now=NOW)
        opened = store.opened("secret", limit=9)
        assert [(text.item_id, at) for text, at in opened] == [(ids[0], NOW + 2 * HOUR), (ids[1], NOW + HOUR)]
        assert store.opened("other", limit=9) == []
        assert [(one.name, one.opened) for one in store.readers()] == [("Bob", 0), ("ann", 2)]
        assert (reader.name, reader.token, reader.created) == ("ann", "secret", NOW)

    def test_removing_forgets_all(self, store: Store, ids: list[str]) -> None:
        store.add_reader("ann", "secret", now=NOW)
        store.record_opened("secret", ids[0], now=NOW)
        key = ListKey(order="recommended", scope="reader", name="secret")
        store.put_lists([ItemList(key=key, computed_at=NOW, since=None, until=None, basis="signals", places=())])
        assert (store.remove_reader("ann"), store.remove_reader("ann")) == (True, False)
        assert (store.readers(), store.opened("secret", limit=9), store.get_list(key)) == ([], [], None)
