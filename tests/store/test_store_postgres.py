"""What only PostgreSQL can show: several writers, races, a schema that keeps step, words that both engines find."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_values import NOW, A, B, follow, lease_of, make_entry, make_result, poll

from aggregator.clock import RemoteClock, SteadyClock, wall
from aggregator.errors import StoreUnavailable, StoreUnusable
from aggregator.model import Population, Scope, Subscription, View
from aggregator.store import Store, open_store
from aggregator.store.postgres.search import to_tsquery, to_tsvector
from aggregator.store.postgres.view_spool import ViewSpool
from aggregator.store.sql.ids import search_query, search_words

TYPES = {"INTEGER": {"bigint", "boolean"}, "TEXT": {"text"}, "REAL": {"double precision"}, "BLOB": {"bytea"}}
#: what one engine has for what the other does in another way
OWN_TABLES = {"folded", "addresses", "entry_words", "pending_views", "_sqlite_migrations"}


@pytest.fixture
def url(empty_postgres_url: str) -> str:
    return empty_postgres_url


@pytest.fixture
def opened(url: str, tmp_path: Path) -> Callable[[], Store]:
    return lambda: open_store(url, base=tmp_path)


def test_both_schemas_have_the_same_columns(url: str, opened: Callable[[], Store]) -> None:
    opened().close()
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable = 'NO' FROM information_schema.columns"
            " WHERE table_schema = 'aggregator'"
        ).fetchall()
    ours = {(table, column): (kind, required) for table, column, kind, required in rows if table not in OWN_TABLES}
    with sqlite3.connect(":memory:") as other:
        other.executescript(files("aggregator.store.sqlite").joinpath("schema.sql").read_text("utf-8"))
        columns = other.execute(
            'SELECT t.name, c.name, c.type, c."notnull" OR c.pk > 0 FROM sqlite_schema t, pragma_table_info(t.name) c'
            " WHERE t.type = 'table' AND t.name NOT LIKE 'search_index%'"
        ).fetchall()
    theirs = {(table, column): (kind, bool(required)) for table, column, kind, required in columns}
    theirs = {key: value for key, value in theirs.items() if key[0] not in OWN_TABLES}
    assert ours.keys() == theirs.keys()
    assert [key for key, (kind, _) in ours.items() if kind not in TYPES[theirs[key][0]]] == []
    assert [key for key, (_, required) in ours.items() if required != theirs[key][1]] == []


def test_two_open_an_empty_database_at_once(opened: Callable[[], Store]) -> None:
    with ThreadPoolExecutor(4) as threads:
        stores = list(threads.map(lambda _: opened(), range(4)))
    assert [store.stats().entries for store in stores] == [0] * 4
    for store in stores:
        store.close()


def test_a_database_without_a_store_is_not_made_by_reading(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="holds no store yet"):
        open_store(url, base=tmp_path, create=False)


def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="cannot open") as caught:
        open_store("postgresql://me:secret@127.0.0.1:1/x?connect_timeout=2", base=tmp_path)
    assert "secret" not in str(caught.value)


def test_a_host_is_never_in_two_hands(opened: Callable[[], Store]) -> None:
    """Eight threads of four stores claim until nothing is left: every host once."""
    stores = [opened() for _ in range(4)]
    hosts = [f"https://host{number}.example/feed" for number in range(120)]
    stores[0].sync_sources([Subscription(url=url) for url in hosts], now=NOW)
    taken: list[str] = []
    lock = threading.Lock()

    def work(store: Store) -> None:
        while leases := store.claim(now=NOW, limit=5, lease=timedelta(minutes=5)):
            with lock:
                taken.extend(lease.host for lease in leases)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, stores * 2))
    assert sorted(taken) == sorted(url.split("/")[2] for url in hosts)
    for store in stores:
        store.close()


@pytest.mark.parametrize("wrong_by", [timedelta(minutes=7), timedelta(minutes=-7)])
def test_a_collector_whose_clock_is_wrong_takes_no_host_and_no_source_before_its_time(
    opened: Callable[[], Store], wrong_by: timedelta
) -> None:
    """Two machines whose clocks are minutes apart; a lease is two minutes long."""
    right, wrong = opened(), opened()

    def clock_of(store: Store, wrong_by: timedelta) -> SteadyClock:
        return SteadyClock(wall=RemoteClock(lambda: store.server_time(now=wall() + wrong_by)))

    now, there = clock_of(right, timedelta(0)), clock_of(wrong, wrong_by)
    follow(right, A, B, at=now())
    first = lease_of(right, A, at=now())
    (second,) = wrong.claim(now=there(), limit=9, lease=timedelta(minutes=2))
    assert [source.subscription.url for source in second.sources] == [B]  # A is held by the other one
    assert wrong.claim(now=there(), limit=9, lease=timedelta(minutes=2)) == []
    assert right.claim(now=now(), limit=9, lease=timedelta(minutes=2)) == []
    # what the wrong one completes is due when the right one takes it to be, and the other way round
    for store, clock, lease in ((right, now, first), (wrong, there, second)):
        polled_at = clock()
        store.complete(lease, make_result(lease.sources[0].id, at=polled_at, next_poll=polled_at + timedelta(hours=1)))
    due = [health.next_poll for store in (right, wrong) for health in store.sources(now=now())]
    assert all(moment and timedelta(minutes=58) < moment - wall() <= timedelta(hours=1) for moment in due)
    assert wrong.claim(now=there(), limit=9, lease=timedelta(minutes=2)) == []
    for store in (right, wrong):
        store.close()


def test_a_view_at_two_servers_counts_once_and_is_folded_once(opened: Callable[[], Store]) -> None:
    stores = [opened() for _ in range(4)]
    follow(stores[0], A)
    poll(stores[0], A, *map(make_entry, "123"))
    ids = [item.id for item in stores[0].items([story.id for story in stores[0].stories(min_sources=1, limit=0)])]
    ids = ids or [item.id for item in stores[0].search("title", limit=0)]
    views = [View(item_id=ids[0], visitor=bytes([number]), at=NOW) for number in range(50)]

    def serve(store: Store) -> int:
        counted = 0
        for view in views:
            store.record_views([view])
            counted += store.fold_views()
        return counted

    with ThreadPoolExecutor(4) as threads:
        counted = sum(threads.map(serve, stores))
    counted += stores[0].fold_views()
    assert counted == stores[0].stats().views == len(views)
    for store in stores:
        store.close()


def test_a_change_that_commits_late_is_not_passed_over(url: str, opened: Callable[[], Store]) -> None:
    """A transaction writes its change, another commits after it and is read, then the first commits."""
    store = opened()
    follow(store, A, B)
    poll(store, A, make_entry("1"))
    poll(store, B, make_entry("2"))
    first = store.candidate_changes(POPULATION, after=None, now=NOW)
    with psycopg.connect(url, options="-c search_path=aggregator") as late:
        late.execute("UPDATE items SET likes = likes + 1 WHERE id = (SELECT min(id) FROM items)")
        with psycopg.connect(url, options="-c search_path=aggregator") as early:
            early.execute("UPDATE items SET likes = likes + 1 WHERE id = (SELECT max(id) FROM items)")
        second = store.candidate_changes(POPULATION, after=first.cursor, now=NOW)
    third = store.candidate_changes(POPULATION, after=second.cursor, now=NOW)
    assert {item.likes for item in second.candidates} == {1}
    assert {item.item_id for item in second.candidates} | {item.item_id for item in third.candidates} == {
        item.item_id for item in first.candidates
    }
    store.close()


POPULATION = Population(reach=timedelta(days=2), newest=100, windows={"1d": timedelta(days=1)})
TEXTS = st.text(st.sampled_from("abcÄéß日本語ไทย '\\-_:&|!<>\u0301İ٣①C++"), max_size=30)


@given(TEXTS, TEXTS)
def test_any_text_is_a_valid_vector_and_query_and_both_engines_find_the_same(text: str, asked: str) -> None:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE VIRTUAL TABLE f USING fts5(w, tokenize = 'unicode61 remove_diacritics 2')")
        connection.execute("INSERT INTO f VALUES (?)", (search_words(text),))
        query = search_query(asked)
        found = bool(query and connection.execute("SELECT 1 FROM f WHERE f MATCH ?", (query,)).fetchone())
    assert matches(to_tsvector(search_words(text)), to_tsquery(asked)) == found


def matches(vector: str, query: str) -> bool:
    """Whether the query finds the vector, by PostgreSQL's rules for words and phrases, as far as these literals go."""
    places: dict[str, set[int]] = {}
    for part in vector.split(" ") if vector else []:
        word, _, numbers = part.rpartition(":")
        places[word] = set(map(int, numbers.split(",")))
    phrases = [phrase.strip("()").split(" <-> ") for phrase in query.split(" & ")] if query else []
    return bool(phrases) and all(
        any(
            all(start + step in places.get(word, ()) for step, word in enumerate(phrase))
            for start in places.get(phrase[0], ())
        )
        for phrase in phrases
    )


def test_a_poll_that_lost_its_lease_changes_nothing_beside_another_process(opened: Callable[[], Store]) -> None:
    from aggregator.errors import StaleLease

    one, other = opened(), opened()
    follow(one, A)
    stale = lease_of(one, A)
    fresh = other.claim(now=NOW + timedelta(days=1), limit=1, lease=timedelta(minutes=5))[0]
    with pytest.raises(StaleLease):
        one.complete(stale, make_result(stale.sources[0].id, [make_entry("1")], at=NOW))
    assert other.complete(fresh, make_result(fresh.sources[0].id, [make_entry("1")], at=NOW)).new_entries == 1
    one.close()
    other.close()


def test_one_address_at_many_sources_in_many_processes_is_one_item(opened: Callable[[], Store]) -> None:
    """Each of sixteen sources brings the same twelve addresses; four writers, any order."""
    stores = [opened() for _ in range(4)]
    feeds = [f"https://host{number}.example/feed" for number in range(16)]
    follow(stores[0], *feeds)
    leases = stores[0].claim(now=NOW, limit=100, lease=timedelta(minutes=5))
    pages = [f"https://story.example/{number}" for number in range(12)]

    def work(number: int) -> None:
        lease = leases[number]
        entries = [
            make_entry(
                f"{number} {page}", link=page, title=f"Harbour reopens after storm {page[-2:]}", text="Ferries sail."
            )
            for page in (pages if number % 2 else pages[::-1])
        ]
        stores[number % 4].complete(lease, make_result(lease.sources[0].id, entries, at=NOW))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(len(leases))))
    items = stores[0].latest(Scope(), limit=0)
    assert len(items) == len(pages)
    assert {len({copy.source.id for copy in item.copies}) for item in items} == {len(feeds)}
    assert stores[0].stats().entries == len(feeds) * len(pages)
    for store in stores:
        store.close()


def test_views_wait_for_a_server_that_is_away_and_outlive_the_process(tmp_path: Path) -> None:
    sent: list[tuple[int, int, bytes]] = []
    is_away = True

    def send(rows: Sequence[tuple[int, int, bytes]]) -> None:
        if is_away:
            raise StoreUnavailable("away")
        sent.extend(rows)

    dead = ViewSpool(tmp_path, send)
    dead.append([(1, 2, b"a"), (3, 4, b"")])
    with pytest.raises(StoreUnavailable):
        dead.flush()
    dead.append([(5, 6, b"c")])
    dead.close()  # the server is still away: the file stays
    (left,) = tmp_path.glob("*.spool")
    with left.open("ab") as file:
        file.write(b"7 8 cut")
    is_away = False
    alive = ViewSpool(tmp_path, send)
    alive.append([(9, 9, b"z")])
    alive.flush()
    assert sent == [(9, 9, b"z")]
    assert alive.adopt() == 1
    assert sorted(sent) == [(1, 2, b"a"), (3, 4, b""), (5, 6, b"c"), (9, 9, b"z")]
    alive.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_process_left_is_sent_when_the_server_is_back(tmp_path: Path) -> None:
    """A process starts while the server recovers: nobody asks it a second time to look for what was left."""
    sent, arrived = list[tuple[int, int, bytes]](), threading.Event()
    back = threading.Event()

    def send(rows: Sequence[tuple[int, int, bytes]]) -> None:
        if not back.is_set():
            raise StoreUnavailable("recovering")
        sent.extend(rows)
        arrived.set()

    dead = ViewSpool(tmp_path, send)
    dead.append([(1, 2, b"a")])
    dead.close()
    alive = ViewSpool(tmp_path, send)
    with pytest.raises(StoreUnavailable):
        alive.adopt()
    back.set()
    assert arrived.wait(120)
    alive.close()
    assert sent == [(1, 2, b"a")]
    assert list(tmp_path.iterdir()) == []
