"""A stock that followed every change gives the lists of one that was filled just now, and both what sorting gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from curating import NOON, candidate
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.curate.candidate_index import LARGEST, SITE, Block, CandidateSet, TimeIndex, language_of, section_of
from aggregator.curate.popularity import Field, favour, survey
from aggregator.curate.profile import Profile
from aggregator.curate.ranking import rank
from aggregator.curate.recommend import Scorer, recommend, weigh
from aggregator.curate.running_totals import moment_of
from aggregator.model import Candidate, Listed, Upstream

HOUR = timedelta(hours=1)
WINDOWS = {"1h": HOUR, "1d": 24 * HOUR, "7d": 168 * HOUR}
READER = Profile(terms={1: 0.6, 2: 0.8}, sources={1: 1.0, 2: 0.4}, reads=9)


def vector(item_id: str) -> dict[int, float]:
    return {int(item_id[1:]) % 5: 1.0}


@dataclass(frozen=True)
class Step:
    """An item as it is from now on (views 0 … 3 windows' readers), or gone; time goes on."""

    number: int
    gone: bool
    source: int
    story: int
    section: str
    age_h: float
    readers: int
    facts: tuple[int, int, int]
    comments: int | None
    weight: float
    pinned: bool
    minutes: int


def step(dice: Random) -> Step:
    return Step(
        number=dice.randrange(90),
        gone=dice.random() < 0.2,
        source=dice.randrange(7),
        story=dice.randrange(60),
        section=dice.choice(["World", "Science"]),
        age_h=dice.choice([60, 900]) * dice.random(),
        readers=dice.choice([0, 0, 0, 1, 2, 9, 120]),
        facts=(dice.randrange(1, 7), dice.randrange(4), dice.randrange(3)),
        comments=dice.choice([None, None, 1, 30, 900]),
        weight=dice.choice([1.0, 1.0, 1.0, 0.0, 3.0]),
        pinned=dice.random() < 0.5,
        minutes=dice.choice([0, 1, 20, 300]),
    )


#: many steps from little that has to be drawn
histories = st.builds(
    lambda seed, length: [step(dice) for dice in [Random(seed)] for _ in range(length)],
    st.integers(0, 2**32),
    st.integers(1, 200),
)


def item_of(step: Step, now: datetime) -> Candidate:
    coverage, citations, likes = step.facts
    published = now - step.age_h * HOUR
    return candidate(
        f"i{step.number}",
        source_id=step.source,
        story=f"s{step.story}",
        section=step.section,
        published=published,
        first_seen=published if step.number % 4 else now,
        views=step.readers,
        coverage=coverage,
        citations=citations,
        likes=likes,
        upstream=Upstream(comments=step.comments),
        weight=step.weight,
        pinned_until=now + HOUR if step.pinned and step.number % 9 == 0 else None,
        source_rate=[0.1, 1.0, 7.0, 40.0][step.source % 4],
    )


def readers_of(step: Step, window: str) -> int:
    return step.readers if window == "7d" else step.readers // 2 if window == "1d" else step.readers // 5


class Scene:
    """A stock in which things happen."""

    def __init__(self) -> None:
        self.now = NOON
        self.candidate_set = CandidateSet(WINDOWS, now=NOON)

    def play(self, step: Step) -> None:
        self.now += timedelta(minutes=step.minutes)
        item_id = f"i{step.number}"
        if step.gone:
            self.candidate_set.drop(item_id)
        else:
            self.candidate_set.put(item_of(step, self.now))
        for window in WINDOWS:
            self.candidate_set.count(window, item_id, readers_of(step, window))
        if step.readers == 1:
            self.candidate_set.rate(step.source, step.age_h / 20)

    def anew(self) -> CandidateSet:
        """Filled just now, in another order."""
        candidate_set = CandidateSet(WINDOWS, now=self.now)
        for item in sorted(self.candidate_set.running_totals.items.values(), key=lambda item: hash(item.item_id)):
            candidate_set.put(replace(item, source_rate=self.candidate_set.running_totals.rate_of(item.source_id)))
        for window, counts in self.candidate_set.counts.items():
            for item_id, readers in sorted(counts.items()):
                candidate_set.count(window, item_id, readers)
        return candidate_set


def lists(candidate_set: CandidateSet, now: datetime) -> Iterator[Sequence[Listed]]:
    field = candidate_set.field(now)
    for name in (SITE, section_of("World"), section_of("Science")):
        index = candidate_set.index(name)
        for window in WINDOWS:
            counts = candidate_set.counts[window]
            yield rank(index, counts, now=now, window=window, size=8, field=field).places
            yield rank(index, counts, now=now, window=window, size=4, field=field, max_per_source=1).places
        yield recommend(index, now=now, size=8, max_per_source=2, vector=vector, field=field)
        exclude = {"i1", "i2", "i9"}
        yield recommend(index, exclude=exclude, now=now, size=3, max_per_source=1, vector=vector, field=field)
        yield recommend(index, now=now, size=8, max_per_source=2, vector=vector, field=field, profile=READER)


@settings(max_examples=80, deadline=None)
@given(histories, st.integers(1, 40))
def test_followed_and_filled_just_now_are_the_same(history: list[Step], every: int) -> None:
    scene = Scene()
    for number, step in enumerate(history):
        scene.play(step)
        if number % every == 0:
            scene.candidate_set.field(scene.now)
    assert list(lists(scene.candidate_set, scene.now)) == list(lists(scene.anew(), scene.now))


@settings(max_examples=80, deadline=None)
@given(histories)
def test_the_best_first_are_all_sorted(history: list[Step]) -> None:
    scene = Scene()
    for step in history:
        scene.play(step)
    field = scene.candidate_set.field(scene.now)
    index = scene.candidate_set.index(SITE)
    everything = [place.item_id for place in weigh(index, field=field)]
    for profile in (None, READER):
        worth = Scorer(field, profile, vector)
        found = [one.item.item_id for one in worth.best_first(index, is_out=lambda _: False, since=None)]
        assert found == [item.item_id for item in sorted(index, key=worth.key)]
        assert profile or found == everything
    for window in WINDOWS:
        counts = scene.candidate_set.counts[window]
        viewed = [item.item_id for item in index.viewed(window)]
        known = scene.candidate_set.running_totals.items
        assert [counts[item_id] for item_id in viewed] == sorted(
            (readers for item_id, readers in counts.items() if item_id in known),
            reverse=True,
        )
        ranked = rank(index, counts, now=scene.now, window=window, size=len(index), field=field).places
        chosen = {place.item_id for place in ranked if place.views is not None}
        filled = [place.item_id for place in ranked if place.views is None]
        assert filled[:1] == hottest(index, field, window, chosen)[:1]


def hottest(index: TimeIndex, field: Field, window: str, chosen: set[str]) -> list[str]:
    """Everything fresh in a window that may fill a place, by hand."""
    since, fades = field.now - max(WINDOWS[window], 24 * HOUR), max(6 * HOUR, WINDOWS[window] / 4)
    listed = [item for item in index if item.item_id in chosen]
    told = {item.story for item in listed}
    fresh = [
        item
        for item in index
        if max(item.published, item.first_seen) >= since and item.item_id not in chosen and item.story not in told
    ]

    def heat(item: Candidate) -> tuple[float, int, float, str]:
        score = field.lift(item) + favour(item) - field.age(item) / fades
        return (-score, -item.sources, -item.published.timestamp(), item.item_id)

    taken = Counter(item.source_id for item in listed)
    share = max(2, round(len(index) / 5))
    hot = sorted(fresh, key=heat)
    return [item.item_id for item in hot if taken[item.source_id] < share] or [item.item_id for item in hot]


@settings(max_examples=60, deadline=None)
@given(histories)
def test_sums_over_the_crowd_are_those_over_each_item(history: list[Step]) -> None:
    scene = Scene()
    for step in history:
        scene.play(step)
    field = scene.candidate_set.field(scene.now)
    items = list(scene.candidate_set.index(SITE))
    expected_views = sum(field.exposure.since(field.age(item)) for item in items)
    expected = sum(item.views for item in items) / expected_views if expected_views else 0.0
    assert abs(field.usual - expected) <= 1e-9 * max(1.0, expected)
    anew = survey(items, now=scene.now, exposure=field.exposure)
    assert (anew.usual, dict(anew.usual_of), dict(anew.z_source)) == (field.usual, field.usual_of, field.z_source)


def test_few_items_are_looked_at() -> None:
    index, looked_at = TimeIndex(), list[str]()
    for n in range(5_000):
        index.put(candidate(f"i{n}", published=NOON - n * timedelta(minutes=3)), worth=1.0, rate=1.0)

    def age(item: Candidate) -> tuple[float, str]:
        looked_at.append(item.item_id)
        return (NOON - item.published) / HOUR, item.item_id

    def most(block: Block) -> float:
        return (block.newest - moment_of(NOON)) / 3.6e9

    def most_of_each(block: Block) -> list[float]:
        return [most(block)] * len(block.items)

    best = index.best_first(age, most=most, most_of_each=most_of_each)
    assert [next(best)[1].item_id for _ in range(20)] == [f"i{n}" for n in range(20)]
    assert len(looked_at) <= 2 * LARGEST


def test_an_item_that_is_put_again_stands_once() -> None:
    candidate_set = CandidateSet(WINDOWS, now=NOON)
    for views in (0, 3):
        candidate_set.put(replace(candidate("i1"), views=views))
        candidate_set.count("1d", "i1", views)
    assert len(candidate_set) == len(candidate_set.index(SITE)) == 1
    assert [item.item_id for item in candidate_set.index(SITE).viewed("1d")] == ["i1"]
    candidate_set.drop("i1")
    assert len(candidate_set) == len(candidate_set.index(SITE)) == 0
    assert candidate_set.sections() == []
    assert candidate_set.counts["1d"] == {"i1": 3}, "readers of what is no candidate are readers of the site"


def test_a_language_has_an_index_and_lists_of_its_own_from_a_share_on() -> None:
    candidates = CandidateSet({"1d": timedelta(days=1)}, now=NOON)

    def put(number: int, language: str | None) -> None:
        candidates.put(candidate(f"i{number}", language=language, published=NOON - timedelta(minutes=number)))

    for number in range(97):
        put(number, "en-GB" if number % 2 else "en")
    assert candidates.languages() == []
    put(97, "de")
    put(98, "de-AT")
    put(99, None)
    assert candidates.languages() == []
    put(100, "DE")
    put(101, "de")
    assert candidates.languages() == ["de", "en"]
    assert len(candidates.index(language_of("en-US"))) == 97
    assert len(candidates.index(language_of("de"))) == 4
    put(101, "fr")
    assert len(candidates.index(language_of("de"))) == 3
    candidates.drop("i97")
    assert candidates.languages() == []
