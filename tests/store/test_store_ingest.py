"""Entries of one poll go in together: what that makes of items must be what making each anew makes of them."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest
from store_values import HOUR, NOW, A, B, C, edited, follow, make_entry, make_result, poll, source_id

from aggregator.model import Entry, Subscription, Verdict
from aggregator.store import Store, open_store
from aggregator.store.sqlite.connection import connect_writer
from aggregator.store.sqlite.ingest import store_entries
from aggregator.store.sqlite.keys import public_id
from aggregator.store.sqlite.shown import refresh_item

SIGNAL = "https://signal.example/feed"
FEEDS = (A, B, C, SIGNAL)
PAGES = [f"https://pages.example/{number}" for number in range(12)]


def entries_of(dice: random.Random, feed: str, count: int) -> list[Entry]:
    """Entries that share addresses, link to each other's, and are dropped or pinned now and then."""
    verdicts = (Verdict(), Verdict(), Verdict(dropped="rule"), Verdict(boost=2.0, pin=HOUR, section="Pinned"))
    return [
        make_entry(
            f"{feed} {dice.randrange(40)}",
            link=dice.choice([None, *PAGES]),
            outlinks=tuple(dice.sample(PAGES, dice.randrange(4))),
            published=NOW - timedelta(minutes=dice.randrange(600)),
            verdict=dice.choice(verdicts),
            text=f"text {dice.randrange(5)}",
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", range(12))
def test_items_are_as_if_each_had_been_made_from_its_entries(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    store = open_store("sqlite:a.db", base=tmp_path)
    subscriptions = [Subscription(url=feed, role="signal" if feed == SIGNAL else "source") for feed in FEEDS]
    store.sync_sources(subscriptions, now=NOW)
    for number in range(10):
        feed = dice.choice(FEEDS)
        poll(store, feed, *entries_of(dice, feed, dice.randrange(8)), at=NOW + number * HOUR)
    store.close()
    connection = connect_writer(tmp_path / "a.db")
    items = [item_id for (item_id,) in connection.execute("SELECT id FROM items")]
    assert len(items) > 10
    assert [item_id for item_id in items if refresh_item(connection, item_id)] == []
    (lost,) = connection.execute("SELECT count(*) FROM entries WHERE item_id IS NULL").fetchone()
    assert lost == 0
    connection.close()


def test_a_public_id_that_is_taken_is_salted(tmp_path: Path) -> None:
    store = open_store("sqlite:a.db", base=tmp_path)
    follow(store, A)
    poll(store, A, make_entry("first"))
    number = source_id(store, A)
    store.close()
    connection = connect_writer(tmp_path / "a.db")
    connection.execute("UPDATE items SET public_id = ?", (public_id(A, "second"),))
    store_entries(connection, A, make_result(number, [make_entry("second"), make_entry("third")]))
    ids = {number for (number,) in connection.execute("SELECT public_id FROM items")}
    assert ids == {public_id(A, "second"), public_id(A, "second", 1), public_id(A, "third")}
    connection.close()


def test_entries_of_a_poll_get_row_ids_in_the_order_of_time(store: Store) -> None:
    follow(store, A)
    hours = [3, 1, 2]
    poll(store, A, *(make_entry(str(hour), published=NOW - hour * HOUR, text="word") for hour in hours))
    assert [item.title for item in store.search("word", limit=0)] == ["Title of 1", "Title of 2", "Title of 3"]


def test_many_entries_at_once_are_all_found_by_their_words(store: Store) -> None:
    follow(store, A)
    entries = [make_entry(str(number), text=f"common word{number}") for number in range(700)]
    assert poll(store, A, *entries).new_entries == 700
    assert len(store.search("common", limit=0)) == 700
    assert [item.title for item in store.search("word699", limit=0)] == ["Title of 699"]


def test_an_edit_beside_new_entries_is_no_new_entry(store: Store) -> None:
    follow(store, A)
    first = make_entry("first", text="old")
    poll(store, A, first)
    stored = poll(store, A, edited(first, "Another title"), make_entry("second"), at=NOW + HOUR)
    assert (stored.new_entries, stored.new_items, stored.updated) == (1, 1, 1)
    assert poll(store, A, edited(first, "Another title"), at=NOW + 2 * HOUR).updated == 0
