"""A made-up town for bench/recommend.py: sources with stories, items of hidden quality, readers with tastes.

Everything that happens whatever is shown is drawn beforehand, so that two orders differ by what they show alone.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zlib import crc32

from aggregator.model import Candidate, Upstream

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=30)
#: what any order may show: items of this time
SHOWN_FOR = timedelta(days=2)
PLACES = 8
SOURCES = 30
TOPICS = 12
#: words of an article about its subject, and about nothing in particular
SUBJECT_WORDS, COMMON_WORDS = 8, 22
#: a reader who knows the story wants another article about it so much less
TOLD_ALREADY = 0.3


@dataclass(frozen=True, slots=True)
class Article:
    """What is published; nobody but the oracle sees `quality` and `lasts`."""

    item: Candidate
    topic: int
    quality: float
    lasts: timedelta
    #: its words by weight, of unit length
    words: Mapping[int, float] = field(default_factory=dict, compare=False)

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
    #: by reader, after the first day: visits, and the clicks that were to be expected of what was shown at them. Chance
    #: decides of each look and each want, and would need ten times the visits for the same certainty
    visits_of: Counter[int] = field(default_factory=Counter)
    expected_of: dict[int, float] = field(default_factory=lambda: defaultdict(float))


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
    return Town(articles=_worded(articles, random.Random(seed + 1000)), tastes=tastes, visits=visits, days=days)


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


def _worded(articles: Sequence[Article], dice: random.Random) -> list[Article]:
    """The same with words: some of the subject, some of the story, most of them said about anything."""
    stories = dict.fromkeys(article.item.story for article in articles)
    told = {story: [10**6 + 10 * n + k for k in range(5)] for n, story in enumerate(stories)}
    texts = []
    for article in articles:
        subject = {article.topic * 1_000 + int(dice.expovariate(1 / 25)) for _ in range(SUBJECT_WORDS)}
        common = {10**5 + int(1.5 ** (dice.random() * 20)) for _ in range(COMMON_WORDS)}
        texts.append(subject | common | set(dice.sample(told[article.item.story], 4)))
    spread = Counter(word for text in texts for word in text)
    idf = {word: math.log(1 + len(texts) / number) for word, number in spread.items()}
    worded = []
    for article, text in zip(articles, texts, strict=True):
        length = math.hypot(*(idf[word] for word in text))
        worded.append(replace(article, words={word: idf[word] / length for word in sorted(text)}))
    return worded


def chance(*what: object) -> float:
    """A number 0…1 that is the same whenever it is asked for."""
    return crc32(repr(what).encode()) / 2**32


def looks_at(place: int) -> float:
    """How likely somebody looks at a place of the list."""
    return 1.0 / (1.0 + 0.35 * place)


# --- living ---------------------------------------------------------------------------------
def live(town: Town, order: Order, *, personal: Callable[[Visit, Shown, Site], Shown | None] | None = None) -> Site:
    """Days go by. `personal`: what one reader is shown at a visit, in the place of the common list (None)."""
    site, shown, made = Site(), [], BEGIN - STEP
    published = [article.item.published for article in town.articles]
    alive: Shown = ()
    for visit in town.visits:
        if visit.at - made >= STEP:
            first, last = bisect_left(published, visit.at - SHOWN_FOR), bisect_right(published, visit.at)
            made, alive = visit.at, town.articles[first:last]
            shown = list(order(alive, site, visit.at))[:PLACES]
        here = personal(visit, alive, site) if personal else None
        _look(town, site, visit, shown if here is None else here)
    return site


def _look(town: Town, site: Site, visit: Visit, shown: Shown) -> None:
    counts = visit.at >= BEGIN + timedelta(days=1)
    site.visits += counts
    site.visits_of[visit.reader] += counts
    for place, article in enumerate(shown):
        item, reader = article.item, visit.reader
        site.impressions[item.source_id] += counts
        if item.item_id in site.read[reader]:
            continue
        wants = article.draw(visit.at) * town.tastes[reader][article.topic]
        wants *= TOLD_ALREADY if item.story in site.stories[reader] else 1.0
        site.expected_of[reader] += counts * looks_at(place) * wants
        if chance("look", visit.number, place) > looks_at(place):
            continue
        if chance("want", reader, item.item_id, visit.number) < wants:
            site.clicks[item.item_id] += 1
            site.counted[item.item_id] += counts
            site.times.append(visit.at)
            site.read[reader].add(item.item_id)
            site.stories[reader].add(item.story)
            site.opened[reader].append((article, visit.at))
