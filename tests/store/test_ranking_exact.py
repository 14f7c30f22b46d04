"""Most viewed is what was viewed: rankings through the real store and its log of views, beside a recount by hand."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from store_values import follow, make_entry, poll

from aggregator.curate.windows import bounds, span
from aggregator.model import Curation, Merge, Scope, View
from aggregator.refresh import CurateOptions, Refresher
from aggregator.store import Store, open_store

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
WINDOWS = ("1h", "6h", "1d", "7d", "30d")
#: two items of each of three sources
NAMES = ("ab", "cd", "ef")
OPTIONS = CurateOptions(windows={window: span(window) for window in WINDOWS}, ranking_size=4)
LAST_DAY = 39 * 24 * 60


@dataclass(frozen=True)
class Step:
    """Somebody opens an item, `minutes` after the beginning; what happens after that."""

    minutes: int
    item: int
    visitor: int
    then: str


steps = st.builds(
    Step,
    minutes=st.one_of(st.integers(0, LAST_DAY + 1440), st.integers(LAST_DAY, LAST_DAY + 1440)),
    item=st.integers(0, 5),
    visitor=st.integers(0, 5),
    then=st.sampled_from(["", "", "", "", "fold", "fold", "reopen", "midnight", "import", "merge"]),
)


def moment(minutes: int) -> datetime:
    return BEGIN + timedelta(minutes=minutes, seconds=minutes % 59)


def published(store: Store) -> list[str]:
    """The ids of the six items."""
    for names in NAMES:
        url = f"https://{names}.example/feed"
        follow(store, *(f"https://{other}.example/feed" for other in NAMES), at=BEGIN)
        poll(store, url, *(make_entry(name, published=BEGIN) for name in names), at=BEGIN)
    by_title = {item.title: item.id for item in store.latest(Scope(), limit=0)}
    return [by_title[f"Title of {name}"] for name in "".join(NAMES)]


@dataclass
class Recount:
    """All views that count, one by one: each visitor once a day and item."""

    counted: dict[tuple[str, int, date], datetime] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    #: before then nobody knows any more who it was
    known_from: date = date(2026, 3, 1)

    def see(self, item_id: str, visitor: int, at: datetime) -> None:
        self.counted.setdefault((self.merged.get(item_id, item_id), visitor, at.date()), at)

    def merge(self, keep: str, absorb: str) -> None:
        self.merged[absorb] = keep
        for (item_id, visitor, day), at in list(self.counted.items()):
            if item_id == absorb:
                del self.counted[item_id, visitor, day]
                # a stranger of a day long gone stays a reader of their own
                who = visitor if day >= self.known_from else visitor + 100
                self.counted[keep, who, day] = min(at, self.counted.get((keep, who, day), at))

    def window(self, since: datetime, until: datetime) -> Counter[str]:
        return Counter(item_id for (item_id, _, _), at in self.counted.items() if since <= at < until)


class Scene:
    """A store in which things happen, and the recount beside it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.store = self._open()
        self.ids = published(self.store)
        self.truth = Recount()

    def _open(self) -> Store:
        return open_store("sqlite:exact.db", base=self._directory)

    def play(self, step: Step, number: int) -> None:
        at = moment(step.minutes)
        view = View(item_id=self.ids[step.item], at=at, visitor=bytes([step.visitor]))
        if step.then == "import":
            for _ in range(2):
                self.store.fold_views()
                self.store.count_once(f"log {number}", [view, view])
        else:
            self.store.record_views([view])
        self.truth.see(view.item_id, step.visitor, at)
        match step.then:
            case "fold":
                self.store.fold_views()
            case "reopen":
                self._reopen()
            case "midnight":
                self._midnight(at)
            case "merge":
                self._merge()

    def _reopen(self) -> None:
        self.store.close()
        self.store = self._open()

    def _midnight(self, at: datetime) -> None:
        self.store.forget_visitors(datetime.combine(at.date(), datetime.min.time(), UTC))
        self.truth.known_from = at.date()

    def _merge(self) -> None:
        """The first item and the third, which is of another source, turn out to be one."""
        self.store.fold_views()
        keep, absorb = self.ids[0], self.ids[2]
        if absorb not in self.truth.merged:
            merge = Merge(keep=keep, absorb=absorb, rule="near-duplicate")
            self.store.put_curation(Curation(curated=(), merges=(merge,)), now=BEGIN)
            self.truth.merge(keep, absorb)

    def expected(self, window: str, now: datetime) -> list[tuple[str, int]]:
        counts = self.truth.window(*bounds(window, now=now))
        shared = set(self.truth.merged.values())
        return sorted(counts.items(), key=lambda one: (-one[1], one[0] not in shared, one[0]))


@settings(max_examples=60)
@given(
    history=st.lists(steps, max_size=40).map(lambda found: sorted(found, key=lambda step: step.minutes)),
    asked=st.lists(st.integers(0, LAST_DAY + 2880), min_size=1, max_size=3),
)
def test_every_window_at_every_time_is_the_recount(history: Sequence[Step], asked: Iterable[int]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        scene = Scene(Path(directory))
        try:
            for number, step in enumerate(history):
                scene.play(step, number)
            scene.store.fold_views()
            refresher = Refresher(scene.store, OPTIONS)
            for minutes in (LAST_DAY + 1441, *asked):
                for window in WINDOWS:
                    ranking = refresher.ranking(window, at=moment(minutes), size=0)
                    found = [(place.item_id, place.views) for place in ranking.places if place.views is not None]
                    assert found == scene.expected(window, moment(minutes)), (window, minutes)
                    assert (ranking.since, ranking.until) == bounds(window, now=moment(minutes))
            total = len(scene.truth.counted)
            assert scene.store.stats().views == sum(item.views for item in scene.store.items(scene.ids)) == total
        finally:
            scene.store.close()


def test_the_list_of_a_moment_is_the_same_whenever_it_is_asked_for(tmp_path: Path) -> None:
    with closing(open_store("sqlite:then.db", base=tmp_path)) as store:
        ids = published(store)
        refresher = Refresher(store, OPTIONS)
        then = BEGIN + timedelta(hours=30)
        for number, item_id in enumerate(ids[:3]):
            views = [View(item_id=item_id, at=then - timedelta(hours=n), visitor=bytes([n])) for n in range(number + 1)]
            store.record_views(views)
        store.fold_views()
        refresher.run(then)
        before = {window: refresher.ranking(window, at=then) for window in WINDOWS}
        later = then + timedelta(hours=2)
        poll(store, "https://ab.example/feed", make_entry("new", published=later), at=later)
        # links and readers that come later
        poll(store, "https://cd.example/feed", make_entry("n2", link="https://x.example/1", published=later), at=later)
        store.record_views([View(item_id=ids[5], at=later, visitor=bytes([n])) for n in range(9)])
        store.fold_views()
        store.like(ids[4], visitor=b"x", now=later)
        refresher.run(later)
        assert {window: refresher.ranking(window, at=then) for window in WINDOWS} == before
        assert refresher.ranking("1d", at=later).places[0].item_id == ids[5]
