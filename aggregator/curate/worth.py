"""What an item is worth reading now, to everybody or to one reader: a sum of powers of two. Pure; CURATE.md 5."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from aggregator.curate.crowd import moment_of
from aggregator.curate.popularity import Field
from aggregator.curate.profile import Profile, Vector
from aggregator.curate.shelf import Key, Portion, Shelf
from aggregator.curate.signals import PRIOR_VIEWS, favour
from aggregator.model import Candidate

__all__ = ["Scored", "Worth"]

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


class Worth:
    """What items are worth at one moment, to everybody or to one reader; each computed once."""

    def __init__(self, field: Field, profile: Profile | None, vector: Callable[[str], Vector]) -> None:
        self._field = field
        self._profile = profile if profile is not None and profile.speaks else None
        self._vector = vector
        self._own: dict[str, Mapping[str, float]] = {}

    def best_first(
        self, shelf: Shelf, *, without: Collection[str], since: datetime | None, unopened: bool = False
    ) -> Iterator[Scored]:
        """The best first, of those that were published since then; `unopened`: those alone that nobody has opened.

        For one reader, the best of what is most worth reading to everybody.
        """
        bounds = _Bounds(self._field, since, unopened=unopened)

        def among(item: Candidate) -> bool:
            return (
                item.item_id not in without
                and (since is None or item.published >= since)
                and not (unopened and item.views)
            )

        def to_everybody(item: Candidate) -> Key:
            return _place(item, self._common(item))

        found = shelf.best_first(to_everybody, most=bounds.most, most_of_each=bounds.most_of_each, among=among)
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
    """The most that the items of a portion can be worth."""

    def __init__(self, field: Field, since: datetime | None, *, unopened: bool) -> None:
        self._field = field
        self._since = -math.inf if since is None else moment_of(since)
        self._unopened = unopened
        self._sources = field.sources_by_owner
        self._least = min((usual for _, usual in self._sources.values()), default=0.0)

    def most(self, portion: Portion) -> float:
        """By the pace of its sources, and by the source whose items are read least."""
        tops = portion.tops(unopened=self._unopened)
        if portion.newest < self._since or not tops:
            return -math.inf
        age = self._field.age_of(portion.newest)
        fades = GRAVITY * math.log2(1.0 + age / YOUNG)
        best = max([top - fades * (1.0 + rate) / (1.0 + RARE_SOURCE_LASTS + rate) for rate, top in tops])
        return best - self._field.expecting(age, self._least)

    def most_of_each(self, portion: Portion) -> list[float]:
        """By their own sources."""
        known = self._field.bounds.get(portion)
        if known is None:
            known = self._field.bounds[portion] = self._computed(portion)
        return known

    def _computed(self, portion: Portion) -> list[float]:
        age, log2 = self._field.age_of(portion.newest), math.log2
        fades, views = GRAVITY * log2(1.0 + age / YOUNG), self._field.exposure.since(age)
        sources = map(self._sources.__getitem__, portion.owners)
        return [
            worth - fades * (1.0 + rate) / (1.0 + RARE_SOURCE_LASTS + rate) - log2(views * usual + PRIOR_VIEWS)
            for worth, (rate, usual) in zip(portion.worths, sources, strict=True)
        ]


def _lasts(rate: float) -> float:
    """How many times longer than usual an item stays worth reading: 4 at a source that posts once a month."""
    return 1.0 + RARE_SOURCE_LASTS / (1.0 + max(0.0, rate))
