from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from store_values import NOW

from aggregator.model import HubSubscriber
from aggregator.store import Store

ONE = HubSubscriber(
    topic="https://x.example/feeds/latest.atom",
    callback="https://reader.example/1",
    told="before",
    secret=b"s3cret\x00\xff",
    until=NOW + timedelta(days=10),
)
HUB = replace(ONE, callback="https://hub.example/", secret=None, until=None)


def test_kept_until_removed(store: Store, reopen: Callable[[], Store]) -> None:
    assert store.hub_subscribers() == []
    store.put_hub_subscriber(ONE)
    store.put_hub_subscriber(HUB)
    store.close()
    store = reopen()
    assert store.hub_subscribers() == [HUB, ONE]
    assert store.remove_hub_subscriber(topic=ONE.topic, callback=ONE.callback)
    assert not store.remove_hub_subscriber(topic=ONE.topic, callback=ONE.callback)
    assert store.hub_subscribers() == [HUB]


def test_a_failure_is_remembered_and_a_new_lease_forgives_it(store: Store) -> None:
    store.put_hub_subscriber(ONE)
    failed = replace(ONE, told="after", failures=2, retry_at=NOW)
    store.note_told(failed)
    assert store.hub_subscribers() == [failed]
    again = replace(ONE, told="unknown to it", until=NOW + timedelta(days=20), secret=None)
    store.put_hub_subscriber(again)
    assert store.hub_subscribers() == [replace(again, told="after")]


def test_nothing_is_noted_of_somebody_who_has_left(store: Store) -> None:
    store.note_told(ONE)
    assert store.hub_subscribers() == []
