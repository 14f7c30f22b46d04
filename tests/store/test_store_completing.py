"""Polls that are completed together leave what they leave one after another, whatever fails among them."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st
from store_values import HOUR, LEASE, NOW, A, B, C, follow, lease_of, make_entry, make_result

from aggregator.errors import StaleLease, StoreError
from aggregator.model import (
    ConditionalState,
    FeedInfo,
    Lease,
    PollError,
    PollResult,
    PostingRate,
    Subscription,
    Validators,
)
from aggregator.store import PollChanges, Store, open_store

#: two hosts with several sources, one of them without a pause between requests, and three hosts with one
URLS = (
    *("https://a.example/1", "https://a.example/2", "https://a.example/3"),
    *("http://127.0.0.1:1/1", "http://127.0.0.1:1/2"),
    *(B, C, "https://d.example/feed"),
)
#: where permanent redirects lead: hosts that are followed already and one that is not, and the address of a source
TARGETS = ("https://new.example/feed", "http://127.0.0.1:1/new", B)
ERROR = PollError(code="http-503", message="busy")
Poll = tuple[Lease, PollResult]


def unchanged(source_id: int, at: datetime, n: int) -> PollResult:
    return make_result(source_id, at=at, outcome="not-modified", status=304, validators=Validators(etag=f'"{n}"'))


def brings(source_id: int, at: datetime, n: int) -> PollResult:
    at_sea = "north" if n % 2 else "south"
    entries = [
        make_entry(f"{k}", title=f"Ship {'abc'[k] * 3} {at_sea}", link=f"https://x.example/{k}")
        for k in range(n % 3 + 1)
    ]
    info = FeedInfo(title=f"Feed {n % 2}", link="https://a.example/", ttl=HOUR)
    rhythm = PostingRate(weight=n / 7, as_of=at, since=NOW, hours=tuple(k / 3 for k in range(24)))
    return make_result(source_id, entries, at=at, info=info, posting_rate=rhythm, body_hash=bytes([n % 256]) * 32)


#: what polls find, by the number of the poll; what is spoilt fails when some of it is written, nonsense before that
FINDS: dict[str, Callable[[int, datetime, int], PollResult]] = {
    "unchanged": unchanged,
    "brings": brings,
    "same": lambda i, at, _: make_result(i, at=at, outcome="same", size_bytes=99, conditional=ConditionalState()),
    "fails": lambda i, at, _: make_result(i, at=at, outcome="error", error=ERROR, warnings=("slow",)),
    "our fault": lambda i, at, _: make_result(i, at=at, outcome="error", error=ERROR, counts_as_error=False),
    "parks": lambda i, at, _: make_result(i, at=at, outcome="error", error=ERROR, park_host_until=at + 5 * HOUR),
    "410": lambda i, at, _: make_result(i, at=at, outcome="error", error=ERROR, status=410),
    "gone": lambda i, at, _: make_result(i, at=at, outcome="gone", error=ERROR, status=410),
    "moves": lambda i, at, n: make_result(i, at=at, outcome="same", moved_to=TARGETS[n % 3]),
    "adopts": lambda i, at, n: make_result(i, at=at, moved_to=TARGETS[n % 3], adopt_url=True),
    "changes its ids": lambda i, at, _: make_result(i, at=at, unstable_ids=True, duration=timedelta(seconds=3)),
    "spoilt": lambda i, at, n: make_result(i, [make_entry("0"), make_entry(f"{n}", content_html="\ud800")], at=at),
    "nonsense": lambda i, at, n: make_result(i, [make_entry(f"{n}", text=cast("str", b"?"))], at=at),
    "of nobody": lambda _, at, __: make_result(99, at=at),
}
ROUNDS = st.lists(
    st.lists(
        st.tuples(st.integers(0, len(URLS) - 1), st.sampled_from(sorted(FINDS)), st.booleans(), st.integers(0, 5)),
        max_size=9,
    ),
    min_size=1,
    max_size=4,
)


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that is in the file, but how many times readers saw a change."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%STRICT%'")
        rows = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names.fetchall()}
    rows.pop("counters")
    return rows


def told(outcomes: Sequence[PollChanges | Exception]) -> list[object]:
    """Outcomes as they can be compared; errors name the file they are of."""
    return [(type(one), str(one).partition(".db")[2]) if isinstance(one, Exception) else one for one in outcomes]


def one_by_one(store: Store, polls: Sequence[Poll]) -> list[PollChanges | Exception]:
    outcomes: list[PollChanges | Exception] = []
    for lease, result in polls:
        try:
            outcomes.append(store.complete(lease, result))
        except Exception as error:  # noqa: BLE001 - an outcome like any other
            outcomes.append(error)
    return outcomes


def drawn(leases: Sequence[Lease], picks: Sequence[tuple[int, str, bool, int]], at: datetime, n: int) -> list[Poll]:
    """Polls of these leases, some of them twice, some late."""
    places = [(lease, source.id) for lease in leases for source in lease.sources]
    polls = []
    for place, find, late, number in picks if places else ():
        lease, source_id = places[place % len(places)]
        lease = replace(lease, token=lease.token - 1) if late and number > 3 else lease
        polls.append((lease, FINDS[find](source_id, at, n * 7 + number)))
    return polls


@settings(max_examples=60)
@given(rounds=ROUNDS)
def test_together_is_one_after_another(rounds: list[list[tuple[int, str, bool, int]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "one.db", Path(folder) / "all.db"]
        stores = [open_store(f"sqlite:{path.name}", base=path.parent) for path in paths]
        for store in stores:
            store.sync_sources([Subscription(url=url) for url in URLS], now=NOW)
        for n, picks in enumerate(rounds):
            at = NOW + n * 9 * HOUR
            apart, together = ([*store.claim(now=at, limit=99, lease=LEASE, per_host=2)] for store in stores)
            assert apart == together
            polls = drawn(apart, picks, at, n)
            assert told(stores[1].complete_all(polls)) == told(one_by_one(stores[0], polls))
            assert tables(paths[1]) == tables(paths[0])
        for store in stores:
            store.close()


def test_a_poll_that_fails_half_way_leaves_nothing_and_takes_nobody_with_it(store: Store) -> None:
    follow(store, A, B, C)
    leases = [lease_of(store, url) for url in (A, B, C)]
    polls = [(lease, brings(lease.sources[0].id, NOW, n)) for n, lease in enumerate(leases)]
    spoilt = FINDS["spoilt"](leases[1].sources[0].id, NOW, 1)
    good, failed, after = store.complete_all([polls[0], (leases[1], spoilt), polls[2]])
    assert (good, after) == (PollChanges(new_entries=1, new_items=1), PollChanges(new_entries=3, new_items=2))
    assert isinstance(failed, StoreError)
    assert store.sources(now=NOW, slug=leases[1].sources[0].slug)[0].last_poll is None
    assert store.complete(*polls[1]) == PollChanges(new_entries=2)


def test_many_at_once_are_one_change_for_readers(store: Store) -> None:
    follow(store, A, B, C)
    polls = [(lease, brings(lease.sources[0].id, NOW, 1)) for lease in (lease_of(store, url) for url in (A, B, C))]
    before = store.generation()
    store.complete_all(polls)
    assert store.generation() == before + 1
    store.complete_all(polls)
    assert store.generation() == before + 1, "completed before: nothing has changed"


def test_nothing_to_complete(store: Store) -> None:
    assert list(store.complete_all([])) == []


def test_two_that_move_to_one_address_at_once_are_polled_once(store: Store) -> None:
    """FRB137: the second one sees what the first has done, though they come together."""
    follow(store, A, B)
    leases = [lease_of(store, url) for url in (A, B)]
    moves = [make_result(lease.sources[0].id, moved_to=C, adopt_url=True) for lease in leases]
    store.complete_all(list(zip(leases, moves, strict=True)))
    assert [one.state for one in store.sources(now=NOW)] == ["quiet", "gone"]


def test_a_source_that_moves_to_a_host_does_not_free_it(store: Store) -> None:
    """One request at a time: whoever polls that host has it until they are done."""
    follow(store, A, B, f"{B}/2")
    mine, theirs = lease_of(store, A), lease_of(store, B)
    store.complete(mine, make_result(mine.sources[0].id, moved_to=f"{B}/3", adopt_url=True))
    assert store.claim(now=NOW + timedelta(seconds=30), limit=9, lease=LEASE) == []
    assert store.complete(theirs, make_result(theirs.sources[0].id, at=NOW + timedelta(seconds=30))) == PollChanges()
    (lease,) = store.claim(now=NOW + timedelta(seconds=31), limit=9, lease=LEASE)
    assert [one.subscription.url for one in lease.sources] == [f"{B}/2"]


def test_stale_ones_among_them_are_told(store: Store) -> None:
    follow(store, A, B)
    old = lease_of(store, A)
    new = lease_of(store, A, at=NOW + 2 * LEASE)
    other = lease_of(store, B)
    results = [make_result(lease.sources[0].id, [make_entry("1")]) for lease in (old, new, other)]
    stale, *stored = store.complete_all(list(zip((old, new, other), results, strict=True)))
    assert isinstance(stale, StaleLease)
    assert stored == [PollChanges(new_entries=1, new_items=1)] * 2
