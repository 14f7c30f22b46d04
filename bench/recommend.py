"""Does recommending find what readers want, and is it fair to sources? A town of made-up readers, beside simple orders.

    python bench/recommend.py [--days 5] [--readers 300] [--seeds 2] [--first 0]

Sources post at very different rates, items have a hidden quality and a subject, several sources may carry one story,
readers have tastes. Every order shows the same items to the same readers at the same visits, eight at a time; whoever
looks at a place clicks by the item's quality, freshness and their own taste, and reads nothing twice. All chances are
drawn beforehand, so that orders differ by what they show and by nothing else. The first day is not counted.

The oracle knows quality and tastes: what an order misses against it is its regret. Starved: sources with ten items or
more of which nobody was shown any; largest, runaway: the part of all places that went to one source, and of all clicks
that went to one item. Exit code 1 where recommending falls below its floor against the best simple order, which owes
nothing to anybody, or lets a source starve, or an item run away.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from statistics import fmean
from zlib import crc32

from aggregator.curate.popularity import Exposure, survey
from aggregator.curate.profile import learn
from aggregator.curate.recommend import recommend
from aggregator.model import Candidate, ItemText, Upstream

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=30)
#: what any order may show: items of this time
SHOWN_FOR = timedelta(days=2)
PLACES = 8
SOURCES = 30
TOPICS = 12
#: a reader who knows the story wants another article about it so much less
TOLD_ALREADY = 0.3
#: fairness may cost so much of the clicks that the best simple order finds
FLOOR = 0.9
#: the most of all clicks that one item may have
RUNAWAY = 0.15
REACHES = tuple(timedelta(hours=hours) for hours in (1, 6, 24, 72, 168))


@dataclass(frozen=True, slots=True)
class Article:
    """What is published; nobody but the oracle sees `quality` and `lasts`."""

    item: Candidate
    topic: int
    quality: float
    lasts: timedelta

    def draw(self, now: datetime) -> float:
        """The chance that somebody whose taste it is wants to read it now."""
        return float(self.quality * 0.5 ** ((now - self.item.published) / self.lasts))


@dataclass(frozen=True, slots=True)
class Visit:
    """A reader comes."""

    at: datetime
    reader: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """Everything that happens whatever is shown."""

    articles: Sequence[Article]
    tastes: Sequence[Sequence[float]]
    visits: Sequence[Visit]
    days: int


@dataclass(slots=True)
class Site:
    """What has been opened on one site, which shows things in one order."""

    clicks: Counter[str] = field(default_factory=Counter)
    times: list[datetime] = field(default_factory=list)
    read: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    stories: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    opened: dict[int, list[tuple[Article, datetime]]] = field(default_factory=lambda: defaultdict(list))
    #: after the first day
    counted: Counter[str] = field(default_factory=Counter)
    impressions: Counter[int] = field(default_factory=Counter)
    visits: int = 0


@dataclass(frozen=True, slots=True)
class Press:
    """The sources: items a day, how good they are, what they write about."""

    rates: Sequence[float]
    fame: Sequence[float]
    homes: Sequence[Sequence[int]]


Shown = Sequence[Article]
Order = Callable[[Shown, Site, datetime], Shown]


# --- the town -------------------------------------------------------------------------------
def build(days: int, readers: int, seed: int) -> Town:
    """A town, the same for the same seed."""
    dice = random.Random(seed)
    rates = [math.exp(dice.gauss(1.0, 1.2)) for _ in range(SOURCES)]
    fame = [dice.gauss(0.0, 0.4) for _ in range(SOURCES)]
    homes = [dice.sample(range(TOPICS), 3) for _ in range(SOURCES)]
    articles: list[Article] = []
    for source, rate in enumerate(rates):
        for _ in range(round(rate * days)):
            at = BEGIN + timedelta(days=days) * dice.random()
            _publish(articles, dice, at, source, Press(rates, fame, homes))
    articles.sort(key=lambda article: article.item.published)
    tastes = [[dice.random() ** 2 for _ in range(TOPICS)] for _ in range(readers)]
    visits = []
    for number in range(readers * days * 4):
        hour = min(23.9, max(0.0, dice.gauss(13, 5)))
        at = BEGIN + timedelta(days=dice.randrange(days), hours=hour)
        visits.append(Visit(at, dice.randrange(readers), number))
    visits.sort(key=lambda visit: visit.at)
    return Town(articles=articles, tastes=tastes, visits=visits, days=days)


def _publish(articles: list[Article], dice: random.Random, at: datetime, source: int, press: Press) -> None:
    """One story: an article of one source, and of others if it is worth it."""
    worth, topic = dice.gauss(0.0, 0.7), dice.choice(press.homes[source])
    lasts = timedelta(hours=math.exp(dice.gauss(2.6, 0.5)))
    followers = sum(dice.random() < 0.12 * math.exp(worth) for _ in range(6))
    others = dice.choices(range(SOURCES), weights=press.rates, k=followers)
    story = f"s{len(articles)}"
    for teller in dict.fromkeys((source, *others)):
        quality = min(0.6, 0.12 * math.exp(worth + press.fame[teller] + dice.gauss(0.0, 0.3)))
        published = at if teller == source else at + timedelta(hours=dice.expovariate(0.5))
        item = Candidate(
            item_id=f"a{len(articles)}",
            story=story,
            source_id=teller,
            section=f"section {topic // 3}",
            title="",
            language="en",
            published=published,
            first_seen=published,
            sources=1,
            coverage=1,
            citations=0,
            upstream=Upstream(),
            views=0,
            likes=0,
            source_rate=press.rates[teller],
        )
        articles.append(Article(item, topic, quality, lasts))


def chance(*what: object) -> float:
    """A number 0…1 that is the same whenever it is asked for."""
    return crc32(repr(what).encode()) / 2**32


def looks_at(place: int) -> float:
    """How likely somebody looks at a place of the list."""
    return 1.0 / (1.0 + 0.35 * place)


# --- living ---------------------------------------------------------------------------------
def live(town: Town, order: Order, *, personal: Callable[[Visit, Shown, Site], Shown] | None = None) -> Site:
    """Days go by. `personal`: what one reader is shown at a visit, in the place of the common list."""
    site, shown, made = Site(), [], BEGIN - STEP
    published = [article.item.published for article in town.articles]
    alive: Shown = ()
    for visit in town.visits:
        if visit.at - made >= STEP:
            first, last = bisect_left(published, visit.at - SHOWN_FOR), bisect_right(published, visit.at)
            made, alive = visit.at, town.articles[first:last]
            shown = list(order(alive, site, visit.at))[:PLACES]
        here = personal(visit, alive, site) if personal else shown
        _look(town, site, visit, here)
    return site


def _look(town: Town, site: Site, visit: Visit, shown: Shown) -> None:
    counts = visit.at >= BEGIN + timedelta(days=1)
    site.visits += counts
    for place, article in enumerate(shown):
        item, reader = article.item, visit.reader
        site.impressions[item.source_id] += counts
        if item.item_id in site.read[reader] or chance("look", visit.number, place) > looks_at(place):
            continue
        wants = article.draw(visit.at) * town.tastes[reader][article.topic]
        wants *= TOLD_ALREADY if item.story in site.stories[reader] else 1.0
        if chance("want", reader, item.item_id, visit.number) < wants:
            site.clicks[item.item_id] += 1
            site.counted[item.item_id] += counts
            site.times.append(visit.at)
            site.read[reader].add(item.item_id)
            site.stories[reader].add(item.story)
            site.opened[reader].append((article, visit.at))


# --- orders ---------------------------------------------------------------------------------
def ordered(worth: Callable[[Article, int, float], float]) -> Order:
    """The order of a formula of the article, its clicks and its age in hours."""

    def order(alive: Shown, site: Site, now: datetime) -> Shown:
        def key(article: Article) -> tuple[float, str]:
            age_h = (now - article.item.published) / timedelta(hours=1)
            return worth(article, site.clicks[article.item.item_id], age_h), article.item.item_id

        return sorted(alive, key=key, reverse=True)

    return order


def oracle(town: Town) -> Order:
    """Knows quality and tastes, and who has read what."""
    mean = [fmean(taste[topic] for taste in town.tastes) for topic in range(TOPICS)]

    def order(alive: Shown, site: Site, now: datetime) -> Shown:
        def left(article: Article) -> float:
            return 1.0 - site.clicks[article.item.item_id] / len(town.tastes)

        return sorted(alive, key=lambda one: one.draw(now) * mean[one.topic] * left(one), reverse=True)

    return order


def candidates(alive: Shown, site: Site) -> list[Candidate]:
    """What the program knows of them: clicks, and who carries the story so far."""
    carriers: dict[str, set[int]] = defaultdict(set)
    for article in alive:
        carriers[article.item.story].add(article.item.source_id)
    return [
        replace(one.item, views=site.clicks[one.item.item_id], coverage=len(carriers[one.item.story])) for one in alive
    ]


def exposure(site: Site, now: datetime) -> Exposure:
    """How much was opened at all."""
    return Exposure(totals=tuple((reach, len(site.times) - bisect_left(site.times, now - reach)) for reach in REACHES))


def vector_of(article: Article) -> Mapping[int, float]:
    return {article.topic: 1.0}


def recommended(alive: Shown, site: Site, now: datetime) -> Shown:
    """This program's recommendation."""
    held, by_id = candidates(alive, site), {article.item.item_id: article for article in alive}
    places = recommend(
        held,
        now=now,
        size=PLACES,
        max_per_source=2,
        vector=lambda item_id: vector_of(by_id[item_id]),
        field=survey(held, now=now, exposure=exposure(site, now)),
    )
    return [by_id[place.item_id] for place in places]


def own(visit: Visit, alive: Shown, site: Site) -> Shown:
    """The same, for one reader by what they have opened."""
    topics = {article.item.item_id: article for article, _ in site.opened[visit.reader]}
    read = [(_text(article), at) for article, at in site.opened[visit.reader][-200:]]
    profile = learn(read, weigh=lambda text: vector_of(topics[text.item_id]), now=visit.at)
    held, by_id = candidates(alive, site), {article.item.item_id: article for article in alive}
    places = recommend(
        held,
        exclude=site.read[visit.reader],
        now=visit.at,
        size=PLACES,
        max_per_source=2,
        profile=profile,
        vector=lambda item_id: vector_of(by_id[item_id]),
        field=survey(held, now=visit.at, exposure=exposure(site, visit.at)),
    )
    return [by_id[place.item_id] for place in places]


def _text(article: Article) -> ItemText:
    item = article.item
    return ItemText(
        item_id=item.item_id,
        source_id=item.source_id,
        source_name="",
        title="",
        text="",
        language="en",
        published=item.published,
        canonical_url=None,
    )


def fair(order: Order) -> Order:
    """An order under the rules that recommending keeps: one article a story, two a source."""

    def kept(alive: Shown, site: Site, now: datetime) -> Shown:
        stories, taken, found = set[str](), Counter[int](), list[Article]()
        for article in order(alive, site, now):
            item = article.item
            if len(found) < PLACES and item.story not in stories and taken[item.source_id] < 2:
                stories.add(item.story)
                taken[item.source_id] += 1
                found.append(article)
        return found

    return kept


def gravity(_: Article, clicks: int, age_h: float) -> float:
    """Hacker News; whoever submits has voted."""
    return float((clicks + 1) / (age_h + 2) ** 1.8)


BASELINES: Mapping[str, Order] = {
    "chance": ordered(lambda article, _, __: chance(article.item.item_id)),
    "latest": ordered(lambda _, __, age_h: -age_h),
    "HN gravity": ordered(gravity),
    "HN, same rules": fair(ordered(gravity)),
    "Reddit hot": ordered(lambda _, clicks, age_h: math.log10(max(1, clicks)) - age_h / 12.5),
    "total views": ordered(lambda _, clicks, __: clicks),
}


# --- figures --------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What came of one order."""

    clicks: float
    #: sources with at least ten items that were shown to nobody
    starved: float
    #: the part of all places that went to the source that had most
    largest: float
    #: the part of all clicks that went to the item that had most
    runaway: float


def figures(town: Town, site: Site) -> Figures:
    posts = Counter(article.item.source_id for article in town.articles)
    shown, clicks = sum(site.impressions.values()), sum(site.counted.values())
    return Figures(
        clicks=clicks / max(1, site.visits),
        starved=sum(number >= 10 and not site.impressions[source] for source, number in posts.items()),
        largest=max(site.impressions.values(), default=0) / max(1, shown),
        runaway=max(site.counted.values(), default=0) / max(1, clicks),
    )


def mean(found: Sequence[Figures]) -> Figures:
    return Figures(
        clicks=fmean(one.clicks for one in found),
        starved=fmean(one.starved for one in found),
        largest=fmean(one.largest for one in found),
        runaway=fmean(one.runaway for one in found),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--days", type=int, default=5)
    parser.add_argument("--readers", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="the first seed; the constants were chosen on 1")
    given = parser.parse_args()
    towns = [build(given.days, given.readers, seed) for seed in range(given.first, given.first + given.seeds)]
    items = fmean(len(town.articles) for town in towns)
    print(f"{given.seeds} towns: {SOURCES} sources, {items:.0f} items in {given.days} days; {given.readers} readers;")
    print(f"{PLACES} places. Clicks a visit, as a part of the oracle's, and who got them\n", flush=True)
    best = mean([figures(town, live(town, oracle(town))) for town in towns])
    results = {name: mean([figures(t, live(t, order)) for t in towns]) for name, order in BASELINES.items()}
    ours = results["recommendation"] = mean([figures(t, live(t, recommended)) for t in towns])
    short = [replace(town, visits=town.visits[:: max(1, len(town.visits) // 1500)]) for town in towns[:1]]
    print(f"{'':16}{'clicks':>8}{'oracle':>8}{'regret':>8}{'starved':>9}{'largest':>9}{'runaway':>9}")
    for name, one in {"oracle": best, **results}.items():
        part = one.clicks / best.clicks
        print(f"{name:16}{one.clicks:8.3f}{part:8.2f}{1 - part:8.2f}", end="")
        print(f"{one.starved:9.1f}{one.largest:9.2f}{one.runaway:9.3f}", flush=True)
    common = mean([figures(town, live(town, recommended)) for town in short])
    personal = mean([figures(town, live(town, recommended, personal=own)) for town in short])
    print(
        f"\nreaders' own feeds, {len(short[0].visits)} visits: {personal.clicks / common.clicks:.2f} times the clicks"
    )
    print(f"of the common list ({personal.clicks:.3f} against {common.clicks:.3f} a visit)")
    simple = max(one.clicks for name, one in results.items() if name != "recommendation")
    print(f"recommendation / best simple order: {ours.clicks / simple:.2f} (floor {FLOOR})")
    return 0 if ours.clicks >= FLOOR * simple and not ours.starved and ours.runaway < RUNAWAY else 1


if __name__ == "__main__":
    sys.exit(main())
