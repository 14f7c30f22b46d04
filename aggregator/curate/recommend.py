"""Worth reading now: fresh, better than usual for its source, covered, varied. Pure; DESIGN.md 7 and CURATE.md 5.

    candidates → without the stories of the Ranking → scored → varied (maximal marginal relevance; one per story, few
               per source) → one place in ten for an item that nobody has opened → first one with picture and lead text

A score is a sum of powers of two, each of them in `figures`. The same input at the same `now` gives the same list.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from aggregator.curate.candidate_index import Block, CachedIterator, Key, TimeIndex, time_index_of
from aggregator.curate.explanations import reasons_of, relative_reasons
from aggregator.curate.popularity import PRIOR_VIEWS, Field, favour, survey
from aggregator.curate.profile import Profile, Vector, dot
from aggregator.curate.running_totals import moment_of
from aggregator.model import Candidate, Listed

__all__ = ["Scored", "Scorer", "in_order", "recommend", "weigh"]

#: what is older need not be looked at
WORTH_FOR = timedelta(days=7)
#: relevance against likeness to what stands in the list already (maximal marginal relevance)
RELEVANCE = 0.7
#: two items of one section are a little alike whatever they are about
SAME_SECTION = 0.15
#: an older item is listed only where there are fewer young ones than this for each place
POOL = 12
#: one place in ten, at least one, goes to an item nobody has opened yet, if it is this young
EXPLORED = 10
CHANCE_WITHIN = timedelta(hours=48)
#: those are drawn from so many of the best, another one every hour
CHANCE_POOL = 16
#: a likeness to what somebody read that is told as a reason, in powers of two
TOLD_FROM = 0.5
#: a reader's taste is judged against so many of the newest items
COMPARED = 200


#: whether an item is left out of a list
IsOut = Callable[[Candidate], bool]


def recommend(
    candidates: Iterable[Candidate] | TimeIndex,
    *,
    exclude: Collection[str] = (),
    exclude_stories: Collection[str] = (),
    now: datetime,
    size: int,
    max_per_source: int,
    profile: Profile | None = None,
    vector: Callable[[str], Vector] | None = None,
    field: Field | None = None,
) -> tuple[Listed, ...]:
    """The `size` items most worth reading among the candidates.

    `exclude`: items, `exclude_stories`: the stories that Ranking shows, by whichever articles; `profile`: a reader's
    own taste, None for the common list; `vector`: the terms of an item, for variety and taste; `field`: the survey of
    the whole site, where these are some of its items.
    """
    index = candidates if isinstance(candidates, TimeIndex) else time_index_of(candidates, {})
    field = field or survey(index, now=now)
    vector = vector or _no_terms
    items, stories = frozenset(exclude), frozenset(exclude_stories)

    def is_out(item: Candidate) -> bool:
        return item.item_id in items or item.story in stories

    worth = Scorer(field, _among(profile, index.newest(COMPARED), vector), vector)
    since = _since(index, is_out, field, size)
    scored = CachedIterator(worth.best_first(index, is_out=is_out, since=since))
    free = _free(index, is_out, field, size)
    chosen = _choose(scored, size - free, max_per_source, vector)
    recent = now - CHANCE_WITHIN if since is None else max(since, now - CHANCE_WITHIN)
    waiting = worth.best_first(index, is_out=is_out, since=recent, unopened=True)
    chosen += _chance(free, CachedIterator(waiting), chosen, max_per_source=max_per_source, now=now)
    chosen += _choose(scored, size - len(chosen), max_per_source, vector, beside=chosen)
    return relative_reasons([_listed(one, field) for one in _lead_first(chosen)])


def in_order(
    candidates: Iterable[Candidate], *, profile: Profile, vector: Callable[[str], Vector], field: Field
) -> tuple[Listed, ...]:
    """All of these items, those first that are most worth reading to one reader. For an order only: nothing else."""
    items = sorted(candidates, key=lambda item: (item.published, item.item_id), reverse=True)
    worth = Scorer(field, _among(profile, items[:COMPARED], vector), vector)
    scored = map(worth.scored, sorted(items, key=worth.key))
    return tuple(Listed(item_id=one.item.item_id, score=0.0, reasons=_taste(one)) for one in scored)


def _among(profile: Profile | None, newest: Iterable[Candidate], vector: Callable[[str], Vector]) -> Profile | None:
    """The reader's taste against what there is."""
    if profile is None or not profile.speaks:
        return None
    return profile.among(vector(item.item_id) for item in newest)


def weigh(candidates: Iterable[Candidate], *, field: Field) -> tuple[Listed, ...]:
    """All of these items by what each is worth alone: before variety, and before places are kept for others."""
    worth = Scorer(field, None, _no_terms)
    return tuple(_listed(worth.scored(item), field) for item in sorted(candidates, key=worth.key))


def _lead_first(chosen: Sequence[Scored]) -> Sequence[Scored]:
    """The first place is shown large: it goes to the best of the chosen that has a picture and a lead text."""
    complete = [one for one in chosen if one.item.has_image and one.item.has_lead]
    if not complete:
        return chosen
    first = max(complete, key=lambda one: (one.score, one.item.item_id))
    return [first, *(one for one in chosen if one is not first)]


def _no_terms(_: str) -> Vector:
    return {}


def _since(index: TimeIndex, is_out: IsOut, field: Field, size: int) -> datetime | None:
    """What was published a week ago or later will do, unless that is not enough for a list (None)."""
    week = field.now - WORTH_FOR
    young = (item for item in index.since(week) if item.published >= week and not is_out(item))
    return week if sum(1 for _ in islice(young, size * POOL)) == size * POOL else None


# --- which stand together ------------------------------------------------------------
def _choose(
    scored: Iterable[Scored],
    size: int,
    max_per_source: int,
    vector: Callable[[str], Vector],
    beside: Iterable[Scored] = (),
) -> list[Scored]:
    """Maximal marginal relevance: the best that are not like one another, one per story, few per source."""
    likeness = _LikenessTo(beside, vector)
    chosen: list[Scored] = []
    while len(chosen) < size:
        best = _most_relevant(_eligible(scored, likeness.chosen, max_per_source), likeness)
        if best is None:
            break
        chosen.append(best)
        likeness.chosen.append(best)
    return chosen


def _most_relevant(scored: Iterable[Scored], likeness: _LikenessTo) -> Scored | None:
    """Whose score, less its likeness to what stands in the list, is the most; of these, that come best first."""
    first: Scored | None = None
    best, most = None, (-math.inf, -math.inf, "")
    for one in scored:
        first = first or one
        # a score is a power of two: against the best it becomes a share of 1
        relevance = RELEVANCE * 2.0 ** max(-60.0, one.score - first.score)
        if relevance < most[0]:
            break  # whatever follows is less relevant, and likeness only takes off
        marginal = (relevance - (1 - RELEVANCE) * likeness.of(one), one.score, one.item.item_id)
        if marginal > most:
            best, most = one, marginal
    return best


class _LikenessTo:
    """How alike an item and what has been chosen are: looked at where it is asked for, and never twice."""

    def __init__(self, chosen: Iterable[Scored], vector: Callable[[str], Vector]) -> None:
        self.chosen = list(chosen)
        self._vector = vector
        #: by item: to so many of the chosen, so alike
        self._known: dict[str, tuple[int, float]] = {}

    def of(self, one: Scored) -> float:
        """To the most alike of them, 0…1."""
        number, most = self._known.get(one.item.item_id, (0, 0.0))
        for other in self.chosen[number:]:
            most = max(most, _likeness(one.item, other.item, self._vector))
        self._known[one.item.item_id] = len(self.chosen), most
        return most


def _eligible(scored: Iterable[Scored], chosen: Sequence[Scored], max_per_source: int) -> Iterator[Scored]:
    stories = {one.item.story for one in chosen}
    taken = Counter(one.item.source_id for one in chosen)
    return (one for one in scored if one.item.story not in stories and taken[one.item.source_id] < max_per_source)


def _likeness(one: Candidate, other: Candidate, vector: Callable[[str], Vector]) -> float:
    subject = dot(vector(one.item_id), vector(other.item_id))
    return max(subject, SAME_SECTION if one.section == other.section else 0.0)


# --- those that had no chance yet ------------------------------------------------------
def _free(index: TimeIndex, is_out: IsOut, field: Field, size: int) -> int:
    """How many places are kept for items nobody has opened: none while nobody has opened anything."""
    if size <= 1 or not index.opened:
        return 0
    waiting = any(
        item.views == 0 and field.age(item) <= CHANCE_WITHIN and not is_out(item)
        for item in index.since(field.now - CHANCE_WITHIN)
    )
    return max(1, size // EXPLORED) if waiting else 0


def _chance(
    free: int, waiting: Iterable[Scored], chosen: Sequence[Scored], *, max_per_source: int, now: datetime
) -> list[Scored]:
    """Fills these places, with other items every hour; `waiting`: the best first."""
    found: list[Scored] = []
    for _ in range(free):
        possible = list(islice(_eligible(waiting, [*chosen, *found], max_per_source), CHANCE_POOL))
        if possible:
            drawn = min(possible, key=lambda one: _draw(one.item.item_id, now))
            found.append(replace(drawn, by_chance=True))
    return found


def _draw(item_id: str, now: datetime) -> bytes:
    """A number that looks random, and is the same for everybody within the hour."""
    return hashlib.blake2b(f"{int(now.timestamp()) // 3600}:{item_id}".encode(), digest_size=8).digest()


def _listed(one: Scored, field: Field) -> Listed:
    figures = field.figures(one.item, within_source=True) | {name: round(value, 3) for name, value in one.terms.items()}
    return Listed(
        item_id=one.item.item_id,
        score=round(one.score, 4),
        reasons=reasons_of(one.item, first=_taste(one), last=_merits(one)) or ("fresh",),
        figures=figures | {"chance": float(one.by_chance)},
    )


def _taste(one: Scored) -> tuple[str, ...]:
    return ("like what you read",) if one.terms.get("taste", 0.0) >= TOLD_FROM else ()


def _merits(one: Scored) -> tuple[str, ...]:
    if one.by_chance:
        return ("few readers so far",)
    if one.item.views and one.terms["lift"] >= 1.0:
        return ("more read than usual for its source",)
    return ("its source rarely posts",) if one.terms["rare_source"] >= 1.0 else ()


#: an item is worth (1 + age / two hours) ** -1.8, that of a source which rarely posts up to the fourth root of it. Fast
#: at first, so that new items get their chance: a half-life of six hours found 15 % fewer clicks (bench/recommend.py)
GRAVITY = 1.8
YOUNG = timedelta(hours=2)
RARE_SOURCE_LASTS = 3.0
#: what one standard deviation of likeness to what a reader opened is worth, in powers of two
TASTE = 1.0
#: a reader's own list is chosen from so many that are worth most to everybody
CONSIDERED = 1_000
#: what a reader's favourite source is worth
LOYALTY = 1.0


@dataclass(frozen=True, slots=True)
class Scored:
    """An item with what it is worth, and why."""

    item: Candidate
    score: float
    terms: Mapping[str, float]
    by_chance: bool = False


class Scorer:
    """What items are worth at one moment, to everybody or to one reader; each computed once."""

    def __init__(self, field: Field, profile: Profile | None, vector: Callable[[str], Vector]) -> None:
        self._field = field
        self._profile = profile if profile is not None and profile.speaks else None
        self._vector = vector
        self._own: dict[str, Mapping[str, float]] = {}

    def best_first(
        self, index: TimeIndex, *, is_out: IsOut, since: datetime | None, unopened: bool = False
    ) -> Iterator[Scored]:
        """The best first, of those that were published since then; `unopened`: those alone that nobody has opened.

        For one reader, the best of what is most worth reading to everybody.
        """
        bounds = _Bounds(self._field, since, unopened=unopened)

        def among(item: Candidate) -> bool:
            return not is_out(item) and (since is None or item.published >= since) and not (unopened and item.views)

        def to_everybody(item: Candidate) -> Key:
            return _place(item, self._common(item))

        found = index.best_first(to_everybody, most=bounds.most, most_of_each=bounds.most_of_each, among=among)
        items: Iterator[Candidate] = (item for _, item in found)
        if self._profile is not None:
            items = iter(sorted(islice(items, CONSIDERED), key=self.key))
        return map(self.scored, items)

    def key(self, item: Candidate) -> Key:
        """Its place among others."""
        return _place(item, self.terms(item))

    def scored(self, item: Candidate) -> Scored:
        """The item with its score."""
        terms = self.terms(item)
        return Scored(item, sum(terms.values()), terms)

    def terms(self, item: Candidate) -> Mapping[str, float]:
        """What its score is made of."""
        profile = self._profile
        if profile is None:
            return self._common(item)
        terms = self._own.get(item.item_id)
        if terms is None:
            taste = TASTE * profile.likes(self._vector(item.item_id))
            loyalty = LOYALTY * profile.sources.get(item.source_id, 0.0)
            terms = self._own[item.item_id] = {**self._common(item), "taste": taste, "loyalty": loyalty}
        return terms

    def _common(self, item: Candidate) -> Mapping[str, float]:
        """What is the same to everybody, for all lists of the moment."""
        terms = self._field.worths.get(item.item_id)
        if terms is None:
            field = self._field
            fresh = -GRAVITY * math.log2(1.0 + field.age(item) / YOUNG)
            terms = field.worths[item.item_id] = {
                "fresh": fresh,
                "rare_source": -fresh * (1.0 - 1.0 / _lasts(field.rate(item))),
                "lift": field.lift_within_source(item),
                "favour": favour(item),
            }
        return terms


def _place(item: Candidate, terms: Mapping[str, float]) -> Key:
    return (-sum(terms.values()), -item.published.timestamp(), item.item_id)


class _Bounds:
    """The most that the items of a block can be worth."""

    def __init__(self, field: Field, since: datetime | None, *, unopened: bool) -> None:
        self._field = field
        self._since = -math.inf if since is None else moment_of(since)
        self._unopened = unopened
        self._sources = field.sources_by_owner
        self._least = min((usual for _, usual in self._sources.values()), default=0.0)

    def most(self, block: Block) -> float:
        """By the pace of its sources, and by the source whose items are read least."""
        tops = block.tops(unopened=self._unopened)
        if block.newest < self._since or not tops:
            return -math.inf
        age = self._field.age_of(block.newest)
        fades = GRAVITY * math.log2(1.0 + age / YOUNG)
        best = max([top - fades * (1.0 + rate) / (1.0 + RARE_SOURCE_LASTS + rate) for rate, top in tops])
        least = self._field.least_chances(block.newest, block.least_shown) * self._least
        return best - math.log2(least + PRIOR_VIEWS)

    def most_of_each(self, block: Block) -> list[float]:
        """By their own sources."""
        known = self._field.bounds.get(block)
        if known is None:
            known = self._field.bounds[block] = self._computed(block)
        return known

    def _computed(self, block: Block) -> list[float]:
        field, log2 = self._field, math.log2
        fades = GRAVITY * log2(1.0 + field.age_of(block.newest) / YOUNG)
        chances = [field.least_chances(block.newest, shown) for shown in block.shown]
        sources = map(self._sources.__getitem__, block.owners)
        return [
            worth - fades * (1.0 + rate) / (1.0 + RARE_SOURCE_LASTS + rate) - log2(times * usual + PRIOR_VIEWS)
            for worth, times, (rate, usual) in zip(block.worths, chances, sources, strict=True)
        ]


def _lasts(rate: float) -> float:
    """How many times longer than usual an item stays worth reading: 4 at a source that posts once a month."""
    return 1.0 + RARE_SOURCE_LASTS / (1.0 + max(0.0, rate))
