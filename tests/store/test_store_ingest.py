"""Entries of one poll go in together: what that makes of items must be what making each anew makes of them."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_values import HOUR, NOW, A, B, C, edited, follow, make_entry, make_result, poll, source_id

from aggregator.model import Entry, PollResult, Subscription, Verdict
from aggregator.store import Store, open_store
from aggregator.store.sql import codec
from aggregator.store.sql.batches import padded_batches
from aggregator.store.sql.derived_columns import recompute_item
from aggregator.store.sql.ids import public_id
from aggregator.store.sql.ingest import store_all, store_entries
from aggregator.store.sql.ingest.entry_rows import entry_row, indexed_words
from aggregator.store.sqlite.connection import Connection, connect_writer

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
    assert [item_id for item_id in items if recompute_item(connection, item_id)] == []
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


#: what is stored of entries, but for the order in which it was noted what has changed
_ALL = (
    "SELECT * FROM items ORDER BY id",
    "SELECT * FROM entries ORDER BY id",
    "SELECT * FROM bodies ORDER BY entry_id",
    "SELECT term, doc, offset FROM temp.vocabulary ORDER BY doc, offset",
    "SELECT * FROM outlinks ORDER BY link_key, source_id, entry_id",
    "SELECT * FROM source_days ORDER BY source_id, day",
    "SELECT id, entries, last_item FROM sources ORDER BY id",
    "SELECT DISTINCT item_id, source_id FROM changes ORDER BY item_id, source_id",
)


def at_their_pages(entries: list[Entry]) -> list[Entry]:
    """Each entry at an address of its own choice, for good."""
    pages = [None, *PAGES, *(f"https://own.example/{number}" for number in range(20))]
    links = [pages[hash_of(entry.entry_id) % len(pages)] for entry in entries]
    return [
        replace(entry, canonical_url=link, parsed=replace(entry.parsed, link=link))
        for entry, link in zip(entries, links, strict=True)
    ]


def hash_of(text: str) -> int:
    return sum(place * ord(letter) for place, letter in enumerate(text, 1))


def indexed(connection: Connection) -> list[tuple[object, ...]]:
    """Each word of the full-text index with its entry and its place."""
    return list(map(tuple, connection.execute("SELECT term, doc, offset FROM temp.vocabulary ORDER BY doc, offset")))


def indexed_anew(connection: Connection) -> list[tuple[object, ...]]:
    """The same of an index that is made of what the entries hold now."""
    rows = connection.execute("SELECT id, title, text, author, categories FROM entries WHERE NOT tombstone").fetchall()
    with contextlib.closing(sqlite3.connect(":memory:")) as fresh:
        fresh.execute("CREATE VIRTUAL TABLE f USING fts5(w, tokenize = 'unicode61 remove_diacritics 2', content = '')")
        fresh.executemany("INSERT INTO f(rowid, w) VALUES (?, ?)", [(row[0], indexed_words(*row[1:])) for row in rows])
        fresh.execute("CREATE VIRTUAL TABLE vocabulary USING fts5vocab(f, 'instance')")
        return list(map(tuple, fresh.execute("SELECT term, doc, offset FROM vocabulary ORDER BY doc, offset")))


def stored(path: Path, groups: Sequence[Sequence[tuple[str, PollResult]]]) -> tuple[list[object], list[object]]:
    """What `store_all` tells of these polls, a transaction a group, and what is in the file then."""
    store = open_store(f"sqlite:{path.name}", base=path.parent)
    subscriptions = [Subscription(url=feed, role="signal" if feed == SIGNAL else "source") for feed in FEEDS]
    store.sync_sources(subscriptions, now=NOW)
    store.close()
    connection = connect_writer(path)
    told: list[object] = []
    for group in groups:
        connection.execute("BEGIN IMMEDIATE")
        told += store_all(connection, group)
        connection.execute("COMMIT")
    connection.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, search_index, 'instance')")
    assert indexed(connection) == indexed_anew(connection)
    rows: list[object] = [tuple(row) for query in _ALL for row in connection.execute(query)]
    connection.close()
    return told, rows


@pytest.mark.parametrize("seed", range(12))
def test_polls_together_leave_what_they_leave_one_after_the_other(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    polls = []
    for number in range(16):
        feed = dice.choice(FEEDS)
        entries = at_their_pages(entries_of(dice, feed, dice.randrange(5)))
        result = make_result(FEEDS.index(feed) + 1, entries, at=NOW + number * HOUR, insert_only=dice.random() < 0.1)
        polls.append((feed, result))
    one_by_one = stored(tmp_path / "a.db", [[one] for one in polls])
    together = stored(tmp_path / "b.db", [polls[:7], polls[7:]])
    assert len(one_by_one[1]) > 100
    assert together == one_by_one


def segments(connection: sqlite3.Connection) -> int:
    """Of how many parts the full-text index is made: each look-up looks into all of them."""
    return int(connection.execute("SELECT count(DISTINCT segid) FROM search_index_idx").fetchone()[0])


def test_the_full_text_index_is_written_once_a_transaction(tmp_path: Path) -> None:
    store = open_store("sqlite:a.db", base=tmp_path)
    follow(store, A, B, C)
    store.close()
    connection = connect_writer(tmp_path / "a.db")
    connection.execute("BEGIN IMMEDIATE")
    for first in (0, 5):
        for number, feed in enumerate((A, B, C), 1):  # the same pages at all of them, and links from one to the other
            entries = [
                make_entry(f"{feed} {k}", link=PAGES[k], outlinks=(PAGES[k + 1],)) for k in range(first, first + 5)
            ]
            assert store_entries(connection, feed, make_result(number, entries))[0].new_entries == 5
            assert segments(connection) == 0
    connection.execute("COMMIT")
    assert segments(connection) == 1
    assert connection.execute("SELECT count(*), sum(sources) FROM items WHERE live").fetchone()[:] == (10, 30)
    connection.close()


@given(st.lists(st.text(), max_size=5))
def test_texts_are_packed_as_every_structure_is(texts: list[str]) -> None:
    entry = replace(make_entry("a", categories=tuple(texts)), outlinks=tuple(texts))
    row = entry_row(entry, 1, 0)
    assert row.categories == row.outlinks == codec.pack_or_none(texts)


@given(st.lists(st.integers(), max_size=1500))
def test_keys_are_asked_for_in_few_sizes(keys: list[int]) -> None:
    some = list(padded_batches(keys))
    assert [key for block in some for key in block][: len(keys)] == keys
    assert {key for block in some for key in block} == set(keys)
    assert {len(block) for block in some} <= {1 << power for power in range(10)}
