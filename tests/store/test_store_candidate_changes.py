"""Candidates followed by what has changed are those that are read anew: random things happen, in one process or two."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from store_values import HOUR, LEASE, NOW, A, B, C, edited, follow, lease_of, make_entry, make_result, poll

from aggregator.curate.rules import Subject, subject_of_item
from aggregator.curate.windows import bounds
from aggregator.model import (
    Candidate,
    ChangeCursor,
    Curation,
    FeedInfo,
    Merge,
    Population,
    Scope,
    StoryJoin,
    StoryMerge,
    Subscription,
    Upstream,
    Verdict,
    View,
    duration_text,
)
from aggregator.store import Store, open_store
from aggregator.store.sql.candidates import SELECTED
from aggregator.store.sql.change_triggers import ENTRY_COLUMNS, ITEM_COLUMNS, RULE_COLUMNS
from aggregator.store.sql.ingest.entry_rows import CONTENT

SOURCES = (A, B, C)
WINDOWS = {"1h": HOUR, "1d": 24 * HOUR, "3d": 72 * HOUR}
FEW = Population(reach=72 * HOUR, newest=4, windows=WINDOWS)


@dataclass
class Follower:
    """Knows the candidates by their changes alone."""

    population: Population = FEW
    cursor: ChangeCursor | None = None
    known: dict[str, Candidate] = field(default_factory=dict)
    rates: dict[int, float] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=lambda: {name: {} for name in WINDOWS})
    #: what rules look at, read again only where the changes say so
    subjects: dict[str, Subject] = field(default_factory=dict)
    #: how often everything had to be read
    wholes: int = 0

    def follow(self, store: Store, now: datetime) -> datetime:
        changes = store.candidate_changes(self.population, after=self.cursor, now=now)
        if changes.whole:
            self.known, self.rates, self.subjects = {}, {}, {}
            self.counts = {name: {} for name in WINDOWS}
            self.wholes += 1
        self.cursor = changes.cursor
        self.known |= {item.item_id: item for item in changes.candidates}
        for item_id in changes.gone:
            self.known.pop(item_id, None)
        for item_id in changes.gone | changes.edited:
            self.subjects.pop(item_id, None)
        self.subjects |= subjects(store, self.known.keys() - self.subjects.keys())
        self.rates |= changes.rates
        for window, counted in changes.counts.items():
            self.counts[window] |= counted
        return changes.cursor.at

    def check(self, store: Store, now: datetime) -> None:
        at = self.follow(store, now)
        since, _ = bounds(duration_text(self.population.reach), now=at)
        anew = store.candidates(since=since, now=at, limit=self.population.newest)
        known = [replace(item, source_rate=self.rates[item.source_id]) for item in self.known.values()]
        assert sorted(known, key=_id) == sorted(anew, key=_id)
        assert self.subjects == subjects(store, self.known.keys())
        for window, counts in self.counts.items():
            since, until = bounds(window, now=at)
            assert {item_id: n for item_id, n in counts.items() if n} == store.view_counts(since=since, until=until)


def _id(item: Candidate) -> str:
    return item.item_id


def subjects(store: Store, item_ids: Iterable[str]) -> dict[str, Subject]:
    return {item.id: subject_of_item(item) for item in store.items(list(item_ids))}


class Moving(RuleBasedStateMachine):
    """A store in which everything happens that moves a candidate; time goes on."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.store = open_store("sqlite:a.db", base=self.folder)
        self.other = open_store("sqlite:a.db", base=self.folder)
        follow(self.store, *SOURCES)
        self.now = NOW
        self.follower = Follower()
        self.happened = False

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.other.close()
            shutil.rmtree(self.folder)

    def _ids(self) -> list[str]:
        return sorted(item.id for item in self.store.latest(Scope(), limit=0))

    def _one(self, number: int) -> str | None:
        ids = self._ids()
        return ids[number % len(ids)] if ids else None

    @rule(
        url=st.sampled_from(SOURCES),
        numbers=st.lists(st.integers(0, 9), max_size=4),
        version=st.integers(0, 2),
        comments=st.sampled_from([None, 3, 40]),
        dropped=st.booleans(),
    )
    def poll(self, url: str, numbers: list[int], version: int, comments: int | None, dropped: bool) -> None:
        self.now += LEASE
        entries = [
            edited(
                make_entry(
                    str(n),
                    link=f"https://x.example/{n}" if n % 3 else None,
                    published=self.now - n * HOUR,
                    outlinks=(f"https://x.example/{n + 1}",),
                    upstream=Upstream(comments=comments),
                    author=f"Author {version}",
                    verdict=Verdict(dropped="it is" if dropped and n == 4 else None, boost=1.0 + version),
                ),
                f"{n}.{version}",
            )
            for n in numbers
        ]
        lease = lease_of(self.other, url, at=self.now)
        self.other.complete(lease, make_result(lease.sources[0].id, entries, at=self.now))

    @rule(url=st.sampled_from(SOURCES), title=st.sampled_from(["One", "Other"]))
    def rename(self, url: str, title: str) -> None:
        self.now += LEASE
        poll(self.other, url, at=self.now, info=FeedInfo(title=title))

    @rule(number=st.integers(0, 20), visitor=st.integers(0, 3), ago=st.sampled_from([0, 0, 1, 50, 300, 5000]))
    def view(self, number: int, visitor: int, ago: int) -> None:
        item_id = self._one(number)
        if item_id:
            at = self.now - timedelta(minutes=ago)
            self.store.record_views([View(item_id=item_id, at=at, visitor=bytes([visitor]))])
            self.store.fold_views()

    @rule(number=st.integers(0, 20), visitor=st.integers(0, 3))
    def like(self, number: int, visitor: int) -> None:
        item_id = self._one(number)
        if item_id:
            self.store.like(item_id, visitor=bytes([visitor]), now=self.now)

    @rule(first=st.integers(0, 20), second=st.integers(0, 20), what=st.sampled_from(["merge", "join", "unite"]))
    def curate(self, first: int, second: int, what: str) -> None:
        one, two = self._one(first), self._one(second)
        if one is None or two is None or one == two:
            return
        curation = Curation(curated=(one,))
        if what == "merge":
            curation = replace(curation, merges=(Merge(keep=one, absorb=two, rule="near-duplicate"),))
        elif what == "join":
            joins = (StoryJoin(item_id=one, story=one), StoryJoin(item_id=two, story=one))
            curation = replace(curation, joins=joins)
        else:
            curation = replace(curation, story_merges=(StoryMerge(keep=one, absorb=two),))
        self.store.put_curation(curation, now=self.now)

    @rule(
        weight=st.sampled_from([0.5, 1.0, 3.0]),
        section=st.sampled_from(["World", "Science"]),
        name=st.sampled_from([None, "A"]),
    )
    def configure(self, weight: float, section: str, name: str | None) -> None:
        of_a = Subscription(url=A, weight=weight, section=section, name=name)
        self.other.sync_sources([of_a, *(Subscription(url=url, section=section) for url in (B, C))], now=self.now)

    @rule(age=st.sampled_from([1, 40, 100]))
    def retain(self, age: int) -> None:
        self.store.retain(before=self.now - age * HOUR, now=self.now)

    @rule(minutes=st.sampled_from([1, 4, 9, 55, 600, 1500]))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @invariant()
    def the_candidates_are_those_that_are_read_anew(self) -> None:
        if hasattr(self, "follower"):
            self.follower.check(self.store, self.now)
            assert self.follower.wholes == 1


Moving.TestCase.settings = settings(
    max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestMoving = Moving.TestCase


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store("sqlite:a.db", base=tmp_path)) as opened:
        follow(opened, *SOURCES)
        yield opened


def test_nothing_moves_where_nothing_happens(store: Store) -> None:
    poll(store, A, *(make_entry(str(n)) for n in range(9)))
    first = store.candidate_changes(FEW, after=None, now=NOW)
    again = store.candidate_changes(FEW, after=first.cursor, now=NOW + timedelta(seconds=40))
    assert first.whole
    assert not again.whole
    assert [again.candidates, again.gone, again.edited, again.rates] == [[], frozenset(), frozenset(), {}]
    assert not any(again.counts.values())


def test_an_edit_moves_one_item(store: Store) -> None:
    entries = [make_entry(str(n), published=NOW) for n in range(3)]
    poll(store, A, *entries)
    cursor = store.candidate_changes(FEW, after=None, now=NOW).cursor
    poll(store, A, edited(entries[1], "other words"), at=NOW + HOUR)
    changes = store.candidate_changes(FEW, after=cursor, now=NOW + HOUR)
    assert [item.title for item in changes.candidates] == ["other words"]
    assert changes.edited == {item.item_id for item in changes.candidates}


def test_what_is_read_or_liked_is_not_edited(store: Store) -> None:
    poll(store, A, make_entry("a", upstream=Upstream(comments=1)))
    cursor = store.candidate_changes(FEW, after=None, now=NOW).cursor
    (item,) = store.latest(Scope(), limit=0)
    store.like(item.id, visitor=b"v", now=NOW)
    poll(store, A, make_entry("a", upstream=Upstream(comments=7)), at=NOW + HOUR, info=FeedInfo(title="A"))
    cursor = store.candidate_changes(FEW, after=cursor, now=NOW + HOUR).cursor
    store.like(item.id, visitor=b"w", now=NOW + HOUR)
    poll(store, A, make_entry("a", upstream=Upstream(comments=9)), at=NOW + 2 * HOUR, info=FeedInfo(title="A"))
    changes = store.candidate_changes(FEW, after=cursor, now=NOW + 2 * HOUR)
    assert [(one.likes, one.upstream.comments) for one in changes.candidates] == [(2, 9)]
    assert not changes.edited


def test_what_came_on_the_way_is_there_already(store: Store) -> None:
    follower = Follower()
    follower.check(store, NOW)
    poll(store, A, make_entry("a", published=NOW), at=NOW + timedelta(seconds=2))
    follower.check(store, NOW)
    assert follower.cursor is not None
    assert follower.cursor.at == NOW + timedelta(seconds=2)
    assert (len(follower.known), follower.wholes) == (1, 1)


def test_what_was_seen_stays_seen_when_the_clock_goes_back_by_an_hour(store: Store) -> None:
    follower = Follower()
    poll(store, A, make_entry("a", published=NOW), at=NOW)
    follower.check(store, NOW)
    follower.check(store, NOW - HOUR)
    assert follower.cursor is not None
    assert follower.cursor.at == NOW
    assert (len(follower.known), follower.wholes) == (1, 1)


def test_what_a_clock_saw_that_was_days_ahead_comes_when_its_time_has_come(store: Store) -> None:
    follower, back = Follower(), NOW - 48 * HOUR
    poll(store, A, make_entry("a", published=NOW), at=NOW)
    follower.check(store, NOW)
    follower.check(store, back)
    assert (len(follower.known), follower.wholes) == (0, 2), "the clock went back"
    poll(store, B, make_entry("b", published=back), at=back + timedelta(minutes=1))
    follower.check(store, back + timedelta(minutes=2))
    assert (len(follower.known), follower.wholes) == (1, 2)
    follower.check(store, NOW + HOUR)
    assert (len(follower.known), follower.wholes) == (2, 2)


def test_a_clock_that_was_a_year_ahead_does_not_make_each_refresh_read_everything(store: Store) -> None:
    follower, year = Follower(), NOW + timedelta(days=365)
    poll(store, A, make_entry("a", published=NOW), at=NOW)
    poll(store, B, make_entry("b", published=NOW), at=year)
    for item in store.latest(Scope(), limit=0):
        store.record_views([View(item_id=item.id, at=year, visitor=b"v")])
        store.like(item.id, visitor=b"v", now=year)
        store.add_impressions({item.id: 2.0}, at=year)
    store.fold_views()
    for minute in range(4):
        follower.follow(store, NOW + timedelta(minutes=minute))
        assert len(follower.known) == 1
        assert not any(filter(None, (any(counts.values()) for counts in follower.counts.values())))
    assert follower.wholes == 1
    follower.check(store, year + timedelta(minutes=1))
    assert (len(follower.known), follower.wholes) == (2, 1)
    assert sorted(follower.counts["1h"].values()) == [1, 1]


def test_another_population_and_a_log_that_was_cut_off_mean_reading_everything(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = Follower()
    poll(store, A, *(make_entry(str(n), published=NOW) for n in range(6)))
    follower.check(store, NOW)
    follower.population = replace(FEW, newest=2)
    follower.check(store, NOW)
    assert (len(follower.known), follower.wholes) == (2, 2)
    monkeypatch.setattr("aggregator.store.sql.candidate_changes.KEPT", 3)
    poll(store, B, *(make_entry(str(n), published=NOW) for n in range(6)), at=NOW + HOUR)
    store.retain(before=NOW - 900 * HOUR, now=NOW + HOUR)
    follower.check(store, NOW + HOUR)
    assert follower.wholes == 3
    poll(store, C, make_entry("c", published=NOW), at=NOW + 2 * HOUR)
    follower.check(store, NOW + 2 * HOUR)
    assert follower.wholes == 3


def test_every_column_that_candidates_are_made_of_is_followed() -> None:
    by_revision = {"title", "text", "language"}
    for table, known in (("i", {"id", "public_id", *ITEM_COLUMNS}), ("e", {"id", *by_revision, *ENTRY_COLUMNS})):
        assert set(re.findall(rf"\b{table}\.(\w+)", SELECTED)) - known == set()
    assert set(RULE_COLUMNS) < set(ITEM_COLUMNS)
    assert by_revision < set(CONTENT)
