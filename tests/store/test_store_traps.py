"""What engines do otherwise than one expects, each met once: the care that is taken is tested on both."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from store_values import HOUR, LEASE, NOW, A, B, C, follow, lease_of, make_entry, make_result, poll

from aggregator.model import Curation, Population, Scope
from aggregator.store import Store, is_postgresql

FEW = Population(reach=2 * HOUR, newest=2, windows={})


def test_a_host_without_sources_is_never_due(store: Store) -> None:
    """max(NULL, x) is NULL in SQLite, greatest(NULL, x) is x in PostgreSQL: the queue would wake up for nobody."""
    follow(store, A)
    lease = lease_of(store, A)
    follow(store)  # configured no more while it is being polled
    store.give_back(lease, now=NOW + HOUR)
    assert store.next_due(now=NOW + HOUR) is None
    assert store.claim(now=NOW + 9 * HOUR, limit=9, lease=LEASE) == []


def test_an_iterator_holds_no_transaction_open(store: Store, store_url: str, tmp_path: Path) -> None:
    """A snapshot that a slow reader holds pins SQLite's journal, and makes PostgreSQL keep every dead row."""
    follow(store, A)
    poll(store, A, *(make_entry(str(number)) for number in range(300)))
    store.put_curation(Curation(curated=tuple(item.item_id for item in store.pending(limit=300))), now=NOW)
    half_read = [
        store.history(since=NOW - 9 * HOUR),
        store.entries_since(NOW - 9 * HOUR),
        store.stories(min_sources=1, limit=9),
    ]
    for rows in half_read:
        next(iter(rows), None)
    if is_postgresql(store_url):
        with psycopg.connect(store_url) as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
            assert connection.execute(query).fetchone() == (0,)
    else:
        with contextlib.closing(sqlite3.connect(tmp_path / "aggregator.db")) as connection:
            busy, waiting, moved = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            assert (busy, waiting, moved) == (0, 0, 0)


def test_an_id_is_never_given_twice_though_the_newest_is_gone(store: Store) -> None:
    """An id by max + 1 is given again once the newest row is gone: retention keeps the rows of identity."""
    follow(store, A)
    poll(store, A, make_entry("1"), make_entry("2"))
    first = {item.id for item in store.latest(Scope(), limit=9)}
    store.retain(before=NOW + HOUR, now=NOW + HOUR)
    poll(store, A, make_entry("3", published=NOW + HOUR), at=NOW + 2 * HOUR)
    (item,) = store.latest(Scope(), limit=9)
    assert item.id not in first
    assert all(store.resolve(item_id) for item_id in first)


def test_the_same_poll_again_writes_nothing(reopen: Callable[[], Store]) -> None:
    """An upsert of an identical row is a write, and one of the full-text index as well: nothing moves for readers."""
    store, entries = reopen(), [make_entry(str(number)) for number in range(20)]
    follow(store, A)
    poll(store, A, *entries)
    cursor = store.candidate_changes(FEW, after=None, now=NOW).cursor
    before = store.generation()
    assert poll(store, A, *entries, at=NOW + HOUR).new_entries == 0
    after = store.candidate_changes(FEW, after=cursor, now=NOW + HOUR).cursor
    assert store.generation() == before
    if not is_postgresql_store(store):
        assert after.change == cursor.change, "nothing stands in the change log"


def is_postgresql_store(store: Store) -> bool:
    return type(store).__name__ == "PostgresStore"


@pytest.mark.parametrize("words", ["C++", '"x', "-x", "a AND", "NEAR(", "*", "a:b", "'", "\\", "(", "\0", "%", "日本"])
def test_what_looks_like_syntax_is_words(store: Store, words: str) -> None:
    follow(store, A)
    poll(store, A, make_entry("1", title=f"before {words} after".replace("\0", "")))
    found = store.search(words, limit=5)
    assert len(found) == any(letter.isalnum() for letter in words)


class TestLateCommits:
    """PostgreSQL alone: a transaction that began earlier commits later."""

    @pytest.fixture
    def store(self, empty_postgres_url: str, tmp_path: Path) -> Store:
        from aggregator.store import open_store

        return open_store(empty_postgres_url, base=tmp_path)

    def test_an_item_that_commits_behind_the_floor_is_followed(self, store: Store, postgres_url: str) -> None:
        """It was first seen before the newest that have been read, and is shown only after that."""
        follow(store, A, B, C)
        poll(store, A, make_entry("early"), at=NOW)
        with psycopg.connect(postgres_url, options="-c search_path=aggregator") as late:
            late.execute("UPDATE items SET shown = FALSE")
            late.commit()
            late.execute("UPDATE items SET shown = TRUE")
            poll(store, B, make_entry("b"), at=NOW + HOUR)
            first = store.candidate_changes(FEW, after=None, now=NOW + HOUR)
        second = store.candidate_changes(FEW, after=first.cursor, now=NOW + HOUR)
        assert [item.title for item in first.candidates] == ["Title of b"]
        assert "Title of early" in {item.title for item in second.candidates}, "some are read twice, none is lost"
        store.close()

    def test_the_generation_waits_for_nobody_and_moves_only_with_the_commit(
        self, store: Store, postgres_url: str
    ) -> None:
        """One counter for all writers would have each wait for the other's commit; a sequence moves too early."""
        follow(store, A)
        lease = lease_of(store, A)
        before = store.generation()
        with psycopg.connect(postgres_url, options="-c search_path=aggregator") as other:
            other.execute("INSERT INTO counters(name, value) VALUES ('generation/other', 1)")
            assert store.generation() == before, "what is not committed is not seen"
            store.complete(lease, make_result(lease.sources[0].id, [make_entry("1")], at=NOW))
            between = store.generation()
            assert between > before
        assert store.generation() == between + 1
        store.close()
