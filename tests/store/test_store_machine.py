"""Polls interleaved and repeated, with restarts and curation between: the same as one clean run of those polls."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from store_values import LEASE, NOW, A, B, C, edited, follow, lease_of, make_entry, make_result, source_id

from aggregator.errors import StaleLease
from aggregator.model import Curation, Entry, Lease, PollResult, Scope, View
from aggregator.store import Store, open_store

SOURCES = (A, B, C)
#: few addresses, so that sources often share one; one in three entries has none
LINKS = ("https://x.example/1", "https://x.example/2", None)


def published(url: str, number: int, version: int) -> Entry:
    """Entry `number` of a source, as it stood in its `version`."""
    link = LINKS[number % 3] and f"{LINKS[number % 3]}/{number // 3}"
    return edited(make_entry(str(number), link=link, published=NOW - timedelta(minutes=number)), f"{number}.{version}")


Row = tuple[list[tuple[str, str, str, datetime]], datetime, datetime, int]


def table(store: Store) -> list[Row]:
    """All that readers can tell of the items, without their ids."""
    items = store.latest(Scope(), limit=0)
    return sorted(
        (
            sorted((copy.source.url, copy.entry_id, copy.title, copy.first_seen) for copy in item.copies),
            item.published,
            item.first_seen,
            item.views,
        )
        for item in items
    )  # fmt: skip


class Polls(RuleBasedStateMachine):
    """The store under test beside the plain list of polls that were acknowledged."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.store = open_store("sqlite:a.db", base=self.folder)
        follow(self.store, *SOURCES)
        self.tick = 0
        self.done: list[tuple[Lease, PollResult, str]] = []
        self.old_leases: list[Lease] = []
        self.viewed = 0

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)

    @rule(
        url=st.sampled_from(SOURCES),
        numbers=st.lists(st.integers(0, 8), max_size=5),
        version=st.integers(0, 2),
        insert_only=st.booleans(),
    )
    def poll(self, url: str, numbers: list[int], version: int, insert_only: bool) -> None:
        self.tick += 1
        at = NOW + self.tick * timedelta(hours=1)
        lease = lease_of(self.store, url, at=at)
        entries = [published(url, number, version) for number in numbers]
        result = make_result(lease.sources[0].id, entries, at=at, insert_only=insert_only)
        self.store.complete(lease, result)
        self.done.append((lease, result, url))

    @rule(url=st.sampled_from(SOURCES))
    def lose_a_lease(self, url: str) -> None:
        """A worker dies with its lease; it is handed out again when it has run out."""
        self.tick += 1
        self.old_leases.append(lease_of(self.store, url, at=NOW + self.tick * timedelta(hours=1)))

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def complete_again(self, data: st.DataObject) -> None:
        lease, result, _ = data.draw(st.sampled_from(self.done))
        self._late(lease, result)

    @precondition(lambda self: self.old_leases)
    @rule(data=st.data())
    def complete_late(self, data: st.DataObject) -> None:
        """A dead worker wakes up; its work counts only if nobody has taken over."""
        lease = data.draw(st.sampled_from(self.old_leases))
        url = lease.sources[0].subscription.url
        if any(done[0].host == lease.host and done[0].token > lease.token for done in self.done):
            self._late(lease, make_result(lease.sources[0].id, [published(url, 8, 9)]))

    def _late(self, lease: Lease, result: PollResult) -> None:
        before, generation = table(self.store), self.store.generation()
        try:
            stored = self.store.complete(lease, result)
            assert (stored.new_entries, stored.updated) == (0, 0)
        except StaleLease:
            pass
        assert (table(self.store), self.store.generation()) == (before, generation)

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = open_store("sqlite:a.db", base=self.folder)
        follow(self.store, *SOURCES)

    @rule()
    def curate(self) -> None:
        waiting = self.store.pending(limit=9)
        for _ in range(2):
            self.store.put_curation(Curation(curated=tuple(one.item_id for one in waiting)), now=NOW)

    @rule()
    def view(self) -> None:
        for item in self.store.latest(Scope(), limit=1):
            self.viewed += 1
            self.store.record_views([View(item_id=item.id, at=NOW, visitor=self.viewed.to_bytes(8, "big"))] * 2)

    @rule()
    def fold(self) -> None:
        self.store.fold_views()
        assert self.store.stats().views == self.viewed
        assert sum(item.views for item in self.store.latest(Scope(), limit=0)) == self.viewed

    @invariant()
    def same_as_one_clean_run(self) -> None:
        if len(self.done) % 4 == 3:
            with tempfile.TemporaryDirectory() as folder:
                clean = replay([(result, url) for _, result, url in self.done], Path(folder))
            without_views = [row[:3] for row in table(self.store)]
            assert without_views == [row[:3] for row in clean]


def replay(polls: Sequence[tuple[PollResult, str]], folder: Path) -> list[Row]:
    """What the same polls leave, each done once."""
    store = open_store("sqlite:clean.db", base=folder)
    follow(store, *SOURCES)
    for result, url in polls:
        lease = lease_of(store, url, at=result.polled_at, lease=LEASE)
        store.complete(lease, result)
    rows = table(store)
    store.close()
    return rows


TestPolls = Polls.TestCase
TestPolls.settings = settings(
    max_examples=10, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)


@settings(max_examples=15, deadline=None)
@given(
    polls=st.lists(st.tuples(st.sampled_from(SOURCES), st.sets(st.integers(0, 8), max_size=5)), min_size=1, max_size=6),
    dice=st.randoms(use_true_random=False),
)
def test_which_entries_are_one_item_does_not_depend_on_the_order_of_polls(
    polls: list[tuple[str, set[int]]], dice: object
) -> None:
    def partition(order: Sequence[tuple[str, set[int]]]) -> set[frozenset[tuple[str, str]]]:
        with tempfile.TemporaryDirectory() as folder:
            store = open_store("sqlite:a.db", base=Path(folder))
            follow(store, *SOURCES)
            for n, (url, numbers) in enumerate(order):
                at = NOW + n * timedelta(hours=1)
                lease = lease_of(store, url, at=at)
                entries = [published(url, number, 0) for number in sorted(numbers)]
                store.complete(lease, make_result(source_id(store, url), entries, at=at))
            items = store.latest(Scope(), limit=0)
            store.close()
            return {frozenset((copy.source.url, copy.entry_id) for copy in item.copies) for item in items}

    shuffled = list(polls)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    assert partition(polls) == partition(shuffled)
