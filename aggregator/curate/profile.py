"""What one reader likes to read, learnt from what they opened through their own feed address (CURATE.md 5). Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aggregator.model import ItemText

__all__ = ["Profile", "Vector", "dot", "learn"]

#: the terms of a text by weight
Vector = Mapping[int, float]
#: what was opened a week ago counts half
HALF_LIFE = timedelta(days=7)
#: a taste is so many terms
TERMS = 64
#: below so many openings there is no taste to speak of
READS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A reader's taste."""

    #: unit vector of the heaviest terms
    terms: Mapping[int, float] = field(default_factory=dict)
    #: 0…1 by source: 1 for the one opened most
    sources: Mapping[int, float] = field(default_factory=dict)
    reads: int = 0

    @property
    def speaks(self) -> bool:
        """Enough has been read to go by it."""
        return self.reads >= READS


def learn(
    opened: Iterable[tuple[ItemText, datetime]], *, weigh: Callable[[ItemText], Vector], now: datetime
) -> Profile:
    """The taste that shows in what was opened; `weigh` gives the terms of a text."""
    total: dict[int, float] = defaultdict(float)
    sources: dict[int, float] = defaultdict(float)
    reads = 0
    for item, at in opened:
        worth = 0.5 ** max(0.0, (now - at) / HALF_LIFE)
        for term, weight in weigh(item).items():
            total[term] += worth * weight
        sources[item.source_id] += worth
        reads += 1
    most = max(sources.values(), default=1.0)
    return Profile(terms=_unit(total), sources={source: worth / most for source, worth in sources.items()}, reads=reads)


def _unit(total: Mapping[int, float]) -> dict[int, float]:
    heaviest = sorted(total, key=lambda term: (-total[term], term))[:TERMS]
    length = math.sqrt(sum(total[term] ** 2 for term in heaviest))
    return {term: total[term] / length for term in heaviest} if length else {}


def dot(one: Vector, other: Vector) -> float:
    """The cosine of two unit vectors, 0…1."""
    if len(one) > len(other):
        one, other = other, one
    return sum(weight * other[term] for term, weight in one.items() if term in other)
