"""What one reader likes to read, learnt from what they opened through their own feed address (CURATE.md 5). Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from aggregator.model import ItemText

__all__ = ["Z_MOST", "Profile", "Vector", "dot", "learn"]

#: the terms of a text by weight
Vector = Mapping[int, float]
#: what was opened a month ago counts half: a reader opens a few items a day, and a week of them is no taste yet
HALF_LIFE = timedelta(days=30)
#: a taste is as many terms as this. With the 64 heaviest, likeness told readers' subjects apart by a correlation of .28
#: with what they are in truth, with all of them by .41 (bench/town.py)
TERMS = 1024
#: below so many openings there is no taste to speak of, and after so many it is half known
READS = 5
HALF_KNOWN = 3.0
#: an item is at most so many standard deviations more, or less, like what was opened than the usual item is
Z_MOST = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A reader's taste."""

    #: unit vector of the heaviest terms
    terms: Mapping[int, float] = field(default_factory=dict)
    #: 0…1 by source: 1 for the one opened most
    sources: Mapping[int, float] = field(default_factory=dict)
    reads: int = 0
    #: cosines of these terms and the items there are: the middle, and how far they spread (`among`)
    middle: float = 0.0
    spread: float = 0.0

    @property
    def speaks(self) -> bool:
        """Enough has been read to go by it."""
        return self.reads >= READS

    def among(self, vectors: Iterable[Vector]) -> Profile:
        """The same, judging by what the usual item, of which these are some, has in common with anything."""
        cosines = [dot(self.terms, vector) for vector in vectors]
        if not cosines:
            return self
        middle = math.fsum(cosines) / len(cosines)
        spread = math.sqrt(math.fsum((cosine - middle) ** 2 for cosine in cosines) / len(cosines))
        return replace(self, middle=middle, spread=spread)

    def likes(self, vector: Vector) -> float:
        """How much more a text is like what was opened than the usual item: in standard deviations, surely known."""
        if self.spread < 1e-9:
            return 0.0
        z = (dot(self.terms, vector) - self.middle) / self.spread
        return max(-Z_MOST, min(Z_MOST, z)) * self.reads / (self.reads + HALF_KNOWN)


def learn(
    opened: Iterable[tuple[ItemText, datetime]], *, weigh: Callable[[ItemText], Vector], now: datetime
) -> Profile:
    """The taste that shows in what was opened; `weigh` gives the terms of a text.

    A story counts once, however many of its articles were opened: its words tell of that story alone.
    """
    opened = list(opened)
    told = Counter(_story(item) for item, _ in opened)
    sources: dict[int, float] = defaultdict(float)
    terms: dict[int, float] = defaultdict(float)
    for item, at in opened:
        worth = 0.5 ** max(0.0, (now - at) / HALF_LIFE)
        sources[item.source_id] += worth
        for term, weight in weigh(item).items():
            terms[term] += worth * weight / told[_story(item)]
    most = max(sources.values(), default=1.0)
    return Profile(
        terms=_unit(terms),
        sources={source: worth / most for source, worth in sources.items()},
        reads=len(opened),
    )


def _story(item: ItemText) -> str:
    return item.story or item.item_id


def _unit(total: Mapping[int, float]) -> dict[int, float]:
    heaviest = sorted(total, key=lambda term: (-total[term], term))[:TERMS]
    length = math.sqrt(sum(total[term] ** 2 for term in heaviest))
    return {term: total[term] / length for term in heaviest} if length else {}


def dot(one: Vector, other: Vector) -> float:
    """The cosine of two unit vectors, 0…1."""
    if len(one) > len(other):
        one, other = other, one
    return sum(weight * other[term] for term, weight in one.items() if term in other)
