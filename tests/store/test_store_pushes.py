from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from store_values import HOUR, NOW, A, B, C, edited, follow, make_entry, make_result, poll, source_id

from aggregator.errors import StoreError
from aggregator.model import FeedInfo, Push, Scope
from aggregator.store import Store

ONE = Push(
    token="t0k3n",
    source_id=1,
    hub="https://hub.example/",
    topic="https://x.example/feed",
    state="active",
    asked_at=NOW,
    secret="s3cret",
    until=NOW + timedelta(days=10),
    renew_at=NOW + timedelta(days=5),
    verified_at=NOW,
    delivered_at=NOW + timedelta(hours=1),
    failures=2,
    retry_at=NOW + timedelta(days=1),
)
BARE = Push(token="b", source_id=2, hub="h", topic="t", state="asked", asked_at=NOW)


def test_kept_replaced_removed(store: Store, reopen: Callable[[], Store]) -> None:
    assert store.pushes() == []
    store.put_push(ONE)
    store.put_push(BARE)
    store.close()
    store = reopen()
    assert store.pushes() == [BARE, ONE]
    store.put_push(replace(ONE, state="leaving"))
    assert store.pushes() == [BARE, replace(ONE, state="leaving")]
    assert store.remove_push("b")
    assert not store.remove_push("b")


def test_sources_that_name_a_hub_and_themselves(store: Store) -> None:
    follow(store, A, B, C)
    both = FeedInfo(title="A", hubs=("https://hub.example/",), self_url="https://a.example/self")
    poll(store, A, info=both)
    poll(store, B, info=FeedInfo(title="B", hubs=("https://hub.example/",)))
    poll(store, C, info=FeedInfo(title="C", self_url="https://c.example/self"))
    (found,) = store.subscribable()
    assert (found.subscription.url, found.info) == (A, both)
    follow(store, B, C)
    assert store.subscribable() == []


def test_what_is_delivered_is_stored_and_no_poll_is_moved(store: Store) -> None:
    follow(store, A)
    first = make_entry("1", published=NOW - 2 * HOUR)
    poll(store, A, first)
    due = store.next_due(now=NOW)
    before = store.generation()
    again = make_result(source_id(store, A), [edited(first, "Edited"), make_entry("2")], at=NOW + HOUR)
    stored = store.deliver(again)
    assert (stored.new_entries, stored.new_items, stored.updated, stored.oldest_new) == (1, 1, 1, NOW - HOUR)
    assert {item.title for item in store.latest(Scope(), limit=0)} == {"Edited", "Title of 2"}
    assert store.next_due(now=NOW) == due
    assert store.generation() > before
    assert store.deliver(again).new_entries == 0, "the second time changes nothing"


def test_of_half_a_document_nothing_is_updated(store: Store) -> None:
    follow(store, A)
    first = make_entry("1")
    poll(store, A, first)
    store.deliver(make_result(source_id(store, A), [edited(first, "Edited")], insert_only=True))
    assert [item.title for item in store.latest(Scope(), limit=0)] == ["Title of 1"]


def test_nothing_is_delivered_to_a_source_that_does_not_exist(store: Store) -> None:
    with pytest.raises(StoreError):
        store.deliver(make_result(99))
